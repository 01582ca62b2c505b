"""What Lightning calls between epochs: the history and the best state, and the end at a signal."""

import logging
import math
import signal
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytorch_lightning as L
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from chromattend.errors import UserError
from chromattend.training.module import NetworkTraining
from chromattend.training.protocols import TrainingOptions

logger = logging.getLogger(__name__)


class Progress(Callback):
    """The history and the best state, which are part of every checkpoint; one line an epoch in the log.

    What is random in an epoch follows from the seed and the number of epochs before it, so that an epoch that was
    cut off is repeated as it was.
    """

    def __init__(self, monitor: str, options: TrainingOptions, names: Sequence[str], seed: int) -> None:
        """Begin without an epoch.

        Args:
            monitor: measure on the valid part that chooses the best epoch.
            options: number of epochs and patience.
            names: what messages call the networks.
            seed: of the replicate.
        """
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


class StopAtSignal(Callback):
    """Ends a training after the epoch in which a signal came, once that epoch's checkpoint is written.

    Slurm sends SIGTERM before it kills a job whose time is over or that makes way for another, or SIGUSR1 if it is
    asked to warn (`sbatch --signal`). A node that takes an epoch longer to kill it loses that epoch and no more.
    """

    def __init__(self) -> None:
        """Begin without a signal."""
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
