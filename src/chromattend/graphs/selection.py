"""Thresholds without the truth: edges of the samples against edges of samples whose variables are independent.

Estimators get one threshold per context, lambda times the context's relative noise: the standard deviation of its
matrix where no variables depend on each other. A context with fewer samples then needs stronger values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from chromattend.graphs.estimators.registry import EstimatorSpec
from chromattend.graphs.measure import Settings, problem_of, standardised
from chromattend.graphs.problem import Contexts, DifferenceGraph, JointGraph, Problem

# Columns of a path of lambdas.
PATH = ("lambda", "edges", "null_edges", "fdr")
# Rows of a path for entrywise estimators, whose edges at a lambda are counted and not fitted.
POINTS = 60
# Lambdas that other estimators are fitted for, and steps between two of them.
GRID, REFINEMENTS = 12, 3
# Pairs of variables over all nulls that give a stable tail, and the largest number of nulls.
NULL_PAIRS, MOST_NULLS = 1_500_000, 20


@dataclass(frozen=True)
class Selection:
    """A lambda and what it was chosen by.

    Attributes:
        value: lambda; above every value of the samples if no lambda reaches the target.
        thresholds: of each context, shape (K,).
        fdr: estimated false discovery rate of the edges at lambda; NaN without edges.
        path: columns `PATH`, rising in lambda: edges over all contexts, mean edges of the nulls, and the estimated
            false discovery rate, NaN without edges.
    """

    value: float
    thresholds: np.ndarray
    fdr: float
    path: pd.DataFrame


def null_number(variables: int) -> int:
    """Return how many nulls estimate a false discovery rate well: many for few pairs of variables, one for millions."""
    pairs = variables * (variables - 1) / 2
    return int(np.clip(np.ceil(NULL_PAIRS / pairs), 1, MOST_NULLS))


def independence_nulls(contexts: Contexts, settings: Settings, number: int, rng: np.random.Generator) -> list[Problem]:
    """Measure contexts whose variables are independent, by permuting every column on its own within its context.

    With blocks, a column is put together from its blocks in a random order and turned by a random number of samples.
    The order within blocks stays, and with it autocorrelation; the turn keeps few blocks from meeting themselves.

    Args:
        contexts, settings: what is measured.
        number: number of nulls; see `null_number`.
        rng: source of the permutations.
    """
    contexts, settings = standardised(contexts, settings)
    return [
        problem_of([_independent(contexts, k, rng) for k in range(len(contexts.names))], settings)
        for _ in range(number)
    ]


def _independent(contexts: Contexts, number: int, rng: np.random.Generator) -> np.ndarray:
    samples = contexts.samples[number]
    if not contexts.blocks:
        return rng.permuted(samples, axis=0)
    rows = rows_of_blocks(contexts.blocks[number])
    result = np.empty_like(samples)
    for column in range(samples.shape[1]):
        order = np.concatenate([rows[block] for block in rng.permutation(len(rows))])
        result[:, column] = samples[np.roll(order, rng.integers(len(order))), column]
    return result


def rows_of_blocks(blocks: np.ndarray) -> list[np.ndarray]:
    """Return the rows of every block, blocks in the order of their names, shape (sample of the block,) each."""
    numbers = np.unique(blocks, return_inverse=True)[1]
    return np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1])


def null_scale(nulls: Sequence[Problem], spec: EstimatorSpec) -> np.ndarray:
    """Return the noise of every context relative to the mean over contexts, shape (K,).

    It is the standard deviation of the nulls' values in the estimator's matrices. A difference has one noise, that of
    both contexts together, so its scale is 1.
    """
    contexts = len(nulls[0].sizes)
    if spec.difference:
        return np.ones(contexts)
    upper = np.triu_indices(nulls[0].correlations.shape[-1], k=1)
    squares = np.mean([(getattr(null, spec.matrices)[:, *upper] ** 2).mean(axis=1) for null in nulls], axis=0)
    noise = np.sqrt(squares)
    return noise / noise.mean() if noise.any() else np.ones(contexts)


def choose_lambda(
    problem: Problem,
    nulls: Sequence[Problem],
    spec: EstimatorSpec,
    options: Mapping[str, Any],
    target: float,
) -> Selection:
    """Choose the smallest lambda whose estimated false discovery rate is within the target.

    The estimate is (1 + edges of all nulls) / number of nulls / edges of the samples. The 1 keeps a few edges just
    above all nulls from being called true. The nulls have no edges at all, so that the true rate runs a little above.

    Of entrywise estimators without a group cost, the edges are the values above the thresholds (times weights), counted
    exactly. JEEK may add edges below a context's threshold where most other contexts have them. Other estimators are
    fitted on a grid.

    Args:
        problem: the samples' matrices, with weights and groups.
        nulls: of `independence_nulls` or, for a difference, `controls.exchange_nulls`.
        spec, options: the estimator and its options.
        target: false discovery rate, in (0, 1).
    """
    scale = null_scale(nulls, spec)
    counted = _Counted(problem, nulls, spec, scale)
    if _by_thresholds(spec):
        return counted.choose(target)
    return _fitted(problem, nulls, spec, options, target, scale, counted)


def given_lambda(
    problem: Problem, nulls: Sequence[Problem], spec: EstimatorSpec, options: Mapping[str, Any], value: float
) -> Selection:
    """Return the selection of a lambda that the user gave, with its estimated false discovery rate and a path."""
    scale = null_scale(nulls, spec)
    counted = _Counted(problem, nulls, spec, scale)
    if _by_thresholds(spec):
        path = counted.path(value)
    else:
        count = _counter(problem, nulls, spec, options, scale)
        path = _path([(each, *count(each)) for each in (value / 2, value, 2 * value)], len(nulls))
    fdr = path["fdr"].to_numpy()[path["lambda"] == value]
    return Selection(value, value * scale, float(fdr[0]), path)


def _by_thresholds(spec: EstimatorSpec) -> bool:
    """Whether an edge of a context depends on nothing but its own value: a group cost couples contexts."""
    return spec.entrywise and "group_cost" not in spec.options


class _Counted:
    """Values of the samples and the nulls, in units of the thresholds at lambda 1, ascending."""

    def __init__(self, problem: Problem, nulls: Sequence[Problem], spec: EstimatorSpec, scale: np.ndarray):
        self.observed = _values(problem, problem.weights, spec, scale)
        self.null = np.sort(np.concatenate([_values(null, problem.weights, spec, scale) for null in nulls]))
        self.number, self.scale = len(nulls), scale

    @property
    def limits(self) -> tuple[float, float]:
        """Lambdas of interest: from where the nulls have many edges to the samples' largest value."""
        high = float(self.observed[-1])
        return float(np.clip(np.quantile(self.null, 0.9) / 2, high / 1000, high / 2)), high

    def choose(self, target: float) -> Selection:
        values, start = np.unique(self.observed, return_index=True)
        edges = len(self.observed) - start
        null = len(self.null) - np.searchsorted(self.null, values, side="left")
        within = np.flatnonzero(_rate(edges, null, self.number) <= target)
        if not len(within):
            value = 1.01 * float(values[-1])
            return Selection(value, value * self.scale, np.nan, self.path(value))
        first = within[0]
        # Halfway to the next value, so that rounding adds no edge.
        below = values[first - 1] if first else 0.0
        value = float((values[first] + max(below, self._null_below(values[first]))) / 2)
        path = self.path(value)
        return Selection(value, value * self.scale, float(path["fdr"].to_numpy()[path["lambda"] == value][0]), path)

    def _null_below(self, value: float) -> float:
        place = np.searchsorted(self.null, value, side="left")
        return float(self.null[place - 1]) if place else 0.0

    def path(self, value: float) -> pd.DataFrame:
        """Count edges within `limits`, and at one lambda more."""
        lambdas = np.unique(np.append(np.geomspace(*self.limits, POINTS - 1) if self.observed[-1] else [], value))
        edges = len(self.observed) - np.searchsorted(self.observed, lambdas, side="right")
        null = len(self.null) - np.searchsorted(self.null, lambdas, side="right")
        return _path(list(zip(lambdas, edges, null, strict=True)), self.number)


