"""Trained scikit-learn estimators, and the transform of counts that is part of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin

from chromattend.files import atomic
from chromattend.models.base import Contract

# What a saved baseline may hold besides what skops knows as safe; it refuses any other type.
TRUSTED_TYPES = ["chromattend.models.baseline.LogCounts", "sklearn.tree._tree.Tree"]


class LogCounts(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """log(1 + count): the first step of every baseline, so that all of them take raw counts."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "LogCounts":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return log(1 + X)."""
        return np.log1p(X)


def flatten(counts: np.ndarray) -> np.ndarray:
    """Return counts of shape (gene, bin, mark) as features, float32, shape (gene, bin * mark)."""
    return counts.reshape(len(counts), -1).astype(np.float32)


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
        features = flatten(counts)
        if hasattr(self.estimator, "predict_proba"):
            return self.estimator.predict_proba(features)[:, 1]
        return self.estimator.decision_function(features)

    def save(self, path: str | Path) -> None:
        """Write a file in the format of skops."""
        with atomic(path) as temporary:
            skops.io.dump({"contract": vars(self.contract), "estimator": self.estimator}, temporary)

    @classmethod
    def load(cls, path: str | Path) -> "Baseline":
        """Read what `save` wrote; any type that is not known to be safe is refused."""
        content = skops.io.load(path, trusted=TRUSTED_TYPES)
        return cls(Contract(**content["contract"]), content["estimator"])
