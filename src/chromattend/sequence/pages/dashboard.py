"""The dashboard of one set of sequences: one self-contained HTML file."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import markupsafe
import pandas as pd
import xarray as xr
from scipy.special import expit

from chromattend.figures import inline_svg, plot_calibration, plot_roc
from chromattend.models.registry import REGISTRY
from chromattend.pages import render, table_rows
from chromattend.sequence.alphabets import ALPHABETS, Alphabet
from chromattend.sequence.logos import STYLES, colours_of, glyph
from chromattend.sequence.pages.explained import (
    FILTERS,
    LARGEST_E,
    ExplainedNetwork,
    browser_data,
    filter_summary,
)
from chromattend.sequence.views import TOP, VIEWS, recommended

# A network with a lower AUC on the validation sequences has learned nothing that is worth an explanation.
LEARNED_AUC = 0.6
# The page warns where the test sequences are this much easier than the validation sequences, or harder.
APART = 0.05
ROUTES = {name: view.title for name, view in VIEWS.items()} | {
    FILTERS: "First-layer filters",
    TOP: "Gapped k-mers of the largest weights",
}


def has_learned(metrics: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a model's AUC on the validation sequences, or on the test sequences without them, is not chance.

    Args:
        metrics: see `chromattend.evaluate.metrics`.
    """
    return bool(metrics.get("valid", metrics["test"])["auc"] >= LEARNED_AUC)


def verdict(
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]], explained: Mapping[str, ExplainedNetwork]
) -> tuple[str, str]:
    """Return the best explained model and one sentence on what it learned.

    Args:
        metrics: model -> see `chromattend.evaluate.metrics`.
        explained: the explained networks, at least one.
    """
    best = max(explained, key=lambda model: metrics[model]["test"]["auc"])
    title = REGISTRY[best].title
    if not has_learned(metrics[best]):
        auc = metrics[best].get("valid", metrics[best]["test"])["auc"]
        return best, f"{title} has learned nothing: its AUC on sequences outside its training is {auc:.3f}."
    motif = explained[best].main_motif()
    return best, str(motif["sentence"]) if motif else f"No motif was found in the attributions of {title}."


