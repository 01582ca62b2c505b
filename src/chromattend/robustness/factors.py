"""Every entry of a gene is changed at once, up or down, by at most a factor, and stays a whole number of reads."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chromattend.robustness.objective import Turn

# Steps of the search in each box; the first goes to a corner, which suffices for most genes.
STEPS = 20


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

    The first step moves every entry to the end of its range that the gradient prefers; each further one, of a length
    that falls as in a harmonic series, starts from where the last one ended and is rounded to whole reads.

    Args:
        objective: the aim, with gradients.
        counts: whole numbers from 0, shape (example, position, channel).
        factors: factors above 1, in ascending order.
    """
    counts = counts.astype(np.int64)
    everything = np.arange(len(counts))
    best = counts.copy()
    value, done = objective.score(best, everything)
    results, reached = [], []
    for factor in factors:
        low, high = box(counts, factor)
        # The boxes contain each other, so that what was found for a smaller factor is a start.
        place = best.astype(float)
        for number in range(STEPS):
            active = np.flatnonzero(~done)
            if not len(active):
                break
            now = np.rint(place[active]).astype(np.int64)
            direction = -np.sign(objective.effects(now, active, now[:, None] + 1)[:, 0])
            length = (high - low)[active] / (1 + number)
            place[active] = np.clip(place[active] + direction * length, low[active], high[active])
            now = np.rint(place[active]).astype(np.int64)
            values, turned = objective.score(now, active)
            better = values < value[active]
            best[active[better]], value[active[better]] = now[better], values[better]
            done[active[better]] = turned[better]
        results.append(best.copy())
        reached.append(done.copy())
    return Scaled(np.stack(results), np.stack(reached))
