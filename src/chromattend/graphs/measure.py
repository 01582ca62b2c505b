"""From samples to the matrices that estimators read: correlations and backward maps, with what happened on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chromattend.graphs.backward import BackwardMap, ridge_map, threshold_map
from chromattend.graphs.covariance import correlation, scores
from chromattend.graphs.problem import Contexts, Problem
from chromattend.statistics import is_constant

# With fewer samples than this share of the variables, hardly any correlation passes the threshold of `threshold_map`.
FEW_SAMPLES = 0.25


@dataclass(frozen=True)
class Settings:
    """How correlations are estimated and inverted; see `covariance.py` and `backward.py`.

    Attributes:
        covariance: pearson, normal_scores or kendall.
        map: threshold, ridge, or auto for `threshold` unless a context has fewer samples than p/4.
        c: the threshold map's threshold is c sqrt(log p / n).
        ridge: share of the identity matrix in the ridge map.
    """

    covariance: str = "normal_scores"
    map: str = "threshold"
    c: float = 0.75
    ridge: float = 0.1


@dataclass(frozen=True)
class Measured:
    """The matrices of K contexts and how the backward maps were made; arrays have shape (K,).

    Attributes:
        problem: what estimators read.
        settings: with the map that was taken for `auto`.
        thresholds: the v of each threshold map; 0 for ridge maps.
        least_eigenvalues: smallest eigenvalue of each matrix that was inverted.
        nonzero: its share of nonzero entries.
        raised: whether v had to be raised for the matrix to be positive definite.
    """

    problem: Problem
    settings: Settings
    thresholds: np.ndarray
    least_eigenvalues: np.ndarray
    nonzero: np.ndarray
    raised: np.ndarray


def measure(
    samples: Sequence[np.ndarray],
    settings: Settings,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Measured:
    """Estimate the correlations and backward maps of K contexts.

    Args:
        samples: one array per context, shape (n_i, p).
        settings: how.
        weights, groups: prior knowledge, see `Problem`.
    """
    settings = resolved(settings, samples)
    correlations = np.stack([correlation(values, settings.covariance) for values in samples])
    maps = [_backward(matrix, len(values), settings) for matrix, values in zip(correlations, samples, strict=True)]
    sizes = np.array([len(values) for values in samples])
    return Measured(
        Problem(correlations, np.stack([each.precision for each in maps]), sizes, weights, groups),
        settings,
        np.array([each.threshold for each in maps]),
        np.array([each.least_eigenvalue for each in maps]),
        np.array([each.nonzero for each in maps]),
        np.array([each.raised for each in maps]),
    )


def problem_of(
    samples: Sequence[np.ndarray],
    settings: Settings,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Problem:
    """Return the matrices of K contexts; see `measure`."""
    return measure(samples, settings, weights, groups).problem


def problem_of_part(
    samples: Sequence[np.ndarray],
    settings: Settings,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
) -> Problem:
    """Return the matrices of some samples of K contexts, in which a variable may be constant; see `varied`."""
    return problem_of([varied(values, rng) for values in samples], settings, weights, groups)


def varied(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return samples, shape (n, p), whose constant variables have random values.

    A rare mark can be constant in a part of the samples. It then has no correlations that can be known.
    """
    constant = np.flatnonzero(is_constant(samples.T))
    if len(constant):
        samples = samples.astype(float)
        samples[:, constant] = rng.standard_normal((len(samples), len(constant)))
    return samples


def resolved(settings: Settings, samples: Sequence[np.ndarray]) -> Settings:
    """Return settings whose map is not `auto`: controls invert parts of the samples as the whole was inverted."""
    if settings.map != "auto":
        return settings
    few = min(len(values) for values in samples) < FEW_SAMPLES * samples[0].shape[1]
    return replace(settings, map="ridge" if few else "threshold")


def standardised(contexts: Contexts, settings: Settings) -> tuple[Contexts, Settings]:
    """Give every variable the same distribution in every context, so that contexts differ in dependence only.

    Returns:
        The contexts, with scores of standard deviation 1 within each context (normal scores of ranks unless the
        covariance is Pearson's), and the settings for their permutations, whose ranks need not be taken again.
    """
    settings = resolved(settings, contexts.samples)
    kind = "pearson" if settings.covariance == "pearson" else "normal_scores"
    samples = tuple(scores(values, kind) * np.sqrt(len(values)) for values in contexts.samples)
    covariance = "kendall" if settings.covariance == "kendall" else "pearson"
    return replace(contexts, samples=samples), replace(settings, covariance=covariance)


def _backward(matrix: np.ndarray, samples: int, settings: Settings) -> BackwardMap:
    if settings.map == "ridge":
        return ridge_map(matrix, settings.ridge)
    return threshold_map(matrix, samples, settings.c)
