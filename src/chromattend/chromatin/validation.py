"""Whether a model looks where an independent mark lies: weights against the coverage of a mark that no model saw.

AttentiveChrome, section 5.2 and table 3: H3K27ac marks active promoters as H3K4me3 does.
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
        weights: of one mark, shape (gene, bin).
        coverage: of the validation mark of the same genes, shape (gene, bin).
        seed: of the bootstrap.

    Returns:
        genes; pearson of the means with its interval pearson_low and pearson_high (percentile bootstrap over genes);
        spearman; shift_p, the share of all circular shifts of the weights whose |r| reaches that of no shift: bins
        beside each other are alike, so that their number says little of how certain r is; gene_pearson, the median
        of Pearson's r per gene. NaN where something does not vary.
    """
    found: dict[str, float] = {"genes": len(weights)}
    names = ("pearson", "pearson_low", "pearson_high", "spearman", "shift_p", "gene_pearson")
    found |= dict.fromkeys(names, float("nan"))
    if not len(weights) or weights.shape[1] < 3:
        return found
    mean, target = weights.mean(axis=0, dtype=float), coverage.mean(axis=0, dtype=float)
    found["pearson"] = float(_pearson(mean, target))
    if np.isnan(found["pearson"]):
        return found
    found["spearman"] = float(stats.spearmanr(mean, target).statistic)
    shifted = _pearson(np.stack([np.roll(mean, shift) for shift in range(len(mean))]), target)
    found["shift_p"] = float((np.abs(shifted) >= abs(found["pearson"]) - 1e-12).mean())
    if len(weights) > 1:
        # How often each gene is drawn, so that all resamples are two products of matrices.
        drawn = np.random.default_rng(seed).multinomial(
            len(weights), np.full(len(weights), 1 / len(weights)), RESAMPLES
        )
        resampled = _pearson(drawn @ weights.astype(float), drawn @ coverage.astype(float))
        tail = 100 * (1 - LEVEL) / 2
        found["pearson_low"], found["pearson_high"] = map(float, np.nanpercentile(resampled, [tail, 100 - tail]))
    each = _pearson(weights.astype(float), coverage.astype(float))
    if not np.isnan(each).all():
        found["gene_pearson"] = float(np.nanmedian(each))
    return found


def _pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Pearson's r along the last axis; NaN where one of them is constant."""
    # What rounding leaves of a constant is no variation.
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
        dataset: of the same epigenome, see `chromattend.chromatin.dataset.build_dataset`.
        signal: of the validation mark, see `chromattend.chromatin.signal.count_signal`.
        genes: whether those are averaged that the model predicts ON (`predicted_on`) or that are ON (`true_on`): text
            and caption of the paper's table 3 disagree.
        absolute: whether signed weights are taken without their sign; the paper does not say.

    Returns:
        One row a method, weights (`trained`, or `random_1`, ...: of networks without training) and mark, with the
        columns of `correlate_maps`. The method `signal` has the counts of the mark themselves in place of weights:
        what any map that follows the reads would reach.
    """
    on = maps["score"].values > 0.5 if genes == "predicted_on" else maps["label"].values == 1
    chosen = maps[["gene", "symbol"]].isel(gene=np.flatnonzero(on))
    coverage = signal["counts"].values[rows_of(signal, chosen)]
    counts = dataset["counts"].transpose("gene", "bin", "mark").values[rows_of(dataset, chosen)]
    found: dict[tuple[str, str], np.ndarray] = {("signal", "none"): counts}
    for weights in maps["weights"].values:
        for method in METHODS:
            if method in maps:
                values = maps[method].sel(weights=weights).transpose("gene", "bin", "mark").values[on]
                found[method, weights] = np.abs(values) if absolute and METHODS[method].signed else values
        # One map for all genes.
        optimum = maps["optimum"].sel(weights=weights, state="ON").transpose("bin", "mark").values
        found[CLASS_OPTIMIZATION, weights] = np.broadcast_to(optimum, counts.shape)
    return pd.DataFrame(
        [
            {"method": method, "weights": weights, "mark": mark, **correlate_maps(values[:, :, number], coverage)}
            for (method, weights), values in found.items()
            for number, mark in enumerate(maps["mark"].values)
        ]
    )


def validation_table(
    epigenome: str, validation_mark: str, found: Mapping[str, pd.DataFrame], published: pd.DataFrame
) -> pd.DataFrame:
    """Put the validation of all models of an epigenome into one table, beside the published figures.

    Args:
        epigenome: its name.
        validation_mark: what the weights were compared with.
        found: model -> see `validate`.
        published: columns epigenome, model, method, mark, validation_mark, pearson: AttentiveChrome, table 3.

    Returns:
        Columns epigenome, model, validation_mark, those of `validate`, published (for trained weights) and note
        (empty).
    """
    known = published.set_index(["epigenome", "model", "method", "mark", "validation_mark"])["pearson"].to_dict()
    rows: list[dict[str, Any]] = []
    for model, table in found.items():
        for row in table.to_dict("records"):
            value = known.get((epigenome, model, row["method"], row["mark"], validation_mark))
            rows.append({"epigenome": epigenome, "model": model, "validation_mark": validation_mark})
            rows[-1] |= {str(name): cell for name, cell in row.items()}
            if row["weights"] == "trained":
                rows[-1]["published"] = value
    return pd.DataFrame(rows, columns=VALIDATION)


def unvalidated(epigenome: str, mark: str | None) -> pd.DataFrame:
    """Return the table of an epigenome without the validation mark: one row, whose note says so."""
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
