"""scikit-learn estimators as models: their features, their calibration and their files."""

import importlib
import io
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from chromattend.files import atomic
from chromattend.models.base import InputSpec, Scores
from chromattend.models.registry import read_spec


class ExampleError(Exception):
    """A training example that an estimator cannot learn from: its row, and the reason with the fix."""

    def __init__(self, row: int, reason: str) -> None:
        """Take the row of the example among those of the training, and what a sentence says of it after its name."""
        super().__init__(reason)
        self.row = row


@dataclass(frozen=True)
class Setting:
    """Settings of a baseline, in addition to its own options.

    Attributes:
        channels: number of channels (marks); features are ordered by position, then by channel.
        positions: number of positions (bins).
        sizes: what a network of the same inputs would be given, see `InputSpec.sizes`.
        log: whether features are log(1 + count).
        class_weight: `balanced` or None.
        seed: seed of its random numbers.
        threads: number of processors that it may use.
    """

    channels: int
    positions: int
    sizes: Mapping[str, Any] = field(default_factory=dict)
    log: bool = True
    class_weight: str | None = None
    seed: int = 1
    threads: int = 1

    def pipeline(self, *steps: Any) -> Pipeline:
        """Return a pipeline of the steps on signal of shape (example, position * channel), in the setting's form."""
        return make_pipeline(*([LogCounts()] if self.log else []), *steps)


