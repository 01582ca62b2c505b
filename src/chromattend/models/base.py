"""Common interface of all trained models, whatever their track."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import numpy as np
import xarray as xr

Form = Literal["raw", "log", "depth"]


class InputSpec(Protocol):
    """Input data of a trained model: saved with the model, and compared with a dataset before scoring.

    A track's class is a frozen dataclass of plain values, which checkpoints hold as a mapping; the registry names it.
    Signal has the axes (example, position, channel): (gene, bin, mark) for chromatin, (sequence, position, letter) for
    one-hot DNA.

    Attributes:
        model: name in the registry.
        task: `classification` into two classes, or `regression`.
        noun: what an example is called in messages, such as `gene`.
    """

    model: str
    task: str
    noun: ClassVar[str]

    @classmethod
    def of(cls, model: str, dataset: xr.Dataset, inputs: Form) -> "InputSpec":
        """Return the inputs of a model trained on a dataset.

        Args:
            model: name in the registry.
            dataset: dataset of the track.
            inputs: form of the signal: unchanged, its logarithm, or the logarithm after division by the depth.
        """

    @property
    def sizes(self) -> dict[str, Any]:
        """Arguments of the network's class."""

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of positions and channels of an example's signal."""

    @property
    def logarithmic(self) -> bool:
        """Whether models take the logarithm of the signal."""

    def signal(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the signal of a dataset in the model's form, float32, shape (example, position, channel).

        Raises:
            UserError: the dataset does not fit the model, or has invalid values.
        """

    def context(self, dataset: xr.Dataset) -> np.ndarray | None:
        """Return the model's input in addition to the signal, int64, shape (example,), or None."""

    def target(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the label, or the value to predict in a regression, float32, shape (example,)."""

    def examples(self, dataset: xr.Dataset) -> dict[str, np.ndarray]:
        """Return the columns that name the examples in a table, each of shape (example,)."""

    def redraw(self, dataset: xr.Dataset, rows: np.ndarray) -> Callable[[int], np.ndarray] | None:
        """Return a function that draws the examples of some rows again, if they are random in part.

        It takes a seed and returns their signal, such as with other shuffles of the negative sequences.
        """

    def thinned(self, dataset: xr.Dataset, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
        """Return the signal of some rows of a whole dataset at a share of their reads, each kept at random.

        Raises:
            UserError: the data have no reads.
        """

    def measured(self, dataset: xr.Dataset) -> np.ndarray | None:
        """Return the measurement that the label is derived from, float32, shape (example,), or None."""


class Scores(NamedTuple):
    """Scores of the examples of a dataset: probabilities, or predicted values of a regression.

    Attributes:
        joint: scores of all replicates together, float64, shape (example,).
        replicates: scores of each replicate, shape (seed, example).
    """

    joint: np.ndarray
    replicates: np.ndarray


class TrainedModel(Protocol):
    """A trained model of any kind, with one replicate per seed."""

    input_spec: Any  # an instance of the track's class, see `InputSpec`

    @property
    def kept_epochs(self) -> Sequence[int]:
        """For each replicate of a network, the epoch that was kept, counted from 0; empty if a model has no epochs."""

    def scores(self, dataset: xr.Dataset) -> Scores:
        """Score every example of a dataset once per replicate.

        Raises:
            UserError: the dataset does not fit the model, or has invalid values.
        """

    def score(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the joint scores of `scores`, shape (example,)."""

    def save(self, path: str | Path) -> None:
        """Write the model to a file that `chromattend.models.load_model` reads."""
