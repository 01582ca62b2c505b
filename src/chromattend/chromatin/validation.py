"""Validation by an independent mark: correlation of weights with the coverage of a mark that no model has seen.

AttentiveChrome, section 5.2 and table 3: H3K27ac marks active promoters, as H3K4me3 does.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from chromattend.chromatin.dataset import rows_of
from chromattend.interpret import CLASS_OPTIMIZATION, METHODS

LEVEL = 0.95
RESAMPLES = 1000


def correlate_maps(weights: np.ndarray, coverage: np.ndarray, *, seed: int = 1) -> dict[str, float]:
    """Correlate weights with coverage over the bins, both averaged over genes, and gene by gene.

    Args:
        weights: weights of one mark, shape (gene, bin).
        coverage: coverage of the validation mark for the same genes, shape (gene, bin).
        seed: seed of the bootstrap.

    Returns:
        genes; pearson of the means with its interval pearson_low and pearson_high (percentile bootstrap over genes);
        spearman; shift_p, the share of all circular shifts of the weights whose |r| is at least the unshifted |r|
        (neighbouring bins are similar, so the number of bins says little about the certainty of r); gene_pearson,
        the median of Pearson's r per gene. NaN where weights or coverage do not vary.
    """
    correlation: dict[str, float] = {"genes": len(weights)}
    names = ("pearson", "pearson_low", "pearson_high", "spearman", "shift_p", "gene_pearson")
    correlation |= dict.fromkeys(names, float("nan"))
    if not len(weights) or weights.shape[1] < 3:
        return correlation
    mean, target = weights.mean(axis=0, dtype=float), coverage.mean(axis=0, dtype=float)
    correlation["pearson"] = float(_pearson(mean, target))
    if np.isnan(correlation["pearson"]):
        return correlation
    correlation["spearman"] = float(stats.spearmanr(mean, target).statistic)
    shifted = _pearson(np.stack([np.roll(mean, shift) for shift in range(len(mean))]), target)
    correlation["shift_p"] = float((np.abs(shifted) >= abs(correlation["pearson"]) - 1e-12).mean())
    if len(weights) > 1:
        # Counts of how often each gene is drawn, so that all resamples are two matrix products.
        drawn = np.random.default_rng(seed).multinomial(
            len(weights), np.full(len(weights), 1 / len(weights)), RESAMPLES
        )
        resampled = _pearson(drawn @ weights.astype(float), drawn @ coverage.astype(float))
        tail = 100 * (1 - LEVEL) / 2
        interval = np.nanpercentile(resampled, [tail, 100 - tail])
        correlation["pearson_low"], correlation["pearson_high"] = map(float, interval)
    by_gene = _pearson(weights.astype(float), coverage.astype(float))
    if not np.isnan(by_gene).all():
        correlation["gene_pearson"] = float(np.nanmedian(by_gene))
    return correlation


def _pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Pearson's r along the last axis; NaN where either array is constant."""
    # Rounding errors of a constant do not count as variation.
    varies = [np.ptp(values, axis=-1) > 1e-7 * np.abs(values).max(axis=-1) for values in (first, second)]
    first, second = (values - values.mean(axis=-1, keepdims=True) for values in (first, second))
    norm = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(varies[0] & varies[1], (first * second).sum(axis=-1) / norm, np.nan)


def validate(
    maps: xr.Dataset, dataset: xr.Dataset, signal: xr.Dataset, *, genes: str = "predicted_on", absolute: bool = False
) -> pd.DataFrame:
    """Correlate the maps of every method and mark with the validation mark.

    Args:
        maps: see `chromattend.chromatin.explain.Explanation`.
        dataset: dataset of the same epigenome, see `chromattend.chromatin.dataset.build_dataset`.
        signal: signal of the validation mark, see `chromattend.chromatin.signal.count_signal`.
        genes: average over genes that the model predicts ON (`predicted_on`) or over genes that are ON (`true_on`);
            text and caption of the paper's table 3 disagree.
        absolute: use the absolute value of signed weights; the paper does not say.

    Returns:
        One row per method, weights (`trained`, or `random_1`, ... for untrained networks) and mark, with the columns
        of `correlate_maps`. The method `signal` uses the counts of the mark as weights: the correlation that any map
        that follows the reads would reach.
    """
    on = maps["score"].values > 0.5 if genes == "predicted_on" else maps["label"].values == 1
    chosen = maps[["gene", "symbol"]].isel(gene=np.flatnonzero(on))
    coverage = signal["counts"].values[rows_of(signal, chosen)]
    counts = dataset["counts"].transpose("gene", "bin", "mark").values[rows_of(dataset, chosen)]
    by_method: dict[tuple[str, str], np.ndarray] = {("signal", "none"): counts}
    for weights in maps["weights"].values:
        for method in METHODS:
            if method in maps:
                values = maps[method].sel(weights=weights).transpose("gene", "bin", "mark").values[on]
                by_method[method, weights] = np.abs(values) if absolute and METHODS[method].signed else values
        # Class optimisation gives one map for all genes.
        optimum = maps["optimum"].sel(weights=weights, state="ON").transpose("bin", "mark").values
        by_method[CLASS_OPTIMIZATION, weights] = np.broadcast_to(optimum, counts.shape)
    return pd.DataFrame(
        [
            {"method": method, "weights": weights, "mark": mark, **correlate_maps(values[:, :, number], coverage)}
            for (method, weights), values in by_method.items()
            for number, mark in enumerate(maps["mark"].values)
        ]
    )


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
        Columns epigenome, model, validation_mark, the columns of `validate`, published (for trained weights) and note
        (empty).
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
    return pd.DataFrame(rows, columns=VALIDATION)


def unvalidated(epigenome: str, mark: str | None) -> pd.DataFrame:
    """Return the table of an epigenome without the validation mark: one row with a note."""
    note = f"no {mark} in the sample sheet" if mark else "no validation mark in the configuration"
    return pd.DataFrame([{"epigenome": epigenome, "note": note}], columns=VALIDATION)


VALIDATION = [
    *(
        "epigenome",
        "model",
        "validation_mark",
        "method",
        "weights",
        "mark",
        "genes",
        "pearson",
        "pearson_low",
        "pearson_high",
    ),
    *("spearman", "shift_p", "gene_pearson", "published", "note"),
]
