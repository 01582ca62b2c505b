"""The table of a study: what disturbs, turns and certifies the calls of each model in each epigenome."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

# Number of reads at which the study compares certificates, and the share of the reads at which it compares noise.
CERTIFIED_READS = 20
KEPT = 0.1


@dataclass(frozen=True)
class Result:
    """What was measured of one model in one epigenome; tables of parts that are switched off are empty.

    Attributes:
        epigenome, model: names, as in the study.
        noise: a row per condition.
        stability: a row per gene, how often redraws keep its call.
        certificate: a row per gene, how many reads provably keep its vote.
        worst_case: a row per gene, how many reads and entries turn its call.
        transfer: a row per threat and pair of models of the epigenome.
        threshold: P(ON) above which a gene is called ON; None if unknown.
        budget: largest number of reads that were added and removed.
    """

    epigenome: str
    model: str
    noise: pd.DataFrame
    stability: pd.DataFrame = field(default_factory=pd.DataFrame)
    certificate: pd.DataFrame = field(default_factory=pd.DataFrame)
    worst_case: pd.DataFrame = field(default_factory=pd.DataFrame)
    transfer: pd.DataFrame = field(default_factory=pd.DataFrame)
    threshold: float | None = None
    budget: int = 500


def quantile(values: pd.Series | np.ndarray, share: float) -> float | None:
    """Return the smallest value that at least a share of the values reaches; missing values are above all others.

    Args:
        values: one per gene, missing where the budget did not suffice.
        share: from 0 to 1; 0.5 for the median.

    Returns:
        None if it is above the budget, or `values` is empty.
    """
    ordered = np.sort(np.nan_to_num(np.asarray(values, dtype=float), nan=np.inf))
    if not len(ordered):
        return None
    value = float(ordered[max(math.ceil(share * len(ordered)) - 1, 0)])
    return value if math.isfinite(value) else None


def right(table: pd.DataFrame) -> pd.DataFrame:
    """Return the genes of worst_case.tsv that the model calls right: only these have a call to lose."""
    return table[table["right"].astype(bool)] if len(table) else table


def voted_right(table: pd.DataFrame) -> pd.DataFrame:
    """Return the genes of certificate.tsv whose vote is right, with 0 certified reads where the vote abstains."""
    if not len(table):
        return table
    chosen = table[(table["voted"] == "ON") == (table["label"] == 1)]
    return chosen.assign(certified_reads=chosen["certified_reads"].fillna(0))


def certified_share(table: pd.DataFrame, reads: int) -> float | None:
    """Return the share of all genes of certificate.tsv whose vote is right and certain for a number of reads."""
    if not len(table):
        return None
    return float((voted_right(table)["certified_reads"] >= reads).sum() / len(table))


def condition(noise: pd.DataFrame, kind: str, value: float | None = None) -> dict[str, Any]:
    """Return the first row of noise.tsv of a kind and, if given, a value; an empty mapping if it was not run."""
    chosen = noise[noise["kind"] == kind]
    if value is not None and len(chosen):
        chosen = chosen[np.isclose(chosen["value"].astype(float), value)]
    return present(chosen.iloc[0]) if len(chosen) else {}


def present(row: Mapping[Any, Any] | pd.Series) -> dict[str, Any]:
    """Return the values of a row that are not missing."""
    return {str(name): value for name, value in row.items() if not pd.isna(value)}


def vote_of(certificate: pd.DataFrame) -> dict[str, float | None]:
    """Return accuracy and share called ON of the vote of thinned copies: vote_accuracy, vote_share_on."""
    if certificate.empty:
        return {"vote_accuracy": None, "vote_share_on": None}
    on = certificate["voted"] == "ON"
    return {"vote_accuracy": float((on == (certificate["label"] == 1)).mean()), "vote_share_on": float(on.mean())}


def study_row(result: Result) -> dict[str, Any]:
    """Return the figures of one model in one epigenome, see `study_table`."""
    called = right(result.worst_case)
    voted = voted_right(result.certificate)
    undisturbed = condition(result.noise, "none")
    redraw = condition(result.noise, "redraw")
    keep = condition(result.noise, "keep", KEPT)
    old_depth = condition(result.noise, "keep_old_depth", KEPT)
    others = result.transfer
    own = others[others["from_model"] == result.model] if len(others) else others

    def over_genes(column: str, share: float) -> float | None:
        return quantile(called[column], share) if len(called) else None

    return {
        "epigenome": result.epigenome,
        "model": result.model,
        "genes": max(len(result.stability), len(result.worst_case)),
        "accuracy": undisturbed.get("accuracy"),
        "auc": undisturbed.get("auc"),
        "share_on": undisturbed.get("share_on"),
        "threshold": result.threshold,
        "redraw_changed": redraw.get("changed"),
        "keep10_auc": keep.get("auc"),
        "keep10_changed": keep.get("changed"),
        "keep10_old_depth_changed": old_depth.get("changed"),
        "alpha_r_redraw": redraw.get("alpha_r"),
        "alpha_r_keep10": keep.get("alpha_r"),
        "budget": result.budget,
        "turned_within": float(called["reads"].notna().mean()) if len(called) else None,
        "reads_median": over_genes("reads", 0.5),
        "reads_p10": over_genes("reads", 0.1),
        "reads_p90": over_genes("reads", 0.9),
        "reads_share_median": over_genes("reads_share", 0.5),
        "entries_median": over_genes("entries", 0.5),
        "entries_p90": over_genes("entries", 0.9),
        **vote_of(result.certificate),
        "certified_median": quantile(voted["certified_reads"], 0.5) if len(voted) else None,
        f"certified_accuracy_{CERTIFIED_READS}": certified_share(result.certificate, CERTIFIED_READS),
        "transfer_highest": float(own["fooled"].max()) if len(own) else None,
    }


def study_table(results: Iterable[Result]) -> pd.DataFrame:
    """Return one row per epigenome and model.

    Returns:
        epigenome, model, genes; accuracy, auc and share_on (share called ON) of the undisturbed genes, threshold;
        the share of calls that a Poisson redraw changes (redraw_changed); AUC and changed calls with a tenth of the
        reads (keep10_auc, keep10_changed), and with the depth of all reads (keep10_old_depth_changed); median r of
        alpha with itself (alpha_r_redraw, alpha_r_keep10).

        Of the genes called right: the share that turns within `budget` reads (turned_within), quantiles of the fewest
        reads found that turn a call (reads_median, reads_p10, reads_p90, reads_share_median) and of the fewest
        entries (entries_median, entries_p90). Genes that do not turn count as above the budget; a quantile above it is
        empty.

        Accuracy of the vote of thinned copies, and the share that it calls ON (vote_accuracy, vote_share_on); the
        median of certified reads over the genes whose vote is right (certified_median), the share of all genes whose
        vote is right and certain for 20 reads (certified_accuracy_20), and the highest share of turned genes that
        another model calls wrong, too (transfer_highest).
    """
    return pd.DataFrame([study_row(result) for result in results])


def letters_row(table: pd.DataFrame) -> dict[str, Any]:
    """Return the figures of letters.tsv of a network.

    Returns:
        sequences, accuracy, length (median), turned_within (share of the right predictions that turn), changes_median,
        changes_p10 and changes_p90 (quantiles over the right predictions; None above the largest number tried).
    """
    called = right(table)
    return {
        "sequences": len(table),
        "accuracy": len(called) / len(table) if len(table) else None,
        "length": int(table["length"].median()) if len(table) else None,
        "turned_within": float(called["changes"].notna().mean()) if len(called) else None,
        **{
            f"changes_{name}": quantile(called["changes"], share) if len(called) else None
            for name, share in (("median", 0.5), ("p10", 0.1), ("p90", 0.9))
        },
    }
