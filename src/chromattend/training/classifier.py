"""Training of networks with PyTorch Lightning."""

import logging
import shutil
import sys
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytorch_lightning as L
import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler
from torchmetrics.classification import BinaryAUROC

from chromattend.errors import UserError
from chromattend.models.base import Contract
from chromattend.models.network import SCORING_BATCH, Network
from chromattend.training.options import Genes, TrainingOptions

logger = logging.getLogger(__name__)

# Advice for image-sized data: batches here are look-ups in memory, which worker processes would only slow down.
warnings.filterwarnings("ignore", ".*does not have many workers.*")
warnings.filterwarnings("ignore", ".*LeafSpec.*")


class _InMemory(Dataset[tuple[Tensor, Tensor]]):
    """Counts and labels in memory; indexed with the list of a whole batch, so no gene is handled in Python."""

    def __init__(self, genes: Genes) -> None:
        self.counts, self.labels = torch.from_numpy(genes.counts), torch.from_numpy(genes.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return self.counts[index], self.labels[index]


class EpigenomeDataModule(L.LightningDataModule):
    """The train and valid genes of one epigenome, held in memory as tensors."""

    def __init__(self, train: Genes, valid: Genes, batch_size: int) -> None:
        """Take over counts and labels.

        Args:
            train: genes to learn from.
            valid: genes that choose the best epoch.
            batch_size: genes per optimiser step.
        """
        super().__init__()
        self.train, self.valid, self.batch_size = _InMemory(train), _InMemory(valid), batch_size

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return shuffled batches of the training genes."""
        return self._loader(self.train, RandomSampler(self.train), self.batch_size)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return batches of the validation genes."""
        return self._loader(self.valid, SequentialSampler(self.valid), SCORING_BATCH)

    @staticmethod
    def _loader(genes: _InMemory, sampler: Sampler[int], batch_size: int) -> DataLoader[tuple[Tensor, Tensor]]:
        # The batch sampler goes in as sampler, so that a batch is one look-up.
        return DataLoader(genes, sampler=BatchSampler(sampler, batch_size, drop_last=False), batch_size=None)


class ChromatinClassifier(L.LightningModule):
    """A network with its loss, metric and optimiser."""

    def __init__(self, network: Network, learning_rate: float, weight_decay: float) -> None:
        """Wrap a network.

        Args:
            network: takes raw counts and returns logits.
            learning_rate, weight_decay: of AdamW.
        """
        super().__init__()
        self.network = network
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.valid_auc = BinaryAUROC()

    def forward(self, counts: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of raw counts with shape (gene, bin, mark)."""
        return self.network(counts)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the mean binary cross-entropy of a batch."""
        loss = self._loss(batch[1], self(batch[0]))
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch[1]))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Collect loss and AUC."""
        counts, labels = batch
        logits = self(counts)
        # The metric takes any batch within 0 and 1 for probabilities and others for logits; this is within them
        # always, and has the order of the logits.
        self.valid_auc.update(0.5 + 0.5 * torch.nn.functional.softsign(logits), labels.int())
        self.log("valid_loss", self._loss(labels, logits), batch_size=len(labels))
        self.log("valid_auc", self.valid_auc, batch_size=len(labels))

    @staticmethod
    def _loss(labels: Tensor, logits: Tensor) -> Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)


def train_network(
    contract: Contract,
    train: Genes,
    valid: Genes,
    model_options: dict[str, Any],
    options: TrainingOptions,
    work_folder: str | Path | None,
) -> tuple[Network, pd.DataFrame]:
    """Train a network and return it as it was at its best validation AUC.

    Args:
        contract: name, marks and bins.
        train: genes to learn from.
        valid: genes that choose the best epoch and stop the training.
        model_options: keyword arguments of the network.
        options: optimiser, epochs, seed and device.
        work_folder: where checkpoints lie during training; they are removed at its end.

    Returns:
        The network, on the CPU, and one row an epoch: epoch, train_loss, valid_loss, valid_auc.
    """
    torch.set_num_threads(options.threads)
    L.seed_everything(options.seed, verbose=False)
    network = Network(contract, model_options)
    network.transform.fit(torch.from_numpy(train.counts))
    classifier = ChromatinClassifier(network, options.learning_rate, options.weight_decay)
    for left in Path(work_folder).glob(".checkpoints-*") if work_folder else ():
        shutil.rmtree(left)  # of a training that was killed
    with tempfile.TemporaryDirectory(dir=work_folder, prefix=".checkpoints-") as folder:
        best = ModelCheckpoint(
            Path(folder) / "best", filename="best", monitor="valid_auc", mode="max", save_weights_only=True
        )
        csv = CSVLogger(folder, name=None, version="log")
        trainer = L.Trainer(
            max_epochs=options.max_epochs,
            accelerator=options.accelerator,
            devices=1,
            # Warn and go on where a GPU has no deterministic kernel.
            deterministic="warn",
            gradient_clip_val=options.gradient_clip or None,
            callbacks=[best, EarlyStopping("valid_auc", mode="max", patience=options.patience), _EpochLines()],
            logger=csv,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
        )
        trainer.fit(classifier, datamodule=EpigenomeDataModule(train, valid, options.batch_size))
        if trainer.interrupted or not best.best_model_path:
            raise UserError(f"{contract.model}: training was interrupted; run again")
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
        classifier.cpu().load_state_dict(state)
        history = _history(Path(csv.log_dir) / "metrics.csv")
    return network.eval(), history


def _history(path: Path) -> pd.DataFrame:
    """Join the rows of Lightning's CSV log, which has one per kind of metric, into one per epoch."""
    table = pd.read_csv(path).groupby("epoch", as_index=False).first()
    return table[["epoch", "train_loss", "valid_loss", "valid_auc"]]


@dataclass
class _EpochLines(Callback):
    """One line an epoch in the job's log."""

    best: float = 0.0

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.best = max(self.best, metrics["valid_auc"])
        logger.info(
            "epoch %d of %d: train loss %.4f, valid loss %.4f, valid AUC %.4f, best %.4f",
            trainer.current_epoch + 1,
            trainer.max_epochs or 0,
            metrics["train_loss"],
            metrics["valid_loss"],
            metrics["valid_auc"],
            self.best,
        )
