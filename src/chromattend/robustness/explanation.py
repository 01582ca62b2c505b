"""How far attention can be changed, within a factor of every entry, while the call is kept."""

import logging
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from chromattend.models.network import batches
from chromattend.robustness.factors import box
from chromattend.robustness.objective import SURE, logits
from chromattend.robustness.subject import CountModel
from chromattend.robustness.worst_case import share
from chromattend.statistics import pearson_by_row

logger = logging.getLogger(__name__)

# Counts, float32, shape (example, position, channel), to weights of the same shape; differentiable.
Alpha = Callable[[Tensor], Tensor]

STEPS = 20
# Columns of `attack_explanation`.
COLUMNS = ["factor", "genes", "kept", "alpha_r", "alpha_r_low", "reads"]


def attack_explanation(
    model: CountModel, alpha: Alpha, counts: np.ndarray, factors: Sequence[float]
) -> tuple[pd.DataFrame, dict[float, np.ndarray]]:
    """Change attention as far as possible, every entry within a factor, up or down, and whole reads.

    Steps along the sign of the gradient of the correlation lower it, and their length falls as in a harmonic series.
    Where a step would turn the call, the next one goes back towards it instead. The best counts that keep the call are
    returned; the correlation is an upper bound of what the worst change could do.

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
    calls = model.calls(counts)
    original = _alpha(alpha, counts)
    best, correlation = counts.copy(), np.ones(len(counts))
    rows, edited = [], {}
    for factor in factors:
        low, high = box(counts, factor)
        place = best.astype(float)
        for number in range(STEPS):
            now = np.rint(place).astype(np.int64)
            direction = -_directions(model, alpha, now, original, calls)
            if number == 0 and (now == counts).all():
                # At the start the correlation is at its maximum, so that its gradient is 0 but for rounding.
                direction = np.where(np.indices(counts.shape).sum(axis=0) % 2, 1.0, -1.0)
            place = np.clip(place + direction * (high - low) / (1 + number), low, high)
            now = np.rint(place).astype(np.int64)
            r = np.nan_to_num(pearson(_alpha(alpha, now), original), nan=1.0).mean(axis=1)
            better = (model.calls(now) == calls) & (r < correlation)
            best[better], correlation[better] = now[better], r[better]
        kept = model.calls(best) == calls
        r = pearson(_alpha(alpha, best), original)
        row = {"factor": factor, "genes": len(counts), "kept": share("kept", kept)["kept"]}
        quantiles = np.nanquantile(r, [0.5, 0.1]) if np.isfinite(r).any() else (np.nan, np.nan)
        row |= {"alpha_r": quantiles[0], "alpha_r_low": quantiles[1]}
        row["reads"] = float(np.abs(best - counts).sum(axis=(1, 2)).mean()) if len(counts) else np.nan
        rows.append(row)
        edited[factor] = best.astype(np.int32)
        logger.info("%s, factor %g: alpha r %.3f with %.0f reads", model.name, factor, row["alpha_r"], row["reads"])
    return pd.DataFrame(rows, columns=COLUMNS), edited


def pearson(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Pearson's r of weights of each example and channel, shape (example, channel); NaN where constant."""
    return pearson_by_row(first.transpose(0, 2, 1), second.transpose(0, 2, 1))


@torch.inference_mode()
def _alpha(alpha: Alpha, counts: np.ndarray) -> np.ndarray:
    parts = [alpha(batch) for (batch,) in batches(torch.from_numpy(counts.astype(np.float32)))]
    return torch.cat(parts).double().numpy()


def _directions(
    model: CountModel, alpha: Alpha, counts: np.ndarray, original: np.ndarray, calls: np.ndarray
) -> np.ndarray:
    """Return the signs of the gradient of the correlation or, where the call has turned, of its way back."""
    side = torch.from_numpy(np.where(calls, 1.0, -1.0).astype(np.float32))
    turned = torch.from_numpy(logits(model, counts) * side.numpy() < SURE)
    signs = []
    arrays = (torch.from_numpy(counts.astype(np.float32)), torch.from_numpy(original.astype(np.float32)), side, turned)
    for batch, before, sides, away in batches(*arrays):
        batch.requires_grad_(True)
        weights = alpha(batch)
        weights, before = (values - values.mean(dim=1, keepdim=True) for values in (weights, before))
        norm = (weights.square().sum(dim=1) * before.square().sum(dim=1)).clamp_min(1e-20).sqrt()
        r = ((weights * before).sum(dim=1) / norm).sum(dim=1)
        # The way back is up the margin, and the caller goes down.
        loss = torch.where(away, -sides * model.margin(batch), r)
        signs.append(torch.autograd.grad(loss.sum(), batch)[0].sign().double().numpy())
    return np.concatenate(signs)