def warnings_of(metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """Return what a reader must know before the AUCs are interpreted, one sentence each.

    Args:
        metrics: model -> see `chromattend.evaluate.metrics`.
    """
    warnings = []
    for model, by_split in metrics.items():
        title = REGISTRY[model].title
        if not has_learned(by_split):
            auc = by_split.get("valid", by_split["test"])["auc"]
            warnings.append(f"{title} learned nothing: its AUC on the validation sequences is {auc:.3f}.")
        elif by_split["test"]["note"]:
            warnings.append(f"Do not interpret {title}: {by_split['test']['note']}.")
    best = max(metrics, key=lambda model: metrics[model]["test"]["auc"])
    if REGISTRY[best].kind != "network" and any(REGISTRY[model].kind == "network" for model in metrics):
        warnings.append(
            f"No network is above the floor of k-mers: {REGISTRY[best].title} has the highest AUC, "
            f"{metrics[best]['test']['auc']:.3f}."
        )
    if "valid" in metrics[best]:
        gap = metrics[best]["test"]["auc"] - metrics[best]["valid"]["auc"]
        if abs(gap) > APART:
            warnings.append(
                f"The test sequences are {'easier' if gap > 0 else 'harder'} than the validation sequences: "
                f"{REGISTRY[best].title} has an AUC of {metrics[best]['test']['auc']:.3f} and "
                f"{metrics[best]['valid']['auc']:.3f}. They are different populations; "
                "compare models within one of the two."
            )
    return warnings


def measures_of(quality: Mapping[str, Any], alphabet: Alphabet) -> list[tuple[str, str]]:
    """Return what a set's sequences are like, as names and values for a table.

    Args:
        quality: see `chromattend.sequence.dataset.build_dataset`.
        alphabet: alphabet of the set: only DNA has another strand, and text has neither unknown letters nor repeats.
    """
    lengths, repeats, shared = quality["lengths"], quality["duplicates"], quality["shared_stretches"]
    classes = _classes(alphabet)
    masked = [
        ("Unknown letters", f"{100 * quality['unknown']:.2f} %"),
        ("Lower-case letters (repeats)", f"{100 * quality['soft_masked']:.1f} %"),
    ]
    other = [("Sequences equal to the other strand of an earlier one", f"{repeats['other_strand']:,}")]
    return [
        ("Letters, shortest to longest", f"{lengths['shortest']:,} to {lengths['longest']:,}"),
        ("Letters used", f"{lengths['used']:,}"),
        ("Padded sequences", f"{quality['padded']:,}"),
        ("Cropped sequences", f"{quality['cropped']:,}"),
        *((f"Sequences by origin: {_ORIGINS[origin]}", f"{number:,}") for origin, number in quality["origins"].items()),
        *((f"GC content, {classes[name]}", f"{100 * share:.1f} %") for name, share in quality["gc"].items()),
        *([] if alphabet.name == "text" else masked),
        ("Sequences equal to an earlier one", f"{repeats['same_strand']:,}"),
        *(other if alphabet.name == "dna" else []),
        ("Equal sequences in two parts", f"{repeats['across_parts']:,}"),
        ("Training sequences dropped, since they are in the test part", f"{quality['dropped']:,}"),
        (
            f"{classes['positive'].capitalize()} test sequences that share {shared['letters']} letters with training",
            f"{shared['positive']:,}",
        ),
        ("Shuffles equal to their positive", f"{quality['unchanged_shuffles']:,}"),
    ]


_ORIGINS = {"given": "as given", "shuffle": "shuffled positives", "genome": "drawn from the genome"}


def _classes(alphabet: Alphabet) -> dict[str, str]:
    """Return what the page calls both classes: a factor binds nucleotides; proteins and texts belong to a class."""
    return (
        {"positive": "bound", "negative": "not bound"}
        if alphabet.complement
        else {"positive": "positive", "negative": "negative"}
    )


def write_dashboard(
    path: str | Path,
    *,
    dataset: xr.Dataset,
    quality: Mapping[str, Any],
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]],
    predictions: Mapping[str, pd.DataFrame],
    comparisons: pd.DataFrame,
    calibration: pd.DataFrame,
    explained: Mapping[str, ExplainedNetwork],
    tried: pd.DataFrame | None = None,
    seconds: Mapping[str, float],
    tf: str,
    group: str,
    command: str,
) -> None:
    """Write the dashboard of one set.

    Args:
        path: the HTML file.
        dataset: see `chromattend.sequence.dataset.build_dataset`.
        quality: see `chromattend.sequence.dataset.build_dataset`.
        metrics: model -> see `chromattend.evaluate.metrics`.
        predictions: model -> see `chromattend.evaluate.predict`, of the same models.
        comparisons: see `chromattend.statistics.compare_aucs`.
        calibration: see `chromattend.evaluate.calibration_table`.
        explained: network -> its explanations; empty if none was explained.
        tried: parameters that a gapped k-mer SVM tried, the chosen ones last, see `GkmSVM`; None without one.
        seconds: model -> seconds of its training, as far as they are known.
        tf, group: factor and group of the set in the sheet, may be empty.
        command: command that writes the page again.
    """
    # The kernels are slow to import, and the index and the tables import this module, too.
    from chromattend.sequence.kernel.top import gap_of

    name = str(dataset.attrs["set"])
    alphabet = ALPHABETS[str(dataset.attrs["alphabet"])]
    ranked = sorted(metrics.items(), key=lambda item: -item[1]["test"]["auc"])
    networks = sorted(explained, key=lambda model: -metrics[model]["test"]["auc"])
    best, sentence = verdict(metrics, explained) if explained else ("", "")
    names = dataset["sequence"].values.astype(str)
    places = dict(zip(names, dataset["place"].values.astype(str), strict=True))
    split, label = dataset["split"].values, dataset["label"].values
    render(
        path,
        __package__,
        "dashboard.html",
        set=name,
        tf=tf,
        group=group,
        attributes=dataset.attrs,
        length=dataset.sizes["position"],
        gap=gap_of(alphabet.letters),
        alphabet=alphabet.name.upper() if len(alphabet) == 4 else alphabet.name,
        parts={
            part: {"positives": int((label[split == part] == 1).sum()), "all": int((split == part).sum())}
            for part in ("train", "valid", "test")
        },
        warnings=warnings_of(metrics),
        best=best,
        sentence=sentence,
        learned=bool(best) and has_learned(metrics[best]),
        models=ranked,
        specs=REGISTRY,
        titles={model: REGISTRY[model].title for model in metrics},
        to_best=_differences(comparisons, ranked[0][0]),
        seconds=seconds,
        tried=table_rows(tried) if tried is not None else [],
        roc=inline_svg(plot_roc(predictions, metrics, name, "sequence"), "roc", f"ROC curves of each model on {name}"),
        calibration=inline_svg(
            plot_calibration(calibration, metrics, name, "sequence", _classes(alphabet)["positive"]),
            "calibration",
            f"Calibration of each model on {name}",
        ),
        networks={model: _network(model, explained[model], predictions[model], tf) for model in networks},
        routes=ROUTES,
        views=VIEWS,
        largest_e=LARGEST_E,
        quality=quality,
        notes=quality["notes"],
        measures=measures_of(quality, alphabet),
        glyphs=[markupsafe.Markup(glyph(letter, f"glyph-{number}")) for number, letter in enumerate(alphabet.letters)],
        logo_styles=markupsafe.Markup(STYLES),
        colours=colours_of(alphabet.letters),
        classes=_classes(alphabet),
        data={
            "letters": alphabet.letters,
            "views": {name: [view.title, view.description] for name, view in VIEWS.items()},
            "networks": {model: browser_data(network, alphabet, places) for model, network in explained.items()},
        },
        command=command,
    )


