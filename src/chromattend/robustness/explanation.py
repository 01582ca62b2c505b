"""How far attention can be changed, within a factor of every entry, while the call is kept."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from chromattend.models.network import batches
from chromattend.robustness.factors import box, towards_ends
from chromattend.robustness.objective import slope, transformed
from chromattend.robustness.subject import CountModel
from chromattend.statistics import pearson_by_row, share

logger = logging.getLogger(__name__)

# Counts, float32, shape (example, position, channel), to weights of the same shape; differentiable.
Alpha = Callable[[Tensor], Tensor]

STEPS = 10
SEED = 1
# Correlations closer to 1 than this are at their maximum.
FLAT = 1e-6
# Columns of `attack_explanation`.
COLUMNS = ["factor", "genes", "kept", "alpha_r", "alpha_r_low", "reads"]


def attack_explanation(
    model: CountModel, alpha: Alpha, counts: np.ndarray, factors: Sequence[float]
) -> tuple[pd.DataFrame, dict[float, np.ndarray]]:
    """Change attention as far as possible, every entry within a factor, up or down, and whole reads.

    The first step moves entries to random ends of their ranges, since the correlation with the undisturbed attention
    has no gradient at its maximum; the others to the ends that the gradient prefers. Each step moves as many of the
    entries (all, a half, a quarter, ...) as lower the correlation most and keep the call. The correlation at the end is
    an upper bound of the lowest.

    Args:
        model: a network with attention.
        alpha: its attention over the positions.
        counts: whole numbers from 0, shape (example, position, channel).
        factors: factors above 1, in ascending order.

    Returns:
        A row per factor: factor, genes, kept (share of the genes whose calls are kept), alpha_r (median over genes and
        channels of Pearson's r with the undisturbed attention), alpha_r_low (10th percentile) and reads (mean number of
        reads changed); and factor -> edited counts, int32.
    """
    counts = counts.astype(np.int64)
    attack = _Attack(model, alpha, counts)
    best, correlation = counts, np.ones(len(counts))
    rows, edited = [], {}
    for factor in factors:
        # A box contains those of smaller factors, so that what they led to is a start, too.
        for start in (counts, best):
            changed, r = attack.run(start, *box(counts, factor))
            better = r < correlation
            best = np.where(better[:, None, None], changed, best)
            correlation = np.where(better, r, correlation)
        r = pearson(_alpha(alpha, best), attack.original)
        quantiles = np.nanquantile(r, [0.5, 0.1]) if np.isfinite(r).any() else (np.nan, np.nan)
        row = {"factor": factor, "genes": len(counts)}
        row["kept"] = share("kept", model.calls(best) == attack.calls)["kept"]
        row |= {"alpha_r": quantiles[0], "alpha_r_low": quantiles[1]}
        row["reads"] = float(np.abs(best - counts).sum(axis=(1, 2)).mean()) if len(counts) else np.nan
        rows.append(row)
        edited[factor] = best.astype(np.int32)
        logger.info("%s, factor %g: alpha r %.3f with %.0f reads", model.name, factor, row["alpha_r"], row["reads"])
    return pd.DataFrame(rows, columns=COLUMNS), edited


class _Attack:
    """Attack on the attention of some examples, with what it was before."""

    def __init__(self, model: CountModel, alpha: Alpha, counts: np.ndarray) -> None:
        self.model, self.alpha = model, alpha
        self.calls, self.original = model.calls(counts), _alpha(alpha, counts)

    def run(self, start: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return counts that keep the call, and the mean correlation over the channels, shape (example,)."""
        counts, correlation = start.copy(), self.correlation(start, np.arange(len(start)))
        active = np.arange(len(start))
        random = np.random.default_rng(SEED)
        for _ in range(STEPS):
            if not len(active):
                break
            ends = np.stack([low[active], high[active]], axis=1)
            gains = -self.effects(counts[active], active, ends)
            # At the maximum of the correlation, its gradient is 0 but for rounding.
            top = correlation[active] > 1 - FLAT
            gains[top] = random.random((top.sum(), *gains.shape[1:]))
            candidates = towards_ends(counts[active], low[active], high[active], gains)
            shape, flat = candidates.shape[:2], candidates.reshape(-1, *counts.shape[1:])
            examples = np.repeat(active, shape[1])
            r = np.where(self.model.calls(flat) == self.calls[examples], self.correlation(flat, examples), np.inf)
            r = r.reshape(shape)
            rows = np.flatnonzero(r.min(axis=1) < correlation[active])
            choice = r.argmin(axis=1)[rows]
            active = active[rows]
            counts[active], correlation[active] = candidates[rows, choice], r[rows, choice]
        return counts, correlation

    def correlation(self, counts: np.ndarray, examples: np.ndarray) -> np.ndarray:
        """Return the mean over the channels of the correlation with the attention before; 1 if it does not vary."""
        r = pearson(_alpha(self.alpha, counts), self.original[examples])
        return np.nan_to_num(r, nan=1.0).mean(axis=1)

    def effects(self, counts: np.ndarray, examples: np.ndarray, alternatives: np.ndarray) -> np.ndarray:
        """Return by how much the correlation changes, to first order; see `Turn.effects`."""
        gradients = []
        arrays = (counts.astype(np.float32), self.original[examples].astype(np.float32))
        for batch, before in batches(*map(torch.from_numpy, arrays)):
            batch.requires_grad_(True)
            weights = self.alpha(batch)
            weights, before = (values - values.mean(dim=1, keepdim=True) for values in (weights, before))
            norm = (weights.square().sum(dim=1) * before.square().sum(dim=1)).clamp_min(1e-20).sqrt()
            total = ((weights * before).sum(dim=1) / norm).sum()
            gradients.append(torch.autograd.grad(total, batch)[0].double().numpy())
        change = transformed(self.model, alternatives) - transformed(self.model, counts)[:, None]
        return (np.concatenate(gradients) / slope(self.model, counts))[:, None] * change


def pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Pearson's r of weights of each example and channel, shape (example, channel); NaN where constant."""
    return pearson_by_row(first.transpose(0, 2, 1), second.transpose(0, 2, 1))


@torch.inference_mode()
def _alpha(alpha: Alpha, counts: np.ndarray) -> np.ndarray:
    parts = [alpha(batch) for (batch,) in batches(torch.from_numpy(counts.astype(np.float32)))]
    return torch.cat(parts).double().numpy()
