"""Group and fused graphical lasso (Danaher, Wang, Witten 2014), by gglasso: peers that maximise a likelihood.

With correlation matrices R_i and precision matrices T_i, over entries off the diagonal:

    min  sum_i (tr(R_i T_i) - log det T_i) + lambda sum_i |T_i|_1 + lambda group_cost P(T)

where P is the sum over entries of their l2 norm across contexts (group), or the sum of |T_i - T_(i+1)|_1 over
successive contexts (fused: with more than two contexts their order counts, as it does not in R's JGL).
"""

import contextlib
import io

import numpy as np

from chromattend.errors import UserError
from chromattend.graphs.estimators.simule import check_variables
from chromattend.graphs.problem import JointGraph, Problem, partial_correlations

TOLERANCE = 1e-7  # of the residuals of ADMM: partial correlations are then right to about 1e-6
ITERATIONS = 2000


def ggl(problem: Problem, thresholds: np.ndarray, group_cost: float = 1.0, tolerance: float = TOLERANCE) -> JointGraph:
    """Estimate graphs by the group graphical lasso, as partial correlations.

    Args:
        problem: K contexts of p variables; its correlations are read.
        thresholds: of each context, shape (K,); their mean is lambda, which all contexts share.
        group_cost: cost of the norms across contexts, relative to that of entries.
        tolerance: absolute tolerance of gglasso; its relative one is ten times as large.

    Returns:
        Partial correlations of each context, with a shared part of 0.

    Raises:
        UserError: a penalty is not above 0; there are too many variables.
    """
    return _lasso("ggl", problem, thresholds, group_cost, tolerance)


def fgl(problem: Problem, thresholds: np.ndarray, group_cost: float = 1.0, tolerance: float = TOLERANCE) -> JointGraph:
    """Estimate graphs by the fused graphical lasso; see `ggl`."""
    return _lasso("fgl", problem, thresholds, group_cost, tolerance)


def _lasso(name: str, problem: Problem, thresholds: np.ndarray, group_cost: float, tolerance: float) -> JointGraph:
    from gglasso.solver import admm_solver

    contexts, size, _ = problem.correlations.shape
    check_variables(name, size)
    penalty = float(np.mean(thresholds))
    if not (penalty > 0 and group_cost > 0):
        raise UserError(
            f"estimator {name}: lambda {penalty:g} and group_cost {group_cost:g} must be above 0; give larger numbers"
        )
    # gglasso compiles these for a quarter of a minute in every process, unless numba keeps them on disk.
    for function in (admm_solver.prox_p, admm_solver.phiplus, admm_solver.trp):
        function.enable_caching()
    # Its messages are about each of many fits.
    with contextlib.redirect_stdout(io.StringIO()):
        solution, _ = admm_solver.ADMM_MGL(
            problem.correlations,
            lambda1=penalty,
            lambda2=penalty * group_cost,
            reg=name.upper(),
            Omega_0=np.tile(np.eye(size), (contexts, 1, 1)),
            tol=tolerance,
            rtol=10 * tolerance,
            max_iter=ITERATIONS,
        )
    return JointGraph(np.zeros((size, size)), partial_correlations(solution["Theta"]))
