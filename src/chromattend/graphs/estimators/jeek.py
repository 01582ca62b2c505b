"""JEEK: a shared and K individual graphs from thresholds on the entries of K matrices, solved exactly.

For every pair of variables, with the values c_i of its K contexts and thresholds l_i, JEEK is the linear programme

    min sum_i |a_i| + eps K |b|   subject to   |a_i + b - c_i| <= l_i,  i = 1..K

(Wang, Sekhon and Qi, ICML 2018, eq. 3.7, with a price eps on the shared part b). For a given b, a_i is the soft
threshold of c_i - b at l_i, so b minimises a convex piecewise linear function: its slope grows by 1 at each c_i - l_i
and c_i + l_i, and by 2 eps K at 0. The minimum is at 0 or at a breakpoint that is counted off from 0. It is not at 0 if
the contexts above their threshold outnumber those below minus it by more than eps K, or the other way round.
"""

import numpy as np
from numba import njit

from chromattend.errors import UserError
from chromattend.graphs.problem import JointGraph, Problem

# Entries that the kernel counts together: their counts stay in the fastest cache.
BLOCK = 1024
# Slopes are sums of +-1 and eps K; rounding in eps K must not turn a tie into a shared edge.
TIE = 1e-9


def jeek(problem: Problem, thresholds: np.ndarray, share_cost: float = 0.5) -> JointGraph:
    """Estimate the shared and individual graphs of partial correlations.

    Args:
        problem: matrices; weights multiply the thresholds.
        thresholds: of each context, shape (K,).
        share_cost: eps, see `decompose`.

    Raises:
        UserError: eps is not between 0 and 1.
    """
    return _graph(problem.partial, thresholds, problem.weights, share_cost)


def jeek_of_correlations(problem: Problem, thresholds: np.ndarray, share_cost: float = 0.5) -> JointGraph:
    """Estimate the shared and individual graphs of plain correlations, the baseline of `jeek`.

    Args:
        problem, thresholds, share_cost: see `jeek`.

    Raises:
        UserError: eps is not between 0 and 1.
    """
    return _graph(problem.correlations, thresholds, problem.weights, share_cost)


