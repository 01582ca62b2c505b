"""KDiffNet: the sparse difference of two graphs, with known edges and known groups of variables.

With the difference B of two matrices, weights W of edges and groups G of variables, KDiffNet is

    min |W o E|_1 + eps sum_G |V_G|_F   subject to   |E + V - B| <= l W in every entry,   |(E + V - B)_G|_F <= l eps

(Sekhon, Wang and Qi, arXiv 2004.11494, with both kinds of knowledge), where V is 0 outside groups, and the block G is
that of pairs of different variables of one group. The difference is E + V.

It falls apart into the blocks and the other entries. For the latter the solution is soft(B, l W). In a block, the least
cost of a given D = E + V is the support function of the convex set C = {|Y| <= W, |Y|_F <= eps}, and the constraint is
that B - D is in l C. Then D = B - P(B) is optimal, P(B) the projection of B on l C: optimality needs a Y that maximises
<D, Y> over C and is normal to l C at P(B). Where the norm binds, Y = P(B) / l is; where it does not, P(B) / l with
zeros in the entries inside the box. So no iteration is needed.
"""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import brentq

from chromattend.graphs.backward import soft_threshold
from chromattend.graphs.estimators.diffee import change
from chromattend.graphs.problem import DifferenceGraph, Problem


def kdiffnet(problem: Problem, thresholds: np.ndarray, group_change: float = 0.5) -> DifferenceGraph:
    """Estimate the change of partial correlations from the first to the second context.

    A group changes as a whole: where the norm of a block binds, all of its entries are different from 0. The paper has
    one eps for all groups, but the norm of a block grows with its number of entries, also that of noise. So eps is
    `group_change` times the root of the number of entries: a group changes if the root mean square of its changes is
    above `group_change` l.

    Args:
        problem: matrices of two contexts; weights are W, groups are G. Without groups, this is DIFFEE with weights.
        thresholds: of each context, shape (2,); l is the larger one.
        group_change: above 0; from 1 on, groups have no effect.
    """
    difference, limits = change(problem.partial, thresholds, problem.weights)
    groups = np.zeros(len(difference), dtype=int) if problem.groups is None else problem.groups
    sizes = dict(zip(*np.unique(groups[groups != 0], return_counts=True), strict=True))
    level = float(np.max(thresholds)) * group_change
    return DifferenceGraph(
        group_sparse(difference, limits, groups, {group: level * np.sqrt(g * (g - 1)) for group, g in sizes.items()})
    )


def group_sparse(
    difference: np.ndarray, limits: np.ndarray | float, groups: np.ndarray, radii: Mapping[int, float]
) -> np.ndarray:
    """Return E + V for a difference B, shape (p, p).

    Args:
        difference: B, with a diagonal of 0.
        limits: l W.
        groups: of each variable, shape (p,), 0 for none.
        radii: group -> l eps of its block.
    """
    result = soft_threshold(difference, limits)
    limits = np.broadcast_to(limits, difference.shape)
    for group, radius in radii.items():
        block = np.ix_(groups == group, groups == group)
        result[block] = difference[block] - _project(difference[block], limits[block], radius)
    return result


def _project(values: np.ndarray, limits: np.ndarray, radius: float) -> np.ndarray:
    """Project a block on {|Y| <= limits, |Y|_F <= radius}: a multiple of it, clipped."""

    def excess(scale: float) -> float:
        return float(np.linalg.norm(np.clip(scale * values, -limits, limits))) - radius

    scale = 1.0 if excess(1.0) <= 0 else brentq(excess, 0.0, 1.0, xtol=1e-15)
    return np.clip(scale * values, -limits, limits)
