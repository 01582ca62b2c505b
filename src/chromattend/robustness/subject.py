"""A trained model of counts as a function of whole reads: what attacks, noise and certificates act on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
from scipy import special
from torch import Tensor

from chromattend.errors import UserError
from chromattend.models.base import Scores, TrainedModel
from chromattend.models.network import Network, in_batches
from chromattend.robustness.progress import logged

# Probabilities of 0 and 1, as of forests, have no logit.
CLIP = 1e-9


@dataclass(frozen=True)
class CountModel:
    """A trained classifier as a function of counts, with the depth of its sample held fixed.

    Counts have the axes (example, position, channel): (gene, bin, mark) for chromatin.

    Attributes:
        name: name of the model, as in the registry.
        model: the model.
        factor: what a model multiplies counts by: 1 / depth of each channel or 1, float32, shape (1, 1, channel).
        threshold: probability above which a call is positive (ON); see `call_threshold`.
        context: the model's input in addition to the signal, equal for all examples of the sample, or None.
    """

    name: str
    model: TrainedModel
    factor: np.ndarray
    threshold: float = 0.5
    context: int | None = None

    @classmethod
    def of(cls, model: TrainedModel, dataset: xr.Dataset, threshold: float = 0.5) -> "CountModel":
        """Return a model as a function of the counts of a sample.

        Args:
            model: a trained classifier.
            dataset: the sample, whose depth and context the model sees, whatever the counts are.
            threshold: see the class.

        Raises:
            UserError: the model was trained on averaged signal, which has no reads, or does not fit the dataset.
        """
        check_calls(model)
        spec = model.input_spec
        if "depth" not in dataset:
            # Without a depth of the sample, the model would divide by the mean of each set of edited counts.
            dataset = dataset.assign(depth=dataset["counts"].mean(["gene", "bin"], dtype=np.float64))
        one = dataset.isel(gene=slice(1))
        factor = spec.signal(one.assign(counts=xr.ones_like(one["counts"])))[:, :1]
        context = spec.context(one)
        return cls(spec.model, model, factor, threshold, None if context is None else int(context[0]))

    @property
    def divides_by_depth(self) -> bool:
        """Whether the model sees counts relative to the depth of their sample."""
        return bool(self.model.input_spec.inputs == "depth")

    @property
    def differentiable(self) -> bool:
        """Whether `margin` has gradients."""
        return isinstance(self.model, Network)

    def probability(self, counts: np.ndarray, kept: float | np.ndarray = 1.0) -> np.ndarray:
        """Return the probability of the positive class, float64, shape (example,).

        Args:
            counts: shape (example, position, channel), from 0.
            kept: share of the sample's reads that the counts are of: their depth is this share of the sample's. A
                number, or an array that broadcasts against the counts.
        """
        return self.scores(counts, kept).joint

    def scores(self, counts: np.ndarray, kept: float | np.ndarray = 1.0) -> Scores:
        """Return the probabilities of all replicates together, see `probability`, and of each of them."""
        signal = np.ascontiguousarray(self.signal(counts, kept))
        if isinstance(self.model, Network):
            values = torch.from_numpy(signal)
            return self.model.scores_of(values, *self._context(values))
        scores: Scores = self.model.scores_of(signal)  # type: ignore[attr-defined]
        return scores

    def signal(self, counts: np.ndarray, kept: float | np.ndarray = 1.0) -> np.ndarray:
        """Return counts in the form that the model takes, float32, of their shape; see `probability`."""
        return counts.astype(np.float32) * (self.factor / np.asarray(kept, dtype=np.float32))

    def calls(self, counts: np.ndarray, kept: float | np.ndarray = 1.0) -> np.ndarray:
        """Return whether the probability is above the threshold, bool, shape (example,)."""
        return self.probability(counts, kept) > self.threshold

    def margin(self, counts: Tensor) -> Tensor:
        """Return the logit minus that of the threshold, shape (example,): above 0 for a positive call.

        Differentiable in the counts, float32, shape (example, position, channel).

        Raises:
            UserError: the model has no gradients.
        """
        if not isinstance(self.model, Network):
            raise UserError(
                f"{self.name}: has no gradients; take the coordinate search, which needs scores only, or a network"
            )
        logit = self.model(counts * torch.from_numpy(self.factor), *self._context(counts))
        return logit - float(np.log(self.threshold / (1 - self.threshold)))

    def margins(self, counts: np.ndarray) -> np.ndarray:
        """Return the logit minus that of the threshold, float64, shape (example,), of any model; see `margin`."""
        if isinstance(self.model, Network):
            with torch.inference_mode():
                values = torch.from_numpy(np.ascontiguousarray(counts, dtype=np.float32))
                return in_batches(self.margin, values).double().numpy()
        probability = np.clip(self.probability(counts), CLIP, 1 - CLIP)
        return special.logit(probability) - special.logit(self.threshold)

    def _context(self, batch: Tensor) -> tuple[Tensor, ...]:
        if self.context is None:
            return ()
        return (torch.full((len(batch),), self.context, dtype=torch.int64),)


def check_calls(model: TrainedModel) -> None:
    """Raise a `UserError` if a model takes no reads, or has no calls."""
    spec = model.input_spec
    if getattr(spec, "quantity", "reads") != "reads":
        raise UserError(
            f"{spec.model}: was trained on {spec.quantity} instead of reads, and only reads can be added, removed or "
            "lost; leave it out"
        )
    if spec.task != "classification":
        raise UserError(f"{spec.model}: predicts a value instead of a class, so no call can change; leave it out")


def call_names(calls: np.ndarray) -> np.ndarray:
    """Return `ON` or `OFF` for each call."""
    return np.where(calls, "ON", "OFF")


def call_threshold(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the probability above which as many validation examples are called positive as are positive.

    A network whose scores all lie on one side of 0.5 says one thing, which looks robust. This threshold makes its calls
    balanced.

    Args:
        labels: 0 or 1, shape (example,), of the validation part.
        scores: probabilities, shape (example,).

    Returns:
        The middle between the two scores that it divides; 0.5 if there is nothing to divide, as with equal scores.
    """
    ordered = np.sort(scores)
    negatives = int((labels == 0).sum())
    if not 0 < negatives < len(ordered) or ordered[negatives - 1] == ordered[negatives]:
        return 0.5
    middle = (ordered[negatives - 1] + ordered[negatives]) / 2
    return float(np.clip(middle, 1e-6, 1 - 1e-6))


