"""What training takes: how to train, and the genes to train on."""

from dataclasses import dataclass

import numpy as np
import xarray as xr


@dataclass(frozen=True)
class TrainingOptions:
    """How models are trained; the configuration's `training` section. All but seed and threads are of networks."""

    max_epochs: int = 60
    patience: int = 8
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    gradient_clip: float = 1.0
    seed: int = 1
    accelerator: str = "auto"
    threads: int = 1


@dataclass(frozen=True)
class Genes:
    """The genes of one part of the split.

    Attributes:
        counts: float32, shape (gene, bin, mark).
        labels: float32, shape (gene,).
    """

    counts: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, dataset: xr.Dataset, part: str) -> "Genes":
        """Take a part out of a dataset."""
        chosen = dataset["split"].values == part
        counts, labels = dataset["counts"].values[chosen], dataset["label"].values[chosen]
        return cls(counts.astype(np.float32), labels.astype(np.float32))