class LogCounts(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """log(1 + count)."""

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "LogCounts":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return log(1 + X)."""
        return np.log1p(X)


class MarkTotals(TransformerMixin, BaseEstimator):
    """The sum of each mark over all bins."""

    def __init__(self, marks: int = 1) -> None:
        """Take the number of marks."""
        self.marks = marks

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "MarkTotals":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return sums, shape (gene, mark)."""
        return X.reshape(len(X), -1, self.marks).sum(axis=1)


class OneBin(TransformerMixin, BaseEstimator):
    """All marks of one bin."""

    def __init__(self, marks: int = 1, bin: int = 0) -> None:
        """Take the number of marks and the bin, counted from 0."""
        self.marks, self.bin = marks, bin

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "OneBin":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the bin, shape (gene, mark)."""
        return X.reshape(len(X), -1, self.marks)[:, self.bin]


class BestBins(TransformerMixin, BaseEstimator):
    """For each mark, the bin with the highest absolute Pearson correlation with the label."""

    def __init__(self, marks: int = 1) -> None:
        """Take the number of marks."""
        self.marks = marks

    def fit(self, X: np.ndarray, y: np.ndarray) -> "BestBins":
        """Find the bins."""
        self.n_features_in_ = X.shape[1]
        deviation = X - X.mean(axis=0)
        spread = np.sqrt((deviation**2).sum(axis=0))
        # A bin without reads has correlation 0.
        correlation = np.abs(deviation.T @ (y - y.mean())) / np.where(spread > 0, spread, np.inf)
        self.bins_ = correlation.reshape(-1, self.marks).argmax(axis=0)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the bins, shape (gene, mark)."""
        return X.reshape(len(X), -1, self.marks)[:, self.bins_, np.arange(self.marks)]


# Types that a saved baseline may hold in addition to the types that skops trusts; skops refuses any other type.
TRUSTED_TYPES = [
    *(f"{__name__}.{kind.__name__}" for kind in (LogCounts, MarkTotals, OneBin, BestBins)),
    "sklearn.tree._tree.Tree",
    # Of a track, which this room names only as text.
    "chromattend.sequence.models.baselines.KmerCounts",
    "chromattend.sequence.models.gkm_svm.GkmSVM",
]


def flatten(signal: np.ndarray) -> np.ndarray:
    """Return signal of shape (example, position, channel) as features, shape (example, position * channel)."""
    return signal.reshape(len(signal), -1)


@dataclass
class Baseline:
    """A trained baseline with one estimator per seed.

    Attributes:
        input_spec: the input data.
        estimators: estimators fitted on features of shape (example, position * channel).
        calibrators: if the estimators give no probabilities, a calibrator of the scores of each; see `calibrate`.
    """

    input_spec: InputSpec
    estimators: list[Any]
    calibrators: list[Pipeline]
    kept_epochs = ()

    def outputs(self, signal: np.ndarray) -> np.ndarray:
        """Return probabilities, or predicted values of a regression, per seed and example, shape (seed, example).

        Args:
            signal: see `InputSpec.signal`, shape (example, position, channel).
        """
        features = flatten(signal)
        outputs = [raw_scores(estimator, features) for estimator in self.estimators]
        for number, calibrator in enumerate(self.calibrators):
            outputs[number] = calibrator.predict_proba(outputs[number][:, None])[:, 1]
        return np.stack(outputs)

    def scores(self, dataset: xr.Dataset) -> Scores:
        """Score every example of a dataset once per replicate; the joint score is their mean."""
        return self.scores_of(self.input_spec.signal(dataset))

    def scores_of(self, signal: np.ndarray) -> Scores:
        """Score signal, shape (example, position, channel), as `scores` does."""
        outputs = self.outputs(signal)
        return Scores(outputs.mean(axis=0), outputs)

    def score(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the joint scores of `scores`, shape (example,)."""
        return self.scores(dataset).joint

    def save(self, path: str | Path) -> None:
        """Write a skops file; the same model gives the same bytes."""
        content = {
            "contract": vars(self.input_spec),  # the key of older versions, whose files are also read
            "estimators": self.estimators,
            "calibrators": self.calibrators,
        }
        with atomic(path) as temporary:
            temporary.write_bytes(_without_addresses(_skops().dumps(content)))

    @classmethod
    def load(cls, path: str | Path) -> "Baseline":
        """Read a file from `save`; any type that is not known to be safe is refused."""
        content = _skops().load(path, trusted=TRUSTED_TYPES)
        return cls(read_spec(content["contract"]), content["estimators"], content["calibrators"])


def _skops() -> Any:
    """Return the module `skops.io`, imported without torch.

    skops imports all of scikit-learn, and one of its packages imports torch if it is installed, which takes longer than
    training or scoring most baselines.
    """
    missing: Any = None
    with_torch = "torch" in sys.modules
    if not with_torch:
        sys.modules["torch"] = missing
    try:
        return importlib.import_module("skops.io")
    finally:
        if not with_torch:
            del sys.modules["torch"]


def _without_addresses(archive: bytes) -> bytes:
    """Return a skops archive without the parts that differ from run to run.

    skops names objects, and the files of their arrays, by memory addresses: here they are numbered in order. The files
    in its archive have a creation time: here they have none.
    """
    numbers: dict[str, int] = {}

    def number(address: re.Match[str]) -> str:
        return str(numbers.setdefault(address[0], len(numbers) + 1))

    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(buffer, "w") as new:
        schema = re.sub(r'(?<="__id__": )\d+|(?<=": ")\d+(?=\.npy")', number, old.read("schema.json").decode())
        for name in old.namelist():
            content = schema.encode() if name == "schema.json" else old.read(name)
            new.writestr(zipfile.ZipInfo(re.sub(r"^\d+(?=\.npy$)", number, name)), content)
    return buffer.getvalue()


def raw_scores(estimator: Any, features: np.ndarray) -> np.ndarray:
    """Return an estimator's output per gene, shape (gene,): P(ON), distance from the decision boundary, or value."""
    if hasattr(estimator, "predict_proba"):
        return estimator.predict_proba(features)[:, 1]
    if hasattr(estimator, "decision_function"):
        return estimator.decision_function(features)
    return estimator.predict(features)


def calibrate(scores: np.ndarray, labels: np.ndarray, class_weight: str | None = None) -> Pipeline:
    """Fit a logistic curve from scores to P(ON) (Platt, Advances in Large Margin Classifiers, 1999).

    Args:
        scores: scores of genes that the model was not trained on, shape (gene,).
        labels: 0 or 1, shape (gene,).
        class_weight: `balanced` or None, as in the training of the model.

    Returns:
        A scaler and the logistic regression.
    """
    return make_pipeline(StandardScaler(), LogisticRegression(class_weight=class_weight)).fit(scores[:, None], labels)


def gives_probability(estimators: Sequence[Any]) -> bool:
    """Return whether the estimators give P(ON) themselves."""
    return all(hasattr(estimator, "predict_proba") for estimator in estimators)
