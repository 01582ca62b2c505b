"""The task of DeepDiff: how expression differs between two epigenomes (Sekhon et al., Bioinformatics 34:i891, 2018)."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from chromattend.chromatin.dataset import match_genes
from chromattend.errors import UserError
from chromattend.models.base import TrainedModel


def pair_dataset(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    """Join two epigenomes into one dataset whose target is their difference in expression.

    The paper uses RNA-seq read counts plus 1 and its own split; this uses RPKM plus 1 and the study's split.

    Args:
        first, second: see `chromattend.chromatin.dataset.build_dataset`, with the same split.

    Returns:
        `counts[gene, bin, mark]` of the common genes, with the marks of the first epigenome (A:H3K4me3, ...) before
        the marks of the second (B:H3K4me3, ...); `depth[mark]`, `split[gene]` and `target[gene]`, the base-2
        logarithm of (RPKM + 1) of the second over (RPKM + 1) of the first.

    Raises:
        UserError: the epigenomes have no gene in common, or a gene is in different parts of the split.
    """
    rows = match_genes(first, second)
    if not (rows >= 0).any():
        raise UserError(
            f"{first.attrs['epigenome']}, {second.attrs['epigenome']}: have no gene in common; remove the pair"
        )
    first, second = first.isel(gene=np.flatnonzero(rows >= 0)), second.isel(gene=rows[rows >= 0])
    if not (first["split"].values == second["split"].values).all():
        raise UserError(
            f"{first.attrs['epigenome']}, {second.attrs['epigenome']}: have different splits; build both datasets again"
        )
    sides = [dataset["counts"].transpose("gene", "bin", "mark") for dataset in (first, second)]
    change = np.log2((second["rpkm"].values + 1) / (first["rpkm"].values + 1))
    names = [f"{side}:{mark}" for side in "AB" for mark in first["mark"].values]
    return xr.Dataset(
        {
            "counts": (("gene", "bin", "mark"), np.concatenate([side.values for side in sides], axis=2)),
            "depth": ("mark", np.concatenate([first["depth"].values, second["depth"].values])),
            "split": ("gene", first["split"].values),
            "target": ("gene", change, {"long_name": "log2 fold change of RPKM + 1, second over first"}),
        },
        coords={
            "gene": first["gene"].values,
            "symbol": ("gene", first["symbol"].values),
            "bin": first["bin"],
            "mark": names,
        },
        attrs={
            "epigenome": f"{first.attrs['epigenome']}-vs-{second.attrs['epigenome']}",
            "counting": first.attrs.get("counting", ""),
        },
    )


def predict_change(model: TrainedModel, dataset: xr.Dataset) -> pd.DataFrame:
    """Predict the log fold change of every gene of a pair.

    Returns:
        Columns gene, symbol, split, target, prediction; one row per gene, in the dataset's order.
    """
    columns = {name: dataset[name].values for name in ("gene", "symbol", "split", "target")}
    return pd.DataFrame({**columns, "prediction": model.score(dataset)})


def correlations(predictions: pd.DataFrame, level: float = 0.95) -> dict[str, dict[str, Any]]:
    """Correlate predictions with the measured log fold change.

    Args:
        predictions: see `predict_change`.
        level: confidence level of the interval.

    Returns:
        Split -> pearson with its interval (Fisher's z), spearman, n. A constant prediction has no correlation: None.
    """
    by_split: dict[str, dict[str, Any]] = {}
    for split, rows in predictions.groupby("split"):
        target, prediction = rows["target"].to_numpy(), rows["prediction"].to_numpy()
        row: dict[str, Any] = dict.fromkeys(("pearson", "pearson_low", "pearson_high", "spearman"))
        if len(rows) > 3 and np.ptp(target) > 0 and np.ptp(prediction) > 0:
            pearson = stats.pearsonr(target, prediction)
            interval = pearson.confidence_interval(level)
            row |= {
                "pearson": float(pearson.statistic),
                "pearson_low": float(interval.low),
                "pearson_high": float(interval.high),
                "spearman": float(stats.spearmanr(target, prediction).statistic),
            }
        by_split[str(split)] = row | {"n": len(rows)}
    return by_split


def differential_table(results: Mapping[tuple[str, str], Mapping[str, Any]]) -> pd.DataFrame:
    """Put the test correlations of all pairs and models into one table.

    Args:
        results: (pair, model) -> see `correlations`.
    """
    return pd.DataFrame(
        [{"pair": pair, "model": model, **by_split["test"]} for (pair, model), by_split in results.items()]
    )
