"""Evaluation: scores of every gene, AUC with a confidence interval, and the study's tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats
from sklearn.metrics import average_precision_score

from chromattend.models import REGISTRY
from chromattend.models.base import TrainedModel

LEVEL = 0.95
REFERENCE = "deepchrome"


def predict(model: TrainedModel, dataset: xr.Dataset) -> pd.DataFrame:
    """Score every gene of a dataset.

    Returns:
        Columns gene, symbol, split, label, score and, where the model has several replicates, seed_1, seed_2, ...
        with the score of each; one row a gene, in the dataset's order.

    Raises:
        UserError: the dataset has other marks or bins than the model was trained on, or invalid counts.
    """
    signal, context = model.contract.signal(dataset), model.contract.context(dataset)
    columns = {name: dataset[name].values for name in ("gene", "symbol", "split", "label")}
    columns["score"] = model.score(signal, context)
    replicates = model.scores(signal, context)
    if len(replicates) > 1:
        columns |= {f"seed_{number}": scores for number, scores in enumerate(replicates, start=1)}
    return pd.DataFrame(columns)


def auc_interval(labels: np.ndarray, scores: np.ndarray, level: float = LEVEL) -> tuple[float, float, float]:
    """Return the AUC and its confidence interval by DeLong's method.

    The variance is that of DeLong et al. (Biometrics 44:837, 1988), from mid-ranks as in Sun and Xu (IEEE Signal
    Processing Letters 21:1389, 2014), section III; the interval is taken on the logit scale, which keeps it
    within 0 and 1.

    Args:
        labels: 0 or 1, shape (gene,), with both present.
        scores: shape (gene,), higher for 1.
        level: of the interval.

    Returns:
        AUC, lower and upper bound.
    """
    on, off = scores[labels == 1], scores[labels == 0]
    m, n = len(on), len(off)
    ranks = stats.rankdata(np.concatenate([on, off]))
    # The share of the other class that each gene outranks: DeLong's placement values.
    v10 = (ranks[:m] - stats.rankdata(on)) / n
    v01 = 1 - (ranks[m:] - stats.rankdata(off)) / m
    auc = float(v10.mean())
    if m < 2 or n < 2:
        return auc, 0.0, 1.0
    error = float(np.sqrt(v10.var(ddof=1) / m + v01.var(ddof=1) / n))
    if error == 0:
        return auc, auc, auc
    width = stats.norm.ppf(0.5 + level / 2) * error / (auc * (1 - auc))
    center = np.log(auc / (1 - auc))
    low, high = 1 / (1 + np.exp(-(center + np.array([-width, width]))))
    return auc, float(low), float(high)


def metrics(predictions: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Measure the scores of every split.

    Args:
        predictions: see `predict`.

    Returns:
        Split -> auc, auc_low, auc_high (95 %), aupr, accuracy, n, n_on.
    """
    found = {}
    for split, rows in predictions.groupby("split"):
        labels, scores = rows["label"].to_numpy(), rows["score"].to_numpy()
        auc, low, high = auc_interval(labels, scores)
        found[str(split)] = {
            "auc": auc,
            "auc_low": low,
            "auc_high": high,
            "aupr": float(average_precision_score(labels, scores)),
            "accuracy": float(((scores > 0.5) == labels).mean()),
            "n": len(rows),
            "n_on": int(labels.sum()),
        }
    return found


def auc_table(results: Mapping[tuple[str, str], Mapping[str, Any]], split_rule: str) -> pd.DataFrame:
    """Put the test metrics of all epigenomes and models into one table.

    Args:
        results: (epigenome, model) -> `metrics`.
        split_rule: how the genes were split, for the column of that name: test sets of different rules cannot
            be compared.
    """
    rows = [
        {"epigenome": epigenome, "model": model, **found["test"], "split_rule": split_rule}
        for (epigenome, model), found in results.items()
    ]
    return pd.DataFrame(rows)


def summary_table(auc: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Summarise test AUCs per model beside the published figures.

    Args:
        auc: see `auc_table`.
        published: columns model, mean, median, max, min, better_than_deepchrome, of 56 epigenomes.

    Returns:
        One row a model: title, epigenomes, mean, median, max, min, better_than_deepchrome (number of epigenomes
        with a higher AUC; empty where DeepChrome was not run) and the same figures as published.
    """
    wide = auc.pivot(index="epigenome", columns="model", values="auc")
    known = published.set_index("model")
    rows = []
    for model in dict.fromkeys(auc["model"]):
        values, spec = wide[model].dropna(), REGISTRY[model]
        row: dict[str, Any] = {"model": model, "title": spec.title, "epigenomes": len(values)}
        row |= {name: getattr(values, name)() for name in ("mean", "median", "max", "min")}
        if REFERENCE in wide and model != REFERENCE:
            row["better_than_deepchrome"] = int((values > wide[REFERENCE].loc[values.index]).sum())
        if spec.published:
            row |= {f"published_{name}": value for name, value in known.loc[spec.published].items()}
        rows.append(row)
    columns = ["model", "title", "epigenomes", *_figures(""), *_figures("published_")]
    table = pd.DataFrame(rows).reindex(columns=columns)
    counts = [name for name in columns if name.endswith("better_than_deepchrome")]
    return table.astype({name: "Int64" for name in counts})


def _figures(prefix: str) -> Sequence[str]:
    return [prefix + name for name in ("mean", "median", "max", "min", "better_than_deepchrome")]
