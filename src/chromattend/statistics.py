"""Confidence intervals and tests for AUCs and maps: one model, two on the same genes, and models over epigenomes."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy  # its modules are imported where they are used first: scipy.stats takes half a second

LEVEL = 0.95
# Coverage of the interval of `correlate_mean_maps` in simulations and in samples of the demo's genes: 91 to 98 % where
# both limits are met, 86 % with 30 genes, and less for noisier maps (docs/methods.md, "Validation").
LEAST_GENES = 50
LEAST_RELIABILITY = 0.8


# A model whose Brier score is at least this share of that of the base rate has learned next to nothing.
LEARNED = 0.9


class AucInterval(NamedTuple):
    """An AUC with its confidence interval."""

    auc: float
    low: float
    high: float


def delong(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the AUCs of several models on the same genes and their covariance.

    DeLong et al., Biometrics 44:837, 1988, from mid-ranks as in Sun and Xu, IEEE Signal Processing Letters 21:1389,
    2014, section III.

    Args:
        labels: 0 or 1, shape (gene,), with both present.
        scores: higher for 1, shape (model, gene).

    Returns:
        AUC, shape (model,), and covariance, shape (model, model); NaN where a class has a single gene.
    """
    on, off = scores[:, labels == 1], scores[:, labels == 0]
    m, n = on.shape[1], off.shape[1]
    ranks = scipy.stats.rankdata(np.concatenate([on, off], axis=1), axis=1)
    # The share of the other class that each gene outranks: DeLong's placement values.
    v10 = (ranks[:, :m] - scipy.stats.rankdata(on, axis=1)) / n
    v01 = 1 - (ranks[:, m:] - scipy.stats.rankdata(off, axis=1)) / m
    if m < 2 or n < 2:
        covariance = np.full((len(scores), len(scores)), np.nan)
    else:
        covariance = np.atleast_2d(np.cov(v10)) / m + np.atleast_2d(np.cov(v01)) / n
    return v10.mean(axis=1), covariance


def auc_interval(labels: np.ndarray, scores: np.ndarray, level: float = LEVEL) -> AucInterval:
    """Return the AUC of one model and its confidence interval by DeLong's variance.

    The interval is computed on the logit scale, which keeps it within 0 and 1. If all ON genes outrank all OFF genes
    (or none does), the variance is 0, which would claim certainty; the bound is then that of a binomial proportion
    with no failures among the genes of the smaller class (Clopper and Pearson, Biometrika 26:404, 1934).

    Args:
        labels: 0 or 1, shape (gene,), with both present.
        scores: shape (gene,), higher for 1.
        level: confidence level.
    """
    aucs, covariance = delong(labels, scores[None])
    auc, variance = float(aucs[0]), float(covariance[0, 0])
    if np.isnan(variance):
        return AucInterval(auc, 0.0, 1.0)
    if variance < 1e-15:
        smaller = int(min(labels.sum(), len(labels) - labels.sum()))
        bound = ((1 - level) / 2) ** (1 / smaller)
        if auc > 0.5:
            return AucInterval(auc, bound, 1.0)
        return AucInterval(auc, 0.0, 1 - bound) if auc < 0.5 else AucInterval(auc, auc, auc)
    width = scipy.stats.norm.ppf(0.5 + level / 2) * np.sqrt(variance) / (auc * (1 - auc))
    center = np.log(auc / (1 - auc))
    low, high = 1 / (1 + np.exp(-(center + np.array([-width, width]))))
    return AucInterval(auc, float(low), float(high))


