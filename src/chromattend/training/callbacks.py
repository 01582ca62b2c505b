"""Lightning callbacks: the history with the best state, and the stop at a signal."""

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
    """The history and the best state, which are part of every checkpoint; one log line per epoch.

    The random numbers of an epoch depend only on the seed and the number of epochs before it, so that an interrupted
    epoch is repeated exactly.
    """

    def __init__(self, metric: str, options: TrainingOptions, names: Sequence[str], seed: int) -> None:
        """Start with an empty history.

        Args:
            metric: name of the metric on the valid part, `valid_auc` or `valid_r`.
            options: number of epochs, patience, and what chooses the best epoch.
            names: names of the networks in messages.
            seed: seed of the replicate.
        """
        self.metric, self.options, self.names, self.seed = metric, options, names, seed
        self.rows: list[list[dict[str, float]]] = [[] for _ in names]
        self.best: list[dict[str, Tensor]] = [{} for _ in names]

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return max(map(len, self.rows))

    def best_epoch(self, network: int) -> int:
        """Return the first epoch of a network with the lowest loss or the highest metric on the valid part."""
        if self.options.monitor == "loss":
            values = [row["valid_loss"] for row in self.rows[network]]
        else:
            values = [-row[self.metric] for row in self.rows[network]]
        return int(np.argmin(values))

    def is_finished(self, network: int) -> bool:
        """Return whether a network has no epoch left to train."""
        rows, patience = self.rows[network], self.options.patience
        if not rows:
            return False
        waited = len(rows) - 1 - self.best_epoch(network)
        return len(rows) >= self.options.max_epochs or (patience is not None and waited >= patience)

    @property
    def finished(self) -> bool:
        """Return whether no network has an epoch left to train."""
        return all(map(self.is_finished, range(len(self.names))))

    def epoch_seed(self) -> int:
        """Return the seed of the next epoch."""
        return int(np.random.SeedSequence([self.seed, self.epochs]).generate_state(1)[0])

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed the epoch's dropout; not earlier, because the loaders' iterators draw random numbers when they start."""
        if batch_idx == 0:
            L.seed_everything(self.epoch_seed(), verbose=False)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the epoch to the history of each network that is not yet finished."""
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
                "%sepoch %d of %d: train loss %.4f, valid loss %.4f, %s %.4f, best epoch %d",
                f"{name}: " if len(self.names) > 1 else "",
                len(rows),
                self.options.max_epochs,
                row["train_loss"],
                row["valid_loss"],
                self.metric.replace("_", " "),
                row[self.metric],
                best + 1,
            )
        trainer.should_stop = self.finished

    def state_dict(self) -> dict[str, Any]:
        """Return the state that a training needs to resume."""
        return {"rows": self.rows, "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a training."""
        self.rows, self.best = state_dict["rows"], state_dict["best"]


class StopAtSignal(Callback):
    """Stop a training at the end of the epoch in which a signal arrives, after the epoch's checkpoint is written.

    Slurm sends SIGTERM before it kills a job that is out of time or preempted, or SIGUSR1 if a warning was requested
    (`sbatch --signal`). If the job is killed before the epoch ends, only that epoch is lost.
    """

    def __init__(self) -> None:
        """Start without a signal."""
        self.received: signal.Signals | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Set the signal handlers; not earlier, because the trainer sets handlers that end a training at once.

        The trainer restores all handlers at the end. Only the main thread can set handlers.
        """
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGUSR1):
                signal.signal(number, self._receive)

    def _receive(self, number: int, _: Any) -> None:
        self.received = signal.Signals(number)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop the training if a signal has arrived."""
        if self.received is not None:
            logger.info("stopping after this epoch: %s", self.received.name)
            trainer.should_stop = True
