"""DIFFEE: the sparse difference of two graphs, by a threshold on the difference of their matrices.

    min |D|_1   subject to   |D - (B_2 - B_1)| <= l in every entry

has the solution D = soft(B_2 - B_1, l) (Wang, Sekhon and Qi, AISTATS 2018, eq. 2.11 and 2.12).
"""

import numpy as np

from chromattend.graphs.backward import soft_threshold
from chromattend.graphs.problem import DifferenceGraph, Problem


def diffee(problem: Problem, thresholds: np.ndarray) -> DifferenceGraph:
    """Estimate the change of partial correlations from the first to the second context.

    Args:
        problem: matrices of two contexts; weights multiply the threshold.
        thresholds: of each context, shape (2,); the larger one holds for the difference.
    """
    return DifferenceGraph(soft_threshold(*change(problem.partial, thresholds, problem.weights)))


def difference_of_correlations(problem: Problem, thresholds: np.ndarray) -> DifferenceGraph:
    """Estimate the change of plain correlations, the baseline of `diffee`, with the same arguments."""
    return DifferenceGraph(soft_threshold(*change(problem.correlations, thresholds, problem.weights)))


def change(
    matrices: np.ndarray, thresholds: np.ndarray, weights: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | float]:
    """Return the second matrix less the first, with a diagonal of 0, and the threshold of its entries.

    Args:
        matrices: shape (2, p, p).
        thresholds: of each context, shape (2,); the larger one is taken, so that the noisier context decides.
        weights: of pairs of variables, shape (p, p), or None.
    """
    difference = matrices[1] - matrices[0]
    np.fill_diagonal(difference, 0)
    largest = float(np.max(thresholds))
    return difference, largest if weights is None else largest * weights
