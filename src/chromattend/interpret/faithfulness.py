"""Faithfulness of explanations to their model: deletion and insertion of bins, and comparison with untrained models."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from scipy import special, stats
from torch import Tensor

from chromattend.interpret import METHODS, RANDOM
from chromattend.models.network import in_batches
from chromattend.statistics import beats_base_rate, mean_interval

# Shares of all bins of all marks that are removed or restored.
SHARES = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0])
# A single random order per gene moves the mean area of some dozens of genes by as much as methods differ.
RANDOM_ORDERS = 10
# A map with a higher rank correlation with the maps of untrained models shows the architecture, not the learning.
SIMILAR = 0.5
# Largest share of genes whose weights may miss the change of the logit, for methods that guarantee the sum.
INCOMPLETE = 0.05


def order_of(weights: Tensor, direction: Tensor, signed: bool) -> Tensor:
    """Return the positions of each gene, strongest evidence for the model's answer first, shape (gene, bin * mark).

    A position is a bin of a mark.

    Args:
        weights: shape (gene, bin, mark).
        direction: 1 for genes predicted ON, -1 for genes predicted OFF, shape (gene,).
        signed: whether the sign of a weight is evidence for a class.
    """
    flat = weights.flatten(1)
    if signed:
        flat = flat * direction[:, None]
    return flat.argsort(dim=1, descending=True, stable=True)


@torch.inference_mode()
def replaced(
    score: Callable[[Tensor], Tensor], before: Tensor, after: Tensor, order: Tensor, direction: Tensor
) -> np.ndarray:
    """Return the logit as positions are replaced in a given order (Petsiuk et al., BMVC 2018, section 3.3).

    Args:
        score: function that returns the logit of ON for transformed signal.
        before, after: signal before and after the replacement, shape (gene, bin, mark).
        order: order of the positions, shape (gene, bin * mark).
        direction: see `order_of`.

    Returns:
        Logit for the model's own answer at each of `SHARES`, shape (gene, share).
    """
    positions = order.shape[1]
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(positions).expand_as(order)).view(before.shape)
    curves = []
    for share in SHARES:
        mixed = torch.where(rank < round(float(share) * positions), after, before)
        logit = in_batches(score, mixed)
        curves.append((direction * logit).double())
    return torch.stack(curves, dim=1).numpy()


def faithfulness_curves(
    score: Callable[[Tensor], Tensor], inputs: Tensor, reference: Tensor, weights: Mapping[str, Tensor], seed: int = 1
) -> dict[tuple[str, str], np.ndarray]:
    """Measure deletion and insertion for every method, and for random orders of the bins.

    Args:
        score: function that returns the logit of ON for transformed signal, shape (gene, bin, mark).
        inputs: transformed signal, shape (gene, bin, mark).
        reference: transformed signal without reads, shape (1, bin, mark).
        weights: method -> shape (gene, bin, mark).
        seed: seed of the random orders.

    Returns:
        (method, `deletion` or `insertion`) -> decrease (deletion) or increase (insertion) of the logit for the model's
        answer at each of `SHARES`, shape (gene, share); for `RANDOM` the mean over `RANDOM_ORDERS` orders of each gene.
        Higher is more faithful for both.
    """
    with torch.inference_mode():
        direction = in_batches(score, inputs).sign()
    generator = torch.Generator().manual_seed(seed)
    shape = inputs.flatten(1).shape
    orders = {RANDOM: [torch.rand(shape, generator=generator).argsort(dim=1) for _ in range(RANDOM_ORDERS)]}
    orders |= {name: [order_of(values, direction, METHODS[name].signed)] for name, values in weights.items()}
    empty = reference.expand_as(inputs)
    curves = {}
    for name, each in orders.items():
        deleted = np.mean([replaced(score, inputs, empty, order, direction) for order in each], axis=0)
        curves[name, "deletion"] = deleted[:, :1] - deleted
        inserted = np.mean([replaced(score, empty, inputs, order, direction) for order in each], axis=0)
        curves[name, "insertion"] = inserted - inserted[:, :1]
    return curves


def similarity(trained: np.ndarray, untrained: np.ndarray) -> float:
    """Return the similarity of a trained and an untrained model's maps (Adebayo et al., NeurIPS 2018, section 4.1).

    Args:
        trained, untrained: weights, shape (gene, bin, mark).

    Returns:
        Mean of Spearman's rank correlation per gene; NaN if one of the two maps is constant for every gene.
    """
    first, second = (stats.rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (trained, untrained))
    first, second = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (first, second))
    norm = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    varies = norm > 0
    if not varies.any():
        return float("nan")
    return float(((first * second).sum(axis=1)[varies] / norm[varies]).mean())


def area(curves: np.ndarray) -> np.ndarray:
    """Return the area under each gene's curve over the share of bins, shape (gene,)."""
    return np.trapezoid(curves, SHARES, axis=1)


