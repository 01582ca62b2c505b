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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torchmetrics.functional import pearson_corrcoef
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from chromattend.errors import UserError
from chromattend.models.base import Contract
from chromattend.models.network import SCORING_BATCH, Network
from chromattend.models.recurrence import use_threads
from chromattend.protocols import TrainingOptions
from chromattend.training.examples import Examples
from chromattend.training.stack import Stack

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

# Of steps of a GPU that are recorded in a stream of their own, for which there is nothing to wait.
warnings.filterwarnings("ignore", ".*AccumulateGrad node's stream does not match.*")

Batch = tuple[Tensor, ...]
OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
LAST = "last.ckpt"


class _InMemory(Dataset[Batch]):
    """Examples of every network, shape (network, gene, ...), indexed with a whole batch, not gene by gene."""

    def __init__(self, examples: Sequence[Examples]) -> None:
        known = [(one.signal, one.target, one.context) for one in examples]
        self.tensors = tuple(
            torch.from_numpy(np.stack(values)) for values in zip(*known, strict=True) if values[0] is not None
        )

    def move(self, device: torch.device) -> None:
        self.tensors = tuple(tensor.to(device) for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].shape[1]

    def __getitem__(self, index: Any) -> Batch:
        return tuple(tensor[:, index] for tensor in self.tensors)


