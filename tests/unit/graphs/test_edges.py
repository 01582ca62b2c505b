"""Tests of the table of edges and its classes."""

import numpy as np
import pandas as pd
import pytest

from chromattend.graphs.edges import COLUMNS, edges_of, relation_of
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.problem import DifferenceGraph, JointGraph, partial_correlations
from chromattend.graphs.samples import variable_table

VARIABLES = ("a", "b", "c", "d")


def symmetric(**entries: float) -> np.ndarray:
    matrix = np.zeros((4, 4))
    for pair, value in entries.items():
        i, j = map(VARIABLES.index, pair)
        matrix[i, j] = matrix[j, i] = value
    return matrix


def parts(table: object) -> list[tuple[object, ...]]:
    columns = ["node1", "node2", "class", "context", "contexts", "weight"]
    return list(table[columns].itertuples(index=False, name=None))  # type: ignore[index]


def test_a_shared_edge_a_specific_edge_and_what_one_context_adds() -> None:
    graph = JointGraph(symmetric(ab=0.5), np.stack([symmetric(ab=0.1, cd=-0.3), symmetric()]))
    table = edges_of(graph, VARIABLES, ("X", "Y"), graph.total, 2 * graph.total, shares=True)
    assert tuple(table.columns) == COLUMNS
    assert parts(table) == [
        ("a", "b", "shared", "", 2, 0.5),
        ("c", "d", "specific", "X", 1, -0.3),
        ("a", "b", "modulated", "X", 2, 0.1),
    ]
    assert table["partial_r"].tolist() == pytest.approx([0.55, -0.3, 0.6])
    assert table["correlation"].tolist() == pytest.approx([1.1, -0.6, 1.2])


def test_without_a_shared_part_an_edge_is_shared_if_all_contexts_have_it_with_one_sign() -> None:
    total = np.stack([symmetric(ab=0.2, ac=0.3, bd=0.1), symmetric(ab=0.4, ac=-0.6)])
    table = edges_of(JointGraph(symmetric(), total), VARIABLES, ("X", "Y"), total, total, shares=False)
    assert parts(table) == [
        ("a", "c", "specific", "Y", 2, -0.6),
        ("a", "b", "shared", "", 2, pytest.approx(0.3)),
        ("a", "c", "specific", "X", 2, 0.3),
        ("b", "d", "specific", "X", 1, 0.1),
    ]


def test_one_context_has_only_single_edges() -> None:
    graph = JointGraph(symmetric(ab=0.2), symmetric(cd=0.1)[None])
    table = edges_of(graph, VARIABLES, ("X",), graph.total, graph.total, shares=True)
    assert parts(table) == [("a", "b", "single", "X", 1, 0.2), ("c", "d", "single", "X", 1, 0.1)]


def test_a_difference_has_the_change_of_both_measures() -> None:
    partial = np.stack([symmetric(ab=0.1), symmetric(ab=-0.4)])
    table = edges_of(DifferenceGraph(symmetric(ab=-0.3)), VARIABLES, ("X", "Y"), partial, -partial, shares=False)
    assert parts(table) == [("a", "b", "difference", "", 2, -0.3)]
    assert table.loc[0, ["partial_r", "correlation"]].tolist() == pytest.approx([-0.5, 0.5])


def test_ties_are_listed_in_the_order_of_variables() -> None:
    graph = JointGraph(symmetric(cd=0.5, ab=-0.5), np.zeros((2, 4, 4)))
    table = edges_of(graph, VARIABLES, ("X", "Y"), graph.total, graph.total, shares=True)
    assert table["node1"].tolist() == ["a", "c"]


def test_neighbouring_bins_of_a_mark_are_told_from_other_pairs() -> None:
    names = ["H3K4me1:1", "H3K4me1:2", "H3K4me1:4", "H3K4me3:2"]
    edges = pd.DataFrame({"node1": [names[0], names[1], names[1]], "node2": [names[1], names[2], names[3]]})
    assert relation_of(edges, variable_table(names)).tolist() == ["adjacent", "same group", "between groups"]
    others = ["x", "y", "z", "H3K4me3:2"]
    assert (
        relation_of(edges.replace(dict(zip(names, others, strict=True))), variable_table(others)).tolist() == [""] * 3
    )


def test_partial_correlations_have_the_sign_of_the_association() -> None:
    # A chain a - b - c of positive associations: its inverse correlations are negative.
    correlation = np.array([[1, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 1]])
    partial = partial_correlations(np.linalg.inv(correlation)[None])[0]
    direct = (0.5 - 0.5 * 0.25) / np.sqrt((1 - 0.5**2) * (1 - 0.25**2))
    assert partial[0, 1] == pytest.approx(direct)
    assert partial[0, 2] == pytest.approx(0, abs=1e-12)
    assert np.array_equal(np.diag(partial), np.zeros(3))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_of_the_registry_can_be_called(name: str) -> None:
    from chromattend.graphs.problem import Problem

    spec = ESTIMATORS[name]
    rng = np.random.default_rng(1)
    samples = rng.normal(size=(2, 60, 4))
    samples[:, :, 1] += samples[:, :, 0]
    correlations = np.stack([np.corrcoef(one, rowvar=False) for one in samples])
    problem = Problem(correlations, np.linalg.inv(correlations), np.array([60, 60]))
    options = {"share_cost": 0.5, "group_cost": 1.0, "group_change": 0.5}
    graph = spec.load()(problem, np.array([0.2, 0.2]), **{name: options[name] for name in spec.options})
    assert isinstance(graph, DifferenceGraph if spec.difference else JointGraph)
    if isinstance(graph, JointGraph):
        assert graph.total.shape == (2, 4, 4)
        assert (graph.total[:, 0, 1] > 0).all()
        assert np.allclose(graph.total, graph.total.swapaxes(1, 2))
