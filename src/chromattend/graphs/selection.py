"""Thresholds without the truth: edges of the samples against those of independent variables and of sampling noise.

Estimators get one threshold per context, lambda times the context's relative noise: the standard deviation of its
matrix's sampling noise. A context with fewer samples then needs stronger values.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from chromattend.graphs.estimators.registry import EstimatorSpec
from chromattend.graphs.measure import Settings, problem_of, problem_of_part, resolved, standardised
from chromattend.graphs.problem import Contexts, DifferenceGraph, JointGraph, Problem

# Columns of a path of lambdas.
PATH = ("lambda", "edges", "null_edges", "fdr")
# Rows of a path for entrywise estimators, whose edges at a lambda are counted and not fitted.
POINTS = 60
# Lambdas that other estimators are fitted for, steps between two of them, and pairs of variables of the nulls that they
# are fitted to.
GRID, REFINEMENTS, FITTED_PAIRS = 12, 3, 300_000
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


@dataclass(frozen=True)
class Nulls:
    """Matrices without edges.

    Attributes:
        unlinked: of independent variables or, for a difference, of contexts whose samples were exchanged.
        noise: of the sampling noise, see `noise_nulls`; empty for a difference.
    """

    unlinked: Sequence[Problem]
    noise: Sequence[Problem] = ()


def null_number(variables: int, pairs: int = NULL_PAIRS) -> int:
    """Return how many nulls estimate a false discovery rate well: as many as have the pairs of variables together."""
    return int(np.clip(np.ceil(2 * pairs / (variables * (variables - 1))), 1, MOST_NULLS))


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


def noise_nulls(contexts: Contexts, settings: Settings, number: int, rng: np.random.Generator) -> list[Problem]:
    """Measure the sampling noise of contexts: half the difference of the matrices of two random halves of each.

    Half the difference of two halves varies as the value of all samples does, and edges cancel in it. Independent
    variables tell little about the noise where most variables depend on each other: the threshold map, which sets
    nearly all of their correlations to 0, leaves strong ones with all of their noise.

    Args:
        contexts, settings: what is measured.
        number: number of splits.
        rng: source of the splits.

    Returns:
        Matrices with a diagonal of 1 whose other values are noise, for entrywise estimators: they need not be positive
        definite.
    """
    settings = resolved(settings, contexts.samples)
    unit = np.eye(len(contexts.variables))
    nulls = []
    for _ in range(number):
        rows = halves(contexts, rng)
        first, second = (
            problem_of_part(part(contexts, [pair[side] for pair in rows]).samples, settings, rng) for side in (0, 1)
        )
        correlations = unit + (1 - unit) * (first.correlations - second.correlations) / 2
        # With a diagonal of 1, the partial correlations are the negative values.
        precisions = unit - (first.partial - second.partial) / 2
        nulls.append(Problem(correlations, precisions, first.sizes + second.sizes))
    return nulls


def halves(contexts: Contexts, rng: np.random.Generator) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the rows of two random halves of every context; blocks are kept as wholes.

    Blocks in random order go to the half that is smaller so far. Of a single block, the halves are its first and its
    second half, because neighbours depend on each other.
    """
    result = []
    for context, values in enumerate(contexts.samples):
        blocks = rows_of_blocks(contexts.blocks[context]) if contexts.blocks else []
        if len(blocks) < 2:
            order = np.arange(len(values)) if blocks else rng.permutation(len(values))
            first, second = np.array_split(order, 2)
            result.append((first, second))
            continue
        sides: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        sizes = [0, 0]
        for block in rng.permutation(len(blocks)):
            side = int(sizes[1] < sizes[0])
            sides[side].append(blocks[block])
            sizes[side] += len(blocks[block])
        result.append((np.concatenate(sides[0]), np.concatenate(sides[1])))
    return result


def part(contexts: Contexts, rows: Sequence[np.ndarray]) -> Contexts:
    """Return some samples of every context."""
    return replace(
        contexts,
        samples=tuple(values[each] for values, each in zip(contexts.samples, rows, strict=True)),
        blocks=tuple(values[each] for values, each in zip(contexts.blocks, rows, strict=False)),
    )


