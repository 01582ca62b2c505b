"""Problems of joint graphs that several test files share, the authors' data and outputs, and a slow JEEK."""

import warnings
from pathlib import Path

import numpy as np
import rdata

from chromattend.graphs.problem import Problem


def example_data(folder: Path) -> list[np.ndarray]:
    """The two contexts of JointNets' exampleData, each of 500 samples of 20 variables."""
    return [np.asarray(samples) for samples in rdata.read_rda(folder / "exampleData.rda")["exampleData"]]


def example_graphs(folder: Path) -> np.ndarray:
    """The true edges of exampleData: shared, of the first and of the second context only, shape (3, 20, 20)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # igraph's class is unknown; its lists of edges are read
        graphs = rdata.read_rda(folder / "exampleDataGraph.rda")["exampleDataGraph"]
    edges = np.zeros((3, 20, 20), dtype=bool)
    for matrix, graph in zip(edges, graphs, strict=True):
        node1, node2 = np.asarray(graph[2], dtype=int), np.asarray(graph[3], dtype=int)
        matrix[node1, node2] = matrix[node2, node1] = True
    return edges


def reference(folder: Path, name: str) -> np.ndarray:
    """An output of the authors' R code on exampleData."""
    return np.loadtxt(folder / "reference" / f"{name}.csv", delimiter=",")


def symmetric(rng: np.random.Generator, *shape: int, scale: float = 0.3) -> np.ndarray:
    """Random symmetric matrices with a diagonal of 0."""
    values = np.triu(rng.normal(scale=scale, size=shape), 1)
    return values + np.swapaxes(values, -1, -2)


def problem_of(
    partial: np.ndarray, weights: np.ndarray | None = None, groups: np.ndarray | None = None, unit: float = 1.0
) -> Problem:
    """A problem with the given partial correlations, shape (K, p, p), and `unit` times these as correlations.

    The diagonal of `partial` is ignored.
    """
    diagonal = np.eye(partial.shape[-1], dtype=bool)
    correlations, precisions = np.where(diagonal, 1, unit * partial), np.where(diagonal, 1, -partial)
    return Problem(correlations, precisions, np.full(len(partial), 100), weights, groups)


def scan_jeek(
    values: np.ndarray, limits: np.ndarray, costs: np.ndarray | float, share_cost: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve min sum_i costs_i |a_i| + share_cost |b| with |a_i + b - c_i| <= l_i by trying every breakpoint.

    Shapes: values and limits (K, entry); costs and share_cost must broadcast to (K, entry) and (entry,).
    Returns b, a and the least cost; of equally good b, the one closest to 0.
    """
    candidates = np.concatenate([np.zeros((1, values.shape[1])), values - limits, values + limits])
    beyond = np.maximum(np.abs(values[:, None] - candidates) - limits[:, None], 0)
    costs = np.broadcast_to(costs, values.shape)[:, None]
    total = (costs * beyond).sum(axis=0) + share_cost * np.abs(candidates)
    least = total.min(axis=0)
    distance = np.where(total <= least + 1e-12, np.abs(candidates), np.inf)
    shared = np.take_along_axis(candidates, distance.argmin(axis=0)[None], axis=0)[0]
    rest = values - shared
    return shared, np.sign(rest) * np.maximum(np.abs(rest) - limits, 0), least
