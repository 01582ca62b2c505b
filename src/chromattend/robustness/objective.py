"""What the search for the worst case lowers: the distance of a call from its threshold, of one model or of several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import special

from chromattend.models.network import batches
from chromattend.robustness.subject import CountModel

# A call is turned only if its logit is farther than this from the threshold: logits of float32 differ by less between
# batches of different sizes.
SURE = 1e-5
# The maximum of several models' logits is smoothed over this range, so that the search lowers all that are near it.
SMOOTH = 0.5


class Scored(NamedTuple):
    """What the search knows of some counts.

    Attributes:
        value: what it lowers, float64, shape (candidate,).
        reached: whether the aim is reached, bool, shape (candidate,).
    """

    value: np.ndarray
    reached: np.ndarray


@dataclass(frozen=True)
class Turn:
    """Turn the calls of one model, or of several models at once.

    Its value is the logit, counted from the threshold towards the present call, plus the margin that is asked for; for
    several models the smooth maximum of theirs. The aim is reached if each model's value is below 0.

    Attributes:
        models: the models.
        on: whether the present call of each example is positive (ON), bool, shape (example,).
        margin: distance (logit) beyond the threshold that is asked for.
    """

    models: Sequence[CountModel]
    on: np.ndarray
    margin: float = 0.0

    @property
    def differentiable(self) -> bool:
        """Whether `effects` can be calculated."""
        return all(model.differentiable for model in self.models)

    def score(self, counts: np.ndarray, examples: np.ndarray) -> Scored:
        """Score counts, shape (candidate, position, channel), of the examples of these numbers, shape (candidate,)."""
        values = np.stack([self._side(examples) * model.margins(counts) for model in self.models]) + self.margin
        reached = np.asarray((values < -SURE).all(axis=0))
        return Scored(_smooth_maximum(values), reached)

    def effects(self, counts: np.ndarray, examples: np.ndarray, alternatives: np.ndarray) -> np.ndarray:
        """Return by how much the value changes, to first order, if one entry gets another value.

        It is the gradient with respect to the transformed input times the exact change of the transformed input: the
        logarithm of few reads is far from linear.

        Args:
            counts: shape (example, position, channel).
            examples: numbers of the examples, shape (example,).
            alternatives: the other values of each entry, shape (example, kind, position, channel).

        Returns:
            float64, shape (example, kind, position, channel).
        """
        gradients, values = zip(*(self._gradient(model, counts, examples) for model in self.models), strict=True)
        weights = special.softmax(np.stack(values) / SMOOTH, axis=0)
        changes = np.zeros(alternatives.shape)
        for model, gradient, weight in zip(self.models, gradients, weights, strict=True):
            moved = transformed(model, alternatives) - transformed(model, counts)[:, None]
            changes += (weight[:, None, None] * gradient / slope(model, counts))[:, None] * moved
        return changes

    def _gradient(self, model: CountModel, counts: np.ndarray, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradients, values = [], []
        side = torch.from_numpy(self._side(examples).astype(np.float32))
        for batch, sides in batches(torch.from_numpy(counts.astype(np.float32)), side):
            batch.requires_grad_(True)
            value = sides * model.margin(batch)
            gradients.append(torch.autograd.grad(value.sum(), batch)[0].double().numpy())
            values.append(value.detach().double().numpy() + self.margin)
        return np.concatenate(gradients), np.concatenate(values)

    def _side(self, examples: np.ndarray) -> np.ndarray:
        return np.where(self.on[examples], 1.0, -1.0)


def transformed(model: CountModel, counts: np.ndarray) -> np.ndarray:
    """Return the scale on which a model reads counts, float64: their logarithm, or counts for models without one."""
    signal = counts * model.factor[0].astype(np.float64)
    return np.log1p(signal) if model.model.input_spec.logarithmic else signal


def slope(model: CountModel, counts: np.ndarray) -> np.ndarray:
    """Return the derivative of `transformed` by the counts."""
    factor = model.factor[0].astype(np.float64)
    return (
        factor / (1 + counts * factor) if model.model.input_spec.logarithmic else np.broadcast_to(factor, counts.shape)
    )


def _smooth_maximum(values: np.ndarray) -> np.ndarray:
    """Return the smooth maximum over the models of values of shape (model, example)."""
    smooth: np.ndarray = SMOOTH * special.logsumexp(values / SMOOTH, axis=0)
    return smooth
