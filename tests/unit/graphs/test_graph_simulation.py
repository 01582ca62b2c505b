"""Simulated contexts: their true graphs, their files, and scores against the truth."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chromattend.errors import UserError
from chromattend.graphs.edges import edges_of
from chromattend.graphs.problem import DifferenceGraph, JointGraph, partial_correlations
from chromattend.graphs.simulate import KINDS, simulate, simulate_graphs
from chromattend.graphs.truth import Truth, read_truth, truth_scores
from chromattend.text import read_small_table

VARIABLES = ("a", "b", "c", "d")


def matrix(*edges: tuple[str, float]) -> np.ndarray:
    """A symmetric matrix of four variables with edges such as ("ab", 0.5)."""
    values = np.zeros((4, 4))
    for (first, second), value in edges:
        rows = VARIABLES.index(first), VARIABLES.index(second)
        values[rows] = values[rows[::-1]] = value
    return values


def true_graph() -> Truth:
    """Edge ab is shared, bc is only in the first context and cd only in the second."""
    specific = np.array([matrix(("bc", 1)), matrix(("cd", 1))]) != 0
    return Truth(("one", "two"), VARIABLES, matrix(("ab", 1)) != 0, specific)


@pytest.mark.parametrize("kind", KINDS)
def test_precisions_have_the_true_edges(kind: str) -> None:
    simulation = simulate(kind, 40, 3, 4000, seed=2)
    truth, precisions = simulation.truth, simulation.precisions
    off = ~np.eye(40, dtype=bool)
    np.testing.assert_array_equal((precisions != 0) & off, truth.total)
    assert np.linalg.eigvalsh(precisions).min() > 0
    covariances = np.linalg.inv(precisions)
    np.testing.assert_allclose(np.diagonal(covariances, axis1=1, axis2=2), 1)
    # Shared and specific edges are disjoint, and specific ones belong to one context.
    assert (truth.shared.astype(int) + truth.specific.sum(axis=0)).max() == 1
    assert truth.shared.sum() / 2 == {"random": 40, "hub": 38, "small_world": 80}[kind]
    assert (truth.specific.sum(axis=(1, 2)) / 2 == 12).all()
    partial = partial_correlations(precisions)
    np.testing.assert_allclose(partial[0][truth.shared], partial[2][truth.shared])
    for samples, covariance in zip(simulation.contexts.samples, covariances, strict=True):
        assert np.abs(np.cov(samples.T) - covariance).max() < 0.1


def test_shapes_of_shared_graphs() -> None:
    degrees = {kind: simulate(kind, 60).truth.shared.sum(axis=0) for kind in KINDS}
    assert sorted(degrees["hub"])[-4:] == [1, 19, 19, 19]
    assert np.median(degrees["small_world"]) == 4
    assert degrees["random"].max() < 10


def test_files_say_what_was_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("demo/graphs")
    simulate_graphs(folder, 3)
    simulation = simulate(seed=3)
    _, header, rows = read_small_table(folder / "contexts.tsv")
    assert header == ["set", "context", "group", "colour", "data", "block", "truth"]
    for (_, cells), name, samples in zip(rows, "ABC", simulation.contexts.samples, strict=True):
        assert cells == ["simulated", name, "demo", "", f"demo/graphs/{name}.tsv", "", "demo/graphs/truth.tsv"]
        values = np.loadtxt(cells[4], skiprows=1)
        assert values.shape == (300, 60)
        np.testing.assert_allclose(values, samples, rtol=0, atol=1e-4)
    truth = read_truth(folder / "truth.tsv", simulation.contexts.variables, simulation.contexts.names)
    np.testing.assert_array_equal(truth.shared, simulation.truth.shared)
    np.testing.assert_array_equal(truth.specific, simulation.truth.specific)

    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    simulate_graphs(folder, 3)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
    (folder / "B.tsv").unlink()
    simulate_graphs(folder, 3)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content for name, (content, _) in before.items()
    }
    simulate_graphs(folder, 4)
    assert (folder / "A.tsv").read_bytes() != before["A.tsv"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "hubs"}, "kind 'hubs': is unknown, did you mean 'hub'?; give one of random, hub, small_world"),
        ({"variables": 10}, "variables 10, contexts 3, samples 300, seed 1: out of range; give at least 20"),
        ({"contexts": 0}, "contexts 0"),
        ({"seed": -1}, "seed -1: out of range"),
    ],
)
def test_impossible_simulations_are_refused(arguments: dict, words: str) -> None:
    with pytest.raises(UserError) as caught:
        simulate(**arguments)
    assert words in str(caught.value)


def test_scores_of_a_graph_and_its_table() -> None:
    # ab is shared, and weaker in the second context; bc is missed there where it is, and ad is false.
    shared = matrix(("ab", 0.5))
    individual = np.array([matrix(("ad", 0.2)), matrix(("ab", -0.1), ("cd", 0.3))])
    graph, truth = JointGraph(shared, individual), true_graph()
    partial = np.array([matrix(("ab", 0.5), ("bc", 0.1), ("ad", -0.2)), matrix(("ab", 0.4), ("cd", 0.3))])
    table = edges_of(graph, VARIABLES, truth.contexts, partial, partial, shares=True)
    scores = truth_scores(graph, truth, partial, partial)
    assert truth_scores(table, truth, partial, partial) == scores
    assert {key: scores["edges"][key] for key in ("true", "estimated", "correct")} == {
        "true": 4,
        "estimated": 4,
        "correct": 3,
    }
    assert scores["edges"]["precision"] == scores["edges"]["recall"] == scores["edges"]["f1"] == 0.75
    assert scores["edges"]["fdp"] == 0.25
    assert scores["shared"]["f1"] == 1
    assert (scores["specific"]["precision"], scores["specific"]["recall"]) == (0.5, 0.5)
    # The estimated change of ab, ad and cd; the true one of bc and cd.
    assert [scores["difference"][key] for key in ("true", "estimated", "correct")] == [2, 3, 1]
    # Of 4 true and 8 other pairs, ad with 0.2 is before bc with 0.1.
    assert scores["ranking"]["partial_r"]["auc"] == pytest.approx(31 / 32)
    assert scores["ranking"]["partial_r"]["ap"] == pytest.approx((1 + 1 + 1 + 4 / 5) / 4)
    assert scores["ranking"]["correlation"] == scores["ranking"]["partial_r"]


def test_scores_without_a_shared_part_and_of_differences() -> None:
    truth = true_graph()
    individual = np.array([matrix(("ab", 0.5), ("bc", 0.2)), matrix(("ab", 0.3), ("bc", -0.2))])
    graph, partial = JointGraph(np.zeros((4, 4)), individual), individual
    table = edges_of(graph, VARIABLES, truth.contexts, partial, partial, shares=False)
    scores = truth_scores(table, truth, partial)
    assert [scores["edges"][key] for key in ("estimated", "correct")] == [4, 3]
    assert [scores["shared"][key] for key in ("estimated", "correct")] == [1, 1]
    assert "correlation" not in scores["ranking"]

    difference = DifferenceGraph(matrix(("bc", -0.4), ("ab", -0.2)))
    table = edges_of(difference, VARIABLES, truth.contexts, partial, partial, shares=False)
    scores = truth_scores(difference, truth, partial)
    assert truth_scores(table, truth, partial) == scores
    assert set(scores) == {"difference", "ranking"}
    assert [scores["difference"][key] for key in ("true", "estimated", "correct")] == [2, 2, 1]
    # The change of bc is the largest one; that of cd, 0, comes after ab and with three others.
    assert scores["ranking"]["partial_r"]["auc"] == pytest.approx((4 + 1.5) / 8)
    nothing = truth_scores(DifferenceGraph(np.zeros((4, 4))), truth, partial)["difference"]
    assert (nothing["precision"], nothing["recall"], nothing["f1"], nothing["fdp"]) == (None, 0, 0, 0)


def test_tables_of_true_edges(write: Callable[..., Path]) -> None:
    path = write("truth.tsv", "node2\tnode1\tcontext\tnote\nb\ta\t\tx\nc\tb\tone\tx\nc\td\ttwo\tx\nb\ta\tone\tx\n")
    truth, expected = read_truth(path, VARIABLES, ("one", "two")), true_graph()
    np.testing.assert_array_equal(truth.shared, expected.shared)
    np.testing.assert_array_equal(truth.specific, expected.specific)
    again = write("again.tsv", truth.table().to_csv(sep="\t", index=False))
    np.testing.assert_array_equal(read_truth(again, VARIABLES, ("one", "two")).total, truth.total)
    each = write("each.tsv", "node1\tnode2\tcontext\na\tb\tone\nb\ta\ttwo\n")
    assert read_truth(each, VARIABLES, ("one", "two")).shared.sum() == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "node1\tnode2\tcontext\nalpha\tbeta1\t\n",
            "line 2: variable 'beta1' is not in the data, did you mean 'beta'?; ",
        ),
        ("node1\tnode2\tcontext\nalpha\tbeta\tOne\n", "line 2: context 'One' is not in the set, did you mean 'one'?; "),
        ("node1\tnode2\tcontext\nbeta\tbeta\t\n", "line 2: the edge joins 'beta' with itself; give two variables"),
        ("node1\tnode\tcontext\nalpha\tbeta\t\n", "line 1: has no column 'node2'"),
        ("node1\tnode2\tcontext\n", "truth.tsv: has no edges; give a line for each true edge"),
    ],
)
def test_wrong_tables_of_true_edges_are_one_line(write: Callable[..., Path], content: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_truth(write("truth.tsv", content), ("alpha", "beta"), ("one", "two"))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
