"""Training of networks with PyTorch Lightning."""

import hashlib
import logging
import math
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchmetrics import Metric, MetricCollection
from torchmetrics.classification import BinaryAUROC, BinaryAveragePrecision
from torchmetrics.regression import PearsonCorrCoef

from chromattend.errors import UserError
from chromattend.models.base import Contract
from chromattend.models.network import SCORING_BATCH, Network
from chromattend.models.recurrence import use_threads
from chromattend.protocols import TrainingOptions
from chromattend.training.examples import Examples

logger = logging.getLogger(__name__)

# Lightning's own lines repeat what ours say, or advertise.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
# Advice for image-sized data: batches here are look-ups in memory, which worker processes would only slow down.
warnings.filterwarnings("ignore", ".*does not have many workers.*")
warnings.filterwarnings("ignore", ".*LeafSpec.*")
# On a cluster, Snakemake starts the jobs; advice to call srun would be in every log.
warnings.filterwarnings("ignore", ".*`srun` command is available.*")
# The checkpoint folder holds the state that the training goes on from.
warnings.filterwarnings("ignore", ".*exists and is not empty.*")

Batch = tuple[Tensor, ...]
OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
LAST = "last.ckpt"


class _InMemory(Dataset[Batch]):
    """Examples as tensors; indexed with the list of a whole batch, so no gene is handled in Python."""

    def __init__(self, examples: Examples) -> None:
        known = (examples.signal, examples.target, examples.context)
        self.tensors = tuple(torch.from_numpy(values) for values in known if values is not None)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> Batch:
        return tuple(tensor[index] for tensor in self.tensors)