class _Batches(Sampler[Tensor]):
    """Indices of one batch after the other; with a source of seeds, shuffled by a new one in every epoch."""

    def __init__(self, examples: _InMemory, batch_size: int, seed: Callable[[], int] | None) -> None:
        self.examples, self.batch_size, self.seed = examples, batch_size, seed

    def __len__(self) -> int:
        return math.ceil(len(self.examples) / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.arange(len(self.examples))
        if self.seed is not None:
            # Drawn on the CPU, so that every device has the same order.
            order = torch.randperm(len(order), generator=torch.Generator().manual_seed(self.seed()))
        yield from order.to(self.examples.tensors[0].device).split(self.batch_size)


class EpigenomeDataModule(L.LightningDataModule):
    """The train and valid genes of every network, held in memory as tensors."""

    def __init__(
        self, train: Sequence[Examples], valid: Sequence[Examples], batch_size: int, seed: Callable[[], int]
    ) -> None:
        """Take over the examples.

        Args:
            train: genes to learn from, of each network.
            valid: genes that choose the best epoch, of each network.
            batch_size: genes per optimiser step.
            seed: gives the seed of an epoch's shuffling when the epoch begins.
        """
        super().__init__()
        self.train, self.valid = _InMemory(train), _InMemory(valid)
        self.batch_size, self.seed = batch_size, seed

    def setup(self, stage: str) -> None:
        """Move all examples to the device that trains, once for all batches."""
        assert self.trainer is not None
        for examples in (self.train, self.valid):
            examples.move(self.trainer.strategy.root_device)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Return shuffled batches of the training genes: signal, target and, where there is one, context."""
        return self._loader(self.train, self.batch_size, self.seed)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Return batches of the validation genes."""
        return self._loader(self.valid, SCORING_BATCH, None)

    @staticmethod
    def _loader(examples: _InMemory, batch_size: int, seed: Callable[[], int] | None) -> DataLoader[Batch]:
        # The batches go in as sampler, so that a batch is one look-up.
        return DataLoader(examples, sampler=_Batches(examples, batch_size, seed), batch_size=None)


class NetworkTraining(L.LightningModule):
    """Networks that train together, with their losses, measures, optimiser and schedule.

    No network has a part in what another one learns: losses are added, and a gradient is clipped by the norm of its
    own network's.
    """

    def __init__(
        self, networks: Sequence[Network], options: TrainingOptions, positive_weights: Sequence[float]
    ) -> None:
        """Stack networks.

        Args:
            networks: of one architecture.
            options: of the optimiser and its schedule.
            positive_weights: of ON genes in the loss of each network.
        """
        super().__init__()
        self.stack, self.options = Stack(networks), options
        self.classifies = networks[0].contract.task == "classification"
        self.positive_weights: Tensor
        self.register_buffer("positive_weights", torch.tensor(positive_weights)[:, None], persistent=False)
        self._learned: list[tuple[Tensor, int]] = []
        self._valid: list[tuple[Tensor, Tensor]] = []

    def on_train_start(self) -> None:
        """Record the steps of a GPU."""
        # In lower precisions weights are cast anew in every step, which a record would not see.
        if self.device.type == "cuda" and self.options.precision == "32-true":
            signal, _, *context = self.trainer.datamodule.train[: self.options.batch_size]  # type: ignore[attr-defined]
            self.stack.record(signal, *context)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        """Return the sum of the networks' mean losses: binary cross-entropy, or squared error in a regression."""
        signal, target, *context = batch
        losses = self._losses(self.stack(signal, *context), target).mean(dim=1)
        self._learned.append((losses.detach(), target.shape[1]))
        return losses.sum()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Collect outputs."""
        signal, target, *context = batch
        self._valid.append((self.stack(signal, *context).float(), target))

    def take_measures(self) -> list[dict[str, float]]:
        """Return and forget the epoch's train loss, and the measures on the valid part, of each network."""
        genes = sum(count for _, count in self._learned)
        train_losses = torch.stack([losses * count for losses, count in self._learned]).sum(dim=0) / genes
        outputs, target = (torch.cat(parts, dim=1) for parts in zip(*self._valid, strict=True))
        valid_losses = self._losses(outputs, target).mean(dim=1)
        self._learned, self._valid = [], []
        losses = torch.stack([train_losses, valid_losses]).T.tolist()
        found = []
        # Network by network a GPU would only be waited for.
        for output, truth, of_network in zip(outputs.cpu(), target.cpu(), losses, strict=True):
            row = dict(zip(("train_loss", "valid_loss"), of_network, strict=True))
            if self.classifies:
                # The metrics take values within 0 and 1 for probabilities and others for logits; this is within
                # them always, and has the order of the logits.
                scores, labels = 0.5 + 0.5 * torch.nn.functional.softsign(output), truth.int()
                row["valid_auc"] = float(binary_auroc(scores, labels))
                row["valid_aupr"] = float(binary_average_precision(scores, labels))
            else:
                row["valid_r"] = float(pearson_corrcoef(output, truth))
            found.append(row)
        return found

    def _losses(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Return the loss of every gene, shape (network, gene)."""
        if self.classifies:
            return torch.nn.functional.binary_cross_entropy_with_logits(
                outputs, target, pos_weight=self.positive_weights, reduction="none"
            )
        return torch.nn.functional.mse_loss(outputs, target, reduction="none")

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Scale the gradient of each network to the largest norm that is allowed."""
        if not gradient_clip_val:
            return
        gradients = [weight.grad for weight in self.stack.weights if weight.grad is not None]
        norms = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0).sqrt()
        factors = (gradient_clip_val / (norms + 1e-6)).clamp_max(1)
        for gradient in gradients:
            gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))

    def configure_optimizers(self) -> Any:
        """Return the optimiser and, where there is a warm-up, the schedule of its learning rate."""
        options = self.options
        arguments: dict[str, Any] = {"weight_decay": options.weight_decay} if options.optimizer == "adamw" else {}
        # A fused step divides by the scale of 16-bit losses by itself, which has to come before the clipping.
        arguments["fused"] = options.precision != "16-mixed"
        optimizer = OPTIMIZERS[options.optimizer](self.parameters(), lr=options.learning_rate, **arguments)
        if options.warmup == 0:
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            options.learning_rate,
            total_steps=steps,
            # A rise within a single step is none, and torch would divide by its length less one.
            pct_start=options.warmup if options.warmup * steps > 1 else 0.0,
            cycle_momentum=False,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Progress(Callback):
    """The history and the best state, which are part of every checkpoint; one line an epoch in the log.

    What is random in an epoch follows from the seed and the number of epochs before it, so that an epoch that was
    cut off is repeated as it was.
    """

    def __init__(self, monitor: str, options: TrainingOptions, names: Sequence[str], seed: int) -> None:
        self.monitor, self.options, self.names, self.seed = monitor, options, names, seed
        self.rows: list[list[dict[str, float]]] = [[] for _ in names]
        self.best: list[dict[str, Tensor]] = [{} for _ in names]

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return max(map(len, self.rows))

    def best_epoch(self, network: int) -> int:
        """The first of a network's epochs with the highest measure."""
        rows = self.rows[network]
        return max(range(len(rows)), key=lambda epoch: (rows[epoch][self.monitor], -epoch))

    def is_finished(self, network: int) -> bool:
        """Whether a network has no epoch left to train."""
        rows, patience = self.rows[network], self.options.patience
        if not rows:
            return False
        waited = len(rows) - 1 - self.best_epoch(network)
        return len(rows) >= self.options.max_epochs or (patience is not None and waited >= patience)

    @property
    def finished(self) -> bool:
        """Whether no network has an epoch left to train."""
        return all(map(self.is_finished, range(len(self.names))))

    def epoch_seed(self) -> int:
        """Return the seed of the epoch that begins."""
        return int(np.random.SeedSequence([self.seed, self.epochs]).generate_state(1)[0])

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the epoch's dropout; not earlier, because the loaders' iterators draw numbers too when they begin."""
        if batch_idx == 0:
            L.seed_everything(self.epoch_seed(), verbose=False)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take note of the epoch; those of networks that have already ended count no more."""
        assert isinstance(pl_module, NetworkTraining)
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        states = pl_module.stack.states()
        for network, (name, row) in enumerate(zip(self.names, pl_module.take_measures(), strict=True)):
            rows = self.rows[network]
            if self.is_finished(network):
                continue
            if not math.isfinite(row["train_loss"]):
                raise UserError(
                    f"{name}: training diverged in epoch {len(rows) + 1} (loss {row['train_loss']}); "
                    "give a lower training.learning_rate"
                )
            rows.append(row | {"epoch": len(rows), "learning_rate": rate})
            best = self.best_epoch(network)
            if best == len(rows) - 1:
                self.best[network] = states[network]
            logger.info(
                "%sepoch %d of %d: train loss %.4f, valid loss %.4f, %s %.4f, best %.4f",
                f"{name}: " if len(self.names) > 1 else "",
                len(rows),
                self.options.max_epochs,
                row["train_loss"],
                row["valid_loss"],
                self.monitor.replace("_", " "),
                row[self.monitor],
                rows[best][self.monitor],
            )
        trainer.should_stop = self.finished

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


