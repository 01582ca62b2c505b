"""Inputs of models of sequences: letters of the alphabet and length that a model was trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from chromattend.errors import UserError
from chromattend.models.base import Form
from chromattend.sequence.alphabets import ALPHABETS, one_hot
from chromattend.sequence.shuffle import dinucleotide_shuffle


@dataclass(frozen=True)
class SequenceInputs:
    """Input data of a trained model of sequences; see `chromattend.models.base.InputSpec`.

    Attributes:
        model: name in the registry.
        alphabet: name of the alphabet.
        length: number of positions, with padding.
        task: `classification`.
    """

    noun: ClassVar[str] = "sequence"

    model: str
    alphabet: str
    length: int
    task: str = "classification"

    @classmethod
    def of(cls, model: str, dataset: xr.Dataset, inputs: Form = "raw") -> "SequenceInputs":
        """Return the inputs of a model trained on a dataset.

        Args:
            model: name in the registry.
            dataset: see `chromattend.sequence.dataset.build_dataset`.
            inputs: not used: letters are always one-hot.
        """
        return cls(model, dataset.attrs["alphabet"], dataset.sizes["position"])

    @property
    def sizes(self) -> dict[str, Any]:
        """Arguments of the network's class: number of letters of the alphabet, and length."""
        return {"letters": len(ALPHABETS[self.alphabet]), "length": self.length}

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of positions and letters of a sequence's signal."""
        return self.length, len(ALPHABETS[self.alphabet])

    @property
    def logarithmic(self) -> bool:
        """Return False: one-hot letters are not counts."""
        return False

    def check(self, dataset: xr.Dataset) -> None:
        """Raise a `UserError` if alphabet or length of a dataset differ from the training data."""
        name, alphabet = dataset.attrs.get("set", "the data"), dataset.attrs["alphabet"]
        if alphabet != self.alphabet:
            raise UserError(
                f"{self.model}: was trained on {self.alphabet}, but {name} has the alphabet {alphabet}; give sequences "
                f"of {self.alphabet}, or train it again"
            )
        length = dataset.sizes["position"]
        if length != self.length:
            raise UserError(
                f"{self.model}: was trained on sequences of {self.length} letters, but those of {name} have {length}; "
                f"{'crop' if length > self.length else 'pad'} them by sequence.length: {self.length}, or train it again"
            )

    def signal(self, dataset: xr.Dataset) -> np.ndarray:
        """Return one-hot letters, float32, shape (sequence, position, letter); unknown letters are zeros.

        Raises:
            UserError: alphabet or length differ from the training data.
        """
        self.check(dataset)
        return self.encode(dataset["letters"].transpose("sequence", "position").values)

    def encode(self, letters: np.ndarray) -> np.ndarray:
        """Return the signal of letters as numbers, float32, shape (sequence, position, letter).

        Args:
            letters: int8, shape (sequence, position), -1 for unknown letters.
        """
        return one_hot(letters, self.shape[1])

    def context(self, dataset: xr.Dataset) -> None:
        """Return None: a sequence is the only input."""

    def target(self, dataset: xr.Dataset) -> np.ndarray:
        """Return the label, float32, shape (sequence,)."""
        return dataset["label"].values.astype(np.float32)

    def examples(self, dataset: xr.Dataset) -> dict[str, np.ndarray]:
        """Return the column sequence, the names."""
        return {"sequence": dataset["sequence"].values}

    def redraw(self, dataset: xr.Dataset, rows: np.ndarray) -> Callable[[int], np.ndarray] | None:
        """Return a function that shuffles the negatives among some rows again from their templates.

        Args:
            dataset: a whole dataset: `template` numbers its rows.
            rows: numbers of rows.

        Returns:
            A function from a seed to the signal of the rows, float32, shape (row, position, letter), in which only the
            shuffled negatives differ; None if there are none.
        """
        letters = dataset["letters"].transpose("sequence", "position").values
        template = dataset["template"].values[rows]
        shuffled = template >= 0
        if not shuffled.any():
            return None
        mine, templates = letters[rows], letters[template[shuffled]]

        def draw(seed: int) -> np.ndarray:
            drawn = mine.copy()
            drawn[shuffled] = dinucleotide_shuffle(templates, seed)
            return self.encode(drawn)

        return draw

    def thinned(self, dataset: xr.Dataset, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
        """Raise a `UserError`: sequences have no reads."""
        raise UserError(f"training.thin: {self.model} learns from sequences, which have no reads; remove the key")

    def measured(self, dataset: xr.Dataset) -> None:
        """Return None: labels are not derived from a measurement that models could learn."""


@dataclass(frozen=True)
class LetterInputs(SequenceInputs):
    """Input data of a model that reads letters as numbers, in a small fraction of the memory of one-hot letters."""

    @property
    def sizes(self) -> dict[str, Any]:
        """Name of the alphabet."""
        return {"alphabet": self.alphabet}

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of positions and of values per position, 1."""
        return self.length, 1

    def encode(self, letters: np.ndarray) -> np.ndarray:
        """Return the letters, int8, shape (sequence, position, 1)."""
        return letters[..., None]
