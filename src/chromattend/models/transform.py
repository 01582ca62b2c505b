"""Transforms of raw counts that are part of a model, so that every model takes raw counts."""

import numpy as np
import torch
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from torch import Tensor, nn


class LogCounts(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """log(1 + count), for scikit-learn pipelines."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "LogCounts":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return log(1 + X)."""
        return np.log1p(X)


class StandardisedLogCounts(nn.Module):
    """log(1 + count), standardised per mark with the mean and deviation of the training genes.

    Counts differ between epigenomes in sequencing depth and between marks in range; in this form a network
    trains alike on all of them. The papers feed raw counts.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, marks: int) -> None:
        """Start as the identity on log counts of `marks` marks."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(marks))
        self.register_buffer("deviation", torch.ones(marks))

    def fit(self, counts: Tensor) -> None:
        """Take mean and deviation from counts, shape (gene, bin, mark)."""
        logs = torch.log1p(counts)
        self.mean.copy_(logs.mean(dim=(0, 1)))
        # A mark without any read would divide by zero.
        self.deviation.copy_(logs.std(dim=(0, 1)).clamp_min(1e-6))

    def forward(self, counts: Tensor) -> Tensor:
        """Transform counts, shape (gene, bin, mark)."""
        return (torch.log1p(counts) - self.mean) / self.deviation
