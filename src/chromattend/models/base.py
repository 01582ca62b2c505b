"""What every trained model has in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import xarray as xr

from chromattend.errors import UserError


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
        """Write the model to a file that `chromattend.models.load_model` reads."""