def train_networks(
    names: Sequence[str],
    contracts: Sequence[Contract],
    train: Sequence[Examples],
    valid: Sequence[Examples],
    model_options: dict[str, Any],
    options: TrainingOptions,
    work_folder: str | Path | None,
) -> list[tuple[Network, pd.DataFrame]]:
    """Train networks of one architecture side by side from every seed; return each at its best validation AUC (or r).

    Every epoch ends with a checkpoint in the work folder. A training that was killed goes on from there, if data
    and options are the same, and ends with the same weights as one that was not. Beside others a network learns what
    it learns alone, but for the last digits of sums that are taken in another order.

    Args:
        names: what messages call them.
        contracts: what data each network takes.
        train: genes to learn from, of each network, as many of each.
        valid: genes that choose the best epoch and stop the training of each network, as many of each.
        model_options: keyword arguments of the networks.
        options: optimiser, epochs, seeds and device.
        work_folder: where checkpoints lie.

    Returns:
        Each network, on the CPU, and one row a seed and epoch.

    Raises:
        UserError: they do not have as many genes, a training diverges, or it is interrupted.
    """
    for what, parts in (("train", train), ("valid", valid)):
        counts = [len(part.target) for part in parts]
        if len(set(counts)) > 1:
            other = next(number for number, count in enumerate(counts) if count != counts[0])
            raise UserError(
                f"{names[0]} has {counts[0]} genes in the {what} part and {names[other]} {counts[other]}: they cannot "
                "train together; set training.epigenomes_per_job to 1"
            )
    use_threads(options.threads)
    seeds = range(options.seed, options.seed + options.seeds)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(work_folder or temporary) / _fingerprint(contracts, [*train, *valid], model_options, options)
        for other_folder in folder.parent.glob("*") if work_folder else ():
            if other_folder != folder:
                shutil.rmtree(other_folder, ignore_errors=True)  # of other data or options
        found = [
            _train_replicates(names, contracts, train, valid, model_options, options, seed, folder / f"seed-{seed}")
            for seed in seeds
        ]
    return [_with_history(of_seeds, seeds) for of_seeds in zip(*found, strict=True)]


