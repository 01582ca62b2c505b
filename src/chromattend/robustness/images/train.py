"""Training of classifiers of images with PyTorch Lightning.

`chromattend.training` trains models of two classes, or of one value, on signal along positions, side by side and with
the choice of an epoch by a valid part. Images have many classes and are moved at random in every step, and the
classifier to attack takes no part in a comparison of models, so it is trained here in a few lines.
"""

import logging
import math
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytorch_lightning as L
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from torch import Tensor
from torch.nn import functional

from chromattend.errors import UserError
from chromattend.robustness.images.classifier import Classifier, as_inputs
from chromattend.robustness.images.data import ImageSet

logger = logging.getLogger(__name__)

# Lightning's own log lines repeat ours, or advertise.
logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
warnings.filterwarnings("ignore", ".*LeafSpec.*")
# On a cluster, Snakemake starts the jobs; advice to call srun would be in every log.
warnings.filterwarnings("ignore", ".*`srun` command is available.*")

BATCH = 64
# Largest learning rate of the cycle, and weight decay, of AdamW.
RATE, DECAY = 5e-3, 1e-2
# Most pixels by which an image is moved, which is an eighth of a small image.
SHIFT = 2
# Columns of a training's history, also of a classifier that was trained elsewhere.
HISTORY = ["epoch", "train_loss", "train_accuracy", "learning_rate"]


def train_classifier(name: str, images: ImageSet, epochs: int, seed: int) -> tuple[Classifier, pd.DataFrame]:
    """Train a network on the CPU; return it as it is after the last epoch.

    Cross entropy by AdamW, with a learning rate that rises and falls to nearly 0 in one cycle (Smith, Topin, SPIE
    2019), so that the last epoch needs no choice among epochs, and no image is kept from the training for one. Images
    are moved by up to 2 pixels along both axes, and coloured ones are mirrored, at random. A training that was killed
    starts again, with the same result.

    Args:
        name: name of the network in the registry.
        images: images to learn from.
        epochs: number of times that every image is seen.
        seed: seed of the first weights, the order of the images, their moves and dropout.

    Returns:
        The classifier, and one row per epoch with the columns `HISTORY`: epoch from 0, the mean loss and accuracy
        of its steps, and the learning rate of its last one.

    Raises:
        UserError: the images are too small for the network, or the training diverges or is interrupted.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = Classifier(name, images.shape, len(images.classes))
        batches = _Batches(images, seed)
        module = _Training(classifier, epochs, len(batches), seed)
        with tempfile.TemporaryDirectory() as folder:
            trainer = L.Trainer(
                default_root_dir=folder,
                max_epochs=epochs,
                accelerator="cpu",
                devices=1,
                deterministic=True,
                # In a Slurm job, Lightning would use the job's tasks and requeue it, but Snakemake manages both.
                plugins=[LightningEnvironment()],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=sys.stderr.isatty(),
                enable_model_summary=False,
            )
            trainer.fit(module, train_dataloaders=batches)
    if len(module.rows) < epochs:
        raise UserError(f"{name}: the training was interrupted after {len(module.rows)} epochs; run again")
    return classifier.ready(), pd.DataFrame(module.rows, columns=HISTORY)


class _Batches:
    """Shuffled batches of nearly equal sizes, in another order in every epoch."""

    def __init__(self, images: ImageSet, seed: int) -> None:
        self.images, self.labels = torch.from_numpy(images.pixels), torch.from_numpy(images.labels)
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return math.ceil(len(self.labels) / BATCH)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        # Equal sizes: normalisation over a batch of one image would fail.
        for rows in torch.randperm(len(self.labels), generator=self.generator).tensor_split(len(self)):
            yield as_inputs(self.images[rows].numpy()), self.labels[rows]


class _Training(L.LightningModule):
    """Loss, random changes of the images, optimiser and history."""

    def __init__(self, classifier: Classifier, epochs: int, steps: int, seed: int) -> None:
        super().__init__()
        self.classifier, self.steps = classifier, epochs * steps
        self.epochs = epochs
        self.generator = torch.Generator().manual_seed(seed)
        self.rows: list[dict[str, float]] = []
        self._seen: list[tuple[float, int, int]] = []

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Return the mean cross entropy of changed images."""
        images, labels = batch
        logits = self.classifier(changed(images, self.generator))
        loss = functional.cross_entropy(logits, labels)
        right = int((logits.argmax(dim=1) == labels).sum())
        self._seen.append((float(loss.detach()) * len(labels), right, len(labels)))
        return loss

    def on_train_epoch_end(self) -> None:
        """Add a row to the history."""
        loss, right, count = (sum(values) for values in zip(*self._seen, strict=True))
        self._seen = []
        if not math.isfinite(loss):
            raise UserError(f"{self.classifier.name}: the training diverges; choose another network")
        rate = self.optimizers().param_groups[0]["lr"]  # type: ignore[union-attr]
        row = [len(self.rows), loss / count, right / count, rate]
        self.rows.append(dict(zip(HISTORY, row, strict=True)))
        logger.info("epoch %d of %d: loss %.4f, accuracy %.4f", len(self.rows), self.epochs, row[1], row[2])

    def configure_optimizers(self) -> dict[str, Any]:  # type: ignore[override]
        """Return AdamW and its cycle of learning rates."""
        optimizer = torch.optim.AdamW(self.classifier.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def changed(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images that are moved at random, and mirrored at random if they have colours; borders are repeated.

    Args:
        images: shape (image, channel, height, width).
        generator: random numbers.
    """
    count, channels, height, width = images.shape
    most = min(SHIFT, min(height, width) // 8)
    by = torch.randint(-most, most + 1, (2, count, 1), generator=generator)
    rows = (torch.arange(height) + by[0]).clamp(0, height - 1)
    columns = (torch.arange(width) + by[1]).clamp(0, width - 1)
    if channels > 1:
        mirrored = torch.rand(count, 1, generator=generator) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    chosen = torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]
    return images.movedim(1, -1)[chosen].movedim(-1, 1)
