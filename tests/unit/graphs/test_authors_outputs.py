"""The authors' own programs, on the same data: their backward maps and loops are here, the rest is this library's.

The outputs come from JointNets and CRAN's fasjem, in R. Where their loops are not the solutions of their problems, the
library solves the problems; the loops are repeated here to show that this is the whole difference.
"""

from pathlib import Path

import numpy as np
import pytest
from graph_builders import example_data, example_graphs, problem_of, reference, scan_jeek

from chromattend.graphs.backward import soft_threshold, threshold_map
from chromattend.graphs.covariance import correlation, kendall_tau
from chromattend.graphs.estimators.diffee import diffee
from chromattend.graphs.estimators.fasjem import fasjem_g_values, fasjem_i_values
from chromattend.graphs.estimators.jeek import decompose, jeek
from chromattend.graphs.estimators.kdiffnet import group_sparse, kdiffnet
from chromattend.graphs.problem import Problem

GROUPS = np.array([1] * 5 + [2] * 7 + [0] * 8)
BLOCKS = [np.ix_(group == GROUPS, group == GROUPS) for group in (1, 2)]
UPPER = np.triu_indices(20, k=1)


def backward_map(covariance: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Invert after the threshold, of the diagonal too, that makes the determinant largest."""
    candidates = [soft_threshold(covariance, v) for v in (0.001, *thresholds)]
    return np.linalg.inv(candidates[int(np.argmax(np.linalg.det(candidates)))])


def backward_maps(matrices: list[np.ndarray], relative: bool) -> np.ndarray:
    """Maps of DIFFEE and KDiffNet, with thresholds relative to the largest entry, or of JEEK and FASJEM."""
    grid = 0.001 * np.arange(1000)
    return np.array([backward_map(s, grid * s.max() if relative else grid + 0.001) for s in matrices])


@pytest.fixture(scope="module")
def data(real_networks: Path) -> list[np.ndarray]:
    return example_data(real_networks)


@pytest.fixture(scope="module")
def maps(data: list[np.ndarray]) -> np.ndarray:
    return backward_maps([np.cov(samples.T) for samples in data], relative=True)


@pytest.fixture(scope="module")
def own_maps(data: list[np.ndarray]) -> np.ndarray:
    return backward_maps([np.cov(samples.T) for samples in data], relative=False)


def outputs(folder: Path, name: str) -> np.ndarray:
    return np.array([reference(folder, f"{name}{number}") for number in (1, 2)])


def agree(ours: np.ndarray, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)


def test_maps_and_kendall(real_networks: Path, data: list[np.ndarray], maps: np.ndarray, own_maps: np.ndarray) -> None:
    agree(maps, outputs(real_networks, "bm"))
    agree(own_maps, outputs(real_networks, "bmj"))
    agree(np.array([kendall_tau(samples) for samples in data]), outputs(real_networks, "kend"))


def test_diffee(real_networks: Path, data: list[np.ndarray], maps: np.ndarray) -> None:
    without_diagonal = reference(real_networks, "diffee_45")
    np.fill_diagonal(without_diagonal, 0)
    agree(diffee(problem_of(maps), np.full(2, 0.45)).difference, without_diagonal)
    kendall = backward_maps([kendall_tau(samples) for samples in data], relative=True)
    agree(soft_threshold(kendall[1] - kendall[0], 0.05), reference(real_networks, "diffee_k05"))


def test_jeek_with_the_price_1_of_the_shared_part(real_networks: Path, own_maps: np.ndarray) -> None:
    values, theirs = own_maps[:, *UPPER], outputs(real_networks, "jeek_30_")[:, *UPPER]
    shared, individual = decompose(values, np.full(2, 0.3), 0.5)  # eps K = 1
    same = (np.abs(shared + individual - theirs) <= 1e-12).all(axis=0)
    assert (~same).sum() == 8
    # These are ties: the cost of any graph within the limits is its distance from the shared part, and theirs is equal.
    _, _, theirs_cost = scan_jeek(theirs, np.zeros_like(theirs), 1, 1)
    agree(theirs_cost, np.abs(individual).sum(axis=0) + np.abs(shared))
    assert np.abs(theirs - values).max() <= 0.3 + 1e-12


def test_the_scan_of_breakpoints_is_jeek_with_weights(real_networks: Path, own_maps: np.ndarray) -> None:
    weights = reference(real_networks, "W")[UPPER]
    costs, share_cost = np.array([weights, weights**2]), np.sqrt(weights)
    limits = 0.3 * np.minimum(costs, share_cost)
    shared, individual, _ = scan_jeek(own_maps[:, *UPPER], limits, costs, share_cost)
    agree(shared + individual, outputs(real_networks, "jeekW_")[:, *UPPER])


def test_kdiffnet_with_edges_or_groups(real_networks: Path, maps: np.ndarray) -> None:
    weights, off = reference(real_networks, "W"), ~np.eye(20, dtype=bool)
    edges = kdiffnet(problem_of(maps, weights), np.full(2, 0.4)).difference
    agree(edges[off], reference(real_networks, "kdiffnet_E")[off])
    # Their groups alone have a threshold of 0.4 on the norm of a block, and no box.
    change = maps[1] - maps[0]
    groups = soft_threshold(change, 0.4)
    for block in BLOCKS:
        length = np.linalg.norm(change[block])
        groups[block] = max(1 - 0.4 / length, 0) * change[block]
    agree(groups[off], reference(real_networks, "kdiffnet_V")[off])


def kdiffnet_loop(change: np.ndarray, weights: np.ndarray, steps: int) -> np.ndarray:
    """Iterate the authors' steps: twice too far, and to 0 outside groups."""
    limit, cost, gamma, rho = 0.4, 0.2, 4.0, 0.05
    off = ~np.eye(20, dtype=bool)
    mean, points = np.zeros((2, 20, 20)), np.zeros((4, 2, 20, 20))
    for _ in range(steps):
        nearest = points.copy()
        nearest[0, 0] = soft_threshold(points[0, 0], 4 * gamma * limit * weights)
        total = points[1].sum(axis=0)
        nearest[1] -= 2 * soft_threshold(total - change, limit * weights)
        nearest[2, 1] = 0
        total, ball = points[3].sum(axis=0), np.zeros((20, 20))
        for block in BLOCKS:
            inside = (points[2, 1] * off)[block]
            length = np.linalg.norm(inside)
            nearest[2, 1][block] = max(length - 4 * gamma * limit * cost, 0) / max(length, 1e-300) * inside
            away = (total * off - change)[block]
            ball[block] = change[block] + min(limit * cost / np.linalg.norm(away), 1) * away
        nearest[3] -= 2 * (total - ball)
        step = nearest.mean(axis=0)
        points += rho * (2 * step - nearest - mean)
        mean += rho * (step - mean)
    return mean.sum(axis=0)


def test_kdiffnet_with_both(real_networks: Path, maps: np.ndarray) -> None:
    weights, change, off = reference(real_networks, "W"), maps[1] - maps[0], ~np.eye(20, dtype=bool)
    agree(kdiffnet_loop(change, weights, 20), reference(real_networks, "kdiffnet_EV"))
    after = reference(real_networks, "kdiffnet_EV2000")
    agree(kdiffnet_loop(change, weights, 2000), after)
    # Their limit is outside the constraints of their problem, ours is within.
    ours = group_sparse(off * change, 0.4 * weights, GROUPS, {1: 0.4 * 0.2, 2: 0.4 * 0.2})
    assert (np.abs(after - change) - 0.4 * weights)[off].max() > 0.18
    assert (np.abs(ours - change) - 0.4 * weights)[off].max() <= 1e-12


def fasjem_loop(values: np.ndarray, norm: int | float) -> np.ndarray:
    """Iterate the steps of CRAN's fasjem: points outside the constraints go farther away."""
    limit, cost, gamma, rho = 0.1, 0.1, 0.1, 0.05
    box = 4 * limit * gamma * cost
    result = soft_threshold(values, 4 * limit * gamma)
    points = np.array([result] * 4)
    for _ in range(10):
        away = points[3] - values
        with np.errstate(divide="ignore", invalid="ignore"):
            group = np.maximum(1 - limit / np.linalg.norm(points[2], norm, axis=0), 0)
            farther = np.maximum(cost * limit / np.linalg.norm(away, norm, axis=0), 1)
        nearest = np.array(
            [
                soft_threshold(points[0], 4 * limit * gamma),
                values + np.maximum(np.minimum(points[1] - values, -box), box),
                points[2] * group,
                values + away * farther,
            ]
        )
        step = nearest.mean(axis=0)
        points += rho * (2 * step - nearest - points)
        result = result + rho * (step - result)
    return soft_threshold(result, 4 * limit * gamma)


@pytest.mark.parametrize(("name", "norm", "dual"), [("fasjem-g_", 2, 2), ("fasjem-i_", np.inf, 1)])
def test_fasjem(real_networks: Path, own_maps: np.ndarray, name: str, norm: float, dual: int) -> None:
    theirs = outputs(real_networks, name)
    agree(fasjem_loop(own_maps, norm), theirs)
    values, theirs = own_maps[:, *UPPER], theirs[:, *UPPER]
    solve = fasjem_g_values if dual == 2 else fasjem_i_values
    ours = solve(values, np.full(2, 0.1), 0.1)
    # The constraint is a distance of at most 0.01 in the dual norm.
    assert np.linalg.norm(ours - values, dual, axis=0).max() <= 0.01 + 1e-12
    assert np.linalg.norm(theirs - values, dual, axis=0).max() > 0.02


def test_true_edges_of_the_example_data(real_networks: Path, data: list[np.ndarray]) -> None:
    shared, first, second = example_graphs(real_networks)[:, *UPPER]
    assert [graph.sum() for graph in (shared, first, second)] == [22, 2, 5]
    maps = [threshold_map(correlation(samples, "pearson"), len(samples)).precision for samples in data]
    problem = Problem(np.zeros((2, 20, 20)), np.array(maps), np.full(2, 500))
    thresholds = np.linspace(0.02, 0.3, 57)
    graphs = [jeek(problem, np.full(2, threshold)) for threshold in thresholds]
    contexts = [[f1(graph.total[i][UPPER], shared | own) for i, own in enumerate((first, second))] for graph in graphs]
    assert np.mean(contexts, axis=1).max() >= 0.93
    assert np.min(contexts, axis=1).max() >= 0.90
    assert max(f1(graph.shared[UPPER], shared) for graph in graphs) >= 0.97
    changes = [diffee(problem, np.full(2, threshold)).difference[UPPER] for threshold in thresholds]
    assert max(f1(change, first | second) for change in changes) >= 0.70


def f1(values: np.ndarray, edges: np.ndarray) -> float:
    return float(2 * ((values != 0) & edges).sum() / ((values != 0).sum() + edges.sum()))
