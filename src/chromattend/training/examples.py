"""The examples to train on, as arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from chromattend.errors import UserError
from chromattend.models.base import InputSpec


@dataclass(frozen=True)
class Examples:
    """The examples (genes) of one part of the split.

    Attributes:
        signal: see `InputSpec.signal`, float32, shape (example, position, channel).
        target: see `InputSpec.target`, float32, shape (example,).
        context: see `InputSpec.context`, int64, shape (example,), or None.
        measured: see `InputSpec.measured`, float32, shape (example,), or None.
    """

    signal: np.ndarray
    target: np.ndarray
    context: np.ndarray | None = None
    measured: np.ndarray | None = None


@dataclass(frozen=True)
class TrainingData:
    """What one model is trained on.

    Attributes:
        name: what messages call the model.
        input_spec: the data that it takes.
        train: examples to learn from.
        valid: examples that choose the best state.
    """

    name: str
    input_spec: InputSpec
    train: Examples
    valid: Examples

    @classmethod
    def of(cls, name: str, input_spec: InputSpec, dataset: xr.Dataset) -> "TrainingData":
        """Take the train and the valid part out of a dataset.

        Raises:
            UserError: a part is empty, or all its examples are alike; the signal is not valid.
        """
        return cls(name, input_spec, *_parts(input_spec, dataset))


def _parts(input_spec: InputSpec, dataset: xr.Dataset) -> Iterator[Examples]:
    signal, context = input_spec.signal(dataset), input_spec.context(dataset)
    target, measured = input_spec.target(dataset), input_spec.measured(dataset)
    name = dataset.attrs.get("epigenome", input_spec.model)
    for part in ("train", "valid"):
        chosen = dataset["split"].values == part
        if not chosen.any():
            raise UserError(f"{name}: no gene is in the {part} part; change the key 'split' or add genes")
        if len(np.unique(target[chosen])) < 2:
            what = "label" if input_spec.task == "classification" else "value"
            raise UserError(
                f"{name}: all {int(chosen.sum())} genes of the {part} part have the same {what}; "
                "change the key 'split' or add genes"
            )
        rest = [None if values is None else values[chosen] for values in (context, measured)]
        yield Examples(signal[chosen], target[chosen], *rest)
