"""FASJEM: K graphs that prefer edges which several of them have, by thresholds on the entries of K matrices.

For every pair of variables, with the values c of its K contexts, FASJEM is

    min |x|_1 + eps R(x)   subject to   |x - c|_inf <= l,   R*(x - c) <= eps l

(Wang, Gao and Qi, AISTATS 2017, eq. 3.1; its constraints are maxima over entries, so every entry is a problem of its
own). R is the l2 norm over the contexts (FASJEM-G) or the maximum norm (FASJEM-I); the norms R* are l2 and l1. The
sparse group threshold is the proximal operator of |x|_1 + eps R(x) with the l2 norm, in closed form.

All three take a threshold per context: they work on c / l with a threshold of 1, and multiply the result by l. Where
|.|_inf alone binds, both terms of the cost are least at soft(c, 1), so this is the solution. Elsewhere it has the signs
of c and lies between 0 and c; it is found by bisection to full precision. The paper iterates (parallel proximal
algorithm) towards the same point.
"""

from collections.abc import Callable

import numpy as np

from chromattend.graphs.backward import soft_threshold
from chromattend.graphs.problem import JointGraph, Problem

# Entries that are solved together.
CHUNK = 1 << 17
# Halvings of an interval, to the precision of float64.
HALVINGS = 60
# In place of a threshold of 0, such as that of an edge with the weight 0.
LEAST_THRESHOLD = 1e-12


def sparse_group(problem: Problem, thresholds: np.ndarray, group_cost: float = 1.0) -> JointGraph:
    """Estimate graphs of partial correlations by the sparse group threshold.

    Args:
        problem: matrices; weights multiply the thresholds.
        thresholds: of each context, shape (K,).
        group_cost: eps, 0 or more.
    """
    return _graph(problem, thresholds, group_cost, sparse_group_values)


def fasjem_g(problem: Problem, thresholds: np.ndarray, group_cost: float = 1.0) -> JointGraph:
    """Estimate graphs of partial correlations by FASJEM-G, with the arguments of `sparse_group`."""
    return _graph(problem, thresholds, group_cost, fasjem_g_values)


def fasjem_i(problem: Problem, thresholds: np.ndarray, group_cost: float = 1.0) -> JointGraph:
    """Estimate graphs of partial correlations by FASJEM-I, with the arguments of `sparse_group`."""
    return _graph(problem, thresholds, group_cost, fasjem_i_values)


def sparse_group_values(values: np.ndarray, thresholds: np.ndarray, group_cost: float) -> np.ndarray:
    """Return w max(1 - eps / |w|_2, 0), with w = soft(c, 1), in units of the thresholds.

    Args:
        values: c, shape (K, entry).
        thresholds: l, shape (K,) or (K, entry).
        group_cost: eps, 0 or more.

    Returns:
        Values of the graphs, shape (K, entry).
    """
    limits = _limits(values, thresholds)
    kept = soft_threshold(values / limits, 1)
    length = np.sqrt((kept**2).sum(axis=0))
    return kept * limits * np.maximum(1 - group_cost / np.where(length > 0, length, 1), 0)


def fasjem_g_values(values: np.ndarray, thresholds: np.ndarray, group_cost: float) -> np.ndarray:
    """Solve FASJEM-G for entries, with the arguments and the result of `sparse_group_values`.

    With eps of at least sqrt(K) the solution is soft(c, l).
    """
    limits = _limits(values, thresholds)
    result = soft_threshold(values / limits, 1)
    size = np.abs(values / limits)
    bound = np.sqrt((np.minimum(size, 1) ** 2).sum(axis=0)) > group_cost
    size = size[:, bound]
    # For a length eps of at most 1, the ball is within the box.
    least = np.maximum(size - 1, 0) if group_cost > 1 else np.zeros_like(size)
    low, high = np.zeros(size.shape[1]), size.max(axis=0, initial=0)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        far = ((size - _penalised(size, least, middle, group_cost)) ** 2).sum(axis=0) > group_cost**2
        low, high = np.where(far, low, middle), np.where(far, middle, high)
    result[:, bound] = np.sign(values[:, bound]) * _penalised(size, least, low, group_cost)
    return result * limits


def fasjem_i_values(values: np.ndarray, thresholds: np.ndarray, group_cost: float) -> np.ndarray:
    """Solve FASJEM-I for entries, with the arguments and the result of `sparse_group_values`.

    The budget of eps is spent on the largest of the K values, down to a common level, each by at most 1: no other way
    has a smaller maximum, and all that spend the whole budget have the same sum. So an edge of one context stays in the
    others with the values that they have. With eps of at least K the solution is soft(c, l).
    """
    limits = _limits(values, thresholds)
    result = soft_threshold(values / limits, 1)
    size = np.abs(values / limits)
    bound = np.minimum(size, 1).sum(axis=0) > group_cost
    size = size[:, bound]
    low, high = np.zeros(size.shape[1]), size.max(axis=0, initial=0)
    for _ in range(HALVINGS):
        level = (low + high) / 2
        over = np.clip(size - level, 0, 1).sum(axis=0) > group_cost
        low, high = np.where(over, level, low), np.where(over, high, level)
    result[:, bound] = np.sign(values[:, bound]) * (size - np.clip(size - high, 0, 1))
    return result * limits


def _penalised(size: np.ndarray, least: np.ndarray, theta: np.ndarray, group_cost: float) -> np.ndarray:
    """Return the minimum of theta (|x|_1 + eps |x|_2) + |x - c|_2^2 / 2 over x >= least, for c >= 0.

    Its form is max(alpha soft(c, theta), least); alpha = 1 - eps theta / |soft(c, theta)|_2 where no bound is reached,
    else the root of (1 - alpha) |x|_2 - eps theta alpha, which has one change of sign.
    """
    kept = np.maximum(size - theta, 0)
    length = np.sqrt((kept**2).sum(axis=0))
    result = kept * np.maximum(1 - group_cost * theta / np.where(length > 0, length, 1), 0)
    reached = (result < least).any(axis=0)
    if reached.any():
        kept, least, cost = kept[:, reached], least[:, reached], group_cost * theta[reached]
        low, high = np.zeros(kept.shape[1]), np.ones(kept.shape[1])
        for _ in range(HALVINGS):
            alpha = (low + high) / 2
            below = (1 - alpha) * np.sqrt((np.maximum(alpha * kept, least) ** 2).sum(axis=0)) > cost * alpha
            low, high = np.where(below, alpha, low), np.where(below, high, alpha)
        result[:, reached] = np.maximum(low * kept, least)
    return result


def _limits(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    limits = np.asarray(thresholds, dtype=values.dtype).reshape(len(values), -1)
    return np.maximum(limits, LEAST_THRESHOLD)


def _graph(
    problem: Problem,
    thresholds: np.ndarray,
    group_cost: float,
    solve: Callable[[np.ndarray, np.ndarray, float], np.ndarray],
) -> JointGraph:
    matrices = problem.partial
    contexts, size, _ = matrices.shape
    individual = np.zeros_like(matrices)
    limits = np.reshape(thresholds, (contexts, 1))
    rows, columns = np.triu_indices(size, k=1)
    for start in range(0, len(rows), CHUNK):
        i, j = rows[start : start + CHUNK], columns[start : start + CHUNK]
        weighted = limits if problem.weights is None else limits * problem.weights[i, j]
        individual[:, i, j] = individual[:, j, i] = solve(matrices[:, i, j], weighted, group_cost)
    return JointGraph(np.zeros((size, size), matrices.dtype), individual)
