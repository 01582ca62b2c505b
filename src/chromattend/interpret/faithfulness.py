"""Whether explanations say what their model does: deletion and insertion of bins, and models without training."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from chromattend.interpret import METHODS, RANDOM
from chromattend.models.network import in_batches
from chromattend.statistics import mean_interval

# Shares of all bins of all marks that are removed or brought back.
SHARES = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0])
# More than this rank correlation with an untrained model's map, and a map shows the network's shape, not its learning.
SIMILAR = 0.5


def order_of(weights: Tensor, direction: Tensor, signed: bool) -> Tensor:
    """Return the cells of each gene from the one that speaks most for the model's answer, shape (gene, bin * mark).

    Args:
        weights: shape (gene, bin, mark).
        direction: 1 for genes predicted ON, -1 for those predicted OFF, shape (gene,).
        signed: whether the weights say for which class a bin speaks.
    """
    flat = weights.flatten(1)
    if signed:
        flat = flat * direction[:, None]
    return flat.argsort(dim=1, descending=True, stable=True)


@torch.inference_mode()
def replaced(
    score: Callable[[Tensor], Tensor], before: Tensor, after: Tensor, order: Tensor, direction: Tensor
) -> np.ndarray:
    """Follow the logit while cells are replaced in an order (Petsiuk et al., BMVC 2018, section 3.3).

    Args:
        score: logit of ON of transformed signal.
        before, after: cells before and after they are replaced, shape (gene, bin, mark).
        order: of the cells, shape (gene, bin * mark).
        direction: see `order_of`.

    Returns:
        Logit for the model's own answer at each of `SHARES`, shape (gene, share).
    """
    cells = order.shape[1]
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(cells).expand_as(order)).view(before.shape)
    curves = []
    for share in SHARES:
        mixed = torch.where(rank < round(float(share) * cells), after, before)
        logit = in_batches(score, mixed)
        curves.append((direction * logit).double())
    return torch.stack(curves, dim=1).numpy()


def faithfulness_curves(
    score: Callable[[Tensor], Tensor], inputs: Tensor, baseline: Tensor, weights: Mapping[str, Tensor], seed: int = 1
) -> dict[tuple[str, str], np.ndarray]:
    """Measure deletion and insertion for every method, and for a random order of the bins.

    Args:
        score: logit of ON of transformed signal, shape (gene, bin, mark).
        inputs: transformed signal, shape (gene, bin, mark).
        baseline: no reads, transformed, shape (1, bin, mark).
        weights: method -> shape (gene, bin, mark).
        seed: of the random order.

    Returns:
        (method, `deletion` or `insertion`) -> by how much the logit for the model's answer has fallen (deletion) or
        risen (insertion) at each of `SHARES`, shape (gene, share). Higher is more faithful for both.
    """
    with torch.inference_mode():
        direction = in_batches(score, inputs).sign()
    generator = torch.Generator().manual_seed(seed)
    orders = {RANDOM: torch.rand(inputs.flatten(1).shape, generator=generator).argsort(dim=1)}
    orders |= {name: order_of(found, direction, METHODS[name].signed) for name, found in weights.items()}
    empty = baseline.expand_as(inputs)
    curves = {}
    for name, order in orders.items():
        deleted = replaced(score, inputs, empty, order, direction)
        curves[name, "deletion"] = deleted[:, :1] - deleted
        inserted = replaced(score, empty, inputs, order, direction)
        curves[name, "insertion"] = inserted - inserted[:, :1]
    return curves


def similarity(trained: np.ndarray, untrained: np.ndarray) -> float:
    """Return how alike the maps of a trained and of an untrained model are (Adebayo et al., NeurIPS 2018, section 4.1).

    Args:
        trained, untrained: weights, shape (gene, bin, mark).

    Returns:
        Mean of Spearman's rank correlation per gene; NaN where no gene has a map that varies.
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


def faithfulness_table(
    curves: Mapping[tuple[str, str], np.ndarray], similarities: Mapping[str, float], incomplete: Mapping[str, float]
) -> pd.DataFrame:
    """Compare every method with a random order of the bins.

    Args:
        curves: see `faithfulness_curves`.
        similarities: method -> mean size of `similarity` to networks without training.
        incomplete: method -> share of genes whose weights do not add up, of the methods whose weights should.

    Returns:
        One row a method and measure: method, measure, genes, area (mean change of the logit over all shares), random
        (the same of a random order), difference with its bootstrap interval low and high, similarity, incomplete, and
        trustworthy: 1 if bins that the method puts first matter more than random ones, and its maps depend on what
        the model has learned (similarity up to 0.5); else 0.
    """
    rows = []
    for (method, measure), found in curves.items():
        if method == RANDOM:
            continue
        gain = area(found) - area(curves[RANDOM, measure])
        low, high = mean_interval(gain)
        similar = similarities[method]
        rows.append(
            {
                "method": method,
                "measure": measure,
                "genes": len(found),
                "area": area(found).mean(),
                "random": area(curves[RANDOM, measure]).mean(),
                "difference": gain.mean(),
                "low": low,
                "high": high,
                "similarity": similar,
                "incomplete": incomplete.get(method, np.nan),
                "trustworthy": int(low > 0 and similar <= SIMILAR),
            }
        )
    return pd.DataFrame(rows, columns=FAITHFULNESS)


FAITHFULNESS = [
    *("method", "measure", "genes", "area", "random", "difference", "low", "high"),
    *("similarity", "incomplete", "trustworthy"),
]


def curve_table(curves: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """Average the curves over genes: columns method, measure, share, mean."""
    return pd.DataFrame(
        [
            (method, measure, share, mean)
            for (method, measure), found in curves.items()
            for share, mean in zip(SHARES, found.mean(axis=0), strict=True)
        ],
        columns=["method", "measure", "share", "mean"],
    )
