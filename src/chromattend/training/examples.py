"""Training examples as arrays."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
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
    def of(
        cls,
        name: str,
        input_spec: InputSpec,
        dataset: xr.Dataset,
        fresh: bool = False,
        thin: Sequence[float] = (),
        seed: int = 1,
    ) -> "TrainingData":
        """Return the train and the valid part of a dataset.

        Args:
            name, input_spec: see the class.
            dataset: dataset of the track.
            fresh: whether training examples are drawn again in every epoch.
            thin: shares of reads; for each, the training examples follow once more at this share of their reads, see
                `InputSpec.thinned`.
            seed: seed of the reads that are kept.

        Raises:
            UserError: a part is empty, all its targets are equal, or the signal is invalid; or thinned copies are asked
                of data without reads.
        """
        train, valid = _parts(input_spec, dataset)
        if fresh:
            rows = np.flatnonzero(dataset["split"].values == "train")
            train = dataclasses.replace(train, redraw=input_spec.redraw(dataset, rows))
        if thin:
            train = _with_copies(train, input_spec, dataset, thin, seed)
        return cls(name, input_spec, train, valid)


def _with_copies(
    train: Examples, input_spec: InputSpec, dataset: xr.Dataset, thin: Sequence[float], seed: int
) -> Examples:
    rows = np.flatnonzero(dataset["split"].values == "train")
    seeds = np.random.SeedSequence(seed).generate_state(len(thin)).tolist()
    copies = [input_spec.thinned(dataset, rows, *each) for each in zip(thin, seeds, strict=True)]
    context, measured = (
        None if values is None else np.tile(values, 1 + len(thin)) for values in (train.context, train.measured)
    )
    signal = np.concatenate([train.signal, *copies])
    return Examples(signal, np.tile(train.target, 1 + len(thin)), context, measured)


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