def compare_aucs(labels: np.ndarray, scores: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Compare every pair of models on the same genes by DeLong's paired test.

    Args:
        labels: 0 or 1, shape (gene,), with both present.
        scores: one column per model, one row per gene.
        level: confidence level of the interval of the difference.

    Returns:
        One row per pair: model, other, auc, other_auc, difference (auc - other_auc), low, high, z, p (two-sided) and
        q, the p value corrected over the pairs by the method of Benjamini and Hochberg. Pairs with the same ranking
        have difference 0 and p 1. If every gene favours the same model equally (such as AUC 1 against 0), DeLong's
        variance of a difference is 0, which would claim certainty; p is then that of a sign test over the genes of the
        smaller class, z is the normal quantile of p, and low and high are the farthest ends of the intervals of both
        AUCs (see `auc_interval`). No p is below the smallest positive number of full precision, 2e-308.
    """
    aucs, covariance = delong(labels, scores.to_numpy().T)
    first, second = np.triu_indices(len(aucs), k=1)
    difference = aucs[first] - aucs[second]
    variance = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
    error = np.sqrt(np.clip(variance, 0, None))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where((error < 1e-12) & (np.abs(difference) < 1e-12), 0.0, difference / error)
    width = scipy.stats.norm.ppf(0.5 + level / 2) * error
    low, high = difference - width, difference + width
    p = np.maximum(2 * scipy.stats.norm.sf(np.abs(z)), np.finfo(float).tiny)
    certain = (error < 1e-12) & (z != 0)
    if certain.any():
        smaller = min(labels.sum(), len(labels) - labels.sum())
        p[certain] = max(2.0 ** (1 - smaller), np.finfo(float).tiny)
        z[certain] = np.sign(difference[certain]) * scipy.stats.norm.isf(p[certain] / 2)
        _, lows, highs = np.transpose([auc_interval(labels, model, level) for model in scores.to_numpy().T])
        low[certain] = (lows[first] - highs[second])[certain]
        high[certain] = (highs[first] - lows[second])[certain]
    names = scores.columns.to_numpy()
    table = pd.DataFrame(
        {
            "model": names[first],
            "other": names[second],
            "auc": aucs[first],
            "other_auc": aucs[second],
            "difference": difference,
            "low": low,
            "high": high,
            "z": z,
            "p": p,
        }
    )
    return table.assign(q=false_discovery_rates(table["p"]))


def false_discovery_rates(p: pd.Series) -> pd.Series:
    """Correct p values for multiple tests (Benjamini and Hochberg, J. R. Stat. Soc. B 57:289, 1995); NaN stay NaN."""
    present = p.notna()
    corrected = pd.Series(np.nan, index=p.index)
    if present.any():
        corrected[present] = scipy.stats.false_discovery_control(p[present])
    return corrected


def compare_over_epigenomes(auc: pd.DataFrame) -> pd.DataFrame:
    """Compare every pair of models over epigenomes by the Wilcoxon signed-rank test.

    The test assumes independent epigenomes. They share their genes, and related cell types share much more, so the p
    values are lower bounds.

    Args:
        auc: test AUC, one row per epigenome, one column per model; NaN where a model was not run.

    Returns:
        One row per pair: model, other, epigenomes, wins, losses, ties, median_difference with its bootstrap interval
        low and high, p (two-sided; empty where no two AUCs differ) and q (Benjamini and Hochberg). With fewer than
        6 epigenomes no p can fall below 0.05.
    """
    rows = []
    names = list(auc.columns)
    for number, model in enumerate(names):
        for other in names[number + 1 :]:
            difference = (auc[model] - auc[other]).dropna().to_numpy()
            if not len(difference):
                continue
            low, high = median_interval(difference)
            rows.append(
                {
                    "model": model,
                    "other": other,
                    "epigenomes": len(difference),
                    "wins": int((difference > 0).sum()),
                    "losses": int((difference < 0).sum()),
                    "ties": int((difference == 0).sum()),
                    "median_difference": float(np.median(difference)),
                    "low": low,
                    "high": high,
                    "p": float(scipy.stats.wilcoxon(difference).pvalue) if difference.any() else np.nan,
                }
            )
    columns = ["model", "other", "epigenomes", "wins", "losses", "ties", "median_difference", "low", "high", "p"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(q=false_discovery_rates(table["p"].astype(float)))


def median_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL, seed: int = 1) -> tuple[float, float]:
    """Return a percentile bootstrap interval of a median; NaN for fewer than two values."""
    return _bootstrap_interval(np.median, values, level, seed)


def mean_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL, seed: int = 1) -> tuple[float, float]:
    """Return a percentile bootstrap interval of a mean; NaN for fewer than two values."""
    return _bootstrap_interval(np.mean, values, level, seed)


def _bootstrap_interval(
    statistic: Callable[..., Any], values: Sequence[float] | np.ndarray, level: float, seed: int
) -> tuple[float, float]:
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return np.nan, np.nan
    with warnings.catch_warnings():
        # All values equal: the interval is that value.
        warnings.simplefilter("ignore", scipy.stats.DegenerateDataWarning)
        interval = scipy.stats.bootstrap(
            (values,), statistic, confidence_level=level, n_resamples=4999, method="percentile", rng=seed
        ).confidence_interval
    return float(interval.low), float(interval.high)


class MeanMapCorrelation(NamedTuple):
    """Pearson's r of two mean maps; NaN where there is no value."""

    pearson: float
    low: float
    high: float
    reliability: float


def correlate_mean_maps(first: np.ndarray, second: np.ndarray, level: float = LEVEL) -> MeanMapCorrelation:
    """Correlate two maps over the bins, both averaged over the same genes, with an interval for the sampling of genes.

    Genes differ, so a mean over n genes has noise that the expected map has not, and r tends to be closer to 0 than the
    correlation of the two expected maps. The interval is one of the latter and contains r. Its ends are the smaller and
    the larger of r and r without the noise (Spearman, Am. J. Psychol. 15:72, 1904; with unbiased estimates of variances
    and covariance), less and plus Student's t times the jackknife's standard error of r, on the scale of Fisher's z.

    Args:
        first, second: shape (gene, bin), of the same genes.
        level: confidence level.

    Returns:
        pearson, NaN if a mean map is constant or if there are fewer than 3 genes or 3 bins; low and high; and
        reliability, the share of the variance over the bins that is not noise of the sampling of genes, of the less
        reliable mean map. With fewer than `LEAST_GENES` genes or a reliability below `LEAST_RELIABILITY`, low and high
        are NaN.
    """
    genes, bins = first.shape
    if genes < 3 or bins < 3:
        return MeanMapCorrelation(np.nan, np.nan, np.nan, np.nan)
    pearson = float(pearson_by_row(first.mean(axis=0, dtype=float), second.mean(axis=0, dtype=float)))
    if np.isnan(pearson):
        return MeanMapCorrelation(np.nan, np.nan, np.nan, np.nan)
    first, second = (values - values.mean(axis=1, keepdims=True, dtype=float) for values in (first, second))
    pairs = ((first, first), (second, second), (first, second))
    # Products of the sums over genes, and the part that is of a gene with itself.
    product = np.array([a.sum(axis=0) @ b.sum(axis=0) for a, b in pairs])
    own = np.array([np.einsum("gb,gb->g", a, b) for a, b in pairs])
    # A gene's own part is in the square of a sum at its full size, but not in the square of the expected value.
    unbiased = (product - own.sum(axis=1)) / (1 - 1 / genes)
    reliability = float((unbiased[:2] / product[:2]).min())
    if genes < LEAST_GENES or reliability < LEAST_RELIABILITY:
        return MeanMapCorrelation(pearson, np.nan, np.nan, reliability)
    without = np.array([a @ b.sum(axis=0) + b @ a.sum(axis=0) for a, b in pairs])
    left = _fisher_z(*(product[:, None] - without + own))
    error = np.sqrt((genes - 1) * left.var())
    ends = np.array([_fisher_z(*product), _fisher_z(*unbiased)])
    width = scipy.stats.t.ppf(0.5 + level / 2, genes - 1) * error
    low, high = np.tanh([ends.min() - width, ends.max() + width])
    # At |r| = 1, rounding can put r outside.
    return MeanMapCorrelation(pearson, min(float(low), pearson), max(float(high), pearson), reliability)


def _fisher_z(first: np.ndarray, second: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Return Fisher's z of two variances and a covariance; without its noise, a correlation can exceed 1."""
    limit = 1 - 1e-12
    return np.arctanh(np.clip(both / np.sqrt(first * second), -limit, limit))


def share_interval(share: float, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's interval of a share of n examples (J. Am. Stat. Assoc. 22:209, 1927).

    Args:
        share: from 0 to 1; it need not be a number of examples, as with a mean over several draws.
        n: number of examples, from 1.
        level: level of the interval.
    """
    z = float(scipy.special.ndtri(0.5 + level / 2))
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    width = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # Rounding would put a bound next to 0 or 1.
    return (float(middle - width) if share > 0 else 0.0), (float(middle + width) if share < 1 else 1.0)


def share(name: str, events: np.ndarray) -> dict[str, float]:
    """Return the share of events, bool, under a name, with `low` and `high`, see `share_interval`; NaN without any."""
    if not len(events):
        return {name: np.nan, "low": np.nan, "high": np.nan}
    low, high = share_interval(float(events.mean()), len(events))
    return {name: float(events.mean()), "low": low, "high": high}


def pearson_by_row(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return Pearson's r along the last axis; NaN where either array is constant."""
    constant = is_constant(first) | is_constant(second)
    first, second = (values - values.mean(axis=-1, keepdims=True) for values in (first, second))
    norm = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(constant, np.nan, (first * second).sum(axis=-1) / norm)


def is_constant(values: np.ndarray) -> np.ndarray:
    """Return whether values are equal along the last axis, but for rounding."""
    return np.ptp(values, axis=-1) <= 1e-7 * np.abs(values).max(axis=-1)


def beats_base_rate(brier: float, base_rate: float) -> bool:
    """Return whether a Brier score is well below that of the share of ON genes as P(ON) of every gene.

    Args:
        brier: mean squared error of P(ON).
        base_rate: share of ON genes.
    """
    return bool(brier < LEARNED * base_rate * (1 - base_rate))


def reliability(labels: np.ndarray, scores: np.ndarray, bins: int = 10) -> pd.DataFrame:
    """Return the share of ON genes among genes of similar P(ON).

    Args:
        labels: 0 or 1, shape (gene,).
        scores: P(ON), shape (gene,).
        bins: number of groups, of equal size.

    Returns:
        One row per group, from low to high P(ON): mean_predicted, share_on.
    """
    from sklearn.calibration import calibration_curve  # slow to import, and most statistics do not need it

    share_on, mean_predicted = calibration_curve(labels, scores, n_bins=bins, strategy="quantile")
    return pd.DataFrame({"mean_predicted": mean_predicted, "share_on": share_on})
