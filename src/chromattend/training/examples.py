"""Training examples as arrays."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chromattend.errors import UserError
from chromattend.models.base import InputSpec


@dataclass(frozen=True)
class Examples:
    """The examples of one part of the split.

    Attributes:
        signal: see `InputSpec.signal`, float32, shape (example, position, channel).
        target: see `InputSpec.target`, float32, shape (example,).
        context: see `InputSpec.context`, int64, shape (example,), or None.
        measured: see `InputSpec.measured`, float32, shape (example,), or None.
        redraw: function from a seed to the signal of an epoch, see `InputSpec.redraw`, or None if it never changes.
    """

    signal: np.ndarray
    target: np.ndarray
    context: np.ndarray | None = None
    measured: np.ndarray | None = None
    redraw: Callable[[int], np.ndarray] | None = None


@dataclass(frozen=True)
class TrainingData:
    """Training data of one model.

    Attributes:
        name: name of the model in messages.
        input_spec: the model's input data.
        train: examples to learn from.
        valid: examples to choose the best state by.
    """

    name: str
    input_spec: InputSpec
    train: Examples
    valid: Examples

    @classmethod
    def of(cls, name: str, input_spec: InputSpec, dataset: xr.Dataset, fresh: bool = False) -> "TrainingData":
        """Return the train and the valid part of a dataset; with `fresh`, training examples are drawn again.

        Raises:
            UserError: a part is empty, all its targets are equal, or the signal is invalid.
        """
        train, valid = _parts(input_spec, dataset)
        if fresh:
            rows = np.flatnonzero(dataset["split"].values == "train")
            train = dataclasses.replace(train, redraw=input_spec.redraw(dataset, rows))
        return cls(name, input_spec, train, valid)


def _parts(input_spec: InputSpec, dataset: xr.Dataset) -> Iterator[Examples]:
    signal, context = input_spec.signal(dataset), input_spec.context(dataset)
    target, measured = input_spec.target(dataset), input_spec.measured(dataset)
    name = dataset.attrs.get("epigenome") or dataset.attrs.get("set", input_spec.model)
    noun = input_spec.noun
    for part in ("train", "valid"):
        chosen = dataset["split"].values == part
        if not chosen.any():
            raise UserError(f"{name}: no {noun} is in the {part} part; change the key 'split' or add {noun}s")
        if len(np.unique(target[chosen])) < 2:
            what = "label" if input_spec.task == "classification" else "value"
            raise UserError(
                f"{name}: all {int(chosen.sum())} {noun}s of the {part} part have the same {what}; "
                f"change the key 'split' or add {noun}s"
            )
        rest = [None if values is None else values[chosen] for values in (context, measured)]
        yield Examples(signal[chosen], target[chosen], *rest)
