"""SIMULE against the authors' program and a plain linear program; graphical lassos against a general solver."""

from itertools import pairwise
from pathlib import Path

import cvxpy
import numpy as np
import pytest
from graph_builders import example_data, reference
from scipy.optimize import linprog

from chromattend.errors import UserError
from chromattend.graphs.estimators.lasso import fgl, ggl
from chromattend.graphs.estimators.simule import (
    simule,
    simule_columns,
    simule_precisions,
    smallest_shared,
)
from chromattend.graphs.problem import JointGraph, Problem, partial_correlations
from chromattend.graphs.simulate import simulate


def correlations(variables: int, contexts: int) -> np.ndarray:
    return np.array([np.corrcoef(each.T) for each in simulate("random", variables, contexts).contexts.samples])


def problem(matrices: np.ndarray, weights: np.ndarray | None = None) -> Problem:
    return Problem(matrices, np.linalg.inv(matrices), np.full(len(matrices), 300), weights)


def linear_program(
    matrices: np.ndarray, thresholds: np.ndarray, eps: float, column: int, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Solve one column as the authors write it, with positive and negative parts: b, a and the cost."""
    contexts, size, _ = matrices.shape
    own = np.zeros((contexts * size, contexts * size))
    for context, matrix in enumerate(matrices):
        own[context * size : (context + 1) * size, context * size : (context + 1) * size] = matrix
    images = np.hstack([own, -own, np.vstack(list(matrices)), -np.vstack(list(matrices))])
    unit = np.tile(np.eye(size)[column], contexts)
    limits = np.repeat(thresholds, size)
    costs = np.concatenate([np.tile(weights[column], 2 * contexts), eps * contexts * np.tile(weights[column], 2)])
    solution = linprog(costs, np.vstack([images, -images]), np.concatenate([limits + unit, limits - unit]))
    own_parts, shared_parts = solution.x[: 2 * contexts * size], solution.x[2 * contexts * size :]
    own_values = own_parts[: contexts * size] - own_parts[contexts * size :]
    return shared_parts[:size] - shared_parts[size:], own_values.reshape(contexts, size), solution.fun


def cost(shared: np.ndarray, individual: np.ndarray, eps: float) -> np.ndarray:
    """Cost of each column."""
    return np.abs(individual).sum(axis=(0, 1)) + eps * len(individual) * np.abs(shared).sum(axis=0)


@pytest.mark.parametrize("name", ["simule_10_45", "wsimule"])
def test_authors_programs_give_the_same(real_networks: Path, name: str) -> None:
    matrices, thresholds = np.array([np.cov(each.T) for each in example_data(real_networks)]), np.array([0.1, 0.1])
    weights = reference(real_networks, "W") if name == "wsimule" else None
    shared, individual = simule_precisions(matrices, thresholds, 0.45, weights)
    for context, own in enumerate(individual, start=1):
        np.testing.assert_allclose(shared + own, reference(real_networks, f"{name}_{context}"), rtol=0, atol=1e-8)
    np.testing.assert_allclose(shared, reference(real_networks, f"{name}_share"), rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("contexts", "eps", "thresholds", "weighted"),
    [(3, 0.5, (0.1, 0.15, 0.2), False), (2, 0.8, (0.12, 0.12), True), (1, 0.5, (0.1,), False)],
)
def test_columns_solve_their_linear_programs(
    contexts: int, eps: float, thresholds: tuple[float, ...], weighted: bool
) -> None:
    matrices, limits = correlations(20, contexts), np.array(thresholds)
    weights = np.ones((20, 20))
    if weighted:
        weights = np.random.default_rng(1).uniform(0.5, 2, (20, 20))
        weights = (weights + weights.T) / 2
    shared, individual = simule_columns(matrices, limits, eps, weights if weighted else None)
    for column in range(20):
        b, a, expected = linear_program(matrices, limits, eps, column, weights)
        own = cost(shared[:, [column]] * weights[:, [column]], individual[:, :, [column]] * weights[:, [column]], eps)
        assert own[0] == pytest.approx(expected, rel=1e-8)
        np.testing.assert_allclose((shared + individual)[:, :, column], a + b, rtol=0, atol=1e-8)
        np.testing.assert_allclose(shared[:, column], b, rtol=0, atol=1e-8)


def test_ties_give_the_smallest_shared_part() -> None:
    """With 4 contexts and eps 0.5, an edge in 3 of them may be shared at the same cost."""
    totals = np.array([[1.0, 1, 1, 0], [1, 1, 1, 1], [1, 2, 3, 4], [-1, -2, -3, 0.5], [-1, -2, -3, -4]]).T
    assert smallest_shared(totals, 2.0).tolist() == [0, 1, 1, 0, -1]
    assert smallest_shared(totals, 1.9).tolist() == [1, 1, 2, -1, -2]
    matrices = correlations(20, 4)
    shared, individual = simule_columns(matrices, np.full(4, 0.15), 0.5)
    for column in range(3):
        expected = linear_program(matrices, np.full(4, 0.15), 0.5, column, np.ones((20, 20)))[2]
        assert cost(shared, individual, 0.5)[column] == pytest.approx(expected, rel=1e-8)


def test_graph_has_the_scale_of_partial_correlations() -> None:
    simulation = simulate("random", 20, 2, 20_000)
    matrices = np.array([np.corrcoef(each.T) for each in simulation.contexts.samples])
    graph = simule(problem(matrices), np.full(2, 0.01), share_cost=0.5)
    partial = partial_correlations(simulation.precisions)
    np.testing.assert_allclose(graph.total, partial, rtol=0, atol=0.08)
    assert not np.diagonal(graph.total, axis1=1, axis2=2).any()
    np.testing.assert_array_equal(graph.total, graph.total.transpose(0, 2, 1))
    shared, individual = simule_precisions(matrices, np.full(2, 0.01), 0.5)
    off = ~np.eye(20, dtype=bool)
    np.testing.assert_array_equal(graph.shared[off] != 0, shared[off] != 0)
    np.testing.assert_array_equal(graph.individual[:, off] != 0, individual[:, off] != 0)
    # A threshold of 1 leaves nothing.
    assert not simule(problem(matrices), np.ones(2)).total.any()


def test_thresholds_that_no_precision_matrix_can_meet_are_said(caplog: pytest.LogCaptureFixture) -> None:
    samples = np.random.default_rng(1).standard_normal((5, 20))
    graph = simule(problem(np.corrcoef(samples.T)[None] + 1e-9 * np.eye(20)), np.array([0.01]))
    assert "lambda 0.01 is too small" in caplog.text
    assert np.isfinite(graph.total).all()


def test_what_cannot_be_estimated_is_one_line() -> None:
    with pytest.raises(UserError, match=r"share_cost is 1: .* nothing is shared; give a number above 0 and below 1"):
        simule(problem(correlations(20, 2)), np.full(2, 0.1), share_cost=1)
    many = np.eye(301)[None]
    with pytest.raises(UserError, match=r"simule: takes at most 300 variables, but there are 301; take jeek"):
        simule(Problem(many, many, np.array([100])), np.array([0.1]))
    with pytest.raises(UserError, match=r"ggl: lambda 0 and group_cost 1 must be above 0"):
        ggl(problem(correlations(20, 2)), np.zeros(2))


@pytest.mark.parametrize("name", ["ggl", "fgl"])
def test_graphical_lassos_minimise_their_objectives(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    matrices, size, penalty, group_cost = correlations(20, 3)[:, :8, :8], 8, 0.1, 0.7
    unknown = [cvxpy.Variable((size, size), symmetric=True) for _ in matrices]
    off = 1 - np.eye(size)
    objective = 0
    for matrix, precision in zip(matrices, unknown, strict=True):
        likelihood = cvxpy.trace(matrix @ precision) - cvxpy.log_det(precision)
        objective += likelihood + penalty * cvxpy.sum(cvxpy.abs(cvxpy.multiply(off, precision)))
    if name == "ggl":
        stacked = cvxpy.vstack([cvxpy.vec(cvxpy.multiply(off, each), order="C") for each in unknown])
        objective += penalty * group_cost * cvxpy.sum(cvxpy.norm(stacked, 2, axis=0))
    else:
        for first, second in pairwise(unknown):
            objective += penalty * group_cost * cvxpy.sum(cvxpy.abs(cvxpy.multiply(off, second - first)))
    cvxpy.Problem(cvxpy.Minimize(objective)).solve(solver="CLARABEL")
    expected = partial_correlations(np.array([each.value for each in unknown]))
    estimator = {"ggl": ggl, "fgl": fgl}[name]
    capfd.readouterr()
    exact: JointGraph = estimator(problem(matrices), np.full(3, penalty), group_cost, tolerance=1e-9)
    np.testing.assert_allclose(exact.total, expected, rtol=0, atol=1e-4)
    usual = estimator(problem(matrices), np.array([0.05, 0.1, 0.15]), group_cost)
    np.testing.assert_allclose(usual.total, exact.total, rtol=0, atol=1e-4)
    assert not usual.shared.any()
    assert capfd.readouterr().out == ""
