"""Joint graphs of many variables, tile by tile of the pair matrix, which is never held as a whole.

A `Factor` holds one context in sample space: a vector of n numbers for each of p variables. The dot product of two
vectors is their partial correlation under the ridge map (`backward.RidgeFactor`), or their plain correlation. So K p n
numbers replace K p^2, and estimators that treat every pair of variables on its own are exact in tiles.

Thresholds. Partial correlations under a ridge shrink with n / p, so thresholds are in units of noise. The values of a
context are divided by `noise sqrt(n)`, which makes them comparable between contexts, and their threshold is
`z / sqrt(n)`: z times their noise. Half of all pairs lie within z = 0.67.

In every tile, products in single precision only choose the pairs that may have an edge. Their values are calculated
again in double precision, pair by pair, so that edges do not depend on the tiles.

Jobs: `factor` and `save` for each context; `choose_threshold` and `count_edges` on some variables; `rows` for some
stripes of tiles; `gather` once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from threadpoolctl import threadpool_limits

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.graphs.backward import RidgeFactor, soft_threshold
from chromattend.graphs.covariance import scores
from chromattend.graphs.edges import CLASSES, COLUMNS
from chromattend.graphs.estimators.fasjem import sparse_group_values
from chromattend.graphs.estimators.jeek import decompose
from chromattend.graphs.estimators.registry import ESTIMATORS, EstimatorSpec

# Rows and columns of a tile: one context's product, 1 MB, stays in a core's cache while it is compared.
SIZE = 512
# Variables among which thresholds are chosen and null edges counted: 8.4 million pairs.
SAMPLED = 4096
# Pairs whose values give the noise of a context.
NOISE_PAIRS = 200_000
# Of a normal variable: standard deviation / median absolute value.
NORMAL = 1.4826
# Thresholds that are considered; lower ones leave more than every twentieth pair of independent variables.
GRID = np.round(np.arange(2, 12.001, 0.05), 2)
# Rounding of products in single precision, relative to the lengths of the vectors.
ROUNDING = 1e-5
# Entries that are compared with the threshold together.
SEGMENT = 64
# Rows of a job's table, which take 30 bytes each.
MOST_EDGES = 20_000_000


@dataclass(frozen=True)
class Factor:
    """One context in sample space.

    Attributes:
        context: its name.
        vectors: float32, shape (p, n); the value of a pair of variables is the dot product of their vectors.
        noise: standard deviation of values without an edge, by the median absolute value of random pairs.
    """

    context: str
    vectors: np.ndarray
    noise: float

    @property
    def samples(self) -> int:
        """The number of samples, n."""
        return self.vectors.shape[1]

    def take(self, variables: np.ndarray) -> "Factor":
        """Return the factor of some variables, by index."""
        return replace(self, vectors=self.vectors[variables])


@dataclass(frozen=True)
class Threshold:
    """A threshold of all contexts in units of noise.

    Attributes:
        z: the threshold.
        fdr: estimated false discovery rate of the edges.
        reached: whether the target was reached; else z is the lowest threshold at which the nulls have no edges.
        path: columns lambda, edges, null_edges, fdr, rising in lambda; edges are summed over contexts and extrapolated
            to all pairs of variables.
    """

    z: float
    fdr: float
    reached: bool
    path: pd.DataFrame


def factor(
    samples: np.ndarray, context: str, covariance: str = "normal_scores", ridge: float = 0.1, seed: int = 1
) -> dict[str, Factor]:
    """Bring a context into sample space.

    Args:
        samples: shape (n, p), without missing values.
        context: its name.
        covariance: pearson or normal_scores.
        ridge: strength a of the ridge map, between 0 and 1.
        seed: of the random pairs that give the noise.

    Returns:
        The factors of `partial` and of plain `correlations`.

    Raises:
        UserError: a variable is constant, or the covariance or the ridge is not valid.
    """
    return _factors(scores(samples, covariance), context, ridge, np.random.default_rng(seed))


def save(factors: dict[str, Factor], path: Path) -> None:
    """Write the factors of one context as `.npz`, of 8 p n bytes."""
    arrays: dict[str, Any] = {f"{name}_vectors": each.vectors for name, each in factors.items()}
    arrays |= {f"{name}_noise": each.noise for name, each in factors.items()}
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, context=factors["partial"].context, **arrays)


def load(path: Path, matrices: str) -> Factor:
    """Read one factor of a context, `partial` or `correlations`; the other one is not read."""
    with np.load(path) as file:
        return Factor(str(file["context"]), file[f"{matrices}_vectors"], float(file[f"{matrices}_noise"]))


def independent(
    correlations: Factor,
    noise: float,
    ridge: float,
    matrices: str,
    chosen: np.ndarray,
    generator: np.random.Generator,
) -> Factor:
    """Return the factor of a context whose variables are independent: each one has its samples in an order of its own.

    Args:
        correlations: the context's factor of plain correlations, of all variables: the ridge map depends on all.
        noise: noise of the observed factor, which makes the thresholds the same.
        ridge: strength of the ridge map.
        matrices: `partial` or `correlations`.
        chosen: the variables to return; see `sampled_variables`.
        generator: of the orders.
    """
    permuted = generator.permuted(correlations.vectors, axis=1)
    vectors = permuted if matrices == "correlations" else _partial(permuted.T, ridge)
    return Factor(correlations.context, vectors[chosen], noise)


def exchange(
    correlations: Sequence[Factor],
    assignment: Sequence[np.ndarray],
    ridge: float,
    matrices: str,
    chosen: np.ndarray,
    seed: int = 1,
) -> Iterator[Factor]:
    """Yield the factors of contexts that have exchanged samples, one by one.

    Samples are exchanged after each context was standardised, so differences of means and scales do not become edges.

    Args:
        correlations: factors of plain correlations of all contexts, of all variables.
        assignment: for each context its new samples, as numbers of the samples of all contexts one after the other.
        ridge: strength of the ridge map.
        matrices: `partial` or `correlations`.
        chosen: the variables to return; see `sampled_variables`.
        seed: of the random pairs that give the noise.
    """
    ends = np.cumsum([each.samples for each in correlations])
    for context, numbers in zip(correlations, assignment, strict=True):
        owner = np.searchsorted(ends, numbers, side="right")
        place = numbers - np.concatenate([[0], ends])[owner]
        pooled = np.empty((len(numbers), len(context.vectors)))
        for number, other in enumerate(correlations):
            # Vectors have length 1; samples of contexts of different sizes need a common scale.
            pooled[owner == number] = other.vectors[:, place[owner == number]].T * np.sqrt(other.samples)
        pooled -= pooled.mean(axis=0)
        length = np.sqrt((pooled**2).sum(axis=0))
        pooled /= np.where(length > 0, length, 1)
        yield _factors(pooled, context.context, ridge, np.random.default_rng(seed))[matrices].take(chosen)


def sampled_variables(variables: int, seed: int, number: int = SAMPLED) -> np.ndarray:
    """Draw the variables among which thresholds are chosen and null edges counted, in order; all if there are few."""
    return np.sort(np.random.default_rng(seed).permutation(variables)[:number])


def stripes(variables: int, job: int, jobs: int, size: int = SIZE) -> list[int]:
    """Return the stripes of one of several jobs, which have almost equal work: stripe r has `size` rows from r * size.

    A stripe takes the tiles from its diagonal on, so the first is the longest.
    """
    number = -(-variables // size)
    return [stripe for stripe in range(number) if job in (stripe % (2 * jobs), 2 * jobs - 1 - stripe % (2 * jobs))]


def choose_threshold(
    observed: Sequence[Factor],
    nulls: Sequence[Sequence[Factor]],
    estimator: str,
    options: dict[str, float],
    fdr: float,
    variables: int,
    threads: int = 1,
) -> Threshold:
    """Choose the lowest threshold whose estimated false discovery rate is within the target.

    The estimate is that of `selection.choose_lambda`: (1 + edges of all nulls) / number of nulls / edges. An edge of
    JEEK or of plain correlations here is a value beyond the threshold of its context.

    Args:
        observed: factors of all contexts, of `sampled_variables`.
        nulls: for each permutation the factors of `independent`, for a difference of `exchange`, of the same variables.
        estimator: name in the registry.
        options: of the estimator.
        fdr: target, between 0 and 1.
        variables: number of all variables, to which counts are extrapolated.
        threads: of the matrix products.
    """
    spec = _spec(estimator)
    with threadpool_limits(threads):
        edges = _edges_above(observed, spec, options)
        null_edges = np.sum([_edges_above(each, spec, options) for each in nulls], axis=0)
    rate = np.minimum((1 + null_edges) / len(nulls) / np.maximum(edges, 1), 1)
    reaches = (rate <= fdr) & (edges > 0)
    place = int(np.argmax(reaches if reaches.any() else null_edges == 0))
    scale = _extrapolation(observed, variables)
    path = {"lambda": GRID, "edges": edges * scale, "null_edges": null_edges / len(nulls) * scale, "fdr": rate}
    return Threshold(float(GRID[place]), float(rate[place]), bool(reaches.any()), pd.DataFrame(path)[edges > 0])


def count_edges(
    factors: Sequence[Factor], z: float, estimator: str, options: dict[str, float], variables: int, threads: int = 1
) -> dict[str, float]:
    """Count the edges of each class among some variables, and extrapolate to all pairs of variables.

    With factors of `exchange`, these are null counts: contexts that exchanged samples have no specific edges.

    Args:
        factors: of all contexts, of `sampled_variables`.
        z, estimator, options, threads: see `rows`.
        variables: number of all variables.
    """
    every = range(-(-len(factors[0].vectors) // SIZE))
    classes = rows(factors, every, z, estimator, options, threads=threads)["class"]
    scale = _extrapolation(factors, variables)
    return {name: float((classes == place).sum() * scale) for place, name in enumerate(CLASSES)}


def rows(
    factors: Sequence[Factor],
    chosen: Sequence[int],
    z: float,
    estimator: str,
    options: dict[str, float],
    size: int = SIZE,
    threads: int = 1,
) -> pd.DataFrame:
    """Estimate the edges in some stripes of tiles.

    Args:
        factors: of all contexts, of the matrices that the estimator reads.
        chosen: stripes; stripe r has the variables from r * size as rows, and all later variables as columns.
        z: threshold in units of noise.
        estimator: name in the registry.
        options: of the estimator.
        size: rows and columns of a tile.
        threads: of the matrix products.

    Returns:
        Columns i < j, numbers of variables; class, a place in `edges.CLASSES`; context, its number, -1 for shared edges
        and differences; contexts; weight, in units of a correlation whose noise is 1 / sqrt(n).

    Raises:
        UserError: the estimator does not run in tiles, or the threshold leaves too many edges.
    """
    spec = _spec(estimator)
    lanes = _lanes(factors, spec)
    limits = np.array([z * lane.unit for lane in lanes])
    none = np.empty(0, dtype=np.int64)
    parts = [_part(none, none, none, none, none, none.astype(float))]
    listed = 0
    with threadpool_limits(threads):
        for stripe in chosen:
            for i, j in _candidates(lanes, stripe * size, size, z):
                values = np.stack([lane.values(i, j) for lane in lanes])
                parts += _classified(i, j, *_estimate(spec, values, limits, options), spec)
                listed += len(parts[-1]["i"])  # shared edges are fewer
                if listed > MOST_EDGES:
                    raise UserError(
                        f"{estimator}: lambda {z:g} leaves more than {MOST_EDGES} edges in {len(chosen)} of "
                        f"{-(-len(factors[0].vectors) // size)} stripes; raise lambda"
                    )
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def gather(tables: Sequence[pd.DataFrame], paths: Sequence[Path], variables: Sequence[str]) -> pd.DataFrame:
    """Join the edges of all stripes, strongest |weight| first, and look up their partial and plain correlations.

    Args:
        tables: of `rows`.
        paths: files of the factors of all contexts, which are read one by one.
        variables: names.

    Returns:
        The columns of `edges.COLUMNS`; partial_r and correlation are means over contexts for shared edges, and changes
        for differences.
    """
    table = pd.concat(tables, ignore_index=True)
    # The last key is the first to sort by.
    order = np.lexsort((table["context"], table["j"], table["i"], table["class"], -table["weight"].abs()))
    table = table.iloc[order].reset_index(drop=True)
    i, j, context = (table[name].to_numpy() for name in ("i", "j", "context"))
    difference = (table["class"] == CLASSES.index("difference")).to_numpy()
    contexts = []
    looked_up = {"partial": np.zeros(len(table)), "correlations": np.zeros(len(table))}
    for number, path in enumerate(paths):
        share = np.where(context == number, 1.0, np.where(context < 0, 1 / len(paths), 0))
        share[difference] = 2 * number - 1
        chosen = np.flatnonzero(share)
        for matrices, values in looked_up.items():
            each = load(path, matrices)
            ones = np.ones(each.samples)
            values[chosen] += share[chosen] * _products(each.vectors, ones, i[chosen], j[chosen])
        contexts.append(each.context)
    names = np.array(variables, dtype=object)
    table = table.assign(
        **{"class": np.array(CLASSES, dtype=object)[table["class"]]},
        node1=names[i],
        node2=names[j],
        context=np.array([*contexts, ""], dtype=object)[context],  # -1 is the last
        partial_r=looked_up["partial"],
        correlation=looked_up["correlations"],
    )
    return table[list(COLUMNS)]


@dataclass(frozen=True)
class _Lane:
    """Values of all pairs, of one context or of the difference of two: columns * weights @ columns.T.

    Attributes:
        columns: float32, shape (p, m).
        weights: shape (m,).
        unit: the threshold for z = 1.
    """

    columns: np.ndarray
    weights: np.ndarray
    unit: float

    def rows(self, chosen: slice) -> np.ndarray:
        """Return the left factor of the product, float32."""
        return (self.columns[chosen] * self.weights).astype(np.float32)

    def values(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the values of pairs, float64."""
        return _products(self.columns, self.weights, i, j)

    @cached_property
    def rounding(self) -> float:
        """The largest error of a product in single precision."""
        squares = self.columns**2
        return ROUNDING * float(np.sqrt(squares.sum(axis=1).max() * (squares @ self.weights**2).max()))


