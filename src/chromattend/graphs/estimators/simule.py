"""SIMULE and W-SIMULE: graphs of K contexts as a shared and K individual parts, by constrained l1 minimisation.

For column j of the precision matrices, with the unit vector e_j, matrices S_i and thresholds lambda_i (Wang, Singh,
Qi 2017; W-SIMULE multiplies the costs by the weights W_jr of prior knowledge):

    min  sum_i |a_i|_1 + eps K |b|_1   subject to   |S_i (a_i + b) - e_j|_inf <= lambda_i,  i = 1..K

The columns are independent linear programs. The authors solve each one by the simplex method; here all columns take
the steps of ADMM together, and a column leaves them as soon as its support gives an exact solution:

- ADMM splits the totals T_i = a_i + b from their images V_i = S_i T_i. The step in T needs one eigendecomposition of
  each S_i, the step in (a, b) is an exact proximal operator, the step in V clips to the constraints.
- Where the support and the active constraints are those of the solution, both it and its dual variables follow from
  linear equations, and the conditions of Karush, Kuhn and Tucker prove that it is optimal.
"""

import logging

import numpy as np
from scipy.linalg import LinAlgError, lstsq

from chromattend.errors import UserError
from chromattend.graphs.estimators.jeek import check_share_cost
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.problem import JointGraph, Problem

logger = logging.getLogger(__name__)

ITERATIONS = 4000
CHECK = 50  # iterations between attempts at exact solutions, and changes of the step size
RELAXATION = 1.6
BALANCE = 1.5  # factor of the step size rho where one residual is above twice the other
RESIDUAL = 1e-6  # relative residuals of ADMM at which a column is good enough without a proof
INFEASIBLE = 0.01  # violation of a constraint, relative to 1, beyond rounding
TINY = np.finfo(float).tiny
EXACT = 1e-9  # error of equations and inequalities that prove a solution


def simule(problem: Problem, thresholds: np.ndarray, share_cost: float = 0.5) -> JointGraph:
    """Estimate graphs by SIMULE, or W-SIMULE if the problem has weights, on the scale of partial correlations.

    The shared part and the totals of the precision matrices are divided by -sqrt(d_j d_k), where d is the diagonal of
    the mean total over contexts. This common scale keeps supports and sums: totals are shared plus individual parts.

    Args:
        problem: K contexts of p variables; its correlations are read.
        thresholds: lambda of each context, shape (K,).
        share_cost: eps, the cost of the shared part relative to K individual parts, in (0, 1): an edge of equal
            strength in m of K contexts is shared if m / K > (1 + eps) / 2.

    Raises:
        UserError: share_cost is not between 0 and 1; there are too many variables.
    """
    check_share_cost(share_cost)
    check_variables("simule", problem.correlations.shape[-1])
    shared, individual = simule_precisions(problem.correlations, thresholds, share_cost, problem.weights)
    return as_partial_correlations(shared, individual)


def as_partial_correlations(shared: np.ndarray, individual: np.ndarray) -> JointGraph:
    """Return precision matrices, shared part (p, p) plus individual parts (K, p, p), as a graph; see `simule`."""
    diagonal = np.diagonal(shared + individual.mean(axis=0))
    scale = np.sqrt(np.where(diagonal > 0, diagonal, 1))  # a threshold of 1 or more makes everything 0
    scale = scale[:, None] * scale
    off = ~np.eye(len(shared), dtype=bool)
    # 0 - x, because -x would write -0 for missing edges.
    return JointGraph(0 - shared / scale * off, 0 - individual / scale * off)


