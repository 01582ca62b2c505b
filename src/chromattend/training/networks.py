"""Training of networks with PyTorch Lightning."""

import hashlib
import itertools
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from chromattend.errors import UserError
from chromattend.files import UNCOMPILED
from chromattend.models.baseline import calibrate
from chromattend.models.network import Network, in_batches
from chromattend.recurrence import lacks_compiler, use_threads
from chromattend.training.callbacks import Progress, StopAtSignal
from chromattend.training.data import NetworkDataModule
from chromattend.training.examples import TrainingData
from chromattend.training.module import NetworkTraining
from chromattend.training.protocols import TrainingOptions

logger = logging.getLogger(__name__)

# Lightning's own log lines repeat ours, or advertise.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
# Advice for image-sized data: batches here are look-ups in memory, which worker processes would only slow down.
warnings.filterwarnings("ignore", ".*does not have many workers.*")
warnings.filterwarnings("ignore", ".*LeafSpec.*")
# On a cluster, Snakemake starts the jobs; advice to call srun would be in every log.
warnings.filterwarnings("ignore", ".*`srun` command is available.*")
# The checkpoint folder holds the state that a training resumes from.
warnings.filterwarnings("ignore", ".*exists and is not empty.*")

# CUDA graphs are captured on their own stream, so this warning is harmless.
warnings.filterwarnings("ignore", ".*AccumulateGrad node's stream does not match.*")

LAST = "last.ckpt"


def train_networks(
    data: Sequence[TrainingData],
    model_options: dict[str, Any],
    options: TrainingOptions,
    work_folder: str | Path | None,
) -> list[tuple[Network, pd.DataFrame]]:
    """Train networks of one architecture side by side from every seed; return each at its best epoch, calibrated.

    Every epoch ends with a checkpoint in the work folder. A training that was killed resumes from there, if data and
    options are the same, and ends with the same weights as one that was not. With others, a network takes the same
    steps as alone, but its sums are added in another order: after some epochs, an LSTM has become another draw.

    Args:
        data: training data of each network, with equal numbers of examples.
        model_options: keyword arguments of the networks.
        options: optimiser, epochs, seeds and device.
        work_folder: folder of the checkpoints.

    Returns:
        Each network, on the CPU, and one row per seed and epoch.

    Raises:
        UserError: the datasets differ in their numbers of examples, a training diverges, or it is interrupted.
    """
    for part in ("train", "valid"):
        copies = 1 + len(options.thin) if part == "train" else 1
        counts = [len(getattr(one, part).target) // copies for one in data]
        if len(set(counts)) > 1:
            other = next(number for number, count in enumerate(counts) if count != counts[0])
            noun = data[0].input_spec.noun
            raise UserError(
                f"{data[0].name} has {counts[0]} {noun}s in the {part} part, but {data[other].name} has "
                f"{counts[other]}, so they cannot train together; set training.epigenomes_per_job to 1"
            )
    use_threads(options.threads)
    seeds = range(options.seed, options.seed + options.seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(work_folder or temporary) / _fingerprint(data, model_options, options)
        for other_folder in folder.parent.glob("*") if work_folder else ():
            if other_folder != folder:
                shutil.rmtree(other_folder, ignore_errors=True)  # checkpoints of other data or options
        replicates = [_train_replicates(data, model_options, options, seed, folder / f"seed-{seed}") for seed in seeds]
    results = [_with_history(of_seeds, seeds) for of_seeds in zip(*replicates, strict=True)]
    if options.calibrate and data[0].input_spec.task == "classification":
        for one, (network, _) in zip(data, results, strict=True):
            _calibrate(network, one, options)
    return results


@torch.inference_mode()
def _calibrate(network: Network, data: TrainingData, options: TrainingOptions) -> None:
    """Fit the curve from the mean output of the replicates to P(ON), on the valid part."""
    arrays = [data.valid.signal, *([] if data.valid.context is None else [data.valid.context])]
    outputs = in_batches(network, *(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))
    scaler, curve = calibrate(outputs.double().numpy(), data.valid.target, options.class_weight)
    slope = float(curve.coef_[0, 0] / scaler.scale_[0])
    if slope <= 0:
        logger.warning(
            "%s: ranks the valid part no better than chance, so its probabilities are not calibrated", data.name
        )
        return
    intercept = float(curve.intercept_[0] - slope * scaler.mean_[0])
    network.calibration.copy_(torch.tensor([slope, intercept]))
    logger.info("%s: calibrated logit = %.3f x output %+.3f", data.name, slope, intercept)


def _with_history(
    replicates: Sequence[tuple[Network, pd.DataFrame]], seeds: Sequence[int]
) -> tuple[Network, pd.DataFrame]:
    """Join the replicates of a network and their histories."""
    history = pd.concat([history.assign(seed=seed) for (_, history), seed in zip(replicates, seeds, strict=True)])
    measures = [name for name in history.columns if name.startswith("valid_") and name != "valid_loss"]
    columns = ["seed", "epoch", "train_loss", "valid_loss", *measures, "learning_rate"]
    columns += [UNCOMPILED] if UNCOMPILED in history else []
    return Network.together([network for network, _ in replicates]), history[columns]


def _train_replicates(
    data: Sequence[TrainingData], model_options: dict[str, Any], options: TrainingOptions, seed: int, folder: Path
) -> list[tuple[Network, pd.DataFrame]]:
    """Train each network from one seed."""
    classifies = data[0].input_spec.task == "classification"
    networks, weights = [], []
    for one in data:
        L.seed_everything(seed, verbose=False)
        network = Network(one.input_spec, model_options)
        network.transform.fit(torch.from_numpy(one.train.signal))
        if options.initial_range is not None:
            for parameter in network.parameters():
                torch.nn.init.uniform_(parameter, -options.initial_range, options.initial_range)
        on = float(one.train.target.mean())
        balanced = options.class_weights == "balanced" and classifies
        weights.append((1 - on) / on if balanced else 1.0)
        networks.append(network)
    progress = Progress("valid_auc" if classifies else "valid_r", options, [one.name for one in data], seed)
    last = _checkpoint(folder / LAST)
    if last is not None:
        progress.load_state_dict(last["callbacks"][progress.state_key])
        logger.info("seed %d: resuming after epoch %d", seed, progress.epochs)
    if not progress.finished:
        module = NetworkTraining(networks, options, weights)
        train, valid = [one.train for one in data], [one.valid for one in data]
        batches = NetworkDataModule(train, valid, options.batch_size, progress.epoch_seed)
        device = _fit(module, progress, batches, folder, last is not None)
        if lacks_compiler(networks[0], device):
            for row in itertools.chain(*progress.rows):
                row[UNCOMPILED] = 1
    if not progress.finished:
        raise UserError(
            f"{data[0].input_spec.model}: training was interrupted after {progress.epochs} epochs; run again to resume"
        )
    for number, (network, best) in enumerate(zip(networks, progress.best, strict=True)):
        network.load_state_dict(best)
        network.kept_epochs = [progress.best_epoch(number)]
    return [(network, pd.DataFrame(rows)) for network, rows in zip(networks, progress.rows, strict=True)]


def _fit(
    module: NetworkTraining, progress: Progress, data: NetworkDataModule, folder: Path, resume: bool
) -> torch.device:
    """Train until all networks are finished or a signal arrives; return the device."""
    options = module.options
    # By default, convolutions on a GPU would compute in TF32.
    torch.backends.cudnn.allow_tf32 = False
    # By default, deterministic operations also fill new arrays before they are written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    callbacks: list[Callback] = [
        progress,
        ModelCheckpoint(
            folder, Path(LAST).stem, save_top_k=1, save_on_train_epoch_end=True, enable_version_counter=False
        ),
        StopAtSignal(),
    ]
    try:
        trainer = _trainer(options, callbacks, folder)
    except MisconfigurationException as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"training.accelerator: {options.accelerator!r} is not available here ({reason}); give auto or cpu"
        ) from None
    device = trainer.strategy.root_device
    logger.info("seed %d: training on %s in precision %s", progress.seed, device, trainer.precision)
    trainer.fit(module, datamodule=data, ckpt_path=folder / LAST if resume else None, weights_only=True)
    return device