def _spec(estimator: str) -> EstimatorSpec:
    spec = ESTIMATORS[estimator]
    if not spec.tiled:
        raise UserError(f"{estimator}: does not run in tiles of the pairs; take jeek")
    return spec


def _lanes(factors: Sequence[Factor], spec: EstimatorSpec) -> list[_Lane]:
    scales = [1 / (each.noise * np.sqrt(each.samples)) for each in factors]
    if not spec.difference:
        return [
            _Lane(each.vectors, np.full(each.samples, scale), each.samples**-0.5)
            for each, scale in zip(factors, scales, strict=True)
        ]
    if len(factors) != 2:
        raise UserError(f"{spec.name}: is the difference of two contexts, but there are {len(factors)}")
    weights = np.repeat([-scales[0], scales[1]], [each.samples for each in factors])
    unit = float(np.sqrt(sum(1 / each.samples for each in factors)))
    return [_Lane(np.hstack([each.vectors for each in factors]), weights, unit)]


def _factors(standard: np.ndarray, context: str, ridge: float, generator: np.random.Generator) -> dict[str, Factor]:
    """Return the factors of standardised samples, shape (n, p)."""
    vectors = {
        "partial": _partial(standard, ridge),
        "correlations": np.ascontiguousarray(standard.T, dtype=np.float32),
    }
    size = standard.shape[1]
    i = generator.integers(size, size=NOISE_PAIRS)
    j = (i + generator.integers(1, size, size=NOISE_PAIRS)) % size
    ones = np.ones(len(standard))
    return {
        name: Factor(context, each, NORMAL * float(np.median(np.abs(_products(each, ones, i, j)))))
        for name, each in vectors.items()
    }


