"""Correlations by their definitions, and backward maps beside plain inverses."""

import numpy as np
import pytest
from scipy import stats

from chromattend.errors import UserError
from chromattend.graphs import backward
from chromattend.graphs.backward import RidgeFactor, ridge_map, threshold_map
from chromattend.graphs.covariance import correlation, kendall_tau, scores
from chromattend.graphs.problem import partial_correlations


@pytest.fixture
def samples() -> np.ndarray:
    """Correlated samples of shape (80, 6); the last variables have ties and one outlier."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 6))
    values[:, 3:] = np.round(values[:, 3:] / 2)
    values[7, 2] = 1e6
    return values


def threshold(matrix: np.ndarray, v: float) -> np.ndarray:
    """T_v by its definition."""
    result = np.sign(matrix) * np.maximum(np.abs(matrix) - v, 0)
    np.fill_diagonal(result, 1 + v)
    return result


def test_scores_give_pearsons_correlation(samples: np.ndarray) -> None:
    standard = scores(samples, "pearson")
    np.testing.assert_allclose(standard.T @ standard, np.corrcoef(samples.T), atol=1e-12)
    np.testing.assert_allclose(correlation(samples, "pearson"), np.corrcoef(samples.T), atol=1e-12)
    assert (np.diagonal(correlation(samples, "pearson")) == 1).all()


def test_normal_scores_depend_on_ranks_alone(samples: np.ndarray) -> None:
    expected = np.corrcoef(stats.norm.ppf(stats.rankdata(samples, axis=0) / 81).T)
    np.testing.assert_allclose(correlation(samples, "normal_scores"), expected, atol=1e-12)
    stretched = np.exp(np.minimum(samples, 20))  # keeps the order but for the outlier, which is the largest already
    np.testing.assert_allclose(correlation(stretched, "normal_scores"), expected, atol=1e-12)


def test_kendall_with_ties(samples: np.ndarray) -> None:
    expected = [[stats.kendalltau(a, b).statistic for a in samples.T] for b in samples.T]
    np.testing.assert_allclose(kendall_tau(samples), expected, atol=1e-14)
    np.testing.assert_allclose(correlation(samples, "kendall"), np.sin(np.pi / 2 * np.array(expected)), atol=1e-14)


@pytest.mark.parametrize("kind", ["pearson", "normal_scores", "kendall"])
def test_constant_variables_are_named(samples: np.ndarray, kind: str) -> None:
    samples[:, [1, 4]] = 3.0
    with pytest.raises(UserError, match="columns 2, 5 are constant over 80 samples"):
        correlation(samples, kind)


def test_kinds_without_scores_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(UserError, match="'kendall' has no scores"):
        scores(samples, "kendall")


def test_threshold_map_is_the_inverse_of_the_thresholded_correlation() -> None:
    matrix = np.corrcoef(np.random.default_rng(1).normal(size=(40, 200)))
    result = threshold_map(matrix, samples=200)
    inverted = threshold(matrix, 0.75 * np.sqrt(np.log(40) / 200))
    assert result.threshold == pytest.approx(0.75 * np.sqrt(np.log(40) / 200))
    assert not result.raised
    np.testing.assert_allclose(result.precision, np.linalg.inv(inverted), atol=1e-12)
    np.testing.assert_array_equal(result.precision, result.precision.T)
    assert result.least_eigenvalue == pytest.approx(np.linalg.eigvalsh(inverted)[0], rel=1e-6)
    assert result.nonzero == pytest.approx((np.count_nonzero(inverted) - 40) / (40 * 39))


def test_threshold_is_raised_until_the_matrix_is_positive_definite() -> None:
    samples = np.random.default_rng(2).normal(size=(12, 30))
    samples[:, :8] += samples[:, [0]] * 3  # strong correlations that c = 0.01 leaves as they are
    matrix = correlation(samples, "pearson")
    result = threshold_map(matrix, samples=12, c=0.01)
    assert result.raised
    assert result.threshold > 0.01 * np.sqrt(np.log(30) / 12)
    eigenvalue = np.linalg.eigvalsh(threshold(matrix, result.threshold))[0]
    assert 0.01 <= eigenvalue < 0.012  # no further than the bisection needs
    assert result.least_eigenvalue == pytest.approx(eigenvalue, rel=1e-6)
    np.testing.assert_allclose(result.precision @ threshold(matrix, result.threshold), np.eye(30), atol=1e-10)


def test_large_matrices_are_inverted_in_single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = np.corrcoef(np.random.default_rng(3).normal(size=(700, 900)))  # more than a block of the mirror
    double = threshold_map(matrix, samples=900)
    monkeypatch.setattr(backward, "MOST_DOUBLE", 600)
    single = threshold_map(matrix, samples=900)
    assert single.precision.dtype == np.float32
    np.testing.assert_allclose(single.precision, double.precision, atol=1e-5)
    np.testing.assert_array_equal(single.precision, single.precision.T)


@pytest.mark.parametrize(("size", "variables"), [(15, 40), (60, 20)])
def test_ridge_in_sample_space_is_the_ridge_map(size: int, variables: int) -> None:
    standard = scores(np.random.default_rng(4).normal(size=(size, variables)), "pearson")
    matrix = standard.T @ standard
    result = ridge_map(matrix, 0.1)
    shrunk = 0.9 * matrix + 0.1 * np.eye(variables)
    np.testing.assert_allclose(result.precision, np.linalg.inv(shrunk), atol=1e-12)
    assert result.least_eigenvalue == pytest.approx(np.linalg.eigvalsh(shrunk)[0], rel=1e-6)
    factor = RidgeFactor(standard, 0.1)
    assert factor.columns.shape == (size, variables)
    np.testing.assert_allclose(factor.diagonal, np.diagonal(result.precision), rtol=1e-12)
    expected = partial_correlations(result.precision)
    np.testing.assert_allclose(factor.block(slice(3, 9), slice(0, 12)), expected[3:9, :12], atol=1e-12)
    some = np.array([7, 2, 11])
    np.testing.assert_allclose(factor.block(some, slice(None)), expected[some], atol=1e-12)
    single = RidgeFactor(standard.astype(np.float32), 0.1).block(some, slice(None))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected[some], atol=1e-6)
    assert factor.least_eigenvalue <= result.least_eigenvalue * (1 + 1e-9)


def test_parameters_outside_their_range_are_refused() -> None:
    with pytest.raises(UserError, match="c is 0; give a number above 0"):
        threshold_map(np.eye(3), 10, 0)
    for a in (0.0, 1.0):
        with pytest.raises(UserError, match=f"ridge is {a:g}; give a number above 0 and below 1"):
            ridge_map(np.eye(3), a)
        with pytest.raises(UserError, match="ridge is"):
            RidgeFactor(np.eye(3), a)