def has_learned(logits: np.ndarray, label: np.ndarray) -> bool:
    """Return whether a network predicts labels better than their base rate does.

    Explanations of a network that has learned nearly nothing can pass every other test: its logit changes with the
    signal, though not with expression.

    Args:
        logits: logits of ON as the network was trained, shape (gene,). A later calibration would hide that the
            network's own probabilities are wrong.
        label: 1 for ON and 0 for OFF, shape (gene,).

    Returns:
        See `chromattend.statistics.beats_base_rate`; never if all labels are equal.
    """
    return beats_base_rate(float(np.mean((special.expit(logits) - label) ** 2)), float(label.mean()))


def faithfulness_table(
    curves: Mapping[tuple[str, str], np.ndarray],
    similarities: Mapping[str, float],
    incomplete: Mapping[str, float],
    *,
    learned: bool,
) -> pd.DataFrame:
    """Compare every method with a random order of the bins.

    Args:
        curves: see `faithfulness_curves`.
        similarities: method -> mean absolute `similarity` to untrained networks.
        incomplete: method -> share of genes whose weights do not add up, for methods whose weights should.
        learned: see `has_learned`.

    Returns:
        One row per method and measure: method, measure, genes, area (mean change of the logit over all shares), random
        (area of a random order), difference with its bootstrap interval low and high, similarity, incomplete, learned
        (1 or 0), and trustworthy: 1 if the method's first bins matter more than random bins, its maps depend on what
        the model has learned (similarity is known and at most `SIMILAR`), its weights add up if they should (for all
        but `INCOMPLETE` of the genes), and the model has learned something; otherwise 0.
    """
    rows = []
    for (method, measure), changes in curves.items():
        if method == RANDOM:
            continue
        gain = area(changes) - area(curves[RANDOM, measure])
        low, high = mean_interval(gain)
        similar, missed = similarities[method], incomplete.get(method, np.nan)
        trusted = learned and low > 0 and similar <= SIMILAR and not missed > INCOMPLETE
        rows.append(
            {
                "method": method,
                "measure": measure,
                "genes": len(changes),
                "area": area(changes).mean(),
                "random": area(curves[RANDOM, measure]).mean(),
                "difference": gain.mean(),
                "low": low,
                "high": high,
                "similarity": similar,
                "incomplete": missed,
                "learned": int(learned),
                "trustworthy": int(trusted),
            }
        )
    return pd.DataFrame(rows, columns=FAITHFULNESS)


FAITHFULNESS = [
    *("method", "measure", "genes", "area", "random", "difference", "low", "high"),
    *("similarity", "incomplete", "learned", "trustworthy"),
]


def curve_table(curves: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Average the curves over genes: columns method, measure, share, mean."""
    return pd.DataFrame(
        [
            (method, measure, share, mean)
            for (method, measure), changes in curves.items()
            for share, mean in zip(SHARES, changes.mean(axis=0), strict=True)
        ],
        columns=["method", "measure", "share", "mean"],
    )
