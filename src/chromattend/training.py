"""Training: one function for every model of the registry, and trained models that score counts."""

import logging
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pytorch_lightning as L
import skops.io
import torch
import xarray as xr
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler
from torchmetrics.classification import BinaryAUROC

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.models import REGISTRY
from chromattend.models.transform import StandardisedLogCounts

logger = logging.getLogger(__name__)

SCORING_BATCH = 512
# Advice for image-sized data: batches here are look-ups in memory, which worker processes would only slow down.
warnings.filterwarnings("ignore", ".*does not have many workers.*")
warnings.filterwarnings("ignore", ".*LeafSpec.*", module="pytorch_lightning")
# What a saved baseline may hold besides what skops knows as safe; it refuses any other type.
TRUSTED_TYPES = ["chromattend.models.transform.LogCounts", "sklearn.tree._tree.Tree"]


@dataclass(frozen=True)
class TrainingOptions:
    """How networks are trained; the configuration's `training` section."""

    max_epochs: int = 60
    patience: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    seed: int = 1
    accelerator: str = "auto"
    threads: int = 1


@dataclass(frozen=True)
class Contract:
    """What data a trained model takes: kept with the model and compared before it scores anything.

    Attributes:
        model: name in the registry.
        marks: marks in order.
        bins: start of each bin relative to the TSS (bp).
    """

    model: str
    marks: list[str]
    bins: list[int]

    @classmethod
    def of(cls, model: str, dataset: xr.Dataset) -> "Contract":
        """Return the contract of a model trained on a dataset."""
        return cls(model, dataset["mark"].values.tolist(), dataset["bin"].values.tolist())

    def check(self, dataset: xr.Dataset) -> None:
        """Raise a `UserError` if a dataset has other marks or bins."""
        other = Contract.of(self.model, dataset)
        for what in ("marks", "bins"):
            if getattr(self, what) != getattr(other, what):
                raise UserError(
                    f"{self.model}: was trained on {what} {_short(getattr(self, what))} and the data have "
                    f"{_short(getattr(other, what))}; train it again on such data"
                )


def _short(values: Sequence[object]) -> str:
    names = [str(value) for value in values]
    return ", ".join(names) if len(names) <= 6 else f"{names[0]} to {names[-1]} ({len(names)})"


class TrainedModel(Protocol):
    """A trained model of any kind."""

    contract: Contract

    @property
    def threshold(self) -> float:
        """Score above which a gene is called ON."""

    def score(self, counts: np.ndarray) -> np.ndarray:
        """Return a score per gene that rises with the chance of ON, of counts with shape (gene, bin, mark)."""

    def save(self, path: str | Path) -> None:
        """Write the model to a file."""


class _Genes(Dataset[tuple[Tensor, Tensor]]):
    """Counts and labels in memory; indexed with the list of a whole batch, so no gene is handled in Python."""

    def __init__(self, counts: Tensor, labels: Tensor) -> None:
        self.counts, self.labels = counts, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return self.counts[index], self.labels[index]


class EpigenomeDataModule(L.LightningDataModule):
    """The genes of one epigenome, held in memory as tensors, by split."""

    def __init__(self, dataset: xr.Dataset, batch_size: int) -> None:
        """Take the tensors out of a dataset.

        Args:
            dataset: see `chromattend.dataset.build_dataset`.
            batch_size: genes per optimiser step.
        """
        super().__init__()
        self.batch_size = batch_size
        self.parts = {
            part: _Genes(torch.from_numpy(counts), torch.from_numpy(labels))
            for part, (counts, labels) in _parts(dataset).items()
        }

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return shuffled batches of the training genes."""
        return self._loader(self.parts["train"], RandomSampler(self.parts["train"]), self.batch_size)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return batches of the validation genes."""
        return self._loader(self.parts["valid"], SequentialSampler(self.parts["valid"]), SCORING_BATCH)

    @staticmethod
    def _loader(genes: _Genes, sampler: Sampler[int], batch_size: int) -> DataLoader[tuple[Tensor, Tensor]]:
        # The batch sampler goes in as sampler, so that a batch is one look-up.
        return DataLoader(genes, sampler=BatchSampler(sampler, batch_size, drop_last=False), batch_size=None)


