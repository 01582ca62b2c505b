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

from chromattend.errors import UserError
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
        work_folder: folder of the networks' checkpoints, from which a killed training resumes after its last epoch;
            the caller removes it when the model is saved. None keeps no checkpoints.

    Returns:
        The trained model and its history: rows of seed, epoch and metrics on the valid part (for networks also losses
        and learning rate).

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
    """Train a model on each of several datasets as `train` does: networks together, baselines one after another.

    Raises:
        UserError: as `train`; or the datasets of networks differ in their numbers of genes.
    """
    options, model_options = options or TrainingOptions(), model_options or {}
    names = [model]
    if len(datasets) > 1:
        names = [f"{dataset.attrs.get('epigenome', number)}, {model}" for number, dataset in enumerate(datasets)]
    specs = [REGISTRY[model].input_spec().of(model, dataset, options.inputs) for dataset in datasets]
    data = [
        TrainingData.of(*each, fresh=options.fresh, thin=options.thin, seed=options.seed)
        for each in zip(names, specs, datasets, strict=True)
    ]
    for one in data:
        logger.info(
            "%s: training on %d %ss%s, validating on %d",
            one.name,
            len(one.train.target) // (1 + len(options.thin)),
            one.input_spec.noun,
            f" and {len(options.thin)} thinned copies of each" if options.thin else "",
            len(one.valid.target),
        )
    if REGISTRY[model].kind == "network":
        # Lightning takes seconds to import, and baselines do not need it.
        from chromattend.training.networks import train_networks

        return [*train_networks(data, model_options, options, work_folder)]
    return [_train_baseline(one, dataset, model_options, options) for one, dataset in zip(data, datasets, strict=True)]


def train_to_files(
    model: str,
    datasets: Sequence[xr.Dataset],
    model_options: dict[str, Any],
    training: dict[str, Any],
    checkpoints: Sequence[Path],
    histories: Sequence[Path],
    accelerator: str,
) -> list[TrainedModel]:
    """Train a model as `train_together` does, write each model and its history, and return the models.

    Until all models are written, checkpoints are in the folder `.training` next to the first model, and a later call
    resumes from them. They are not outputs of a rule, because Snakemake deletes those when a job fails.

    Args:
        model, datasets, model_options: see `train_together`.
        training: arguments of `TrainingOptions`.
        checkpoints: paths of the trained models.
        histories: paths of the tables of their epochs.
        accelerator: see `TrainingOptions`.
    """
    work_folder = checkpoints[0].parent / ".training"
    options = TrainingOptions(**training, accelerator=accelerator)
    results = train_together(model, datasets, model_options, options, work_folder)
    for (trained, rows), checkpoint, history in zip(results, checkpoints, histories, strict=True):
        write_table(rows, history)
        trained.save(checkpoint)
    shutil.rmtree(work_folder, ignore_errors=True)
    return [trained for trained, _ in results]


def _train_baseline(
    data: TrainingData, dataset: xr.Dataset, model_options: dict[str, Any], options: TrainingOptions
) -> tuple[TrainedModel, pd.DataFrame]:
    from chromattend.models.baseline import (
        Baseline,
        ExampleError,
        Setting,
        calibrate,
        flatten,
        gives_probability,
        raw_scores,
    )

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
            sizes=input_spec.sizes,
            log=input_spec.logarithmic,
            class_weight=options.class_weight,
            seed=seed,
            threads=options.threads,
        )
        estimator = spec.load()(setting, **model_options)
        if hasattr(estimator, "fit_and_choose"):
            # It chooses its settings by the validation part.
            try:
                estimator.fit_and_choose(flatten(learn.signal), target, flatten(valid.signal), valid.target)
            except ExampleError as error:
                (_, names), *_ = input_spec.examples(dataset).items()
                name = str(names[dataset["split"].values == "train"][error.row])
                raise UserError(f"{input_spec.model}: training {input_spec.noun} {name!r} {error}") from error
        else:
            estimator.fit(flatten(learn.signal), target)
        # A search over settings keeps only the best estimator.
        estimators.append(getattr(estimator, "best_estimator_", estimator))
    calibrators = []
    if classifies and not gives_probability(estimators):
        features = flatten(valid.signal)
        calibrators = [
            calibrate(raw_scores(estimator, features), valid.target, options.class_weight) for estimator in estimators
        ]
    trained = Baseline(input_spec, estimators, calibrators)
    rows = [{"seed": options.seed, "epoch": 0} | row for row in getattr(estimators[0], "candidates_", [])]
    for number, scores in enumerate(trained.outputs(valid.signal)):
        row: dict[str, float] = {"seed": options.seed + number, "epoch": 0}
        row |= getattr(estimators[number], "chosen", {})
        if classifies:
            row["valid_auc"] = float(roc_auc_score(valid.target, scores))
        else:
            row["valid_r"] = float(np.corrcoef(valid.target, scores)[0, 1])
        logger.info("%s: %s", input_spec.model, ", ".join(f"{key} {value:.4g}" for key, value in row.items()))
        rows.append(row)
    return trained, pd.DataFrame(rows)