def _with_history(found: Sequence[tuple[Network, pd.DataFrame]], seeds: Sequence[int]) -> tuple[Network, pd.DataFrame]:
    """Join the replicates of a network and their histories."""
    history = pd.concat([history.assign(seed=seed) for (_, history), seed in zip(found, seeds, strict=True)])
    measures = [name for name in history.columns if name.startswith("valid_") and name != "valid_loss"]
    columns = ["seed", "epoch", "train_loss", "valid_loss", *measures, "learning_rate"]
    return Network.together([network for network, _ in found]), history[columns]


def _train_replicates(
    names: Sequence[str],
    contracts: Sequence[Contract],
    train: Sequence[Examples],
    valid: Sequence[Examples],
    model_options: dict[str, Any],
    options: TrainingOptions,
    seed: int,
    folder: Path,
) -> list[tuple[Network, pd.DataFrame]]:
    networks, weights = [], []
    for contract, examples in zip(contracts, train, strict=True):
        L.seed_everything(seed, verbose=False)
        network = Network(contract, model_options)
        network.transform.fit(torch.from_numpy(examples.signal))
        if options.initial_range is not None:
            for parameter in network.parameters():
                torch.nn.init.uniform_(parameter, -options.initial_range, options.initial_range)
        on = float(examples.target.mean())
        balanced = options.class_weights == "balanced" and contract.task == "classification"
        weights.append((1 - on) / on if balanced else 1.0)
        networks.append(network)
    monitor = "valid_auc" if contracts[0].task == "classification" else "valid_r"
    progress = _Progress(monitor, options, names, seed)
    last = _checkpoint(folder / LAST)
    if last is not None:
        progress.load_state_dict(last["callbacks"][progress.state_key])
        logger.info("seed %d: going on after epoch %d", seed, progress.epochs)
    if not progress.finished:
        module = NetworkTraining(networks, options, weights)
        data = EpigenomeDataModule(train, valid, options.batch_size, progress.epoch_seed)
        _fit(module, progress, data, folder, last is not None)
    if not progress.finished:
        raise UserError(
            f"{contracts[0].model}: training was interrupted after {progress.epochs} epochs; run again to go on"
        )
    for network, best in zip(networks, progress.best, strict=True):
        network.load_state_dict(best)
    return [(network, pd.DataFrame(rows)) for network, rows in zip(networks, progress.rows, strict=True)]


def _fit(module: NetworkTraining, progress: _Progress, data: EpigenomeDataModule, folder: Path, resume: bool) -> None:
    options = module.options
    # By default a GPU's convolutions would take float32 for TF32.
    torch.backends.cudnn.allow_tf32 = False
    # With deterministic operations comes, by default, that new arrays are filled before they are written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    callbacks: list[Callback] = [
        progress,
        ModelCheckpoint(
            folder, Path(LAST).stem, save_top_k=1, save_on_train_epoch_end=True, enable_version_counter=False
        ),
        _Stop(),
    ]
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
    contracts: Sequence[Contract],
    examples: Sequence[Examples],
    model_options: dict[str, Any],
    options: TrainingOptions,
) -> str:
    """Name what a training depends on: a checkpoint of anything else is not its own."""
    kept = {key: value for key, value in vars(options).items() if key not in ("threads", "accelerator")}
    facts = [vars(contract) for contract in contracts], sorted(model_options.items()), sorted(kept.items())
    digest = hashlib.sha256(repr(facts).encode())
    for one in examples:
        for values in (one.signal, one.target):
            digest.update(np.ascontiguousarray(values).data)
    return digest.hexdigest()[:16]