def _parts(dataset: xr.Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return counts, float32, shape (gene, bin, mark), and labels, float32, of train and valid."""
    split, counts, labels = (dataset[name].values for name in ("split", "counts", "label"))
    return {
        part: (counts[split == part].astype(np.float32), labels[split == part].astype(np.float32))
        for part in ("train", "valid")
    }


class ChromatinClassifier(L.LightningModule):
    """A network of the registry with its input transform, loss, metric and optimiser."""

    def __init__(
        self,
        model: str,
        marks: list[str],
        bins: list[int],
        options: dict[str, Any],
        learning_rate: float = 1e-3,
        weight_decay: float = 0.01,
    ) -> None:
        """Build an untrained model.

        Args:
            model: name in the registry.
            marks: marks in order.
            bins: start of each bin relative to the TSS (bp).
            options: keyword arguments of the network.
            learning_rate, weight_decay: of AdamW.
        """
        super().__init__()
        self.save_hyperparameters()
        self.contract = Contract(model, marks, bins)
        self.transform = StandardisedLogCounts(len(marks))
        try:
            self.network = REGISTRY[model].load()(len(marks), len(bins), **options)
        except ValueError as error:
            raise UserError(f"model_options.{model}: {error}; change them or the bins") from None
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.valid_auc = BinaryAUROC()

    def forward(self, counts: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of raw counts with shape (gene, bin, mark)."""
        return self.network(self.transform(counts))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the mean binary cross-entropy of a batch."""
        loss = self._loss(batch[1], self(batch[0]))
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch[1]))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Collect loss and AUC."""
        counts, labels = batch
        logits = self(counts)
        self.valid_auc.update(logits, labels.int())
        self.log("valid_loss", self._loss(labels, logits), batch_size=len(labels))
        self.log("valid_auc", self.valid_auc, batch_size=len(labels))

    @staticmethod
    def _loss(labels: Tensor, logits: Tensor) -> Tensor:
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)

    @property
    def threshold(self) -> float:
        """Score above which a gene is called ON: a probability."""
        return 0.5

    @torch.inference_mode()
    def score(self, counts: np.ndarray) -> np.ndarray:
        """Return P(ON) per gene, float64, of counts with shape (gene, bin, mark)."""
        self.eval()
        batches = torch.from_numpy(counts.astype(np.float32)).split(SCORING_BATCH)
        logits = torch.cat([self(batch.to(self.device)) for batch in batches])
        return torch.sigmoid(logits.double()).cpu().numpy()

    def save(self, path: str | Path) -> None:
        """Write a checkpoint that `load_model` reads."""
        with atomic(path) as temporary:
            # Only what scoring needs, and only plain types, so that loading runs no code of the file.
            content = {
                "pytorch-lightning_version": L.__version__,
                "hyper_parameters": dict(self.hparams),
                "state_dict": {name: tensor.cpu() for name, tensor in self.state_dict().items()},
            }
            torch.save(content, temporary)


@dataclass
class Baseline:
    """A scikit-learn estimator with the contract of its data."""

    contract: Contract
    estimator: Any

    @property
    def threshold(self) -> float:
        """Score above which a gene is called ON: a probability, or a distance from the border."""
        return 0.5 if hasattr(self.estimator, "predict_proba") else 0.0

    def score(self, counts: np.ndarray) -> np.ndarray:
        """Return P(ON), or the signed distance from the border where the estimator has no probability."""
        features = _flat(counts)
        if hasattr(self.estimator, "predict_proba"):
            return self.estimator.predict_proba(features)[:, 1]
        return self.estimator.decision_function(features)

    def save(self, path: str | Path) -> None:
        """Write a file in the format of skops, which `load_model` reads."""
        with atomic(path) as temporary:
            skops.io.dump({"contract": vars(self.contract), "estimator": self.estimator}, temporary)


