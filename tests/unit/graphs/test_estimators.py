"""The entrywise estimators and KDiffNet, beside slow solutions of the same problems."""

import warnings
from collections.abc import Callable

import cvxpy as cp
import numpy as np
import pytest
from graph_builders import problem_of, scan_jeek, symmetric

from chromattend.errors import UserError
from chromattend.graphs.estimators.diffee import diffee, difference_of_correlations
from chromattend.graphs.estimators.fasjem import (
    fasjem_g,
    fasjem_g_values,
    fasjem_i,
    fasjem_i_values,
    sparse_group,
    sparse_group_values,
)
from chromattend.graphs.estimators.jeek import decompose, jeek, jeek_of_correlations
from chromattend.graphs.estimators.kdiffnet import group_sparse, kdiffnet
from chromattend.graphs.problem import JointGraph, Problem

Joint = Callable[..., JointGraph]


def soft(values: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    return np.sign(values) * np.maximum(np.abs(values) - limit, 0)


def minimum(cost: cp.Expression, constraints: list[cp.Constraint]) -> float:
    problem = cp.Problem(cp.Minimize(cost), constraints)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a precision that is asked for but not quite reached
        problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return float(problem.value)


@pytest.mark.parametrize("contexts", [1, 2, 3, 8, 31])
@pytest.mark.parametrize("share_cost", [0.1, 0.5, 0.9])
def test_jeek_is_the_best_of_all_breakpoints(contexts: int, share_cost: float) -> None:
    rng = np.random.default_rng(contexts)
    values = rng.normal(size=(contexts, 3000)) + rng.normal(scale=2, size=3000) * (rng.random(3000) < 0.5)
    values[:, :500] = np.round(4 * values[:, :500]) / 4  # ties
    for limits in (np.linspace(0.3, 0.9, contexts), rng.random((contexts, 3000))):
        shared, individual = decompose(values, limits, share_cost)
        full = np.broadcast_to(limits.reshape(contexts, -1), values.shape)
        expected, parts, least = scan_jeek(values, full, 1, share_cost * contexts)
        np.testing.assert_allclose(shared, expected, atol=1e-12)
        np.testing.assert_allclose(individual, parts, atol=1e-12)
        cost = np.abs(individual).sum(axis=0) + share_cost * contexts * np.abs(shared)
        np.testing.assert_allclose(cost, least, atol=1e-12)


def test_jeek_is_the_linear_programme() -> None:
    values = np.random.default_rng(0).normal(size=(5, 60))
    limits = np.array([0.2, 0.3, 0.4, 0.5, 0.6])
    a, b = cp.Variable((5, 60)), cp.Variable(60)
    total = a + cp.vstack([b] * 5)
    cost = cp.sum(cp.abs(a)) + 0.4 * 5 * cp.sum(cp.abs(b))
    least = minimum(cost, [cp.abs(total - values) <= np.tile(limits[:, None], 60)])
    shared, individual = decompose(values, limits, 0.4)
    assert np.abs(individual).sum() + 2 * np.abs(shared).sum() == pytest.approx(least, abs=1e-6)
    assert (np.abs(shared + individual - values) <= limits[:, None] + 1e-12).all()


@pytest.mark.parametrize("share_cost", [0.15, 0.35, 0.5, 0.75])
def test_how_many_contexts_share_an_edge(share_cost: float) -> None:
    contexts, strength, limit = 20, 5.0, 1.0
    # In column m, an edge of the same strength is in the first m contexts.
    values = np.where(np.arange(contexts)[:, None] < np.arange(contexts + 1), strength, 0)
    shared, individual = decompose(-values, np.full(contexts, limit), share_cost)
    share = np.arange(contexts + 1) / contexts
    whole, partly = share > (1 + share_cost) / 2 + 1e-9, share > share_cost + 1e-9
    np.testing.assert_array_equal(shared, np.where(whole, limit - strength, np.where(partly, -limit, 0)))
    # What is shared in full leaves no debris where the edge is, but changes the others back towards 0.
    assert (individual[0, whole] == 0).all()
    np.testing.assert_array_equal(individual[-1, whole & (share < 1)], strength - 2 * limit)


def test_equal_edges_leave_no_debris_by_rounding() -> None:
    values = np.tile(np.random.default_rng(1).normal(size=2000).astype(np.float32), (7, 1))
    shared, individual = decompose(values, np.full(7, 0.3), 0.3)
    assert shared.dtype == individual.dtype == np.float32
    np.testing.assert_allclose(shared, soft(values[0], np.float32(0.3)), atol=1e-6)
    assert not individual.any()


def test_a_tie_by_rounding_is_not_shared() -> None:
    # In floating point, 0.28 x 25 is above 7 and 0.29 x 100 is below 29.
    for contexts, share_cost, present in ((25, 0.28, 7), (100, 0.29, 29)):
        values = np.where(np.arange(contexts) < present, 1.0, 0)[:, None]
        assert decompose(values, np.full(contexts, 0.1), share_cost)[0][0] == 0


@pytest.mark.parametrize("share_cost", [1.0, 1.5])
def test_costs_at_which_nothing_is_shared_are_refused(share_cost: float) -> None:
    problem = problem_of(symmetric(np.random.default_rng(0), 2, 4, 4))
    for estimator in (jeek, jeek_of_correlations):
        with pytest.raises(UserError, match="never cost more than a shared one, so nothing is shared"):
            estimator(problem, np.full(2, 0.1), share_cost)
    with pytest.raises(UserError, match="without a cost"):
        jeek(problem, np.full(2, 0.1), 0.0)


def test_graphs_of_entries_are_symmetric_and_weighted() -> None:
    rng = np.random.default_rng(3)
    partial, weights = symmetric(rng, 3, 9, 9), 1 + symmetric(rng, 9, 9, scale=0.2)
    problem, thresholds = problem_of(partial, weights, unit=2.0), np.array([0.1, 0.15, 0.2])
    rows, columns = np.triu_indices(9, 1)
    limits = thresholds[:, None] * weights[rows, columns]
    graph = jeek(problem, thresholds, 0.4)
    shared, individual = decompose(partial[:, rows, columns], limits, 0.4)
    np.testing.assert_allclose(graph.shared[rows, columns], shared, atol=1e-15)
    np.testing.assert_allclose(graph.individual[:, rows, columns], individual, atol=1e-15)
    np.testing.assert_allclose(jeek_of_correlations(problem, 2 * thresholds, 0.4).total, 2 * graph.total, atol=1e-14)
    graphs = [graph]
    estimators: list[tuple[Joint, Callable[..., np.ndarray]]] = [
        (sparse_group, sparse_group_values),
        (fasjem_g, fasjem_g_values),
        (fasjem_i, fasjem_i_values),
    ]
    for estimator, solve in estimators:
        graphs.append(estimator(problem, thresholds, 0.8))
        expected = solve(partial[:, rows, columns], limits, 0.8)
        np.testing.assert_allclose(graphs[-1].total[:, rows, columns], expected, atol=1e-15)
    for graph in graphs:
        for matrix in (graph.shared, *graph.individual):
            np.testing.assert_array_equal(matrix, matrix.T)
            assert not np.diagonal(matrix).any()


@pytest.mark.parametrize("group_cost", [0.3, 0.9, 1.3, 1.8, 2.5])
@pytest.mark.parametrize(("solve", "norm", "dual"), [(fasjem_g_values, 2, 2), (fasjem_i_values, "inf", 1)])
def test_fasjem_is_the_convex_problem(
    group_cost: float, solve: Callable[..., np.ndarray], norm: int | str, dual: int
) -> None:
    values, limit = np.random.default_rng(6).normal(scale=0.5, size=(4, 40)), 0.3
    x = cp.Variable(values.shape)
    constraints = [cp.abs(x - values) <= limit, cp.norm(x - values, dual, axis=0) <= group_cost * limit]
    least = minimum(cp.sum(cp.abs(x)) + group_cost * cp.sum(cp.norm(x, norm, axis=0)), constraints)
    result = solve(values, np.full(4, limit), group_cost)
    order = np.inf if norm == "inf" else norm
    cost = np.abs(result).sum() + group_cost * np.linalg.norm(result, order, axis=0).sum()
    assert cost == pytest.approx(least, abs=1e-6)
    assert np.abs(result - values).max() <= limit + 1e-12
    assert np.linalg.norm(result - values, dual, axis=0).max() <= group_cost * limit + 1e-12
    if solve is fasjem_g_values:  # its solution is unique
        np.testing.assert_allclose(result, x.value, atol=1e-5)
    if group_cost >= (2 if solve is fasjem_g_values else 4):
        np.testing.assert_allclose(result, soft(values, limit), atol=1e-15)


def test_fasjem_with_unequal_thresholds_is_that_of_rescaled_values() -> None:
    values, limits = np.random.default_rng(7).normal(size=(3, 50)), np.array([0.1, 0.4, 0.8])
    for solve in (fasjem_g_values, fasjem_i_values, sparse_group_values):
        expected = limits[:, None] * solve(values / limits[:, None], np.ones(3), 0.7)
        np.testing.assert_allclose(solve(values, limits, 0.7), expected, atol=1e-15)
    # The weight 0 takes the penalty away.
    np.testing.assert_allclose(fasjem_g_values(values, np.zeros(3), 0.7), values, atol=1e-9)


def test_sparse_group_is_the_proximal_operator() -> None:
    values = np.random.default_rng(8).normal(size=(3, 40))
    x = cp.Variable(values.shape)
    cost = cp.sum_squares(x - values) / 2 + 0.4 * cp.sum(cp.abs(x)) + 0.4 * 0.7 * cp.sum(cp.norm(x, 2, axis=0))
    minimum(cost, [])
    np.testing.assert_allclose(sparse_group_values(values, np.full(3, 0.4), 0.7), x.value, atol=1e-5)


def test_diffee_takes_the_larger_threshold_and_the_weights() -> None:
    rng = np.random.default_rng(9)
    partial, weights = symmetric(rng, 2, 8, 8), 1 + symmetric(rng, 8, 8, scale=0.2)
    expected = soft(partial[1] - partial[0], 0.3 * weights)
    problem = problem_of(partial, weights, unit=2.0)
    np.testing.assert_allclose(diffee(problem, np.array([0.3, 0.1])).difference, expected, atol=1e-15)
    twice = difference_of_correlations(problem, np.array([0.2, 0.6])).difference
    np.testing.assert_allclose(twice, 2 * expected, atol=1e-14)
    np.testing.assert_array_equal(diffee(problem, np.array([0.3, 0.1])).difference.T, twice / 2)


@pytest.mark.parametrize("group_cost", [0.3, 1.0, 2.5, 5.0])
def test_kdiffnet_is_the_convex_problem(group_cost: float) -> None:
    rng = np.random.default_rng(10)
    size, limit, groups = 12, 0.3, np.array([1] * 4 + [2] * 5 + [0] * 2 + [3])
    partial, weights = symmetric(rng, 2, size, size), 1 + symmetric(rng, size, size, scale=0.2)
    change = partial[1] - partial[0]
    own, grouped = cp.Variable((size, size)), cp.Variable((size, size))
    within = (groups[:, None] == groups) & (groups != 0) & ~np.eye(size, dtype=bool)
    constraints = [cp.abs(own + grouped - change) <= limit * weights, cp.multiply(~within, grouped) == 0]
    cost = cp.sum(cp.multiply(weights, cp.abs(own)))
    for group in (1, 2):
        block = within & (groups == group)
        cost += group_cost * cp.norm(cp.multiply(block, grouped), "fro")
        constraints.append(cp.norm(cp.multiply(block, own + grouped - change), "fro") <= limit * group_cost)
    minimum(cost, constraints)
    change -= np.diag(np.diag(change))
    result = group_sparse(change, limit * weights, groups, dict.fromkeys((1, 2, 3), limit * group_cost))
    np.testing.assert_allclose(result, own.value + grouped.value, atol=1e-5)
    np.testing.assert_array_equal(result, result.T)


def test_a_group_changes_as_a_whole_if_its_root_mean_square_is_above_the_level() -> None:
    change, groups = np.zeros((2, 5, 5)), np.array([1, 1, 1, 2, 2])
    change[1, :3, :3], change[1, 3:, 3:] = 0.16, 0.14
    problem = problem_of(change * ~np.eye(5, dtype=bool), None, groups)
    result = kdiffnet(problem, np.full(2, 0.3), group_change=0.5).difference
    assert np.count_nonzero(result) == 6
    assert result[0, 1] == pytest.approx(0.16 - 0.15)
    assert not kdiffnet(problem, np.full(2, 0.3), group_change=1.0).difference.any()


def test_kdiffnet_without_groups_is_diffee() -> None:
    problem = problem_of(symmetric(np.random.default_rng(11), 2, 7, 7))
    for groups in (None, np.zeros(7, dtype=int)):
        same = Problem(problem.correlations, problem.precisions, problem.sizes, groups=groups)
        expected = diffee(problem, np.full(2, 0.2)).difference
        np.testing.assert_array_equal(kdiffnet(same, np.full(2, 0.2)).difference, expected)