def _partial(standard: np.ndarray, ridge: float) -> np.ndarray:
    return np.ascontiguousarray(RidgeFactor(standard, ridge).columns.T, dtype=np.float32)


def _products_of_tiles(
    lanes: Sequence[_Lane], first: int, size: int
) -> Iterator[tuple[int, Iterator[tuple[_Lane, np.ndarray]]]]:
    """Yield for each tile of a stripe its first column, and its values in each lane, which share their memory."""
    lefts = [lane.rows(slice(first, first + size)) for lane in lanes]
    memory = np.empty(size * size, dtype=np.float32)

    def products(start: int) -> Iterator[tuple[_Lane, np.ndarray]]:
        for lane, left in zip(lanes, lefts, strict=True):
            right = lane.columns[start : start + size]
            block = memory[: len(left) * len(right)].reshape(len(left), len(right))
            yield lane, np.matmul(left, right.T, out=block)

    for start in range(first, len(lanes[0].columns), size):
        yield start, products(start)


def _candidates(lanes: Sequence[_Lane], first: int, size: int, z: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each tile of a stripe the pairs i < j with a value beyond its threshold, or within rounding of it."""
    variables = len(lanes[0].columns)
    limits = [np.float32(z * lane.unit - lane.rounding) for lane in lanes]
    for start, products in _products_of_tiles(lanes, first, size):
        marks = np.zeros((min(size, variables - first), min(size, variables - start)), dtype=bool)
        for limit, (_, block) in zip(limits, products, strict=True):
            _mark(block, limit, marks)
        i, j = np.nonzero(marks)
        upper = i + first < j + start
        if upper.any():
            yield i[upper] + first, j[upper] + start


def _edges_above(factors: Sequence[Factor], spec: EstimatorSpec, options: dict[str, float]) -> np.ndarray:
    """Count the edges of all contexts above each threshold of the grid."""
    lanes = _lanes(factors, spec)
    counts = np.zeros(len(GRID), dtype=np.int64)
    for first in range(0, len(lanes[0].columns), SIZE):
        for start, products in _products_of_tiles(lanes, first, SIZE):
            if "group_cost" in options:
                stack = np.stack([np.abs(block / np.float32(lane.unit)) for lane, block in products])
                _count_groups(stack, options["group_cost"], start - first, GRID, counts)
            else:
                for lane, block in products:
                    _count(block, 1 / lane.unit, start - first, GRID, counts)
    return counts[::-1].cumsum()[::-1]


def _extrapolation(factors: Sequence[Factor], variables: int) -> float:
    size = len(factors[0].vectors)
    return variables * (variables - 1) / (size * (size - 1))


def _estimate(
    spec: EstimatorSpec, values: np.ndarray, limits: np.ndarray, options: dict[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the shared part, shape (pair,), and the individual parts, shape (lane, pair), of values like these."""
    if spec.shares:
        return decompose(values, limits, **options)
    if spec.difference:
        individual = soft_threshold(values, limits[:, None])
    else:
        individual = sparse_group_values(values, limits, **options)
    return np.zeros(values.shape[1]), individual


def _classified(
    i: np.ndarray, j: np.ndarray, shared: np.ndarray, individual: np.ndarray, spec: EstimatorSpec
) -> list[dict[str, np.ndarray]]:
    """Return the rows of a table of edges; classes are those of `edges.edges_of`."""
    total = shared + individual
    present = (total != 0).sum(axis=0)
    if spec.difference:
        (chosen,) = np.nonzero(individual[0])
        return [_part(i[chosen], j[chosen], CLASSES.index("difference"), -1, 2, individual[0, chosen])]
    if len(total) == 1:
        (chosen,) = np.nonzero(total[0])
        return [_part(i[chosen], j[chosen], CLASSES.index("single"), 0, 1, total[0, chosen])]
    if spec.shares:
        everywhere = shared != 0
    else:
        everywhere = np.abs(np.sign(total).sum(axis=0)) == len(total)
        shared, individual = np.where(everywhere, total.mean(axis=0), 0), np.where(everywhere, 0, total)
    (common,) = np.nonzero(shared)
    context, own = np.nonzero(individual)
    classes = np.where(everywhere[own], CLASSES.index("modulated"), CLASSES.index("specific"))
    return [
        _part(i[common], j[common], CLASSES.index("shared"), -1, present[common], shared[common]),
        _part(i[own], j[own], classes, context, present[own], individual[context, own]),
    ]


def _part(
    i: np.ndarray,
    j: np.ndarray,
    classes: np.ndarray | int,
    context: np.ndarray | int,
    contexts: np.ndarray | int,
    weight: np.ndarray,
) -> dict[str, np.ndarray]:
    columns = {"class": (classes, np.int8), "context": (context, np.int16), "contexts": (contexts, np.int16)}
    return {
        "i": i.astype(np.int32),
        "j": j.astype(np.int32),
        **{name: np.broadcast_to(value, i.shape).astype(kind) for name, (value, kind) in columns.items()},
        "weight": weight,
    }


@njit(cache=True, nogil=True)
def _mark(block: np.ndarray, limit: np.floating, marks: np.ndarray) -> None:
    """Mark the values beyond a limit."""
    for row in range(block.shape[0]):
        for start in range(0, block.shape[1], SEGMENT):
            part = block[row, start : start + SEGMENT]
            # Almost all segments end here. A sum of comparisons takes vector instructions, a search does not.
            beyond = 0
            for place in range(part.size):
                beyond += abs(part[place]) > limit
            if beyond > 0:
                for place in range(part.size):
                    if abs(part[place]) > limit:
                        marks[row, start + place] = True


@njit(cache=True, nogil=True)
def _count(block: np.ndarray, scale: float, shift: int, grid: np.ndarray, counts: np.ndarray) -> None:
    """Count scaled values by the highest threshold that they exceed; columns begin `shift` after rows."""
    per_step = 1 / (grid[1] - grid[0])
    for row in range(block.shape[0]):
        for column in range(max(0, row - shift + 1), block.shape[1]):
            value = abs(block[row, column]) * scale
            if value > grid[0]:
                counts[min(int((value - grid[0]) * per_step), grid.size - 1)] += 1


@njit(cache=True, nogil=True)
def _count_groups(stack: np.ndarray, cost: float, shift: int, grid: np.ndarray, counts: np.ndarray) -> None:
    """Count |values|, shape (K, row, column), by the highest threshold at which they and their group are kept."""
    per_step = 1 / (grid[1] - grid[0])
    contexts = stack.shape[0]
    for row in range(stack.shape[1]):
        for column in range(max(0, row - shift + 1), stack.shape[2]):
            # Between `kept` and `lost`, which are places in the grid, is the highest threshold that keeps the group.
            kept, lost = -1, grid.size
            while lost - kept > 1:
                middle = (kept + lost) // 2
                squares = 0.0
                for context in range(contexts):
                    squares += max(stack[context, row, column] / grid[middle] - 1, 0.0) ** 2
                if squares > cost**2:
                    kept = middle
                else:
                    lost = middle
            if kept >= 0:
                for context in range(contexts):
                    value = stack[context, row, column]
                    if value > grid[0]:
                        counts[min(int((value - grid[0]) * per_step), kept)] += 1


@njit(cache=True, nogil=True)
def _products(vectors: np.ndarray, weights: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Return weighted dot products of pairs of rows, in double precision and always in the same order."""
    products = np.empty(i.size)
    for pair in range(i.size):
        first, second = vectors[i[pair]], vectors[j[pair]]
        total = 0.0
        for place in range(weights.size):
            total += np.float64(first[place]) * np.float64(second[place]) * weights[place]
        products[pair] = total
    return products
