"""Training: one function for every model of the registry."""

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.metrics import roc_auc_score

from chromattend.files import write_table
from chromattend.models.base import TrainedModel
from chromattend.models.registry import REGISTRY
from chromattend.training.examples import TrainingData
from chromattend.training.protocols import TrainingOptions

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
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        model_options: keyword arguments of the model.
        options: optimiser, epochs, seeds and device.
        work_folder: where checkpoints of networks lie, so that a training that was killed goes on from its last
            epoch; the caller removes it when the model is saved. None trains without.

    Returns:
        The trained model and its history: rows of seed, epoch and measures on the valid part (for networks also
        of losses and learning rate).

    Raises:
        UserError: the data do not fit, or the training diverges.
    """
    return train_together(model, [dataset], model_options, options, work_folder)[0]


def train_together(
    model: str,
    datasets: Sequence[xr.Dataset],
    model_options: dict[str, Any] | None = None,
    options: TrainingOptions | None = None,
    work_folder: str | Path | None = None,
) -> list[tuple[TrainedModel, pd.DataFrame]]:
    """Train a model on each of several datasets as `train` does: networks side by side, baselines one after the other.

    Raises:
        UserError: as `train`; or the datasets of networks differ in their numbers of genes.
    """
    options, model_options = options or TrainingOptions(), model_options or {}
    names = [model]
    if len(datasets) > 1:
        names = [f"{dataset.attrs.get('epigenome', number)}, {model}" for number, dataset in enumerate(datasets)]
    specs = [REGISTRY[model].input_spec().of(model, dataset, options.inputs) for dataset in datasets]
    data = [TrainingData.of(*each) for each in zip(names, specs, datasets, strict=True)]
    for one in data:
        logger.info("%s: training on %d genes, choosing on %d", one.name, len(one.train.target), len(one.valid.target))
    if REGISTRY[model].kind == "network":
        # Lightning takes seconds to import, which baselines need not wait for.
        from chromattend.training.networks import train_networks

        return [*train_networks(data, model_options, options, work_folder)]
    return [_train_baseline(one, model_options, options) for one in data]


def train_to_files(
    model: str,
    datasets: Sequence[xr.Dataset],
    model_options: dict[str, Any],
    training: dict[str, Any],
    checkpoints: Sequence[Path],
    histories: Sequence[Path],
    accelerator: str,
) -> list[TrainedModel]:
    """Train a model as `train_together` does, write it and its history for each dataset, and return them.

    Until all are written, checkpoints are in the folder `.training` next to the first model, and a later call resumes
    from them. They are not outputs of a rule, because Snakemake deletes those when a job fails.

    Args:
        model, datasets, model_options: see `train_together`.
        training: arguments of `TrainingOptions`.
        checkpoints: the trained models.
        histories: the tables of their epochs.
        accelerator: of `TrainingOptions`.
    """
    work_folder = checkpoints[0].parent / ".training"
    options = TrainingOptions(**training, accelerator=accelerator)
    found = train_together(model, datasets, model_options, options, work_folder)
    for (trained, rows), checkpoint, history in zip(found, checkpoints, histories, strict=True):
        write_table(rows, history)
        trained.save(checkpoint)
    shutil.rmtree(work_folder, ignore_errors=True)
    return [trained for trained, _ in found]


def _train_baseline(
    data: TrainingData, model_options: dict[str, Any], options: TrainingOptions
) -> tuple[TrainedModel, pd.DataFrame]:
    from chromattend.models.baseline import Baseline, Setting, calibrate, flatten, gives_probability, raw_scores

    input_spec, learn, valid = data.input_spec, data.train, data.valid
    spec, estimators = REGISTRY[input_spec.model], []
    classifies = input_spec.task == "classification"
    target: np.ndarray | None = learn.target.astype(np.int8) if classifies else learn.target
    if classifies and spec.expression:
        target = learn.measured
    positions, channels = input_spec.shape
    for seed in range(options.seed, options.seed + (options.seeds if spec.random else 1)):
        setting = Setting(
            channels=channels,
            positions=positions,
            log=input_spec.logarithmic,
            class_weight="balanced" if options.class_weights == "balanced" else None,
            seed=seed,
            threads=options.threads,
        )
        estimator = spec.load()(setting, **model_options).fit(flatten(learn.signal), target)
        # A search over settings keeps only the best estimator.
        estimators.append(getattr(estimator, "best_estimator_", estimator))
    calibrators = []
    if classifies and not gives_probability(estimators):
        features = flatten(valid.signal)
        calibrators = [calibrate(raw_scores(estimator, features), valid.target) for estimator in estimators]
    trained = Baseline(input_spec, estimators, calibrators)
    rows = []
    for number, scores in enumerate(trained.outputs(valid.signal)):
        row: dict[str, float] = {"seed": options.seed + number, "epoch": 0}
        if classifies:
            row["valid_auc"] = float(roc_auc_score(valid.target, scores))
        else:
            row["valid_r"] = float(np.corrcoef(valid.target, scores)[0, 1])
        logger.info("%s: %s", input_spec.model, ", ".join(f"{key} {value:.4g}" for key, value in row.items()))
        rows.append(row)
    return trained, pd.DataFrame(rows)
