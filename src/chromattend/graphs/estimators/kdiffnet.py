"""KDiffNet: the sparse difference of two graphs, with known edges and known groups of variables.

With the difference B of two matrices, weights W of edges and groups G of variables, KDiffNet is

    min |W o E|_1 + eps sum_G |V_G|_F   subject to   |E + V - B| <= l W in every entry,   |(E + V - B)_G|_F <= l eps

(Sekhon, Wang and Qi, arXiv 2004.11494, with both kinds of knowledge), where V is 0 outside groups, and the block G is
that of pairs of different variables of one group. The difference is E + V.

It falls apart into the blocks and the other entries. For the latter the solution is soft(B, l W). In a block, the least
cost of any D = E + V is the support function of the convex set C = {|Y| <= W, |Y|_F <= eps}, and the constraint is that
B - D is in l C. The residual B - D = P(B), the projection of B on l C, is then optimal: where the norm binds, P(B) / l is
both a maximiser of <D, Y> over C and normal to l C at P(B), which are the two conditions of optimality; where it does
not, P(B) / l with zeros in the entries inside the box is. So no iteration is needed.
"""

import numpy as np
from scipy.optimize import brentq

from chromattend.graphs.backward import soft_threshold
from chromattend.graphs.estimators.diffee import change
from chromattend.graphs.problem import DifferenceGraph, Problem


def kdiffnet(problem: Problem, thresholds: np.ndarray, group_cost: float = 1.0) -> DifferenceGraph:
    """Estimate the change of partial correlations from the first to the second context.

    A group changes as a whole: where the norm of a block binds, all of its entries are different from 0.

    Args:
        problem: matrices of two contexts; weights are W, groups are G. Without groups, this is DIFFEE with weights.
        thresholds: of each context, shape (2,); l is the larger one.
        group_cost: eps, above 0. The norm of a block is over both triangles, so its noise grows with the number of
            variables of the group.
    """
    difference, limits = change(problem.partial, thresholds, problem.weights)
    result = soft_threshold(difference, limits)
    radius = float(np.max(thresholds)) * group_cost
    limits = np.broadcast_to(limits, difference.shape)
    groups = np.zeros(len(result), dtype=int) if problem.groups is None else problem.groups
    for group in np.unique(groups[groups != 0]):
        block = np.ix_(groups == group, groups == group)
        result[block] = difference[block] - _project(difference[block], limits[block], radius)
    return DifferenceGraph(result)


def _project(values: np.ndarray, limits: np.ndarray, radius: float) -> np.ndarray:
    """Project a block on {|Y| <= limits, |Y|_F <= radius}: a multiple of it, clipped."""

    def excess(scale: float) -> float:
        return float(np.linalg.norm(np.clip(scale * values, -limits, limits))) - radius

    scale = 1.0 if excess(1.0) <= 0 else brentq(excess, 0.0, 1.0, xtol=1e-15)
    return np.clip(scale * values, -limits, limits)