# A map of the inputs' positions, such as attention or an attribution: counts and the share of reads they are of, to
# weights of shape (example, position, channel).
Explanation = Callable[[np.ndarray, float], np.ndarray]


def examples_of_test(dataset: xr.Dataset, most: int | None, seed: int) -> np.ndarray:
    """Return the rows of the test part, at most a number of them, drawn by a seed and in order."""
    rows: Any = np.flatnonzero(dataset["split"].values == "test")
    if most is not None and len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    return rows


def counts_of(dataset: xr.Dataset) -> np.ndarray:
    """Return the counts of a dataset, int, shape (gene, bin, mark)."""
    return dataset["counts"].transpose("gene", "bin", "mark").values


@dataclass(frozen=True)
class Tested:
    """A model of counts, and the test examples that it is tested on.

    Attributes:
        subject: the model, with the threshold of the validation part.
        dataset: the tested examples.
        whole: the dataset that they are from.
        counts: int, shape (example, position, channel).
        labels: 0 or 1, shape (example,).
    """

    subject: CountModel
    dataset: xr.Dataset
    whole: xr.Dataset
    counts: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, model: TrainedModel, dataset: xr.Dataset, most: int | None, seed: int) -> "Tested":
        """Draw the examples of the test part, and choose the threshold on the validation part.

        Args:
            model: a trained classifier.
            dataset: dataset of an epigenome.
            most: most examples, see `examples_of_test`.
            seed: seed of the draw.

        Raises:
            UserError: see `CountModel.of`.
        """
        valid = dataset.isel(gene=np.flatnonzero(dataset["split"].values == "valid"))
        # Of the whole dataset, whose mean is the depth if the dataset does not have one.
        undecided = CountModel.of(model, dataset)
        threshold = call_threshold(valid["label"].values, undecided.probability(counts_of(valid)))
        part = dataset.isel(gene=examples_of_test(dataset, most, seed))
        subject = replace(undecided, threshold=threshold)
        return cls(subject, part, dataset, counts_of(part), part["label"].values)

    @property
    def marks(self) -> list[str]:
        """Names of the channels."""
        return self.dataset["mark"].values.tolist()

    @property
    def bin_size(self) -> int:
        """Width of a position (bp)."""
        return int(self.subject.model.input_spec.bin_size)

    def part(self, name: str) -> np.ndarray:
        """Return the counts of a part of the whole dataset: train, valid or test."""
        return counts_of(self.whole.isel(gene=np.flatnonzero(self.whole["split"].values == name)))

    def named(self, table: pd.DataFrame, *, labelled: bool = False) -> pd.DataFrame:
        """Return a table of the examples with the columns gene, symbol and, if wanted, label in front."""
        names = {name: self.dataset[name].values for name in ("gene", "symbol", *(["label"] if labelled else []))}
        return pd.concat([pd.DataFrame(names), table.reset_index(drop=True)], axis=1)

    def progress(self, what: str) -> Callable[[int, int], None]:
        """Return a function that logs how much is done, see `logged`."""
        return logged(f"{self.subject.name}, {what}")


def edited_dataset(tested: Tested, edits: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> xr.Dataset:
    """Return counts before and after edits as a dataset.

    Args:
        tested: the model and the examples that were edited to turn its calls.
        edits: name -> counts after the edits, shape (example, position, channel), and whether they turn the call, bool,
            shape (example,).

    Returns:
        `original` and a variable of each name, int32, shape (gene, bin, mark); `<name>_turned`, 0 or 1, and
        `<name>_score`, P(ON) after the edits, by gene; the model's threshold as an attribute.
    """
    shape = ("gene", "bin", "mark")
    variables: dict[str, Any] = {"original": (shape, tested.counts.astype(np.int32))}
    for name, (counts, turned) in edits.items():
        variables[name] = (shape, counts.astype(np.int32))
        variables[f"{name}_turned"] = ("gene", turned.astype(np.int8))
        variables[f"{name}_score"] = ("gene", tested.subject.probability(counts))
    names = [name for name in ("gene", "bin", "mark", "symbol", "label") if name in tested.dataset]
    attributes = {"epigenome": tested.dataset.attrs.get("epigenome", ""), "model": tested.subject.name}
    return xr.Dataset(
        variables,
        {name: tested.dataset[name] for name in names},
        attributes | {"threshold": tested.subject.threshold},
    )
