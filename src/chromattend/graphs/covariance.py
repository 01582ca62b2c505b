"""Correlations of the variables of one context, with Gaussian margins or by ranks."""

import numpy as np
import scipy
from numba import njit
from scipy.special import ndtri

from chromattend.errors import UserError, listed
from chromattend.statistics import is_constant


def scores(samples: np.ndarray, kind: str) -> np.ndarray:
    """Return samples as scores Z of mean 0 and length 1 in every column, so that Z'Z is the correlation matrix.

    Normal scores are Phi^-1(rank / (n + 1)), tied samples having their mean rank (van der Waerden, Indagationes
    Mathematicae 14:453, 1952). Their correlation estimates that of the Gaussian variables behind variables of any
    margins, and one sample cannot dominate it (Liu et al., J. Mach. Learn. Res. 10:2295, 2009).

    Args:
        samples: shape (n, p), without missing values.
        kind: pearson or normal_scores.

    Returns:
        Z, float64, shape (n, p).

    Raises:
        UserError: a variable is constant, or the kind has no scores.
    """
    if kind not in ("pearson", "normal_scores"):
        raise UserError(f"covariance {kind!r} has no scores of samples; give pearson or normal_scores")
    _check_variation(samples)
    if kind == "normal_scores":
        samples = ndtri(scipy.stats.rankdata(samples, axis=0) / (len(samples) + 1))
    centered = samples - samples.mean(axis=0, dtype=float)
    return centered / np.sqrt((centered**2).sum(axis=0))


def correlation(samples: np.ndarray, kind: str) -> np.ndarray:
    """Return the correlation matrix of samples, shape (p, p), with a diagonal of exactly 1.

    Kind kendall is sin(pi / 2 tau), the correlation of Gaussian variables with Kendall's tau (Liu et al., Ann. Stat.
    40:2293, 2012, section 3.2). It need not be positive definite; `backward.threshold_map` makes it so.

    Args:
        samples: shape (n, p), without missing values.
        kind: pearson, normal_scores or kendall.

    Raises:
        UserError: a variable is constant, or the kind is not known.
    """
    if kind == "kendall":
        matrix = np.sin(np.pi / 2 * kendall_tau(samples))
    else:
        standard = scores(samples, kind)
        matrix = standard.T @ standard
    np.fill_diagonal(matrix, 1)
    return matrix


def kendall_tau(samples: np.ndarray) -> np.ndarray:
    """Return Kendall's tau-b of all pairs of variables, shape (p, p), from samples of shape (n, p).

    Time is O(p^2 n log n): for each pair, samples enter a tree of counts in the order of one variable, and each counts
    those before it that are smaller or larger in the other (Christensen, Comput. Stat. 20:51, 2005).

    Raises:
        UserError: a variable is constant.
    """
    _check_variation(samples)
    ranks = scipy.stats.rankdata(samples, method="dense", axis=0).astype(np.int32)
    order = np.argsort(ranks, axis=0, kind="stable").astype(np.int32)
    excess = _concordance(np.ascontiguousarray(ranks.T), np.ascontiguousarray(order.T))
    # A variable is concordant with itself in all pairs of samples that it does not tie.
    scale = np.sqrt(np.diagonal(excess))
    return excess / scale / scale[:, None]


def _check_variation(samples: np.ndarray) -> None:
    constant = np.flatnonzero(is_constant(samples.T))
    if len(constant):
        columns = listed([str(column + 1) for column in constant])
        raise UserError(f"variables in columns {columns} are constant over {len(samples)} samples; leave them out")


@njit(cache=True, nogil=True)
def _concordance(ranks: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return the number of concordant less discordant pairs of samples.

    Args:
        ranks: from 1 to the number of different values, shape (p, n).
        order: samples from small to large, shape (p, n).
    """
    variables, size = ranks.shape
    excess = np.zeros((variables, variables))
    for first in range(variables):
        for second in range(first + 1):
            levels = ranks[second].max()
            tree = np.zeros(levels + 1, dtype=np.int32)  # a Fenwick tree over the ranks of the second variable
            count = 0
            start = 0
            while start < size:
                # Samples that tie in the first variable are neither concordant nor discordant with each other.
                stop = start
                while stop < size and ranks[first, order[first, stop]] == ranks[first, order[first, start]]:
                    rank = ranks[second, order[first, stop]]
                    smaller, index = 0, rank - 1
                    while index > 0:
                        smaller += tree[index]
                        index &= index - 1
                    up_to, index = 0, rank
                    while index > 0:
                        up_to += tree[index]
                        index &= index - 1
                    count += smaller - (start - up_to)
                    stop += 1
                for place in range(start, stop):
                    index = ranks[second, order[first, place]]
                    while index <= levels:
                        tree[index] += 1
                        index += index & -index
                start = stop
            excess[first, second] = excess[second, first] = count
    return excess