def _values(problem: Problem, weights: np.ndarray | None, spec: EstimatorSpec, scale: np.ndarray) -> np.ndarray:
    """Return |values| of all pairs and contexts over their thresholds at lambda 1, ascending."""
    upper = np.triu_indices(problem.correlations.shape[-1], k=1)
    values = getattr(problem, spec.matrices)[:, *upper]
    values = np.diff(values, axis=0) if spec.difference else values / scale[:, None]
    if weights is not None:
        values = values / weights[upper]
    return np.sort(np.abs(values), axis=None)


def _fitted(
    problem: Problem,
    nulls: Sequence[Problem],
    spec: EstimatorSpec,
    options: Mapping[str, Any],
    target: float,
    scale: np.ndarray,
    counted: _Counted,
) -> Selection:
    """Descend a grid of lambdas until most edges are those of nulls, and look closer around the target."""
    count = _counter(problem, nulls, spec, options, scale)
    low, high = counted.limits
    rows: list[tuple[float, int, int]] = []
    best: float | None = None
    failed: float | None = None
    for value in np.geomspace(high, low, GRID):
        rows.append((value, *count(value)))
        rate = _rate(rows[-1][1], rows[-1][2], len(nulls))
        if rate <= target:
            best, failed = value, None
        elif best is not None and failed is None:
            failed = value
        if rate > max(0.5, 2 * target) and rows[-1][1]:
            break
    for _ in range(REFINEMENTS):
        if best is None or failed is None:
            break
        value = float(np.sqrt(best * failed))
        rows.append((value, *count(value)))
        if _rate(rows[-1][1], rows[-1][2], len(nulls)) <= target:
            best = value
        else:
            failed = value
    path = _path(rows, len(nulls))
    if best is None:
        value = 1.01 * high
        return Selection(value, value * scale, np.nan, path)
    fdr = path["fdr"].to_numpy()[path["lambda"] == best]
    return Selection(float(best), best * scale, float(fdr[0]), path)


