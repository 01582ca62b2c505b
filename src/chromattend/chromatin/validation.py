"""Validation by an independent mark: correlation of weights with the coverage of a mark that no model has seen.

AttentiveChrome, section 5.2 and table 3: H3K27ac marks active promoters, as H3K4me3 does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import linalg, stats

from chromattend.chromatin.dataset import rows_of
from chromattend.interpret import CLASS_OPTIMIZATION, METHODS
from chromattend.statistics import (
    LEAST_GENES,
    LEAST_RELIABILITY,
    LEVEL,
    correlate_mean_maps,
    is_constant,
    pearson_by_row,
)

CORRELATION = [
    *("genes", "pearson", "pearson_low", "pearson_high", "reliability", "spearman", "shift_p"),
    *("gene_pearson", "gene_pearson_low", "gene_pearson_high", "note"),
]
VALIDATION = [
    "epigenome",
    "model",
    "validation_mark",
    "method",
    "weights",
    "mark",
    *CORRELATION[:-1],
    "published",
    "note",
]


def correlate_maps(weights: np.ndarray, coverage: np.ndarray) -> dict[str, Any]:
    """Correlate weights with coverage over the bins, both averaged over genes, and gene by gene.

    Args:
        weights: weights of one mark, shape (gene, bin).
        coverage: coverage of the validation mark for the same genes, shape (gene, bin).

    Returns:
        genes; pearson of the means, its interval pearson_low and pearson_high, and reliability, see
        `chromattend.statistics.correlate_mean_maps`; spearman; shift_p, the share of all circular shifts of the
        weights whose |r| is at least the unshifted |r| (neighbouring bins are similar, so the number of bins says
        little about the certainty of r); gene_pearson, the median of Pearson's r per gene, with its interval
        gene_pearson_low and gene_pearson_high from order statistics, whose ends need 6 genes; note, why there is no r
        or no interval. NaN where there is no value.
    """
    correlation = dict.fromkeys(CORRELATION, np.nan) | {"genes": len(weights), "note": _why_none(weights, coverage)}
    if correlation["note"]:
        return correlation
    over_genes = correlate_mean_maps(weights, coverage)
    mean, target = weights.mean(axis=0, dtype=float), coverage.mean(axis=0, dtype=float)
    shifted = pearson_by_row(linalg.circulant(mean).T, target)
    correlation |= {
        "pearson": over_genes.pearson,
        "pearson_low": over_genes.low,
        "pearson_high": over_genes.high,
        "reliability": over_genes.reliability,
        "spearman": float(stats.spearmanr(mean, target).statistic),
        "shift_p": float((np.abs(shifted) >= abs(over_genes.pearson) - 1e-12).mean()),
    }
    if len(weights) < LEAST_GENES:
        correlation["note"] = f"no interval of r: fewer than {LEAST_GENES} genes"
    elif over_genes.reliability < LEAST_RELIABILITY:
        correlation["note"] = f"no interval of r: reliability below {LEAST_RELIABILITY}"
    by_gene = pearson_by_row(weights.astype(float), coverage.astype(float))
    by_gene = by_gene[~np.isnan(by_gene)]
    if len(by_gene):
        interval = stats.quantile_test(by_gene, p=0.5).confidence_interval(LEVEL)
        correlation |= {
            "gene_pearson": float(np.median(by_gene)),
            "gene_pearson_low": float(interval.low),
            "gene_pearson_high": float(interval.high),
        }
    return correlation


def _why_none(weights: np.ndarray, coverage: np.ndarray) -> str | None:
    """Return why weights and coverage have no correlation, or None."""
    genes, bins = weights.shape
    if genes < 3 or bins < 3:
        return f"no r: fewer than 3 {'genes' if genes < 3 else 'bins'}"
    for values, name in ((weights, "weights"), (coverage, "coverage")):
        if is_constant(values.mean(axis=0, dtype=float)):
            return f"no r: the mean {name} {'are' if values is weights else 'is'} the same in all bins"
    return None


def validate(
    maps: xr.Dataset,
    dataset: xr.Dataset,
    signal: xr.Dataset,
    attention: xr.Dataset | None = None,
    *,
    genes: str = "predicted_on",
    absolute: bool = False,
) -> pd.DataFrame:
    """Correlate the maps of every method and mark with the validation mark.

    Args:
        maps: see `chromattend.chromatin.explain.Explanation`.
        dataset: dataset of the same epigenome, see `chromattend.chromatin.dataset.build_dataset`.
        signal: signal of the validation mark, see `chromattend.chromatin.signal.count_signal`.
        attention: attention of the same network for all test genes, see
            `chromattend.chromatin.attention.attention_maps`. Without it, attention is that of the genes in `maps`, as
            for all other methods and for untrained networks.
        genes: average over genes that the model predicts ON (`predicted_on`) or over genes that are ON (`true_on`);
            text and caption of the paper's table 3 disagree.
        absolute: use the absolute value of signed weights; the paper does not say.

    Returns:
        One row per method, weights (`trained`, or `random_1`, ... for untrained networks) and mark, with the columns
        of `correlate_maps`. The method `signal` uses the counts of the mark as weights: the correlation that any map
        that follows the reads would reach; its weights are `none` over the genes in `maps`, and `attended` over those
        of `attention`.
    """
    on = _on(maps, genes)
    explained = maps[["gene", "symbol"]].isel(gene=on)
    coverage = signal["counts"].values[rows_of(signal, explained)]
    counts = dataset["counts"].transpose("gene", "bin", "mark").values[rows_of(dataset, explained)]
    by_method: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {("signal", "none"): (counts, coverage)}
    for weights in maps["weights"].values:
        for method in METHODS:
            if method in maps:
                values = maps[method].sel(weights=weights).transpose("gene", "bin", "mark").values[on]
                values = np.abs(values) if absolute and METHODS[method].signed else values
                by_method[method, weights] = values, coverage
        # Class optimisation gives one map for all genes.
        optimum = maps["optimum"].sel(weights=weights, state="ON").transpose("bin", "mark").values
        by_method[CLASS_OPTIMIZATION, weights] = np.broadcast_to(optimum, counts.shape), coverage
    if attention is not None and ("alpha", "trained") in by_method:
        attended = attention.isel(gene=(attention["split"].values == "test") & _on(attention, genes))
        alpha = attended["alpha"].transpose("gene", "bin", "mark").sel(mark=maps["mark"].values).values
        covered = signal["counts"].values[rows_of(signal, attended)]
        reads = dataset["counts"].transpose("gene", "bin", "mark").values[rows_of(dataset, attended)]
        by_method |= {("alpha", "trained"): (alpha, covered), ("signal", "attended"): (reads, covered)}
    return pd.DataFrame(
        [
            {"method": method, "weights": weights, "mark": mark, **correlate_maps(values[:, :, number], covered)}
            for (method, weights), (values, covered) in by_method.items()
            for number, mark in enumerate(maps["mark"].values)
        ]
    )


def _on(maps: xr.Dataset, genes: str) -> np.ndarray:
    """Return which genes are predicted ON, or are ON."""
    return maps["score"].values > 0.5 if genes == "predicted_on" else maps["label"].values == 1


def validation_table(
    epigenome: str, validation_mark: str, tables: Mapping[str, pd.DataFrame], published: pd.DataFrame
) -> pd.DataFrame:
    """Put the validation of all models of an epigenome into one table, with the published values.

    Args:
        epigenome: name of the epigenome.
        validation_mark: mark that the weights were compared with.
        tables: model -> see `validate`.
        published: columns epigenome, model, method, mark, validation_mark, pearson: AttentiveChrome, table 3.

    Returns:
        Columns epigenome, model, validation_mark, the columns of `validate`, and published (for trained weights).
    """
    reported = published.set_index(["epigenome", "model", "method", "mark", "validation_mark"])["pearson"].to_dict()
    rows: list[dict[str, Any]] = []
    for model, table in tables.items():
        for row in table.to_dict("records"):
            value = reported.get((epigenome, model, row["method"], row["mark"], validation_mark))
            rows.append({"epigenome": epigenome, "model": model, "validation_mark": validation_mark})
            rows[-1] |= {str(name): entry for name, entry in row.items()}
            if row["weights"] == "trained":
                rows[-1]["published"] = value
    return pd.DataFrame(rows, columns=VALIDATION).astype({"genes": "Int64"})


def unvalidated(epigenome: str, mark: str | None) -> pd.DataFrame:
    """Return the table of an epigenome without the validation mark: one row with a note."""
    note = f"no {mark} in the sample sheet" if mark else "no validation mark in the configuration"
    return pd.DataFrame([{"epigenome": epigenome, "note": note}], columns=VALIDATION).astype({"genes": "Int64"})