def null_scale(nulls: Nulls, spec: EstimatorSpec) -> np.ndarray:
    """Return the noise of every context relative to the mean over contexts, shape (K,).

    It is the standard deviation of the sampling noise in the estimator's matrices. Independent variables would not do:
    the threshold map sets most of their correlations to 0, and what is left differs between contexts with the same
    number of samples; they are taken where the noise was not measured. A difference has one noise, that of both
    contexts together, so its scale is 1.
    """
    contexts = len(nulls.unlinked[0].sizes)
    if spec.difference:
        return np.ones(contexts)
    upper = np.triu_indices(nulls.unlinked[0].correlations.shape[-1], k=1)
    squares = [(getattr(null, spec.matrices)[:, *upper] ** 2).mean(axis=1) for null in nulls.noise or nulls.unlinked]
    noise = np.sqrt(np.mean(squares, axis=0))
    return noise / noise.mean() if noise.all() else np.ones(contexts)


def choose_lambda(
    problem: Problem, nulls: Nulls, spec: EstimatorSpec, options: Mapping[str, Any], target: float
) -> Selection:
    """Choose the smallest lambda whose estimated false discovery rate is within the target.

    The estimate is (1 + edges of all nulls) / number of nulls / edges of the samples, with the larger one of both kinds
    of nulls. The 1 keeps a few edges just above all nulls from being called true. Neither kind has indirect
    associations, which backward maps remove only in part: where edges are strong, the true rate is above the estimate.

    Of entrywise estimators without a group cost, the edges are the values above the thresholds (times weights), counted
    exactly. JEEK may add edges below a context's threshold where most other contexts have them. Other estimators are
    fitted on a grid, those that are not entrywise only to the samples and the unlinked nulls.

    Args:
        problem: the samples' matrices, with weights and groups.
        nulls: of `controls.nulls_of`.
        spec, options: the estimator and its options.
        target: false discovery rate, in (0, 1).
    """
    scale = null_scale(nulls, spec)
    counted = _Counted(problem, nulls, spec, scale)
    if _by_thresholds(spec):
        return counted.choose(target)
    return _fitted(_counter(problem, nulls, spec, options, scale), counted.limits, target, scale)


def given_lambda(
    problem: Problem, nulls: Nulls, spec: EstimatorSpec, options: Mapping[str, Any], value: float
) -> Selection:
    """Return the selection of a lambda that the user gave, with its estimated false discovery rate and a path."""
    scale = null_scale(nulls, spec)
    if _by_thresholds(spec):
        return _Counted(problem, nulls, spec, scale).at(value)
    count = _counter(problem, nulls, spec, options, scale)
    rows = [count(each) for each in (value / 2, value, 2 * value)]
    return Selection(value, value * scale, rows[1].rate, _path(rows))


def _by_thresholds(spec: EstimatorSpec) -> bool:
    """Whether an edge of a context depends on nothing but its own value: a group cost couples contexts."""
    return spec.entrywise and "group_cost" not in spec.options


@dataclass(frozen=True)
class _Row:
    """Edges at a lambda: of the samples, the mean of the nulls, and the expected number of false ones."""

    value: float
    edges: int
    null: float
    false: float

    @property
    def rate(self) -> float:
        return min(self.false / self.edges, 1.0) if self.edges else np.nan


def _path(rows: Sequence[_Row]) -> pd.DataFrame:
    values = [(row.value, row.edges, row.null, row.rate) for row in sorted(rows, key=lambda row: row.value)]
    return pd.DataFrame(values, columns=list(PATH))


