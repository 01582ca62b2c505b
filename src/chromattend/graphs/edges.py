"""Edges of joint graphs as a table, with their classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from chromattend.graphs.problem import DifferenceGraph, JointGraph

COLUMNS = ("node1", "node2", "class", "context", "contexts", "weight", "partial_r", "correlation")
RELATIONS = ("adjacent", "same group", "between groups")
# In the order in which edges of equal strength are listed.
CLASSES = ("shared", "modulated", "specific", "single", "difference")


def edges_of(
    graph: JointGraph | DifferenceGraph,
    variables: tuple[str, ...],
    contexts: tuple[str, ...],
    partial: np.ndarray,
    correlations: np.ndarray,
    shares: bool,
) -> pd.DataFrame:
    """List the edges of a graph, strongest |weight| first; ties in the order of classes, variables and contexts.

    Args:
        graph: an estimator's graph.
        variables, contexts: names, p and K.
        partial, correlations: of each context, shape (K, p, p).
        shares: whether the estimator has a shared part of its own; see `EstimatorSpec`.

    Returns:
        One row per part of an edge:

        - class `shared`, context empty: the part that all contexts have, with the means over contexts of partial_r and
          correlation; for an estimator without a shared part, an edge that all contexts have with the same sign.
        - class `modulated`: what a context adds to a shared edge, of an estimator with a shared part.
        - class `specific`: an edge in a context that is not shared.
        - class `single`: an edge of the only context.
        - class `difference`, context empty: the change from the first to the second of two contexts; partial_r and
          correlation are changes too.

        Columns are `COLUMNS`; contexts is the number of contexts that have the edge, weight is the estimator's value.
    """
    upper = np.triu_indices(len(variables), k=1)
    partial, correlations = partial[:, *upper], correlations[:, *upper]
    present: np.ndarray | int = 2
    if isinstance(graph, JointGraph):
        present = (graph.total[:, *upper] != 0).sum(axis=0)
    rows = []
    for name, weights in parts_of(graph, shares).items():
        if name == "difference":
            rows.append(
                _rows(name, "", upper, weights, present, partial[1] - partial[0], np.diff(correlations, axis=0)[0])
            )
        elif name == "shared":
            rows.append(_rows(name, "", upper, weights, present, partial.mean(axis=0), correlations.mean(axis=0)))
        else:
            for context, own, *values in zip(contexts, weights, partial, correlations, strict=True):
                rows.append(_rows(name, context, upper, own, present, *values))
    table = pd.concat(rows, ignore_index=True)
    order = np.lexsort(
        (table["j"], table["i"], table["class"].map(CLASSES.index), -table["weight"].abs())
    )  # the last key is the first to sort by
    table = table.iloc[order].reset_index(drop=True)
    names = np.array(variables, dtype=object)
    return table.assign(node1=names[table["i"]], node2=names[table["j"]])[list(COLUMNS)]


def edge_pairs(edges: pd.DataFrame, variables: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of both variables of each row, shape (row,) each."""
    number = {name: place for place, name in enumerate(variables)}
    return edges["node1"].map(number).to_numpy(dtype=int), edges["node2"].map(number).to_numpy(dtype=int)


def pair_numbers(edges: pd.DataFrame, variables: Sequence[str]) -> np.ndarray:
    """Return the place of each row's pair of variables in the upper triangle, row by row, shape (row,)."""
    first, second = edge_pairs(edges, variables)
    return first * (2 * len(variables) - first - 1) // 2 + second - first - 1


def relation_of(edges: pd.DataFrame, variables: pd.DataFrame) -> np.ndarray:
    """Return how the variables of each edge lie to each other, shape (row,).

    Args:
        edges: with columns node1 and node2.
        variables: variable, group and position, see `samples.variable_table`.

    Returns:
        One of `RELATIONS`: edges between adjacent positions of a group, such as neighbouring bins of one mark, are
        expected. Empty if the variables have no groups.
    """
    if not (variables["group"].astype(str) != "").all():
        return np.full(len(edges), "", dtype=object)
    groups, positions = variables["group"].to_numpy(dtype=object), variables["position"].to_numpy(dtype=int)
    first, second = edge_pairs(edges, list(variables["variable"]))
    same = groups[first] == groups[second]
    adjacent = same & (np.abs(positions[first] - positions[second]) == 1)
    return np.where(adjacent, RELATIONS[0], np.where(same, RELATIONS[1], RELATIONS[2])).astype(object)


def parts_of(graph: JointGraph | DifferenceGraph, shares: bool) -> dict[str, np.ndarray]:
    """Return the weights of all pairs of variables in each class of `edges_of`; 0 for a pair that is not in it.

    Args:
        graph: an estimator's graph.
        shares: whether the estimator has a shared part of its own.

    Returns:
        class -> weights, shape (pair,) for shared edges and differences, (K, pair) for others; the pairs are those of
        the upper triangle, row by row.
    """
    if isinstance(graph, DifferenceGraph):
        return {"difference": graph.difference[np.triu_indices(len(graph.difference), k=1)]}
    upper = np.triu_indices(len(graph.shared), k=1)
    total = graph.total[:, *upper]
    if len(total) == 1:
        return {"single": total}
    if shares:
        shared, own = graph.shared[upper], graph.individual[:, *upper]
        everywhere = shared != 0
    else:
        everywhere = np.abs(np.sign(total).sum(axis=0)) == len(total)
        shared, own = np.where(everywhere, total.mean(axis=0), 0), np.where(everywhere, 0, total)
    return {"shared": shared, "modulated": np.where(everywhere, own, 0), "specific": np.where(everywhere, 0, own)}


def _rows(
    name: str,
    context: str,
    upper: tuple[np.ndarray, np.ndarray],
    weight: np.ndarray,
    contexts: np.ndarray | int,
    partial: np.ndarray,
    correlation: np.ndarray,
) -> pd.DataFrame:
    chosen = np.flatnonzero(weight)
    return pd.DataFrame(
        {
            "i": upper[0][chosen],
            "j": upper[1][chosen],
            "class": name,
            "context": context,
            "contexts": np.broadcast_to(contexts, weight.shape)[chosen],
            "weight": weight[chosen],
            "partial_r": partial[chosen],
            "correlation": correlation[chosen],
        }
    )
