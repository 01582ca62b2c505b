"""The genes to train on, as arrays."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from chromattend.errors import UserError
from chromattend.models.base import InputSpec


@dataclass(frozen=True)
class Examples:
    """The genes of one part of the split.

    Attributes:
        signal: see `InputSpec.signal`, float32, shape (gene, bin, mark).
        target: label, or the variable `target` of a regression, float32, shape (gene,).
        context: see `InputSpec.context`, int64, shape (gene,), or None.
        measured: see `InputSpec.measured`, float32, shape (gene,), or None.
    """

    signal: np.ndarray
    target: np.ndarray
    context: np.ndarray | None = None
    measured: np.ndarray | None = None

    @classmethod
    def of(cls, input_spec: InputSpec, dataset: xr.Dataset) -> "tuple[Examples, Examples]":
        """Take the train and the valid part out of a dataset.

        Raises:
            UserError: a part is empty, or has only ON or only OFF genes; counts are missing or negative.
        """
        signal, context = input_spec.signal(dataset), input_spec.context(dataset)
        target, measured = input_spec.target(dataset), input_spec.measured(dataset)
        name = dataset.attrs.get("epigenome", input_spec.model)
        parts = []
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
            parts.append(cls(signal[chosen], target[chosen], *rest))
        return parts[0], parts[1]
