"""Tests of thresholds that are chosen without the true graphs."""

import numpy as np
import pytest

from chromattend.graphs.controls import nulls_of
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.measure import Settings, measure, problem_of
from chromattend.graphs.problem import Contexts, Problem
from chromattend.graphs.selection import (
    Nulls,
    choose_lambda,
    edge_number,
    given_lambda,
    halves,
    independence_nulls,
    noise_nulls,
    null_number,
    null_scale,
)

P, SIZES = 60, (300, 300, 300)


def chains(sizes: tuple[int, ...] = SIZES, strength: float = 0.4, seed: int = 1) -> tuple[Contexts, np.ndarray]:
    """Samples of chains of three variables, the same in all contexts, and the true edges, shape (p, p)."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((P, P), dtype=bool)
    first = np.arange(0, P, 3)
    truth[first, first + 1] = truth[first + 1, first + 2] = True
    covariance = np.linalg.inv(np.eye(P) - strength * (truth | truth.T))
    factor = np.linalg.cholesky(covariance)
    samples = tuple(rng.standard_normal((size, P)) @ factor.T for size in sizes)
    names = tuple("ABC"[: len(sizes)])
    return Contexts(names, tuple(f"v{number}" for number in range(P)), samples), truth


def pure_noise(seed: int) -> Contexts:
    samples = np.random.default_rng(seed).standard_normal((2, 100, 30))
    return Contexts(("A", "B"), tuple(f"v{number}" for number in range(30)), tuple(samples))


@pytest.mark.parametrize("name", ["jeek", "fasjem_closed"])
def test_edges_are_found_and_few_are_false(name: str) -> None:
    contexts, truth = chains()
    spec, problem = ESTIMATORS[name], problem_of(contexts.samples, Settings())
    nulls = nulls_of(contexts, Settings(), False, 5, np.random.default_rng(2))
    selection = choose_lambda(problem, nulls, spec, {}, 0.1)
    edges = np.triu(spec.load()(problem, selection.thresholds).total != 0)
    assert selection.fdr <= 0.1
    assert edges[:, truth].mean() > 0.95
    # The nulls have no indirect associations, so the true rate is above the target.
    assert edges[:, ~truth].sum() / edges.sum() < 0.2
    chosen = selection.path[selection.path["lambda"] == selection.value].iloc[0]
    assert chosen["edges"] == edges.sum()
    assert chosen["fdr"] == selection.fdr
    assert selection.path["lambda"].is_monotonic_increasing


def test_the_smallest_lambda_is_taken_that_meets_the_target() -> None:
    spec = ESTIMATORS["jeek"]
    values = np.zeros((1, 5, 5))
    values[0][np.triu_indices(5, k=1)] = np.arange(1, 11) / 20  # ten values up to 0.5
    null = np.zeros((1, 5, 5))
    null[0][np.triu_indices(5, k=1)] = [0.17, 0.12, *[0.01] * 8]

    def problem(upper: np.ndarray) -> Problem:
        matrix = np.eye(5) - upper - upper.transpose(0, 2, 1)
        return Problem(matrix, matrix, np.array([100]))

    nulls = Nulls([problem(null)] * 10)
    # Of 7 edges above 0.17, (1 + 0) / 10 / 7 are expected to be false; of 8, (1 + 10) / 10 / 8.
    selection = choose_lambda(problem(values), nulls, spec, {}, 0.05)
    assert 0.17 < selection.value < 0.2
    assert selection.fdr == pytest.approx(0.1 / 7)
    # The larger estimate of the two kinds of nulls holds: of 4 edges above noise of 0.32, 1 is expected to be false.
    noisy = Nulls(nulls.unlinked, [problem(0.32 / 0.17 * null)])
    assert 0.32 < choose_lambda(problem(values), noisy, spec, {}, 0.25).value < 0.35
    # A weight of 2 asks for twice the value.
    known = Problem(problem(values).correlations, problem(values).precisions, np.array([100]), 2 * np.ones((5, 5)))
    assert choose_lambda(known, nulls, spec, {}, 0.05).value == pytest.approx(selection.value / 2)


def test_where_nothing_reaches_the_target_there_are_no_edges() -> None:
    for name in ("jeek", "fasjem_closed", "diffee"):
        spec = ESTIMATORS[name]
        for seed in range(3):
            contexts = pure_noise(seed)
            problem = problem_of(contexts.samples, Settings())
            nulls = nulls_of(contexts, Settings(), spec.difference, 3, np.random.default_rng(seed))
            selection = choose_lambda(problem, nulls, spec, {}, 0.1)
            assert np.isnan(selection.fdr)
            assert edge_number(spec.load()(problem, selection.thresholds)) == 0


@pytest.mark.parametrize("name", ["jeek", "fasjem_closed"])
def test_a_given_lambda_is_kept_and_its_rate_is_told(name: str) -> None:
    contexts, _ = chains()
    spec, problem = ESTIMATORS[name], problem_of(contexts.samples, Settings())
    nulls = nulls_of(contexts, Settings(), False, 2, np.random.default_rng(2))
    strict, loose = (given_lambda(problem, nulls, spec, {}, value) for value in (0.15, 0.02))
    assert strict.value == 0.15
    assert strict.thresholds.mean() == pytest.approx(0.15)
    assert strict.fdr < 0.05 < 0.3 < loose.fdr


def test_fewer_samples_need_larger_thresholds() -> None:
    contexts, _ = chains(sizes=(200, 800))
    nulls = Nulls(independence_nulls(contexts, Settings(), 5, np.random.default_rng(1)))
    scale = null_scale(nulls, ESTIMATORS["correlation"])
    assert scale.mean() == pytest.approx(1)
    assert scale[0] / scale[1] == pytest.approx(2, rel=0.05)
    assert null_scale(nulls, ESTIMATORS["diffee"]).tolist() == [1, 1]


def test_noise_where_most_variables_depend_on_each_other() -> None:
    """Independent variables have next to no partial correlations after the threshold map; these samples have noise."""
    rng = np.random.default_rng(1)
    samples = 0.7 * rng.standard_normal((400, 1)) + rng.standard_normal((400, 40))
    contexts = Contexts(("A",), tuple(f"v{number}" for number in range(40)), (samples,))
    upper = np.triu_indices(40, k=1)
    repeated = [
        problem_of([0.7 * rng.standard_normal((400, 1)) + rng.standard_normal((400, 40))], Settings()).partial[0][upper]
        for _ in range(8)
    ]
    truth = np.std(repeated, axis=0, ddof=1).mean()
    (noise,) = noise_nulls(contexts, Settings(), 1, rng)
    (unlinked,) = independence_nulls(contexts, Settings(), 1, rng)
    assert np.std(noise.partial[0][upper]) == pytest.approx(truth, rel=0.2)
    assert np.std(unlinked.partial[0][upper]) < 0.6 * truth


def test_few_permuted_blocks_do_not_meet_themselves() -> None:
    rng = np.random.default_rng(1)
    samples = 3 * rng.standard_normal((300, 1)) + rng.standard_normal((300, 10))
    blocks = (np.repeat(["a", "b", "c"], 100),)
    contexts = Contexts(("A",), tuple(f"v{number}" for number in range(10)), (samples,), blocks)
    nulls = independence_nulls(contexts, Settings(), 20, rng)
    # In a third of their samples, two columns with the same block there would have their correlation of 0.9.
    assert abs(np.mean([null.correlations[0][np.triu_indices(10, k=1)] for null in nulls])) < 0.05


def test_permuted_blocks_keep_autocorrelation() -> None:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.standard_normal((400, 1)), axis=0) + rng.standard_normal((400, 20))
    blocks = (np.repeat([f"b{number}" for number in range(4)], 100),)
    contexts = Contexts(("A",), tuple(f"v{number}" for number in range(20)), (walk,), blocks)
    upper = np.triu_indices(20, k=1)

    def spread(of: Contexts) -> float:
        nulls = independence_nulls(of, Settings("pearson"), 20, np.random.default_rng(4))
        return float(np.std([null.correlations[0][upper] for null in nulls]))

    # 400 samples of a random walk tell less than 400 independent ones, whose correlations vary by 1 / sqrt(400).
    assert spread(Contexts(contexts.names, contexts.variables, contexts.samples)) == pytest.approx(0.05, rel=0.1)
    assert spread(contexts) > 0.2


def test_halves_keep_blocks_as_wholes() -> None:
    blocks = np.array(["a"] * 5 + ["b"] * 3 + ["c"] * 4 + ["d"] * 4)
    contexts = Contexts(("A",), ("v",), (np.arange(16.0)[:, None],), (blocks,))
    ((first, second),) = halves(contexts, np.random.default_rng(1))
    assert sorted([*first, *second]) == list(range(16))
    assert not set(blocks[first]) & set(blocks[second])
    assert abs(len(first) - len(second)) <= 5
    ((first, second),) = halves(
        Contexts(("A",), ("v",), contexts.samples, (np.full(16, "a"),)), np.random.default_rng(1)
    )
    assert first.tolist() == list(range(8))
    assert second.tolist() == list(range(8, 16))


def test_the_map_for_few_samples() -> None:
    samples = np.random.default_rng(1).standard_normal((12, 60))
    few = measure([samples], Settings(map="auto"))
    assert few.settings.map == "ridge"
    assert measure([np.tile(samples, (2, 1)) + samples.mean()], Settings(map="auto")).settings.map == "threshold"
    assert few.least_eigenvalues == pytest.approx([few.settings.ridge], rel=1e-3)


def test_number_of_nulls() -> None:
    assert [null_number(variables) for variables in (10, 1000, 3000)] == [20, 4, 1]