def _flat(counts: np.ndarray) -> np.ndarray:
    return counts.reshape(len(counts), -1).astype(np.float32)


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
        The trained model and its history: one row an epoch with valid_auc and, for networks, the losses.
    """
    options = options or TrainingOptions()
    if REGISTRY[model].kind == "network":
        return _train_network(model, dataset, model_options or {}, options, work_folder)
    return _train_baseline(model, dataset, model_options or {}, options)


def _train_baseline(
    model: str, dataset: xr.Dataset, model_options: dict[str, Any], options: TrainingOptions
) -> tuple[Baseline, pd.DataFrame]:
    parts = _parts(dataset)
    estimator = REGISTRY[model].load()(**model_options, seed=options.seed, threads=options.threads)
    logger.info("%s: training on %d genes", model, len(parts["train"][1]))
    estimator.fit(_flat(parts["train"][0]), parts["train"][1].astype(np.int8))
    trained = Baseline(Contract.of(model, dataset), estimator)
    auc = {part: roc_auc_score(labels, trained.score(counts)) for part, (counts, labels) in parts.items()}
    logger.info("%s: AUC %.4f on train, %.4f on valid", model, auc["train"], auc["valid"])
    return trained, pd.DataFrame({"epoch": [0], "valid_auc": [auc["valid"]]})


def _train_network(
    model: str,
    dataset: xr.Dataset,
    model_options: dict[str, Any],
    options: TrainingOptions,
    work_folder: str | Path | None,
) -> tuple[ChromatinClassifier, pd.DataFrame]:
    torch.set_num_threads(options.threads)
    L.seed_everything(options.seed, verbose=False)
    data = EpigenomeDataModule(dataset, options.batch_size)
    contract = Contract.of(model, dataset)
    network = ChromatinClassifier(
        model, contract.marks, contract.bins, model_options, options.learning_rate, options.weight_decay
    )
    network.transform.fit(data.parts["train"].counts)
    with tempfile.TemporaryDirectory(dir=work_folder, prefix=".checkpoints-") as folder:
        best = ModelCheckpoint(
            Path(folder) / "best", filename="best", monitor="valid_auc", mode="max", save_weights_only=True
        )
        csv = CSVLogger(folder, name=None, version="log")
        trainer = L.Trainer(
            max_epochs=options.max_epochs,
            accelerator=options.accelerator,
            devices=1,
            deterministic=True,
            gradient_clip_val=options.gradient_clip or None,
            callbacks=[best, EarlyStopping("valid_auc", mode="max", patience=options.patience), _EpochLines()],
            logger=csv,
            log_every_n_steps=1,
            num_sanity_val_steps=0,
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
        )
        trainer.fit(network, datamodule=data)
        if not trainer.state.finished or not best.best_model_path:
            raise UserError(f"{model}: training was stopped before its first epoch ended; run again")
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
        network.load_state_dict(state)
        history = _history(Path(csv.log_dir) / "metrics.csv")
    return network.cpu(), history


def _history(path: Path) -> pd.DataFrame:
    """Join the rows of Lightning's CSV log, which has one per kind of metric, into one per epoch."""
    table = pd.read_csv(path).groupby("epoch", as_index=False).first()
    return table[["epoch", "train_loss", "valid_loss", "valid_auc"]]


@dataclass
class _EpochLines(Callback):
    """One line an epoch in the job's log."""

    best: float = field(default=0.0)

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


def load_model(path: str | Path) -> TrainedModel:
    """Read a trained model; only weights and known types are read, never code.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            is_baseline = "schema.json" in archive.namelist()
        if is_baseline:
            content = skops.io.load(path, trusted=TRUSTED_TYPES)
            return Baseline(Contract(**content["contract"]), content["estimator"])
        content = torch.load(path, map_location="cpu", weights_only=True)
        network = ChromatinClassifier(**content["hyper_parameters"])
        network.load_state_dict(content["state_dict"])
        return network.eval()
    except FileNotFoundError:
        raise
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: is no model of chromattend or is damaged ({reason}); train it again") from error
