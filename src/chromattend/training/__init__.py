"""Training: one function for every model of the registry."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.metrics import roc_auc_score

from chromattend.models import REGISTRY
from chromattend.models.base import Contract, TrainedModel
from chromattend.training.options import Genes, TrainingOptions

logger = logging.getLogger(__name__)


def train(
    model: str,
    dataset: xr.Dataset,
    model_options: dict[str, Any] | None = None,
    options: TrainingOptions | None = None,
    work_folder: str | Path | None = None,
) -> tuple[TrainedModel, pd.DataFrame]:
    """Train a model of the registry on the train part of a dataset; the valid part chooses the best state.

    Args:
        model: name in the registry.
        dataset: see `chromattend.dataset.build_dataset`.
        model_options: keyword arguments of the model.
        options: optimiser, epochs, seed and device.
        work_folder: where checkpoints lie during training.

    Returns:
        The trained model and its history: one row an epoch with epoch, valid_auc and, for networks, the losses.
    """
    options, model_options = options or TrainingOptions(), model_options or {}
    contract = Contract.of(model, dataset)
    learn, valid = Genes.of(dataset, "train"), Genes.of(dataset, "valid")
    logger.info("%s: training on %d genes, choosing on %d", model, len(learn.labels), len(valid.labels))
    if REGISTRY[model].kind == "network":
        # Lightning takes seconds to import, which baselines need not wait for.
        from chromattend.training.classifier import train_network

        return train_network(contract, learn, valid, model_options, options, work_folder)
    return _train_baseline(contract, learn, valid, model_options, options)


def _train_baseline(
    contract: Contract, learn: Genes, valid: Genes, model_options: dict[str, Any], options: TrainingOptions
) -> tuple[TrainedModel, pd.DataFrame]:
    from chromattend.models.baseline import Baseline, flatten

    estimator = REGISTRY[contract.model].load()(**model_options, seed=options.seed, threads=options.threads)
    estimator.fit(flatten(learn.counts), learn.labels.astype(np.int8))
    trained = Baseline(contract, estimator)
    auc = float(roc_auc_score(valid.labels, trained.score(valid.counts)))
    logger.info("%s: valid AUC %.4f", contract.model, auc)
    return trained, pd.DataFrame({"epoch": [0], "valid_auc": [auc]})