class _Batches(Sampler[Tensor]):
    """Indices of one batch after the other; with a source of seeds, shuffled by a new one in every epoch."""

    def __init__(self, examples: int, batch_size: int, seed: Callable[[], int] | None) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed

    def __len__(self) -> int:
        return math.ceil(self.examples / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.arange(self.examples)
        if self.seed is not None:
            order = torch.randperm(self.examples, generator=torch.Generator().manual_seed(self.seed()))
        yield from order.split(self.batch_size)


class EpigenomeDataModule(L.LightningDataModule):
    """The train and valid genes, held in memory as tensors."""

    def __init__(self, train: Examples, valid: Examples, batch_size: int, seed: Callable[[], int]) -> None:
        """Take over the examples.

        Args:
            train: genes to learn from.
            valid: genes that choose the best epoch.
            batch_size: genes per optimiser step.
            seed: gives the seed of an epoch's shuffling when the epoch begins.
        """
        super().__init__()
        self.train, self.valid = _InMemory(train), _InMemory(valid)
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches of the training genes: signal, target and, where there is one, context."""
        return self._loader(self.train, self.batch_size, self.seed)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return batches of the validation genes."""
        return self._loader(self.valid, SCORING_BATCH, None)

    @staticmethod
    def _loader(examples: _InMemory, batch_size: int, seed: Callable[[], int] | None) -> DataLoader[Batch]:
        # The batches go in as sampler, so that a batch is one look-up.
        return DataLoader(examples, sampler=_Batches(len(examples), batch_size, seed), batch_size=None)


class NetworkTraining(L.LightningModule):
    """A network with its loss, metrics, optimiser and schedule."""

    def __init__(self, network: Network, options: TrainingOptions, positive_weight: float = 1.0) -> None:
        """Wrap a network.

        Args:
            network: takes signal and returns logits, or predicted values.
            options: of the optimiser and its schedule.
            positive_weight: of ON genes in the loss.
        """
        super().__init__()
        self.network, self.options = network, options
        self.classifies = network.contract.task == "classification"
        self.positive_weight = positive_weight
        metrics: dict[str, Metric | MetricCollection] = {"r": PearsonCorrCoef()}
        if self.classifies:
            metrics = {"auc": BinaryAUROC(), "aupr": BinaryAveragePrecision()}
        self.metrics = MetricCollection(metrics, prefix="valid_")

    def forward(self, signal: Tensor, context: Tensor | None = None) -> Tensor:
        """Return logits of ON, or predicted values, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.network(signal, context)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the mean loss of a batch: binary cross-entropy, or squared error in a regression."""
        signal, target, *context = batch
        loss = self._loss(self(signal, *context), target)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(target))
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect loss and metrics."""
        signal, target, *context = batch
        outputs = self(signal, *context).float()
        self.log("valid_loss", self._loss(outputs, target), batch_size=len(target))
        if self.classifies:
            # The metrics take any batch within 0 and 1 for probabilities and others for logits; this is within
            # them always, and has the order of the logits.
            self.metrics.update(0.5 + 0.5 * torch.nn.functional.softsign(outputs), target.int())
        else:
            self.metrics.update(outputs, target)
        self.log_dict(self.metrics, batch_size=len(target))

    def _loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        if self.classifies:
            weight = torch.tensor(self.positive_weight, device=outputs.device)
            return torch.nn.functional.binary_cross_entropy_with_logits(outputs, target, pos_weight=weight)
        return torch.nn.functional.mse_loss(outputs, target)

    def configure_optimizers(self) -> Any:
        """Return the optimiser and, where there is a warm-up, the schedule of its learning rate."""
        options = self.options
        arguments: dict[str, Any] = {"weight_decay": options.weight_decay} if options.optimizer == "adamw" else {}
        # A fused step divides by the scale of 16-bit losses by itself, which has to come before the clipping.
        arguments["fused"] = options.precision != "16-mixed"
        optimizer = OPTIMIZERS[options.optimizer](self.parameters(), lr=options.learning_rate, **arguments)
        if options.warmup == 0:
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            options.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=options.warmup,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Progress(Callback):
    """The history and the best state, which are part of every checkpoint; one line an epoch in the log.

    What is random in an epoch follows from the seed and the number of epochs before it, so that an epoch that was
    cut off is repeated as it was.
    """

    def __init__(self, monitor: str, options: TrainingOptions, name: str, seed: int) -> None:
        self.monitor, self.options, self.name, self.seed = monitor, options, name, seed
        self.rows: list[dict[str, float]] = []
        self.best: dict[str, Tensor] = {}

    @property
    def best_epoch(self) -> int:
        """The first of the epochs with the highest measure."""
        return max(range(len(self.rows)), key=lambda epoch: (self.rows[epoch][self.monitor], -epoch))

    @property
    def finished(self) -> bool:
        """Whether no epoch is left to train."""
        if not self.rows:
            return False
        waited = len(self.rows) - 1 - self.best_epoch
        patience = self.options.patience
        return len(self.rows) >= self.options.max_epochs or (patience is not None and waited >= patience)

    def epoch_seed(self) -> int:
        """Return the seed of the epoch that begins."""
        return int(np.random.SeedSequence([self.seed, len(self.rows)]).generate_state(1)[0])

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the epoch's dropout; not earlier, because the loaders' iterators draw numbers too when they begin."""
        if batch_idx == 0:
            L.seed_everything(self.epoch_seed(), verbose=False)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take note of the epoch."""
        row = {name: float(value) for name, value in trainer.callback_metrics.items()}
        if not math.isfinite(row["train_loss"]):
            raise UserError(
                f"{self.name}: training diverged in epoch {len(self.rows) + 1} (loss {row['train_loss']}); "
                "give a lower training.learning_rate"
            )
        row |= {"epoch": len(self.rows), "learning_rate": trainer.optimizers[0].param_groups[0]["lr"]}
        self.rows.append(row)
        if self.best_epoch == len(self.rows) - 1:
            state = pl_module.network.state_dict()  # type: ignore[union-attr]
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
        logger.info(
            "epoch %d of %d: train loss %.4f, valid loss %.4f, %s %.4f, best %.4f",
            len(self.rows),
            self.options.max_epochs,
            row["train_loss"],
            row["valid_loss"],
            self.monitor.replace("_", " "),
            row[self.monitor],
            self.rows[self.best_epoch][self.monitor],
        )

    def state_dict(self) -> dict[str, Any]:
        """Return what a training needs to go on."""
        return {"rows": self.rows, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up a training where it was left."""
        self.rows, self.best = state_dict["rows"], state_dict["best"]


