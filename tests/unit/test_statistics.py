"""Intervals and tests, against their definitions written out and against values by hand."""

import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, stats
from sklearn.metrics import roc_auc_score

from chromattend.statistics import (
    LEAST_GENES,
    LEAST_RELIABILITY,
    auc_interval,
    compare_aucs,
    compare_over_epigenomes,
    correlate_mean_maps,
    delong,
    false_discovery_rates,
    median_interval,
    pearson_by_row,
    reliability,
    share_interval,
)


def by_definition(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUCs and covariance from every pair of an ON and an OFF gene (DeLong et al., equations 3 to 7)."""
    on, off = scores[:, labels == 1], scores[:, labels == 0]
    above = (on[:, :, None] > off[:, None, :]) + 0.5 * (on[:, :, None] == off[:, None, :])
    v10, v01, auc = above.mean(axis=2), above.mean(axis=1), above.mean(axis=(1, 2))
    models = len(scores)
    covariance = np.zeros((models, models))
    for r in range(models):
        for s in range(models):
            s10 = ((v10[r] - auc[r]) * (v10[s] - auc[s])).sum() / (on.shape[1] - 1)
            s01 = ((v01[r] - auc[r]) * (v01[s] - auc[s])).sum() / (off.shape[1] - 1)
            covariance[r, s] = s10 / on.shape[1] + s01 / off.shape[1]
    return auc, covariance


@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 4), st.integers(0, 2**32 - 1), st.integers(2, 30))
@settings(max_examples=150, deadline=None)
def test_delong_is_its_definition(on: int, off: int, models: int, seed: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([1, 0], [on, off]))
    scores = rng.integers(0, values, (models, on + off)).astype(float)  # few values: many ties
    auc, covariance = delong(labels, scores)
    expected_auc, expected_covariance = by_definition(labels, scores)
    np.testing.assert_allclose(auc, expected_auc, atol=1e-12)
    np.testing.assert_allclose(covariance, expected_covariance, atol=1e-12)


def test_delong_by_hand() -> None:
    # ON 3, 1; OFF 2, 0: of the four pairs only 1 < 2 is in the wrong order.
    # Placements of ON: 1 and 1/2, variance 1/8; of OFF: 1/2 and 1, variance 1/8; each divided by two genes.
    auc, covariance = delong(np.array([1, 1, 0, 0]), np.array([[3.0, 1.0, 2.0, 0.0]]))
    assert auc[0] == 0.75
    assert covariance[0, 0] == pytest.approx(1 / 8 / 2 + 1 / 8 / 2)


def test_a_higher_level_gives_a_wider_interval_within_0_and_1() -> None:
    labels, scores = np.array([1, 1, 0, 0]), np.array([3.0, 1.0, 2.0, 0.0])
    widths = []
    for level in (0.5, 0.9, 0.95, 0.999):
        auc, low, high = auc_interval(labels, scores, level)
        assert 0 < low < auc < high < 1
        widths.append(high - low)
    assert widths == sorted(widths)


def test_the_interval_is_on_the_logit_scale() -> None:
    labels, scores = np.array([1, 1, 0, 0]), np.array([3.0, 1.0, 2.0, 0.0])
    error = np.sqrt(1 / 8) / (0.75 * 0.25)
    low, high = 1 / (1 + np.exp(-(np.log(3) + np.array([-1.959964, 1.959964]) * error)))
    found = auc_interval(labels, scores)
    assert found.auc == 0.75
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    truth = stats.norm.cdf(1 / np.sqrt(2))  # of two normal distributions one deviation apart
    labels = np.repeat([1, 0], [60, 60])
    covered = 0
    for _ in range(600):
        found = auc_interval(labels, rng.normal(labels))
        covered += found.low <= truth <= found.high
    assert covered / 600 == pytest.approx(0.95, abs=0.03)


def test_a_perfect_auc_does_not_claim_certainty() -> None:
    for genes in (5, 500):
        labels = np.repeat([1, 0], genes)
        found = auc_interval(labels, labels.astype(float))
        assert (found.auc, found.high) == (1.0, 1.0)
        # The bound of Clopper and Pearson for no failure among so many.
        assert found.low == pytest.approx(stats.beta.ppf(0.025, genes, 1))
        worst = auc_interval(labels, -labels.astype(float))
        assert (worst.auc, worst.low, worst.high) == pytest.approx((0.0, 0.0, 1 - found.low))


def test_one_gene_of_a_class_says_nothing() -> None:
    found = auc_interval(np.array([1, 0, 0, 0]), np.array([2.0, 1.0, 3.0, 0.0]))
    assert found == (pytest.approx(2 / 3), 0.0, 1.0)


def test_scores_that_are_all_alike() -> None:
    assert auc_interval(np.array([1, 1, 0, 0]), np.ones(4)) == (0.5, 0.5, 0.5)


def compared(**scores: np.ndarray) -> pd.DataFrame:
    labels = np.repeat([1, 0], len(next(iter(scores.values()))) // 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return compare_aucs(labels, pd.DataFrame(scores))


def test_models_are_compared_on_the_same_genes() -> None:
    rng = np.random.default_rng(2)
    labels = np.repeat([1, 0], 40)
    first = rng.normal(labels)
    second = first + rng.normal(0, 0.3, 80)  # nearly equal: only pairing distinguishes them
    table = compared(a=first, b=second)
    auc, covariance = by_definition(labels, np.stack([first, second]))
    error = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    row = table.iloc[0]
    assert (row["model"], row["other"]) == ("a", "b")
    assert (row["auc"], row["other_auc"]) == pytest.approx(
        (roc_auc_score(labels, first), roc_auc_score(labels, second))
    )
    assert row["z"] == pytest.approx((auc[0] - auc[1]) / error)
    assert row["p"] == pytest.approx(2 * (1 - stats.norm.cdf(abs(row["z"]))))
    assert row["high"] - row["difference"] == pytest.approx(1.959964 * error, rel=1e-6)
    assert row["low"] + row["high"] == pytest.approx(2 * row["difference"])
    assert error < np.sqrt(covariance[0, 0] + covariance[1, 1])


def test_models_with_the_same_ranking_do_not_differ() -> None:
    scores = np.random.default_rng(3).normal(size=30)
    row = compared(a=scores, b=np.exp(scores)).iloc[0]
    assert (row["difference"], row["z"], row["p"]) == (0, 0, 1)
    perfect = np.repeat([1.0, 0.0], 10)
    row = compared(a=perfect, b=2 * perfect).iloc[0]
    assert (row["difference"], row["p"]) == (0, 1)


def test_a_model_that_wins_with_every_gene_is_not_infinitely_better() -> None:
    perfect = np.repeat([1.0, 0.0], 10)
    row = compared(a=perfect, b=-perfect).iloc[0]
    assert row["difference"] == 1
    assert row["p"] == pytest.approx(stats.binomtest(10, 10).pvalue)
    assert 2 * stats.norm.sf(row["z"]) == pytest.approx(row["p"])
    _, bound, _ = auc_interval(np.repeat([1, 0], 10), perfect)
    assert (row["low"], row["high"]) == (pytest.approx(2 * bound - 1), 1)
    # Against a model that gives every gene the same score, and the other way round.
    table = compared(a=np.ones(20), b=perfect)
    assert (table["difference"].item(), table["p"].item()) == (-0.5, row["p"])
    assert table["z"].item() == -row["z"]
    # With thousands of genes the p value of either test is below all that a number can hold.
    many = np.repeat([1.0, 0.0], 3000)
    found = compared(a=many, b=-many, c=np.random.default_rng(1).normal(many * 9))
    assert np.isfinite(found["z"]).all()
    assert ((found["p"] > 0) & (found["q"] > 0)).all()


def test_p_values_are_uniform_where_models_are_equally_good() -> None:
    rng = np.random.default_rng(4)
    labels = np.repeat([1, 0], 100)
    p = [compare_aucs(labels, pd.DataFrame(rng.normal(labels[:, None], size=(200, 2)))) for _ in range(400)]
    values = np.array([table["p"].item() for table in p])
    assert stats.kstest(values, "uniform").pvalue > 0.001
    assert (values < 0.05).mean() == pytest.approx(0.05, abs=0.035)


def test_every_pair_of_models_is_compared_once() -> None:
    rng = np.random.default_rng(5)
    table = compared(**{name: rng.normal(size=40) for name in "abcd"})
    assert list(zip(table["model"], table["other"], strict=True)) == [
        *(("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")),
    ]
    assert (table["q"] >= table["p"]).all()


def test_false_discovery_rates_by_hand() -> None:
    # Sorted p times number over rank: .04, .04, .04, .5; then the least from there upwards.
    found = false_discovery_rates(pd.Series([0.03, 0.5, np.nan, 0.01, 0.02]))
    np.testing.assert_allclose(found, [0.04, 0.5, np.nan, 0.04, 0.04])
    assert false_discovery_rates(pd.Series([np.nan])).isna().all()


def test_models_over_epigenomes_by_hand() -> None:
    # Six wins of six: of the 64 ways to sign them, one is as good and one as bad.
    wins = pd.DataFrame({"a": 0.8 + np.arange(6) / 100, "b": 0.79 - np.arange(6) / 100})
    row = compare_over_epigenomes(wins).iloc[0]
    assert (row["epigenomes"], row["wins"], row["losses"], row["ties"]) == (6, 6, 0, 0)
    assert row["p"] == pytest.approx(2 / 64)
    assert row["median_difference"] == pytest.approx(0.06)
    assert row["low"] < 0.06 < row["high"]
    # With five, not even five wins are rare enough.
    assert compare_over_epigenomes(wins[:5])["p"].item() == pytest.approx(2 / 32)


def test_epigenomes_without_a_model_are_left_out() -> None:
    auc = pd.DataFrame({"a": [0.8, 0.9, np.nan], "b": [0.7, 0.9, 0.8], "c": [np.nan, np.nan, np.nan]})
    table = compare_over_epigenomes(auc)
    assert len(table) == 1
    assert table[["epigenomes", "wins", "losses", "ties"]].iloc[0].tolist() == [2, 1, 0, 1]


def test_models_that_tie_everywhere_have_no_test() -> None:
    same = pd.DataFrame({"a": [0.8, 0.9], "b": [0.8, 0.9]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        row = compare_over_epigenomes(same).iloc[0]
    assert np.isnan(row["p"])
    assert np.isnan(row["q"])
    assert row["ties"] == 2


def test_one_model_has_nothing_to_be_compared_with() -> None:
    table = compare_over_epigenomes(pd.DataFrame({"a": [0.8, 0.9]}))
    assert len(table) == 0
    assert {"model", "other", "p", "q"} <= set(table)


def test_the_interval_of_a_median() -> None:
    values = np.random.default_rng(6).normal(5, 1, 101)
    low, high = median_interval(values)
    # The order statistics of the binomial interval, which the bootstrap's percentiles come near to.
    ordered = np.sort(values)
    bounds = stats.binom.ppf([0.025, 0.975], 101, 0.5).astype(int)
    assert (low, high) == pytest.approx(tuple(ordered[bounds]), abs=0.06)
    assert median_interval(values) == (low, high)
    assert median_interval([0.5, 0.5, 0.5]) == (0.5, 0.5)
    assert np.isnan(median_interval([0.5])).all()


def test_reliability_by_hand() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 1])
    found = reliability(labels, scores, bins=2)
    np.testing.assert_allclose(found["mean_predicted"], [0.25, 0.75])
    np.testing.assert_allclose(found["share_on"], [0.25, 0.75])


def test_a_calibrated_model_lies_on_the_diagonal() -> None:
    rng = np.random.default_rng(7)
    scores = rng.uniform(size=20_000)
    found = reliability((rng.uniform(size=20_000) < scores).astype(int), scores)
    assert len(found) == 10
    np.testing.assert_allclose(found["share_on"], found["mean_predicted"], atol=0.035)
    assert all(a < b for a, b in pairwise(found["mean_predicted"]))


# Mean maps


@pytest.fixture(scope="module")
def population() -> tuple[np.ndarray, np.ndarray]:
    """Weights and coverage of many genes: peaks near the TSS, reads of very different depth, attention to the reads."""
    rng = np.random.default_rng(1)
    genes, bins = 20_000, 40
    at = np.arange(bins) - bins / 2
    depth, shift = rng.lognormal(-0.5, 1, (genes, 1)), rng.normal(0, 1.6, (genes, 1))

    def between_genes() -> np.ndarray:
        return 0.8 * ndimage.gaussian_filter1d(rng.normal(0, 2.4, (genes, bins)), 2.4, axis=1)

    def peak(position: float, width: float) -> np.ndarray:
        return np.exp(-(((at - shift - position) / width) ** 2) / 2)

    promoter = rng.poisson(depth * (0.5 + 10 * peak(0, 2.4)) * np.exp(between_genes()))
    flanks = peak(-1.2, 2.8) + 0.8 * peak(3.6, 3.6)
    of_gene = depth * rng.gamma(2, 0.5, (genes, 1))
    coverage = rng.poisson(of_gene * (0.75 + 7.5 * flanks) * np.exp(between_genes())).astype(float)
    weights = np.exp(0.8 * np.log1p(promoter) + between_genes())
    return weights / weights.sum(axis=1, keepdims=True), coverage


def percentile_interval(weights: np.ndarray, coverage: np.ndarray) -> tuple[float, float]:
    genes = len(weights)
    drawn = np.random.default_rng(1).multinomial(genes, np.full(genes, 1 / genes), 300)
    low, high = np.percentile(pearson_by_row(drawn @ weights, drawn @ coverage), [2.5, 97.5])
    return low, high


def covered(
    population: tuple[np.ndarray, np.ndarray], interval: Callable[..., tuple[float, float]], genes: int, samples: int
) -> np.ndarray:
    """Return for each sample of genes whether the interval contains the correlation of the expected maps; NaN if none.

    Samples are drawn with replacement, so the expected maps are the means of the population.
    """
    weights, coverage = population
    truth = pearson_by_row(weights.mean(axis=0), coverage.mean(axis=0))
    rng = np.random.default_rng(2)
    found = []
    for _ in range(samples):
        rows = rng.integers(len(weights), size=genes)
        low, high = interval(weights[rows], coverage[rows])
        found.append(np.nan if np.isnan(low) else float(low <= truth <= high))
    return np.array(found)


@pytest.mark.parametrize("genes", [50, 300])
def test_the_interval_of_mean_maps_covers(genes: int, population: tuple[np.ndarray, np.ndarray]) -> None:
    found = covered(population, lambda *maps: correlate_mean_maps(*maps)[1:3], genes, samples=500)
    assert np.isnan(found).mean() < 0.3
    # With 95 % coverage, 500 samples give 0.92 to 0.98 (three binomial standard errors).
    assert 0.92 <= np.nanmean(found) <= 0.985


def test_a_percentile_interval_of_mean_maps_does_not_cover(population: tuple[np.ndarray, np.ndarray]) -> None:
    assert covered(population, percentile_interval, 50, samples=200).mean() < 0.85


def test_maps_of_few_or_noisy_genes_have_no_interval(population: tuple[np.ndarray, np.ndarray]) -> None:
    weights, coverage = (values[:LEAST_GENES] for values in population)
    few = correlate_mean_maps(weights[1:], coverage[1:])
    assert few.pearson > 0.5
    assert np.isnan([few.low, few.high]).all()
    rng = np.random.default_rng(3)
    for noise in (0, 3 * weights.mean()):
        found = correlate_mean_maps(weights + rng.normal(0, noise, weights.shape), coverage)
        assert np.isnan(found.low) == np.isnan(found.high) == (found.reliability < LEAST_RELIABILITY) == (noise > 0)
    assert np.isnan(correlate_mean_maps(weights[:2], coverage[:2])).all()
    assert np.isnan(correlate_mean_maps(weights[:, :2], coverage[:, :2])).all()
    assert np.isnan(correlate_mean_maps(np.ones_like(weights), coverage)).all()


def test_the_interval_of_mean_maps_is_that_of_its_definition(population: tuple[np.ndarray, np.ndarray]) -> None:
    weights, coverage = (values[:LEAST_GENES] for values in population)
    genes = len(weights)
    found = correlate_mean_maps(weights, coverage)
    r = stats.pearsonr(weights.mean(axis=0), coverage.mean(axis=0)).statistic
    left_out = [
        stats.pearsonr(np.delete(weights, gene, 0).mean(axis=0), np.delete(coverage, gene, 0).mean(axis=0)).statistic
        for gene in range(genes)
    ]
    width = stats.t.ppf(0.975, genes - 1) * np.sqrt((genes - 1) * np.arctanh(left_out).var())
    # Two different genes have independent noise, so the mean over pairs of them has none.
    around = [values - values.mean(axis=1, keepdims=True) for values in (weights, coverage)]
    pairs = ~np.eye(genes, dtype=bool)
    variances = [(values @ values.T)[pairs].mean() for values in around]
    denoised = (around[0] @ around[1].T)[pairs].mean() / np.sqrt(np.prod(variances))
    shares = [
        variance / values.mean(axis=0).dot(values.mean(axis=0))
        for variance, values in zip(variances, around, strict=True)
    ]
    assert found.reliability == pytest.approx(min(shares))
    assert denoised > r
    assert found.high == pytest.approx(np.tanh(np.arctanh(denoised) + width))
    assert found.pearson == pytest.approx(r)
    assert found.low == pytest.approx(np.tanh(np.arctanh(r) - width))


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 3), st.sampled_from([-1, 1]), st.integers(3, 90))
@settings(max_examples=50, deadline=None)
def test_a_correlation_lies_within_its_own_interval(seed: int, noise: float, sign: int, genes: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.normal(size=(1, 20))
    first, second = (side * shape + noise * rng.normal(size=(genes, 20)) for side in (1, sign))
    found = correlate_mean_maps(first, second)
    assert -1 <= found.pearson <= 1
    if not np.isnan(found.low):
        assert -1 <= found.low <= found.pearson <= found.high <= 1
        mirrored = correlate_mean_maps(first, -second)
        assert [-mirrored.high, -mirrored.low] == pytest.approx([found.low, found.high])
    # Equal maps, and one map for all genes, as class optimisation gives.
    for other in (first, np.broadcast_to(shape, first.shape)):
        found = correlate_mean_maps(first, other)
        assert np.isnan(found.low) or found.low <= found.pearson <= found.high <= 1 + 1e-15


def test_a_share_has_wilsons_interval() -> None:
    assert share_interval(3 / 40, 40) == pytest.approx(tuple(stats.binomtest(3, 40).proportion_ci(0.95, "wilson")))
    assert share_interval(0, 10)[0] == 0
    assert share_interval(1, 10) == pytest.approx((1 - share_interval(0, 10)[1], 1))
