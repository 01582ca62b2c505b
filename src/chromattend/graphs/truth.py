"""True graphs, and how well estimated graphs agree with them.

Only pairs of different variables count, each one once. JointNets counts the diagonal too, which makes every score
larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chromattend.errors import UserError, did_you_mean
from chromattend.graphs.problem import DifferenceGraph, JointGraph
from chromattend.text import find_columns, read_small_table

COLUMNS = ("node1", "node2", "context")


@dataclass(frozen=True)
class Truth:
    """True edges of K contexts.

    Attributes:
        contexts: names of the contexts.
        variables: names of the variables.
        shared: whether all contexts have an edge, symmetric, shape (p, p).
        specific: whether a context has an edge that is not shared, symmetric, shape (K, p, p).
    """

    contexts: tuple[str, ...]
    variables: tuple[str, ...]
    shared: np.ndarray
    specific: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """Whether a context has an edge, shape (K, p, p)."""
        return self.shared | self.specific

    def table(self) -> pd.DataFrame:
        """Return the edges with the columns of `read_truth`."""
        rows = []
        for context, edges in zip(("", *self.contexts), (self.shared, *self.specific), strict=True):
            rows += [
                (self.variables[first], self.variables[second], context)
                for first, second in np.argwhere(np.triu(edges))
            ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def read_truth(path: str | Path, variables: Sequence[str], contexts: Sequence[str]) -> Truth:
    """Read true edges.

    Args:
        path: a tab-separated table with the columns node1, node2 and context, which is empty for an edge that all
            contexts have. An edge that is listed for every context is shared too.
        variables, contexts: names that the table may use.

    Raises:
        UserError: a variable or context is unknown; an edge joins a variable with itself; the table lists no edge.
    """
    line, header, rows = read_small_table(path)
    positions = find_columns(f"{path}: line {line}", header, COLUMNS, "a table of true edges: node1, node2, context")
    variable_of = {name: number for number, name in enumerate(variables)}
    context_of = {name: number for number, name in enumerate(contexts)}
    total = np.zeros((len(contexts), len(variables), len(variables)), dtype=bool)
    for number, cells in rows:
        where = f"{path}: line {number}"
        *nodes, context = (cells[position].strip() for position in positions)
        for name in nodes:
            if name not in variable_of:
                raise UserError(
                    f"{where}: variable {name!r} is not in the data{did_you_mean(name, variable_of)}; correct the "
                    "name, or remove the line"
                )
        if context and context not in context_of:
            raise UserError(
                f"{where}: context {context!r} is not in the set{did_you_mean(context, context_of)}; give one of "
                f"{', '.join(contexts)}, or nothing for all contexts"
            )
        first, second = (variable_of[name] for name in nodes)
        if first == second:
            raise UserError(f"{where}: the edge joins {nodes[0]!r} with itself; give two variables")
        chosen = context_of[context] if context else slice(None)
        total[chosen, first, second] = total[chosen, second, first] = True
    if not rows:
        raise UserError(f"{path}: has no edges; give a line for each true edge, or leave the truth of the set empty")
    shared: np.ndarray = np.all(total, axis=0)
    return Truth(tuple(contexts), tuple(variables), shared, total & ~shared)


def truth_scores(
    edges: JointGraph | DifferenceGraph | pd.DataFrame,
    truth: Truth,
    partial: np.ndarray,
    correlations: np.ndarray | None = None,
) -> dict[str, Any]:
    """Compare an estimated graph, and the values that it comes from, with the true one.

    Args:
        edges, truth: see `edge_scores`.
        partial: partial correlations of each context, shape (K, p, p).
        correlations: correlations of each context, shape (K, p, p).

    Returns:
        What `edge_scores` returns, and `ranking`: `auc` and `ap` (average precision) of the absolute values of
        `partial_r` and `correlation`, as scores of all pairs in all contexts; for a graph of differences, of their
        changes. None where no pair, or every pair, is an edge.
    """
    upper = np.triu_indices(len(truth.variables), k=1)
    true, values = truth.total[:, *upper], {"partial_r": partial, "correlation": correlations}
    chosen = {name: matrices[:, *upper] for name, matrices in values.items() if matrices is not None}
    result: dict[str, Any] = dict(edge_scores(edges, truth))
    if "edges" not in result:
        true, chosen = true[0] != true[1], {name: each[1] - each[0] for name, each in chosen.items()}
    result["ranking"] = {name: _ranking(each, true) for name, each in chosen.items()}
    return result


def edge_scores(
    edges: JointGraph | DifferenceGraph | pd.DataFrame, truth: Truth
) -> dict[str, dict[str, float | int | None]]:
    """Compare the edges of an estimated graph with the true ones.

    Args:
        edges: a graph, or its table of edges; see `edges_of`. The shared edges of a graph are those of its shared
            part; those of estimators without such a part are only known from a table.
        truth: true edges, of the same variables and contexts.

    Returns:
        For each of `edges` (of all contexts together), `shared`, `specific` (in a context, not shared) and, of two
        contexts, `difference` (in one context, not in the other): the numbers of `true`, `estimated` and `correct`
        ones, `precision`, `recall`, `f1` and `fdp` (the share of false ones among the estimated). A graph of
        differences has only the last, a single context only the first. Values that do not exist are None.
    """
    upper = np.triu_indices(len(truth.variables), k=1)
    true = truth.total[:, *upper]
    if isinstance(edges, pd.DataFrame):
        edges = _graph(edges, truth)
    if isinstance(edges, DifferenceGraph):
        return {"difference": _agreement(edges.difference[upper] != 0, true[0] != true[1])}
    total, shared = edges.total[:, *upper], edges.shared[upper] != 0
    result = {"edges": _agreement(total != 0, true)}
    if len(truth.contexts) > 1:
        result["shared"] = _agreement(shared, truth.shared[upper])
        result["specific"] = _agreement((total != 0) & ~shared, truth.specific[:, *upper])
    if len(truth.contexts) == 2:
        result["difference"] = _agreement(total[0] != total[1], true[0] != true[1])
    return result


def _graph(table: pd.DataFrame, truth: Truth) -> JointGraph | DifferenceGraph:
    """Return the graph of a table of edges, whose shared edges are those of class `shared`."""
    number = {name: place for place, name in enumerate(truth.variables)}
    first, second = (table[column].map(number).to_numpy(dtype=int) for column in ("node1", "node2"))
    size = len(truth.variables)

    def matrix(chosen: pd.Series) -> np.ndarray:
        rows = chosen.to_numpy()
        values = np.zeros((size, size))
        values[first[rows], second[rows]] = values[second[rows], first[rows]] = table["weight"].to_numpy()[rows]
        return values

    if (table["class"] == "difference").any():
        return DifferenceGraph(matrix(table["class"] == "difference"))
    own = table["class"] != "shared"
    individual = np.array([matrix(own & (table["context"] == context)) for context in truth.contexts])
    return JointGraph(matrix(~own), individual)


def _agreement(estimated: np.ndarray, true: np.ndarray) -> dict[str, float | int | None]:
    correct, edges, expected = int((estimated & true).sum()), int(estimated.sum()), int(true.sum())
    precision = correct / edges if edges else None
    return {
        "true": expected,
        "estimated": edges,
        "correct": correct,
        "precision": precision,
        "recall": correct / expected if expected else None,
        "f1": 2 * correct / (edges + expected) if edges + expected else None,
        "fdp": 0.0 if precision is None else 1 - precision,
    }


def _ranking(values: np.ndarray, true: np.ndarray) -> dict[str, float | None]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    labels, scores = true.ravel(), np.abs(values).ravel()
    if labels.all() or not labels.any():
        return {"auc": None, "ap": None}
    return {"auc": float(roc_auc_score(labels, scores)), "ap": float(average_precision_score(labels, scores))}
