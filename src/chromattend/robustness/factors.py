"""Every entry of a gene is changed at once, up or down, by at most a factor, and stays a whole number of reads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chromattend.robustness.objective import Turn

# Most steps of the search for each factor, and shares of the entries that a step tries to change.
STEPS = 30
SHARES = tuple(0.5**power for power in range(8))


class Scaled(NamedTuple):
    """What the search found.

    Attributes:
        counts: per factor, edited counts that reach the aim, or else the best that was met, int64, shape (factor,
            example, position, channel).
        reached: whether they reach the aim, bool, shape (factor, example); also if a smaller factor suffices.
    """

    counts: np.ndarray
    reached: np.ndarray


def box(counts: np.ndarray, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest whole numbers of reads within a factor of counts, int64."""
    # Without the tolerance, 1.1 * 10 is above 11 and 1.2 * 5 may be below 6.
    low = np.ceil(counts / factor - 1e-9).astype(np.int64)
    return low, np.floor(counts * factor + 1e-9).astype(np.int64)


def scale(objective: Turn, counts: np.ndarray, factors: Sequence[float]) -> Scaled:
    """Search in the box of each factor for counts that reach an aim.

    The gradient says which end of its range each entry prefers. A step moves the entries that promise most to this end,
    as many of them (all, a half, a quarter, ...) as lower the value most: moving all of them can raise it, since their
    effects depend on each other.

    Args:
        objective: the aim, with gradients.
        counts: whole numbers from 0, shape (example, position, channel).
        factors: factors above 1, in ascending order.
    """
    counts = counts.astype(np.int64)
    best = counts.copy()
    value, done = objective.score(best, np.arange(len(counts)))
    results, reached = [], []
    for factor in factors:
        low, high = box(counts, factor)
        # A box contains those of smaller factors, so that what they led to is a start.
        active = np.flatnonzero(~done)
        for _ in range(STEPS):
            if not len(active):
                break
            ends = np.stack([low[active], high[active]], axis=1)
            gains = -objective.effects(best[active], active, ends)
            candidates = towards_ends(best[active], low[active], high[active], gains)
            examples = np.repeat(active, candidates.shape[1])
            values, turned = objective.score(candidates.reshape(-1, *counts.shape[1:]), examples)
            values, turned = (array.reshape(candidates.shape[:2]) for array in (values, turned))
            choice = values.argmin(axis=1)
            rows = np.flatnonzero(values.min(axis=1) < value[active])
            active, choice = active[rows], choice[rows]
            best[active], value[active] = candidates[rows, choice], values[rows, choice]
            done[active] = turned[rows, choice]
            active = active[~done[active]]
        results.append(best.copy())
        reached.append(done.copy())
    return Scaled(np.stack(results), np.stack(reached))


def towards_ends(counts: np.ndarray, low: np.ndarray, high: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """Return counts with the entries that promise most at the end of their range that they prefer.

    Args:
        counts: shape (example, position, channel).
        low, high: ends of the ranges, of the same shape.
        gains: what each end promises, low before high, shape (example, 2, position, channel); only those above 0 count.

    Returns:
        Counts with all of these entries there, a half of them, a quarter, ..., shape (example, share, position,
        channel).
    """
    gain, end = gains.max(axis=1), np.where(gains[:, 0] > gains[:, 1], low, high)
    useful = (gain > 0) & (end != counts)
    flat = np.where(useful, gain, -np.inf).reshape(len(counts), -1)
    ranks = np.argsort(np.argsort(-flat, axis=1, kind="stable"), axis=1).reshape(counts.shape)
    most = np.ceil(useful.sum(axis=(1, 2))[:, None] * np.array(SHARES))
    chosen = useful[:, None] & (ranks[:, None] < most[..., None, None])
    return np.where(chosen, end[:, None], counts[:, None])
