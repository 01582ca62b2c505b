"""What an estimator of joint graphs takes, and what it returns.

Contexts are the groups of samples that are compared, such as cell types; all have the same variables. K is the number
of contexts, p of variables, n_i of samples of context i.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Contexts:
    """Samples of the same variables in K contexts.

    Attributes:
        names: names of the contexts.
        variables: names of the variables.
        samples: one array per context, of shape (sample, variable), float64, without missing values.
        blocks: one array of names per context, of shape (sample,): samples of one block depend on each other, such as
            genes of one chromosome or scans of one subject. Empty if all samples are independent.
    """

    names: tuple[str, ...]
    variables: tuple[str, ...]
    samples: tuple[np.ndarray, ...]
    blocks: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Problem:
    """Matrices of K contexts, from which estimators make graphs.

    Attributes:
        correlations: correlation matrices, shape (K, p, p).
        precisions: backward maps, which approximate the inverse correlation matrices, shape (K, p, p).
        sizes: number of samples of each context, shape (K,).
        weights: prior knowledge, symmetric, shape (p, p): the penalty of an edge is multiplied by its weight, so a
            small weight means a likely edge. None for 1 everywhere.
        groups: group of each variable, shape (p,), 0 for none; None without groups.
    """

    correlations: np.ndarray
    precisions: np.ndarray
    sizes: np.ndarray
    weights: np.ndarray | None = None
    groups: np.ndarray | None = None

    @cached_property
    def partial(self) -> np.ndarray:
        """Partial correlations, shape (K, p, p): -B_jk / sqrt(B_jj B_kk) off the diagonal, 0 on it."""
        return partial_correlations(self.precisions)


@dataclass(frozen=True)
class JointGraph:
    """Graphs of K contexts as a shared and K individual parts; the graph of context i is `shared + individual[i]`.

    Attributes:
        shared: symmetric, shape (p, p); zeros for estimators that have no shared part.
        individual: symmetric, shape (K, p, p).
    """

    shared: np.ndarray
    individual: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """The graphs of all contexts, shape (K, p, p)."""
        return self.shared + self.individual


@dataclass(frozen=True)
class DifferenceGraph:
    """The sparse difference of the graphs of two contexts, second minus first: symmetric, shape (p, p)."""

    difference: np.ndarray


def partial_correlations(precisions: np.ndarray) -> np.ndarray:
    """Return the partial correlations of inverse correlation matrices, with a diagonal of 0, shape (..., p, p)."""
    scale = np.sqrt(np.diagonal(precisions, axis1=-2, axis2=-1))
    partial = -precisions / (scale[..., :, None] * scale[..., None, :])
    index = np.arange(partial.shape[-1])
    partial[..., index, index] = 0
    return partial