def _trainer(options: TrainingOptions, callbacks: list[Callback], folder: Path) -> L.Trainer:
    return L.Trainer(
        default_root_dir=folder,
        max_epochs=options.max_epochs,
        accelerator=options.accelerator,
        devices=1,
        precision=options.precision,  # type: ignore[arg-type]
        # Warn and continue if a GPU has no deterministic kernel.
        deterministic="warn",
        gradient_clip_val=options.gradient_clip or None,
        callbacks=callbacks,
        # In a Slurm job, Lightning would use the job's tasks and requeue the job by itself, but Snakemake manages both.
        plugins=[LightningEnvironment()],
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
    )


def _checkpoint(path: Path) -> dict[str, Any] | None:
    """Read the last checkpoint of a training, if there is one and it is not damaged."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:  # any damage: the training can start again
        logger.warning("%s: is damaged and is ignored (%s)", path, type(error).__name__)
        path.unlink()
        return None


def _fingerprint(data: Sequence[TrainingData], model_options: dict[str, Any], options: TrainingOptions) -> str:
    """Return a hash of everything that a training depends on, so that it resumes only from its own checkpoints."""
    settings = {key: value for key, value in vars(options).items() if key not in ("threads", "accelerator")}
    facts = [vars(one.input_spec) for one in data], sorted(model_options.items()), sorted(settings.items())
    digest = hashlib.sha256(repr(facts).encode())
    for examples in [*(one.train for one in data), *(one.valid for one in data)]:
        for values in (examples.signal, examples.target):
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:16]