def decompose(values: np.ndarray, thresholds: np.ndarray, share_cost: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Split the values of entries in K contexts into a shared and an individual part.

    Of several shared parts that cost the same, the one closest to 0 is taken. An entry with the same strength c in m of
    K contexts and 0 in the others has a shared part if m / K > eps. Its full strength, c - l, is shared if
    m / K > (1 + eps) / 2; in between, at most l is.

    Args:
        values: c, float32 or float64, shape (K, entry).
        thresholds: l, 0 or more, shape (K,) or (K, entry).
        share_cost: eps, the cost of a shared part relative to that of K individual ones, above 0 and below 1.

    Returns:
        Shared part b, shape (entry,), and individual parts a, shape (K, entry), both of the type of `values`. The graph
        of context i is b + a[i].

    Raises:
        UserError: eps is not between 0 and 1.
    """
    check_share_cost(share_cost)
    limits = np.asarray(thresholds, dtype=values.dtype).reshape(len(values), -1)
    shared, individual = np.zeros(values.shape[1], dtype=values.dtype), np.zeros(values.shape, dtype=values.dtype)
    _decompose(np.ascontiguousarray(values), np.ascontiguousarray(limits), share_cost, shared, individual)
    return shared, individual


def check_share_cost(share_cost: float) -> None:
    """Refuse costs at which the shared part is empty, or everything.

    Raises:
        UserError: eps is not between 0 and 1.
    """
    if share_cost >= 1:
        raise UserError(
            f"share_cost is {share_cost:g}: from 1 on, K individual edges never cost more than a shared one, so "
            "nothing is shared; give a number above 0 and below 1, such as 0.5"
        )
    if not share_cost > 0:
        raise UserError(
            f"share_cost is {share_cost:g}: a shared graph without a cost may hold any edge; give a number above 0 and "
            "below 1, such as 0.5"
        )


def _graph(matrices: np.ndarray, thresholds: np.ndarray, weights: np.ndarray | None, share_cost: float) -> JointGraph:
    contexts, size, _ = matrices.shape
    shared, individual = np.zeros((size, size), matrices.dtype), np.zeros((contexts, size, size), matrices.dtype)
    limits = np.reshape(thresholds, (contexts, 1))
    # Row by row: one copy of the upper triangles would be as large as the result.
    for row in range(size - 1):
        columns = slice(row + 1, size)
        weighted = limits if weights is None else limits * weights[row, columns]
        shared[row, columns], individual[:, row, columns] = decompose(matrices[:, row, columns], weighted, share_cost)
    for matrix in (shared, *individual):
        matrix += matrix.T
    return JointGraph(shared, individual)


@njit(cache=True, nogil=True)
def _decompose(
    values: np.ndarray, limits: np.ndarray, share_cost: float, shared: np.ndarray, individual: np.ndarray
) -> None:
    """Fill shared and individual parts, which are 0 before; `limits` has one column, or one for each entry."""
    contexts, entries = values.shape
    common = limits.shape[1] == 1
    cost = share_cost * contexts
    beyond = np.empty(BLOCK, dtype=np.int32)  # contexts beyond their threshold, of the entries of a block
    low, high = np.empty(contexts, dtype=values.dtype), np.empty(contexts, dtype=values.dtype)
    breakpoints = np.empty(2 * contexts, dtype=values.dtype)
    for start in range(0, entries, BLOCK):
        size = min(BLOCK, entries - start)
        beyond[:] = 0
        # Almost all entries end here: along the rows in memory, so that the processor takes several at once.
        for context in range(contexts):
            row = values[context, start : start + size]
            if common:
                limit = limits[context, 0]
                for place in range(size):
                    beyond[place] += abs(row[place]) > limit
            else:
                limit_row = limits[context, start : start + size]
                for place in range(size):
                    beyond[place] += abs(row[place]) > limit_row[place]
        for place in range(size):
            if beyond[place] == 0:
                continue
            entry = start + place
            balance = 0  # contexts above their threshold, less those below minus it
            for context in range(contexts):
                value, limit = values[context, entry], limits[context, 0 if common else entry]
                low[context], high[context] = value - limit, value + limit
                balance += int(low[context] > 0) - int(high[context] < 0)
            negative = balance < 0
            if negative:  # the majority's sign becomes positive
                for context in range(contexts):
                    low[context], high[context] = -high[context], -low[context]
            centre = low.dtype.type(0)
            slope = cost - abs(balance)
            if slope < -TIE:
                count = 0
                for context in range(contexts):
                    if low[context] > 0:
                        breakpoints[count] = low[context]
                        count += 1
                    if high[context] >= 0:
                        breakpoints[count] = high[context]
                        count += 1
                # Every breakpoint adds 1 to the slope; the first one that ends its descent is the minimum.
                steps = int(np.ceil(-slope - TIE))
                centre = _smallest(breakpoints, count, steps)
                shared[entry] = -centre if negative else centre
            for context in range(contexts):
                # As differences from breakpoints, values at the shared part are exactly 0.
                if low[context] > centre:
                    part = low[context] - centre
                elif high[context] < centre:
                    part = high[context] - centre
                else:
                    continue
                individual[context, entry] = -part if negative else part


@njit(cache=True, nogil=True)
def _smallest(numbers: np.ndarray, count: int, rank: int) -> float:
    """Return the number of a rank, 1 for the smallest, among the first `count`; they change their places."""
    left, right, wanted = 0, count - 1, rank - 1
    while left < right:
        pivot = numbers[(left + right) // 2]
        lower, upper = left, right
        while lower <= upper:
            while numbers[lower] < pivot:
                lower += 1
            while numbers[upper] > pivot:
                upper -= 1
            if lower <= upper:
                numbers[lower], numbers[upper] = numbers[upper], numbers[lower]
                lower += 1
                upper -= 1
        if wanted <= upper:
            right = upper
        elif wanted >= lower:
            left = lower
        else:
            break
    return numbers[wanted]