class _Counted:
    """Values of the samples and of both kinds of nulls, in units of the thresholds at lambda 1, ascending."""

    def __init__(self, problem: Problem, nulls: Nulls, spec: EstimatorSpec, scale: np.ndarray):
        self.scale = scale
        self.observed = np.sort(_values(problem, problem.weights, spec, scale))
        self.nulls = [
            (len(kind), np.sort(np.concatenate([_values(null, problem.weights, spec, scale) for null in kind])))
            for kind in (nulls.unlinked, nulls.noise)
            if kind
        ]

    @property
    def limits(self) -> tuple[float, float]:
        """Lambdas of interest: from where the nulls have many edges to the samples' largest value."""
        high = float(self.observed[-1])
        low = max(float(np.quantile(values, 0.9)) for _, values in self.nulls) / 2
        return float(np.clip(low, high / 1000, high / 2)), high

    def choose(self, target: float) -> Selection:
        values, start = np.unique(self.observed, return_index=True)
        edges = len(self.observed) - start
        false = np.max(
            [(1 + len(null) - np.searchsorted(null, values)) / number for number, null in self.nulls], axis=0
        )
        within = np.flatnonzero(false <= target * edges)
        if not len(within):
            return self.at(1.01 * float(values[-1]))
        first = within[0]
        # Halfway to the next value of samples or nulls, so that rounding adds no edge.
        below = [values[first - 1]] if first else [0.0]
        for _, null in self.nulls:
            place = np.searchsorted(null, values[first])
            below += [null[place - 1]] if place else []
        return self.at(float((values[first] + max(below)) / 2))

    def at(self, value: float) -> Selection:
        """Return the selection of a lambda, with a path within `limits`."""
        chosen = self._row(value)
        others = np.geomspace(*self.limits, POINTS - 1).tolist() if self.observed[-1] else []
        path = _path([chosen, *map(self._row, others)])
        return Selection(value, value * self.scale, chosen.rate, path)

    def _row(self, value: float) -> _Row:
        edges = len(self.observed) - int(np.searchsorted(self.observed, value, side="right"))
        counts = [(number, len(null) - int(np.searchsorted(null, value, side="right"))) for number, null in self.nulls]
        return _row(value, edges, counts)


def _row(value: float, edges: int, counts: Sequence[tuple[int, int]]) -> _Row:
    """Make a row of the edges of the samples and, of each kind of nulls, their number and the sum of their edges."""
    null = max(count / number for number, count in counts)
    return _Row(value, edges, null, max((1 + count) / number for number, count in counts))


def _values(problem: Problem, weights: np.ndarray | None, spec: EstimatorSpec, scale: np.ndarray) -> np.ndarray:
    """Return |values| of all pairs and contexts over their thresholds at lambda 1, flat."""
    upper = np.triu_indices(problem.correlations.shape[-1], k=1)
    values = getattr(problem, spec.matrices)[:, *upper]
    values = np.diff(values, axis=0) if spec.difference else values / scale[:, None]
    if weights is not None:
        values = values / weights[upper]
    return np.abs(values).ravel()


def _fitted(count: Callable[[float], _Row], limits: tuple[float, float], target: float, scale: np.ndarray) -> Selection:
    """Descend a grid of lambdas until most edges are those of nulls, and look closer around the target."""
    low, high = limits
    rows: list[_Row] = []
    best: _Row | None = None
    failed: float | None = None
    for value in np.geomspace(high, low, GRID) if high else ():
        row = count(float(value))
        rows.append(row)
        if row.rate <= target:
            best, failed = row, None
        elif failed is None:
            failed = row.value
        if row.rate > max(0.5, 2 * target):
            break
    if best is not None and failed is not None:
        for _ in range(REFINEMENTS):
            row = count(float(np.sqrt(best.value * failed)))
            rows.append(row)
            best, failed = (row, failed) if row.rate <= target else (best, row.value)
    path = _path(rows)
    if best is None:
        return Selection(1.01 * high, 1.01 * high * scale, np.nan, path)
    return Selection(best.value, best.value * scale, best.rate, path)


def _counter(
    problem: Problem, nulls: Nulls, spec: EstimatorSpec, options: Mapping[str, Any], scale: np.ndarray
) -> Callable[[float], _Row]:
    """Return a function of lambda that fits the estimator to the samples and the nulls."""
    function = spec.load()
    number = null_number(problem.correlations.shape[-1], FITTED_PAIRS)
    kinds = [nulls.unlinked[:number], nulls.noise[:number] if spec.entrywise else ()]

    def edges(each: Problem, value: float) -> int:
        informed = replace(each, weights=problem.weights, groups=problem.groups)
        return edge_number(function(informed, value * scale, **options))

    def count(value: float) -> _Row:
        counts = [(len(kind), sum(edges(null, value) for null in kind)) for kind in kinds if kind]
        return _row(value, edges(problem, value), counts)

    return count


def edge_number(graph: JointGraph | DifferenceGraph) -> int:
    """Return the number of edges, summed over contexts."""
    values = graph.difference if isinstance(graph, DifferenceGraph) else graph.total
    return int(np.count_nonzero(values) - np.count_nonzero(np.diagonal(values, axis1=-2, axis2=-1))) // 2
