"""Evaluation: scores of every example, AUC with a confidence interval, calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, roc_auc_score

from chromattend.models.base import TrainedModel
from chromattend.statistics import auc_interval, beats_base_rate, reliability


def predict(model: TrainedModel, dataset: xr.Dataset) -> pd.DataFrame:
    """Score every example of a dataset.

    Returns:
        Columns that name the example (gene and symbol, or sequence), split, label, score and, if the model has several
        replicates, seed_1, seed_2, ... with the score of each; one row per example, in the dataset's order.

    Raises:
        UserError: the dataset does not fit the model, or has invalid values.
    """
    columns = model.input_spec.examples(dataset) | {name: dataset[name].values for name in ("split", "label")}
    scores = model.scores(dataset)
    columns["score"] = scores.joint
    if len(scores.replicates) > 1:
        columns |= {f"seed_{number}": replicate for number, replicate in enumerate(scores.replicates, start=1)}
    return pd.DataFrame(columns)


def metrics(predictions: pd.DataFrame, kept_epochs: Sequence[int] = ()) -> dict[str, dict[str, Any]]:
    """Return the metrics of the scores in every part of the split.

    Args:
        predictions: see `predict`.
        kept_epochs: see `chromattend.models.base.TrainedModel`.

    Returns:
        Split -> auc, auc_low, auc_high (95 %, DeLong), aupr, base_rate (share of positives, which is the AUPR of
        guessing), accuracy and f1 (of scores above 0.5), brier, n, n_on, seeds (number of replicates), auc_seed_mean
        and auc_seed_sd (over single replicates; auc_seed_sd is None for one replicate), kept_epoch (the earliest of
        `kept_epochs`, counted from 0; None if there are none) and note (see `doubts`).
    """
    by_split: dict[str, dict[str, Any]] = {}
    for split, rows in predictions.groupby("split"):
        # Some baselines give float32 scores, whose squares would be rounded.
        labels, scores = rows["label"].to_numpy(), rows["score"].to_numpy(np.float64)
        auc, low, high = auc_interval(labels, scores)
        seeds = [name for name in predictions.columns if name.startswith("seed_")]
        aucs = [roc_auc_score(labels, rows[name]) for name in seeds] or [auc]
        by_split[str(split)] = {
            "auc": auc,
            "auc_low": low,
            "auc_high": high,
            "aupr": float(average_precision_score(labels, scores)),
            "base_rate": float(labels.mean()),
            "accuracy": float(((scores > 0.5) == labels).mean()),
            # 0 if no score is above 0.5.
            "f1": float(f1_score(labels, scores > 0.5, zero_division=0)),
            "brier": float(brier_score_loss(labels, scores)),
            "n": len(rows),
            "n_on": int(labels.sum()),
            "seeds": len(aucs),
            "auc_seed_mean": float(np.mean(aucs)),
            "auc_seed_sd": float(np.std(aucs, ddof=1)) if len(aucs) > 1 else None,
            "kept_epoch": min(kept_epochs, default=None),
        }
        by_split[str(split)]["note"] = doubts(by_split[str(split)], str(predictions.columns[0]))
    return by_split


def doubts(metrics: Mapping[str, Any], noun: str = "gene") -> str:
    """Return why a model has learned next to nothing, as a note for tables and pages; empty if it has learned.

    Args:
        metrics: kept_epoch, brier and base_rate of a part of the split, see `metrics`.
        noun: what an example is called, see `InputSpec`.
    """
    reasons = []
    if metrics["kept_epoch"] == 0:
        reasons.append(f"its first epoch was the best on the validation {noun}s, so it has hardly learned")
    constant = metrics["base_rate"] * (1 - metrics["base_rate"])
    if not beats_base_rate(metrics["brier"], metrics["base_rate"]):
        brier = f"{metrics['brier']:.3f}"
        reasons.append(f"its Brier score of {brier} is close to {constant:.3f}, that of the base rate for every {noun}")
    return "; ".join(reasons)


def scores_of_test(predictions: Mapping[str, pd.DataFrame]) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the labels of the test examples, and their scores with one column per model.

    Args:
        predictions: model -> see `predict`, all for the same examples.
    """
    test = {model: rows[rows["split"] == "test"] for model, rows in predictions.items()}
    labels = next(iter(test.values()))["label"].to_numpy()
    return labels, pd.DataFrame({model: rows["score"].to_numpy() for model, rows in test.items()})


def calibration_table(predictions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the reliability of every model on the test part.

    Args:
        predictions: model -> see `predict`.

    Returns:
        Columns model, mean_predicted, share_on; see `chromattend.statistics.reliability`.
    """
    labels, scores = scores_of_test(predictions)
    tables = {model: reliability(labels, scores[model].to_numpy()) for model in scores.columns}
    return pd.concat(tables, names=["model"]).reset_index("model")