def _network(model: str, network: ExplainedNetwork, predictions: pd.DataFrame, tf: str) -> dict[str, Any]:
    """Return what the template shows of one network."""
    explanation = network.explanation
    scores = dict(zip(predictions["sequence"].astype(str), predictions["score"], strict=True))
    parts = dict(zip(predictions["sequence"].astype(str), predictions["split"].astype(str), strict=True))
    shown = []
    for row, reason in zip(explanation["shown_sequence"].values.tolist(), explanation["reason"].values, strict=True):
        name = str(explanation["sequence"].values[row])
        influence = network.influence[network.influence["example"] == name].sort_values("rank")
        logit = float(explanation["score"].values[row])
        shown.append(
            {
                "name": name,
                "reason": str(reason),
                "label": int(explanation["label"].values[row]),
                "split": parts.get(name, ""),
                "logit": logit,
                # Networks can be calibrated after their training, so the probability is that of the predictions.
                "probability": float(scores.get(name, expit(logit))),
                "influence": table_rows(influence),
                "agreement": float(influence["agreement"].min()) if len(influence) else 1.0,
            }
        )
    routes = network.motifs[network.motifs["route"] != FILTERS]
    filters = network.motifs[network.motifs["route"] == FILTERS]
    return {
        "title": REGISTRY[model].title,
        "shown": shown,
        "motif": network.main_motif(),
        "motifs": [
            without_own(row) | {"seconds": row["seconds"] + network.seconds.get(row["route"], 0)}
            for row in table_rows(routes)
        ],
        "filters": table_rows(filters[filters["e"] < LARGEST_E].sort_values("e", kind="stable")),
        "filter_summary": filter_summary(network.motifs) if len(filters) else "",
        "design": {key: _number(value) for key, value in network.designs.attrs.items() if key in _SCORES},
        "gapped_kmers": table_rows(network.gapped_kmers) if network.gapped_kmers is not None else [],
        "trust": table_rows(network.trust),
        "planted": bool(network.trust["planted"].notna().any()),
        "gc": bool(network.trust["gc"].notna().any()),
        "tf": tf,
        "recommended": recommended(model),
    }


def _number(value: float) -> float | None:
    """Return a number of a file, where NaN stands for one that there is not."""
    return None if math.isnan(value) else float(value)


def without_own(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a motif without the rank of an own entry that the database does not have."""
    return row if row["own_entry"] else row | dict.fromkeys(("own_rank", "own_q", "own_e", "recovered"))


_SCORES = ("score_published", "score_published_one_hot", "score_design", "highest_training_score")


def _differences(comparisons: pd.DataFrame, best: str) -> dict[str, tuple[float, float]]:
    """Return model -> its AUC minus the best model's AUC, and the q value."""
    rows = comparisons.to_dict("records")
    forward = {row["model"]: (row["difference"], row["q"]) for row in rows if row["other"] == best}
    return forward | {row["other"]: (-row["difference"], row["q"]) for row in rows if row["model"] == best}