class _Stop(Callback):
    """Ends a training after the epoch in which a signal came, once that epoch's checkpoint is written.

    Slurm sends SIGTERM before it kills a job whose time is over or that makes way for another, or SIGUSR1 if it is
    asked to warn (`sbatch --signal`). A node that takes an epoch longer to kill it loses that epoch and no more.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take note of the signals; not earlier, because the trainer then sets handlers that end a training at once.

        It sets all handlers back when it is done. Only a main thread can set any.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, self._receive)

    def _receive(self, number: int, _: Any) -> None:
        self.received = signal.Signals(number)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """End the training if there was a signal."""
        if self.received is not None:
            logger.info("stopping after this epoch: %s", self.received.name)
            trainer.should_stop = True


def train_network(
    contract: Contract,
    train: Examples,
    valid: Examples,
    model_options: dict[str, Any],
    options: TrainingOptions,
    work_folder: str | Path | None,
) -> tuple[Network, pd.DataFrame]:
    """Train a network from every seed and return each as it was at its best validation AUC (or r).

    Every epoch ends with a checkpoint in the work folder. A training that was killed goes on from there, if data
    and options are the same, and ends with the same weights as one that was not.

    Args:
        contract: what data the network takes.
        train: genes to learn from.
        valid: genes that choose the best epoch and stop the training.
        model_options: keyword arguments of the network.
        options: optimiser, epochs, seeds and device.
        work_folder: where checkpoints lie.

    Returns:
        The network, on the CPU, and one row a seed and epoch.
    """
    use_threads(options.threads)
    seeds = range(options.seed, options.seed + options.seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(work_folder or temporary) / _fingerprint(contract, train, valid, model_options, options)
        for other in folder.parent.glob("*") if work_folder else ():
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)  # of other data or options
        found = [
            _train_replicate(contract, train, valid, model_options, options, seed, folder / f"seed-{seed}")
            for seed in seeds
        ]
    history = pd.concat([history.assign(seed=seed) for (_, history), seed in zip(found, seeds, strict=True)])
    measures = [name for name in history.columns if name.startswith("valid_") and name != "valid_loss"]
    columns = ["seed", "epoch", "train_loss", "valid_loss", *measures, "learning_rate"]
    return Network.together([network for network, _ in found]), history[columns]


def _train_replicate(
    contract: Contract,
    train: Examples,
    valid: Examples,
    model_options: dict[str, Any],
    options: TrainingOptions,
    seed: int,
    folder: Path,
) -> tuple[Network, pd.DataFrame]:
    L.seed_everything(seed, verbose=False)
    network = Network(contract, model_options)
    network.transform.fit(torch.from_numpy(train.signal))
    if options.initial_range is not None:
        for parameter in network.parameters():
            torch.nn.init.uniform_(parameter, -options.initial_range, options.initial_range)
    on = float(train.target.mean())
    weight = (1 - on) / on if options.class_weights == "balanced" and contract.task == "classification" else 1.0
    module = NetworkTraining(network, options, weight)
    monitor = "valid_auc" if contract.task == "classification" else "valid_r"
    progress = _Progress(monitor, options, contract.model, seed)
    last = _checkpoint(folder / LAST)
    if last is not None:
        progress.load_state_dict(last["callbacks"][progress.state_key])
        logger.info("seed %d: going on after epoch %d", seed, len(progress.rows))
    if not progress.finished:
        data = EpigenomeDataModule(train, valid, options.batch_size, progress.epoch_seed)
        _fit(module, progress, data, folder, last is not None)
    if not progress.finished:
        raise UserError(
            f"{contract.model}: training was interrupted after {len(progress.rows)} epochs; run again to go on"
        )
    network.cpu().load_state_dict(progress.best)
    return network, pd.DataFrame(progress.rows)


def _fit(module: NetworkTraining, progress: _Progress, data: EpigenomeDataModule, folder: Path, resume: bool) -> None:
    options = module.options
    callbacks: list[Callback] = [
        progress,
        ModelCheckpoint(
            folder, Path(LAST).stem, save_top_k=1, save_on_train_epoch_end=True, enable_version_counter=False
        ),
    ]
    if options.patience is not None:
        callbacks.append(EarlyStopping(progress.monitor, mode="max", patience=options.patience))
    callbacks.append(_Stop())
    try:
        trainer = _trainer(options, callbacks, folder)
    except MisconfigurationException as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"training.accelerator: {options.accelerator!r} is not to be had here ({reason}); give auto or cpu"
        ) from None
    device = trainer.strategy.root_device
    logger.info("seed %d: training on %s in precision %s", progress.seed, device, trainer.precision)
    trainer.fit(module, datamodule=data, ckpt_path=folder / LAST if resume else None, weights_only=True)


def _trainer(options: TrainingOptions, callbacks: list[Callback], folder: Path) -> L.Trainer:
    return L.Trainer(
        default_root_dir=folder,
        max_epochs=options.max_epochs,
        accelerator=options.accelerator,
        devices=1,
        precision=options.precision,  # type: ignore[arg-type]
        # Warn and go on where a GPU has no deterministic kernel.
        deterministic="warn",
        gradient_clip_val=options.gradient_clip or None,
        callbacks=callbacks,
        # Within a job of Slurm, Lightning would take its tasks for its own and put jobs back into the queue by
        # itself: both are Snakemake's.
        plugins=[LightningEnvironment()],
        logger=False,
        num_sanity_val_steps=0,
        enable_progress_bar=sys.stderr.isatty(),
        enable_model_summary=False,
    )


def _checkpoint(path: Path) -> dict[str, Any] | None:
    """Read the last checkpoint of a training, if there is one and it is whole."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except Exception as error:  # any damage: an epoch can be trained again
        logger.warning("%s: is damaged and is not used (%s)", path, type(error).__name__)
        path.unlink()
        return None


def _fingerprint(
    contract: Contract, train: Examples, valid: Examples, model_options: dict[str, Any], options: TrainingOptions
) -> str:
    """Name what a training depends on: a checkpoint of anything else is not its own."""
    kept = {key: value for key, value in vars(options).items() if key not in ("threads", "accelerator")}
    digest = hashlib.sha256(repr((vars(contract), sorted(model_options.items()), sorted(kept.items()))).encode())
    for examples in (train, valid):
        for values in (examples.signal, examples.target):
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:16]