def _counter(
    problem: Problem, nulls: Sequence[Problem], spec: EstimatorSpec, options: Mapping[str, Any], scale: np.ndarray
) -> Callable[[float], tuple[int, int]]:
    """Return a function of lambda: edges of the samples, and of all nulls."""
    function = spec.load()
    informed = [replace(null, weights=problem.weights, groups=problem.groups) for null in nulls]

    def count(value: float) -> tuple[int, int]:
        edges = [edge_number(function(each, value * scale, **options)) for each in (problem, *informed)]
        return edges[0], sum(edges[1:])

    return count


def edge_number(graph: JointGraph | DifferenceGraph) -> int:
    """Return the number of edges, summed over contexts."""
    values = graph.difference if isinstance(graph, DifferenceGraph) else graph.total
    return int(np.count_nonzero(np.triu(values, k=1)))


def _rate(edges: Any, null: Any, number: int) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(
            np.asarray(edges) > 0, np.minimum((1 + np.asarray(null)) / number / np.asarray(edges), 1), np.nan
        )


def _path(rows: Sequence[tuple[float, int, int]], number: int) -> pd.DataFrame:
    """Make a path of (lambda, edges, edges of all nulls)."""
    lambdas, edges, null = (np.array(column) for column in zip(*rows, strict=True))
    table = pd.DataFrame(
        {"lambda": lambdas, "edges": edges, "null_edges": null / number, "fdr": _rate(edges, null, number)}
    )
    return table.sort_values("lambda", ignore_index=True)
