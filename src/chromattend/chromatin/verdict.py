"""Which model is best, and by how much, in words: for one epigenome and for the whole study."""

from collections.abc import Mapping

import pandas as pd

from chromattend.chromatin.tables import REFERENCE
from chromattend.figures import title
from chromattend.models.registry import REGISTRY

# A difference with a greater q is called not distinguishable.
LIMIT = 0.05
# With fewer, no p value of Wilcoxon's test can fall below 0.05.
LEAST_EPIGENOMES = 6


def best_model(aucs: Mapping[str, float]) -> str:
    """Return the model with the highest AUC; of equal ones, the first of the mapping."""
    return max(aucs, key=lambda model: aucs[model])


def rivals(aucs: Mapping[str, float]) -> list[str]:
    """Return the models that the best one is compared with in words.

    Args:
        aucs: model -> AUC.

    Returns:
        The runner-up, DeepChrome and the best baseline, without the best model itself and without repeats.
    """
    best = best_model(aucs)
    others = sorted((model for model in aucs if model != best), key=lambda model: -aucs[model])
    baselines = [model for model in others if REGISTRY[model].kind == "baseline"]
    return list(dict.fromkeys([*others[:1], *(model for model in others if model == REFERENCE), *baselines[:1]]))


def epigenome_verdict(aucs: Mapping[str, float], comparisons: pd.DataFrame) -> str:
    """Say which model is best in one epigenome, and by how much.

    Args:
        aucs: model -> test AUC.
        comparisons: see `chromattend.statistics.compare_aucs`, of the same models.

    Returns:
        Sentences with the paired differences to `rivals`, with DeLong's 95 % intervals.
    """
    best = best_model(aucs)
    said = [f"{title(best)} has the highest test AUC, {aucs[best]:.3f}."]
    differences = _from(best, comparisons, "difference")
    for rival in rivals(aucs):
        if rival not in differences:
            continue
        difference, low, high, q = differences[rival]
        ends = f"95 % interval of the paired difference {_range(low, high)}, q {q:.2g}"
        if q < LIMIT:
            said.append(f"Its AUC is {difference:.3f} above that of {title(rival)} ({ends}).")
        else:
            said.append(f"It is not distinguishable from {title(rival)}: {_signed(difference)} ({ends}).")
    return " ".join(said)


def study_verdict(auc: pd.DataFrame, comparisons: pd.DataFrame, wilcoxon: pd.DataFrame) -> str:
    """Say which model is best over all epigenomes, and by how much.

    Args:
        auc: see `chromattend.chromatin.tables.auc_table`.
        comparisons: the columns of `chromattend.statistics.compare_aucs`, and epigenome.
        wilcoxon: see `chromattend.statistics.compare_over_epigenomes`.

    Returns:
        Sentences with the median differences to `rivals` and their bootstrap intervals, and the number of epigenomes
        in which DeLong's test tells the models apart; of a single epigenome, `epigenome_verdict`.
    """
    names = list(auc["epigenome"].unique())
    aucs = {str(model): float(mean) for model, mean in auc.groupby("model", sort=False)["auc"].mean().items()}
    if len(names) == 1:
        return epigenome_verdict(aucs, comparisons)
    best = best_model(aucs)
    said = [f"{title(best)} has the highest mean test AUC over {len(names)} epigenomes, {aucs[best]:.3f}."]
    differences = _from(best, wilcoxon, "median_difference")
    for rival in rivals(aucs):
        if rival not in differences:
            continue
        difference, low, high, q = differences[rival]
        higher, lower = _told_apart(best, rival, comparisons)
        ends = f"median difference of AUC {_signed(difference)}, 95 % interval {_range(low, high)}"
        single = f"DeLong's test finds it higher in {higher} and lower in {lower} of {len(names)} epigenomes."
        if len(names) < LEAST_EPIGENOMES:
            said.append(f"Against {title(rival)}: {ends}; {single}")
        elif q < LIMIT:
            said.append(f"Over the epigenomes it differs from {title(rival)}: {ends}, q {q:.2g}; {single}")
        else:
            q_shown = "no q" if pd.isna(q) else f"q {q:.2g}"
            said.append(
                f"Over the epigenomes it is not distinguishable from {title(rival)}: {ends}, {q_shown}; {single}"
            )
    if len(names) < LEAST_EPIGENOMES and len(said) > 1:
        said.append(f"Fewer than {LEAST_EPIGENOMES} epigenomes are too few for a test over epigenomes.")
    return " ".join(said)


ALL = "all epigenomes"


def best_table(auc: pd.DataFrame, comparisons: pd.DataFrame, wilcoxon: pd.DataFrame) -> pd.DataFrame:
    """Tabulate which model is best, over all epigenomes and in each.

    Args:
        auc, comparisons, wilcoxon: see `study_verdict`.

    Returns:
        scope (`ALL` or an epigenome), model (the best), auc (of all epigenomes, the mean) and verdict (in words): first
        a row of all epigenomes, then one of each.
    """
    rows = []
    for epigenome, own in auc.groupby("epigenome", sort=False):
        aucs = dict(zip(own["model"], own["auc"], strict=True))
        said = epigenome_verdict(aucs, comparisons[comparisons["epigenome"] == epigenome])
        rows.append({"scope": epigenome, "model": best_model(aucs), "auc": aucs[best_model(aucs)], "verdict": said})
    means = auc.groupby("model", sort=False)["auc"].mean()
    first = {"scope": ALL, "model": means.idxmax(), "auc": means.max()}
    return pd.DataFrame([first | {"verdict": study_verdict(auc, comparisons, wilcoxon)}, *rows])


def _from(best: str, table: pd.DataFrame, column: str) -> dict[str, tuple[float, float, float, float]]:
    """Return model -> how much the best one's AUC is above its AUC, the ends of the interval, and q."""
    found = {}
    for row in table.to_dict("records"):
        value, low, high, q = (float(row[name]) for name in (column, "low", "high", "q"))
        if row["model"] == best:
            found[str(row["other"])] = (value, low, high, q)
        elif row["other"] == best:
            found[str(row["model"])] = (-value, -high, -low, q)
    return found


def _told_apart(best: str, rival: str, comparisons: pd.DataFrame) -> tuple[int, int]:
    """Return the numbers of epigenomes in which DeLong's test finds the best model's AUC higher, and lower."""
    forth = comparisons[(comparisons["model"] == best) & (comparisons["other"] == rival)]
    back = comparisons[(comparisons["model"] == rival) & (comparisons["other"] == best)]
    signs = [
        *(1 if value > 0 else -1 for value in forth.loc[forth["q"] < LIMIT, "difference"]),
        *(-1 if value > 0 else 1 for value in back.loc[back["q"] < LIMIT, "difference"]),
    ]
    return signs.count(1), signs.count(-1)


def _range(low: float, high: float) -> str:
    return "unknown" if pd.isna(low) else f"{low:z.3f} to {high:z.3f}".replace("-", "−")


def _signed(value: float) -> str:
    return f"{value:+z.3f}".replace("-", "−")