def simule_precisions(
    matrices: np.ndarray, thresholds: np.ndarray, share_cost: float, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate precision matrices as the authors' `simule` and `wsimule` return them.

    Args:
        matrices: covariance or correlation matrices, shape (K, p, p).
        thresholds: lambda of each context, shape (K,).
        share_cost: eps.
        weights: W, shape (p, p).

    Returns:
        The shared part, shape (p, p), and the individual parts, shape (K, p, p). The shared part and the totals
        are symmetric: of the values of (j, k) and (k, j), both have the one closer to 0.
    """
    shared, individual = simule_columns(matrices, thresholds, share_cost, weights)
    total = _closer_to_zero(shared + individual)
    shared = _closer_to_zero(shared)
    return shared, total - shared


def simule_columns(
    matrices: np.ndarray, thresholds: np.ndarray, share_cost: float, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Solve the linear programs of all columns; see `simule_precisions` for the arguments.

    Among solutions of equal cost, the shared part is the smallest.

    Returns:
        b, shape (row, column), and a, shape (context, row, column), not symmetric.
    """
    contexts, size, _ = matrices.shape
    cost = share_cost * contexts
    values, vectors = np.linalg.eigh(matrices)
    inverse = (vectors / (1 + values**2)[:, None, :]) @ vectors.transpose(0, 2, 1)  # of I + S S
    limits = np.asarray(thresholds, dtype=float)
    shared, individual = np.zeros((size, size)), np.zeros((contexts, size, size))

    # All arrays below end with the axis of the columns that are not solved yet.
    columns = np.arange(size)
    unit = np.eye(size)
    weight = np.ones((size, size)) if weights is None else np.array(weights, dtype=float).T
    rho = np.ones(size)
    total = np.zeros((contexts, size, size))
    image = np.clip(total, unit - limits[:, None, None], unit + limits[:, None, None])
    dual_total, dual_image = np.zeros_like(total), np.zeros_like(total)
    worst = 0.0
    for iteration in range(1, ITERATIONS + 1):
        lower, upper = unit - limits[:, None, None], unit + limits[:, None, None]
        old_total, old_image = total, image
        point = inverse @ (total - dual_total + matrices @ (image - dual_image))
        product = matrices @ point
        relaxed = RELAXATION * point + (1 - RELAXATION) * total + dual_total
        common, own = _nearest_parts(relaxed, weight / rho, cost)
        total = common + own
        dual_total = relaxed - total
        relaxed = RELAXATION * product + (1 - RELAXATION) * image + dual_image
        image = np.clip(relaxed, lower, upper)
        dual_image = relaxed - image
        if iteration % CHECK and iteration < ITERATIONS:
            continue

        primal = _norm(point - total, product - image) / np.maximum(_norm(total, image), TINY)
        change = total - old_total + matrices @ (image - old_image)
        dual = _norm(change) / np.maximum(_norm(dual_total, dual_image), TINY)
        common = smallest_shared(total, cost)
        finished = np.zeros(len(columns), dtype=bool)
        for at, column in enumerate(columns):
            pick = np.s_[..., at]
            solution = _solution(
                matrices, limits, cost, weight[pick], unit[pick], total[pick], common[pick], rho[at] * dual_image[pick]
            )
            if solution is None and (max(primal[at], dual[at]) < RESIDUAL or iteration == ITERATIONS):
                solution = common[pick], total[pick] - common[pick]
                error = np.einsum("irs,is->ir", matrices, total[pick]) - unit[pick]
                worst = max(worst, float((np.abs(error) - limits[:, None]).max()))
            if solution is not None:
                shared[:, column], individual[:, :, column] = solution
                finished[at] = True
        if finished.all():
            break
        factor = np.where(primal > 2 * dual, BALANCE, np.where(dual > 2 * primal, 1 / BALANCE, 1))
        rho, dual_total, dual_image = rho * factor, dual_total / factor, dual_image / factor
        left = ~finished
        columns, rho, unit, weight = columns[left], rho[left], unit[:, left], weight[:, left]
        total, image, dual_total, dual_image = (array[..., left] for array in (total, image, dual_total, dual_image))
    if worst > INFEASIBLE:
        logger.warning(
            "SIMULE: lambda %s is too small for the matrices, so that constraints are missed by up to %.2g; "
            "the graph is approximate: give a larger lambda or more samples",
            " ".join(f"{limit:.3g}" for limit in limits),
            worst,
        )
    return shared, individual


def check_variables(name: str, variables: int) -> None:
    """Refuse more variables than an estimator can take, and name one that can."""
    most = ESTIMATORS[name].most_variables
    if variables > most:
        raise UserError(
            f"estimator {name}: takes at most {most} variables, but there are {variables}; take jeek or fasjem_closed, "
            "or fewer variables"
        )


def smallest_shared(totals: np.ndarray, cost: float) -> np.ndarray:
    """Return the b closest to 0 that minimises sum_i |t_i - b| + cost |b|; totals (K, ...), result (...)."""
    contexts = len(totals)
    # The sign of b is that of more than half of the totals, and b is one of them.
    positive, negative = (totals > 0).sum(axis=0), (totals < 0).sum(axis=0)
    sign = np.where(2 * positive - contexts > cost + EXACT, 1.0, 0.0)
    sign -= np.where(2 * negative - contexts > cost + EXACT, 1.0, 0.0)
    ascending = np.sort(totals * sign, axis=0)
    # The slope of the cost just above the k-th total: k + 1 totals are below, the others above.
    slopes = cost + 2 * np.arange(1, contexts + 1) - contexts
    minimum = (ascending > 0) & (slopes.reshape(-1, *[1] * (totals.ndim - 1)) >= -EXACT)
    first = minimum.argmax(axis=0)[None]
    return sign * np.take_along_axis(ascending, first, axis=0)[0]


def _nearest_parts(values: np.ndarray, limits: np.ndarray, cost: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the proximal operator of the costs: b and a that minimise, for every entry with values x_i and limit t,

        sum_i |a_i| + cost |b| + sum_i (a_i + b - x_i)^2 / 2t

    For a fixed b, a_i is the soft threshold of x_i - b, and the derivative in b is piecewise linear with breakpoints
    at x_i - t and x_i + t.

    Args:
        values: x, shape (K, row, column).
        limits: t, shape (row, column).
        cost: cost of b.
    """
    contexts = len(values)
    scaled = values / limits
    pull = np.clip(scaled, -1, 1).sum(axis=0)
    common = np.zeros(limits.shape)
    moved = np.nonzero(np.abs(pull) > cost)
    if len(moved[0]):
        sign = np.sign(pull[moved])
        scaled = scaled[:, *moved] * sign
        breakpoints = np.concatenate([scaled - 1, scaled + 1])
        changes = np.concatenate([np.ones_like(scaled), -np.ones_like(scaled)])
        order = np.argsort(breakpoints, axis=0)
        breakpoints = np.take_along_axis(breakpoints, order, axis=0)
        # How fast the pull falls after each breakpoint; it is K before the first one.
        slopes = np.take_along_axis(changes, order, axis=0).cumsum(axis=0)
        falls = (slopes[:-1] * np.diff(breakpoints, axis=0)).cumsum(axis=0)
        after = (contexts - falls <= cost).argmax(axis=0)
        each = np.arange(len(sign))
        at = contexts - np.where(after > 0, falls[after - 1, each], 0)
        common[moved] = sign * limits[moved] * (breakpoints[after, each] + (at - cost) / slopes[after, each])
    rest = values - common
    return common, np.sign(rest) * np.maximum(np.abs(rest) - limits, 0)


def _solution(
    matrices: np.ndarray,
    limits: np.ndarray,
    cost: float,
    weight: np.ndarray,
    unit: np.ndarray,
    total: np.ndarray,
    common: np.ndarray,
    dual: np.ndarray,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the exact b and a of one column if the support and the active constraints of ADMM are optimal.

    Args:
        matrices, limits, cost: of the linear program.
        weight, unit: of the column, shape (row,).
        total, common: approximate solution, shapes (context, row) and (row,).
        dual: its dual variables, shape (context, constraint), 0 where a constraint is not active.
    """
    own = total - common
    (context, row), (shared_row,) = np.nonzero(own), np.nonzero(common)
    active, constraint = np.nonzero(dual)
    side = np.sign(dual[active, constraint])
    start = np.concatenate([own[context, row], common[shared_row]])
    signs = np.sign(start)
    equations = np.concatenate(
        [
            matrices[active[:, None], constraint[:, None], row] * (active[:, None] == context),
            matrices[active[:, None], constraint[:, None], shared_row],
        ],
        axis=1,
    )
    bound = unit[constraint] + side * limits[active]
    costs = signs * np.concatenate([weight[row], cost * weight[shared_row]])
    values = _solved(equations, bound, start)
    if values is None or (values * signs < 0).any():
        return None
    multipliers = _solved(equations.T, -costs, dual[active, constraint])
    if multipliers is None or (multipliers * side < -EXACT).any():
        return None
    own, common, dual = np.zeros_like(own), np.zeros_like(common), np.zeros_like(dual)
    own[context, row], common[shared_row] = values[: len(row)], values[len(row) :]
    dual[active, constraint] = multipliers
    error = np.einsum("irs,is->ir", matrices, own + common) - unit
    gradient = np.einsum("irs,is->ir", matrices, dual)
    allowed = weight * (1 + EXACT) + EXACT
    optimal = (
        (np.abs(error) <= limits[:, None] + EXACT).all()
        and (np.abs(gradient) <= allowed).all()
        and (np.abs(gradient.sum(axis=0)) <= cost * allowed).all()
    )
    return (common, own) if optimal else None


def _solved(equations: np.ndarray, right: np.ndarray, start: np.ndarray) -> np.ndarray | None:
    """Solve linear equations, as close as possible to a start if there are several solutions; None if there is none."""
    if not equations.size:
        return start if not right.size else None
    if len(equations) == len(start):
        try:
            values: np.ndarray = np.linalg.solve(equations, right)
        except LinAlgError:
            return None
    else:
        values = start + lstsq(equations, right - equations @ start, lapack_driver="gelsy")[0]
    return values if np.abs(equations @ values - right).max() <= EXACT else None


def _closer_to_zero(matrices: np.ndarray) -> np.ndarray:
    mirrored = matrices.swapaxes(-1, -2)
    return np.where(np.abs(matrices) <= np.abs(mirrored), matrices, mirrored)


def _norm(*arrays: np.ndarray) -> np.ndarray:
    """Return the joint norm of each column, shape (column,)."""
    squares: np.ndarray = sum(np.einsum("irc,irc->c", array, array) for array in arrays)
    return np.sqrt(squares)
