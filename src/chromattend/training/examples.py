"""The genes to train on, as arrays."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from chromattend.errors import UserError
from chromattend.models.base import Contract


@dataclass(frozen=True)
class Examples:
    """The genes of one part of the split.

    Attributes:
        signal: see `Contract.signal`, float32, shape (gene, bin, mark).
        target: label, or the variable `target` of a regression, float32, shape (gene,).
        context: see `Contract.context`, int64, shape (gene,), or None.
        expression: log(1 + RPKM), float32, shape (gene,), or None where the dataset has no RPKM.
    """

    signal: np.ndarray
    target: np.ndarray
    context: np.ndarray | None = None
    expression: np.ndarray | None = None

    @classmethod
    def of(cls, contract: Contract, dataset: xr.Dataset) -> "tuple[Examples, Examples]":
        """Take the train and the valid part out of a dataset.

        Raises:
            UserError: a part is empty, or has only ON or only OFF genes; counts are missing or negative.
        """
        signal, context = contract.signal(dataset), contract.context(dataset)
        target = dataset["label" if contract.task == "classification" else "target"].values.astype(np.float32)
        expression = np.log1p(dataset["rpkm"].values).astype(np.float32) if "rpkm" in dataset else None
        name = dataset.attrs.get("epigenome", contract.model)
        parts = []
        for part in ("train", "valid"):
            chosen = dataset["split"].values == part
            if not chosen.any():
                raise UserError(f"{name}: no gene is in the {part} part; change the key 'split' or add genes")
            if len(np.unique(target[chosen])) < 2:
                raise UserError(
                    f"{name}: all {int(chosen.sum())} genes of the {part} part have the same "
                    f"{'label' if contract.task == 'classification' else 'value'}; change the key 'split' or add genes"
                )
            rest = [None if values is None else values[chosen] for values in (context, expression)]
            parts.append(cls(signal[chosen], target[chosen], *rest))
        return parts[0], parts[1]
