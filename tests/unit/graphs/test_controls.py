"""Tests of exchanged samples, tests of differences, split halves, stability, thinning and replication."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from chromattend.graphs import controls
from chromattend.graphs.edges import edges_of
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.measure import Settings, problem_of
from chromattend.graphs.problem import Contexts, DifferenceGraph, JointGraph
from chromattend.graphs.selection import choose_lambda, given_lambda


def simulated(variables: int, sizes: tuple[int, ...], seed: int, own: float = 0.3) -> tuple[Contexts, np.ndarray]:
    """Samples of random graphs with p shared and `own` p specific edges, and the true edges, shape (K, p, p)."""
    rng = np.random.default_rng(seed)
    pairs = np.transpose(np.triu_indices(variables, k=1))
    rng.shuffle(pairs)
    matrices = np.zeros((len(sizes), variables, variables))
    specific = int(own * variables)
    for context, matrix in enumerate(matrices):
        start = variables + context * specific
        i, j = np.concatenate([pairs[:variables], pairs[start : start + specific]]).T
        strengths = np.random.default_rng(seed).uniform(0.3, 0.6, len(i)) * np.where((i + j) % 2, 1, -1)
        matrix[i, j] = matrix[j, i] = strengths
    truth = matrices != 0
    matrices += (0.1 - np.linalg.eigvalsh(matrices).min()) * np.eye(variables)
    samples = tuple(
        rng.standard_normal((size, variables)) @ np.linalg.cholesky(np.linalg.inv(matrix)).T
        for size, matrix in zip(sizes, matrices, strict=True)
    )
    names = tuple(f"v{number}" for number in range(variables))
    return Contexts(tuple("ABCDEFG"[: len(sizes)]), names, samples), truth


def numbered(blocks: tuple[np.ndarray, ...]) -> Contexts:
    """Contexts whose samples are their context and a number."""
    samples = tuple(
        np.column_stack([np.full(len(names), context), np.arange(len(names))]).astype(float)
        for context, names in enumerate(blocks)
    )
    return Contexts(tuple("ABC"[: len(blocks)]), ("context", "number"), samples, blocks)


def test_samples_are_dealt_out_again() -> None:
    contexts = replace(numbered((np.full(30, ""), np.full(50, ""))), blocks=())
    dealt = controls.exchange_labels(contexts, np.random.default_rng(1))
    assert [len(values) for values in dealt.samples] == [30, 50]
    assert sorted(map(tuple, np.concatenate(dealt.samples))) == sorted(map(tuple, np.concatenate(contexts.samples)))
    assert 0 < dealt.samples[0][:, 0].sum() < 30


def test_blocks_that_all_contexts_have_are_exchanged_one_by_one() -> None:
    contexts = numbered((np.array(list("xxxyzz")), np.array(list("zyyxx")), np.array(list("xyz"))))
    kept = []
    for seed in range(20):
        dealt = controls.exchange_labels(contexts, np.random.default_rng(seed))
        for values, names in zip(dealt.samples, dealt.blocks, strict=True):
            assert sorted(set(names)) == ["x", "y", "z"]
            for block in "xyz":  # one part of each block, whole
                (origin,) = set(values[names == block, 0].astype(int))
                assert (names == block).sum() == (contexts.blocks[origin] == block).sum()
        kept.append(np.array_equal(dealt.samples[0][:, 0], np.zeros(6)))
    assert 20 - sum(kept) > 0


def test_other_blocks_are_dealt_out_again_as_wholes() -> None:
    contexts = numbered((np.repeat(["s1", "s2", "s3"], 4), np.repeat(["s4", "s5"], 6)))
    origins = set()
    for seed in range(10):
        dealt = controls.exchange_labels(contexts, np.random.default_rng(seed))
        assert [len(set(names)) for names in dealt.blocks] == [3, 2]
        assert all((np.unique(names, return_counts=True)[1] >= 4).all() for names in dealt.blocks)
        origins.add(tuple(sorted(set(dealt.blocks[1]))))
    assert len(origins) > 1


def test_counts_are_those_of_the_table_of_edges() -> None:
    rng = np.random.default_rng(1)

    def sparse(*shape: int) -> np.ndarray:
        values = np.round(rng.standard_normal(shape)) * (rng.random(shape) < 0.7)
        return np.triu(values, k=1) + np.swapaxes(np.triu(values, k=1), -1, -2)

    variables, values = tuple("abcdefgh"), np.zeros((3, 8, 8))
    graphs = [
        (JointGraph(sparse(8, 8), sparse(3, 8, 8)), 3, True),
        (JointGraph(np.zeros((8, 8)), sparse(3, 8, 8)), 3, False),
        (JointGraph(np.zeros((8, 8)), sparse(1, 8, 8)), 1, True),
        (DifferenceGraph(sparse(8, 8)), 2, False),
    ]
    for graph, contexts, shares in graphs:
        names = tuple("ABC"[:contexts])
        table = edges_of(graph, variables, names, values[:contexts], values[:contexts], shares)
        counts = {name: number for name, number in controls.edge_counts(graph, shares).items() if number}
        assert counts == table["class"].value_counts().to_dict()
        frequencies = {name: edges.astype(float) for name, edges in controls.classes_of(graph, shares).items()}
        assert controls.stability_of(table, frequencies, variables, names).tolist() == [1] * len(table)
        assert sum(values.sum() for values in frequencies.values()) == len(table)


def test_specific_edges_against_exchanged_samples() -> None:
    spec = ESTIMATORS["jeek"]
    same, _ = simulated(40, (250, 250), seed=1, own=0)
    different, _ = simulated(40, (250, 250), seed=1, own=0.5)
    for contexts, beyond in ((same, False), (different, True)):
        problem = problem_of(contexts.samples, Settings())
        null = controls.null_counts(
            contexts, problem, Settings(), spec, {}, np.full(2, 0.15), 20, np.random.default_rng(2)
        )
        assert tuple(null.columns) == controls.NULL_COUNTS
        assert null["permutation"].tolist() == list(range(21))
        assert (null.loc[0, "specific"] > null.loc[1:, "specific"].max()) == beyond


def test_false_discoveries_among_differences() -> None:
    """Ten simulations, 100 variables, FDR 0.05: the mean share of false edges is 0.045 here, and the power 0.53."""
    shares, powers = [], []
    for seed in range(10):
        contexts, truth = simulated(100, (300, 300), seed)
        problem = problem_of(contexts.samples, Settings())
        tests = controls.difference_tests(
            contexts, problem, Settings(), "partial", 30, 0.05, np.random.default_rng(seed)
        )
        edges, changed = np.triu(tests.q <= 0.05, k=1), truth[0] != truth[1]
        shares.append((edges & ~changed).sum() / max(edges.sum(), 1))
        powers.append((edges & changed).sum() / np.triu(changed).sum())
        selection = given_lambda(
            problem,
            controls.nulls_of(contexts, Settings(), True, 1, np.random.default_rng(1)),
            ESTIMATORS["diffee"],
            {},
            tests.threshold,
        )
        graph = ESTIMATORS["diffee"].load()(problem, selection.thresholds)
        assert np.array_equal(np.triu(graph.difference != 0, k=1), edges)
    assert np.mean(shares) <= 0.08
    assert np.mean(powers) > 0.4


def test_p_values_of_differences() -> None:
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((2, 60, 12))
    samples[0][:, 1] += 2 * samples[0][:, 0]
    samples[1][:, 1] -= 2 * samples[1][:, 0]
    contexts = Contexts(("A", "B"), tuple("abcdefghijkl"), tuple(samples))
    problem = problem_of(contexts.samples, Settings())
    tests = controls.difference_tests(contexts, problem, Settings(), "correlations", 99, 0.05, rng)
    assert tests.fwer[0, 1] == tests.fwer[1, 0] == 0.01
    assert tests.p[0, 1] == pytest.approx(1 / (1 + 99 * 66))
    assert np.argwhere(np.triu(tests.q <= 0.05, k=1)).tolist() == [[0, 1]]
    others = tests.p[np.triu_indices(12, k=1)][1:]
    assert others.min() > 0.001
    assert 0.3 < others.mean() < 0.7
    # A pair that is unlikely to be an edge needs a larger difference.
    weights = np.ones((12, 12))
    weights[0, 1] = weights[1, 0] = 10
    weighed = controls.difference_tests(
        contexts, replace(problem, weights=weights), Settings(), "correlations", 20, 0.05, rng
    )
    assert weighed.q[0, 1] > 0.05
    assert np.isnan(weighed.threshold)


def test_a_difference_of_means_is_none_of_graphs() -> None:
    """Exchanged samples of contexts with other means would be correlated through the means."""
    rng = np.random.default_rng(1)
    samples = (rng.standard_normal((200, 20)), rng.standard_normal((200, 20)) + 3)
    contexts = Contexts(("A", "B"), tuple(f"v{number}" for number in range(20)), samples)
    (null,) = controls.exchange_nulls(contexts, Settings(), 1, rng)
    assert np.abs(null.correlations - np.eye(20)).max() < 0.4


def test_a_variable_that_is_constant_in_a_half() -> None:
    rng = np.random.default_rng(1)
    samples = rng.standard_normal((40, 10))
    samples[1:, 3] = 0
    contexts = Contexts(("A", "B"), tuple("abcdefghij"), (samples, rng.standard_normal((40, 10))))
    table = controls.split_halves(contexts, Settings("pearson"), 2, rng)
    assert table["r"].notna().all()


def test_halves_of_one_context_and_of_two() -> None:
    contexts, _ = simulated(40, (400, 400, 400), seed=2, own=0)
    other, _ = simulated(40, (400,), seed=3, own=0)
    contexts = replace(contexts, samples=(*contexts.samples[:2], *other.samples))
    table = controls.split_halves(contexts, Settings(), 5, np.random.default_rng(1))
    assert tuple(table.columns) == controls.SPLIT_HALVES
    r = {(row.context, row.other): row for row in table.itertuples()}
    assert list(r) == [("A", "A"), ("A", "B"), ("A", "C"), ("B", "B"), ("B", "C"), ("C", "C")]
    assert r["A", "A"].r > 0.5
    assert r["A", "B"].r == pytest.approx(r["A", "A"].r, abs=0.1)  # the same graph
    assert r["A", "B"].full > r["A", "B"].r
    assert r["A", "C"].full < 0.2  # another graph
    assert np.isnan(r["A", "A"].full)
    assert (table["low"] <= table["r"]).all()
    assert (table["r"] <= table["high"]).all()


@pytest.mark.parametrize("target", [0.1, None])
def test_stable_edges_are_true(target: float | None) -> None:
    contexts, truth = simulated(60, (300, 300), seed=4)
    spec, problem = ESTIMATORS["jeek"], problem_of(contexts.samples, Settings())
    nulls = controls.nulls_of(contexts, Settings(), False, 5, np.random.default_rng(1))
    selection = choose_lambda(problem, nulls, spec, {}, 0.1)
    frequencies = controls.stability(
        contexts, problem, Settings(), spec, {}, selection, target, 8, np.random.default_rng(2)
    )
    upper = np.triu_indices(60, k=1)
    shared = truth.all(axis=0)[upper]
    stable = frequencies["shared"] >= controls.STABLE
    assert stable[shared].mean() > 0.5
    assert stable[~shared].sum() <= 1
    assert frequencies["specific"].shape == (2, len(shared))
    assert max(values.max() for values in frequencies.values()) <= 1


def test_thinned_counts_have_equal_means_and_no_less_noise() -> None:
    rng = np.random.default_rng(1)
    counts = [rng.poisson([10, 40, 0], (2000, 3)), rng.poisson([30, 20, 0], (1000, 3))]
    first, second = controls.thin(counts, rng)
    assert first.mean(axis=0) == pytest.approx([10, 20, 0], rel=0.03)
    assert second.mean(axis=0) == pytest.approx([10, 20, 0], rel=0.03)
    assert second[:, 0].var() == pytest.approx(10, rel=0.15)  # still a Poisson variable
    assert (first[:, 0] == counts[0][:, 0]).all()
    assert (second <= counts[1]).all()


def test_autocorrelation_of_neighbouring_samples() -> None:
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((2000, 5))
    series = noise[1:] + noise[:-1]
    series[:, 0] = 7
    assert controls.autocorrelation(series) == pytest.approx(0.5, abs=0.03)
    assert abs(controls.autocorrelation(noise)) < 0.05
    assert np.isnan(controls.autocorrelation(np.ones((9, 2))))


def test_edges_of_two_sets() -> None:
    def table(*rows: tuple[str, str, float]) -> pd.DataFrame:
        frame = pd.DataFrame(rows, columns=["node1", "node2", "weight"])
        return frame.assign(**{"class": "difference", "context": ""})

    first = table(("a", "b", 0.1), ("a", "c", -0.5), ("b", "c", 0.3), ("b", "d", 0.2))
    second = table(("a", "c", -0.4), ("a", "b", 0.2), ("b", "c", -0.1))
    result = controls.replication(first, second)
    assert (result.first, result.second, result.opposite) == (4, 3, 1)
    assert list(zip(result.both["node1"], result.both["node2"], strict=True)) == [("a", "c"), ("a", "b")]
    assert result.both["other_weight"].tolist() == [-0.4, 0.2]
    assert result.r == pytest.approx(np.corrcoef([0.1, -0.5, 0.3], [0.2, -0.4, -0.1])[0, 1])
    assert np.isnan(controls.replication(first.iloc[:2], second).r)
