"""Edges of joint graphs as a table, with their classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from chromattend.graphs.problem import DifferenceGraph, JointGraph

COLUMNS = ("node1", "node2", "class", "context", "contexts", "weight", "partial_r", "correlation")
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
        - class `modulated`: what a context adds to a shared edge; of an estimator without a shared part, the edge in a
          context where all contexts have it with different signs.
        - class `specific`: an edge in a context that is not shared.
        - class `single`: an edge of the only context.
        - class `difference`, context empty: the change from the first to the second of two contexts; partial_r and
          correlation are changes too.

        Columns are `COLUMNS`; contexts is the number of contexts that have the edge, weight is the estimator's value.
    """
    rows = []
    upper = np.triu_indices(len(variables), k=1)
    if isinstance(graph, DifferenceGraph):
        rows.append(_rows("difference", "", upper, graph.difference[upper], 2, *_changes(partial, correlations, upper)))
    else:
        total = graph.total[:, upper[0], upper[1]]
        present = (total != 0).sum(axis=0)
        shared = graph.shared[upper]
        means = partial.mean(axis=0)[upper], correlations.mean(axis=0)[upper]
        if shares:
            everywhere, individual = shared != 0, graph.individual[:, upper[0], upper[1]]
        else:
            signs = np.sign(total)
            same = np.abs(signs.sum(axis=0)) == len(contexts)
            shared = np.where(same, total.mean(axis=0), 0)
            everywhere, individual = present == len(contexts), np.where(same, 0, total)
        single = len(contexts) == 1
        if not single:
            rows.append(_rows("shared", "", upper, shared, present, *means))
        for number, context in enumerate(contexts):
            own = total[number] if single else individual[number]
            values = partial[number][upper], correlations[number][upper]
            if single:
                rows.append(_rows("single", context, upper, own, present, *values))
                continue
            for name, chosen in (("modulated", everywhere), ("specific", ~everywhere)):
                rows.append(_rows(name, context, upper, np.where(chosen, own, 0), present, *values))
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


def _changes(
    partial: np.ndarray, correlations: np.ndarray, upper: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    return (partial[1] - partial[0])[upper], (correlations[1] - correlations[0])[upper]


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
