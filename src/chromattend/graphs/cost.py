"""Predicted memory and time of the graphs of a set, before any job runs.

The planner imports this module, so it needs no numpy. Constants are measured on one thread of a server's CPU at
80 GFLOP/s in single precision; see `benchmarks/graph_scale.py`. Seconds of nine analyses of 50 to 1,000 variables were
0.45 to 1 times the predicted ones.
"""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chromattend.errors import UserError
from chromattend.graphs.estimators.registry import ESTIMATORS, EstimatorSpec

# Samples of a context whose number is not known yet.
UNKNOWN_SAMPLES = 1000
# What takes the place of an estimator that is out of reach.
INSTEAD = "jeek"
# Of Python with its packages (MB).
PROGRAM = 330
# Of a job before its work, with its part of Snakemake (s).
START = 4
# Of the random controls: see `selection.py`.
NULL_PAIRS, MOST_NULLS, FITTED_PAIRS = 1_500_000, 20, 300_000
# Lambdas that are tried for estimators that are fitted.
LAMBDAS = 15
# Of the route in tiles: permutations for the threshold, exchanges of samples, variables among which both count.
TILE_PERMUTATIONS, TILE_EXCHANGES, SAMPLED = 3, 20, 4096
# Seconds of one fit: of a call, of K p^2, and of K p^3.
FITS: Mapping[str, tuple[float, float, float]] = {
    "jeek": (0, 6e-8, 0),
    "correlation": (0, 6e-8, 0),
    "fasjem_closed": (0, 5e-8, 0),
    "fasjem_g": (0, 1e-7, 0),
    "fasjem_i": (0, 1e-7, 0),
    "diffee": (0, 4e-8, 0),
    "correlation_difference": (0, 4e-8, 0),
    "kdiffnet": (0, 1e-7, 0),
    "ggl": (0.01, 1.4e-6, 2e-9),
    "fgl": (0.01, 1.4e-6, 2e-9),
    "simule": (0, 0, 1e-6),
}


@dataclass(frozen=True)
class Cost:
    """The costliest job of a set, and all of its jobs.

    Attributes:
        route: `whole` if jobs hold the matrices of all pairs, `tiles` if they never do.
        map: backward map that `auto` takes: `threshold`, or `ridge` in tiles and with few samples.
        memory_mb: of the job that needs most.
        seconds: of the job that takes longest, on one thread.
        total_seconds: of all jobs.
    """

    route: str
    map: str
    memory_mb: int
    seconds: float
    total_seconds: float

    @property
    def minutes(self) -> int:
        """Minutes of the longest job, with a reserve for slower machines."""
        return math.ceil(3 * self.seconds / 60) + 10

    def sentence(self, variables: int, contexts: int) -> str:
        """Say what will run, for the user, before it does."""
        how = {
            ("whole", "threshold"): "as whole matrices",
            ("whole", "ridge"): "as whole matrices with the ridge map, because samples are few",
            ("tiles", "ridge"): "in tiles with the ridge map, because variables are many",
        }[self.route, self.map]
        noun = "context" if contexts == 1 else "contexts"
        return (
            f"{contexts} {noun} of {variables:,} variables, {how}: up to {self.memory_mb / 1000:.1f} GB, "
            f"{_duration(self.seconds)} for the longest job and {_duration(self.total_seconds)} for all, one core each"
        )


def machine_memory() -> float | None:
    """Return the memory of this machine (MB), or None if it cannot be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e6
    except (AttributeError, OSError, ValueError):
        return None


def predict(
    variables: int,
    samples: Sequence[int | None],
    estimators: Sequence[str],
    *,
    permutations: int = 200,
    split_halves: int = 10,
    subsamples: int = 25,
    tiles_from: int = 4000,
    tile_jobs: int = 16,
    memory_limit_mb: float | None = None,
) -> Cost:
    """Predict memory and time of the jobs of a set, one estimator each.

    Args:
        variables: p.
        samples: of each context; None where the number is not known yet.
        estimators: names in the registry.
        permutations, split_halves, subsamples: numbers of repetitions of the controls on whole matrices.
        tiles_from: number of variables from which pairs are estimated in tiles.
        tile_jobs: number of jobs that the tiles are divided among.
        memory_limit_mb: memory that a job may use, if it is known.

    Raises:
        UserError: an estimator is out of reach for so many variables, or the memory does not suffice.
    """
    sizes = [UNKNOWN_SAMPLES if size is None else size for size in samples]
    tiles = variables >= tiles_from
    for name in estimators:
        _check(ESTIMATORS[name], variables, tiles)
    if tiles:
        cost = _in_tiles(variables, sizes, estimators, tile_jobs)
        advice = "take fewer variables or contexts"
    else:
        cost = _whole(variables, sizes, estimators, permutations, split_halves, subsamples)
        advice = f"set 'graphs.tiles.from' to {variables} or less, which needs no whole matrices"
    if memory_limit_mb is not None and cost.memory_mb > memory_limit_mb:
        raise UserError(
            f"{len(sizes)} contexts of {variables} variables need about {cost.memory_mb / 1000:.0f} GB of memory, more "
            f"than {memory_limit_mb / 1000:.0f} GB; {advice}"
        )
    return cost


def _check(spec: EstimatorSpec, variables: int, tiles: bool) -> None:
    instead = "diffee" if spec.difference else INSTEAD
    if variables > spec.most_variables:
        raise UserError(
            f"estimator {spec.name}: takes at most {spec.most_variables} variables, but there are {variables}; take "
            f"{f'fewer variables, or {instead}' if spec.name != instead else 'fewer variables'}"
        )
    if tiles and not spec.tiled:
        raise UserError(
            f"estimator {spec.name}: needs whole matrices, but {variables} variables are estimated in tiles; take "
            f"{instead}, or raise 'graphs.tiles.from' if the memory suffices"
        )


def _whole(
    variables: int,
    sizes: Sequence[int],
    estimators: Sequence[str],
    permutations: int,
    split_halves: int,
    subsamples: int,
) -> Cost:
    contexts = len(sizes)
    entries, pairs = contexts * variables**2, variables * (variables - 1) / 2
    nulls = _number(NULL_PAIRS, pairs)
    # Scores of the samples, correlations, and their inverse.
    measure = 1.4e-7 * variables * sum(sizes) + entries * (5e-8 + 1.2e-10 * variables)
    seconds = []
    for name in estimators:
        spec = ESTIMATORS[name]
        call, square, cube = FITS[name]
        fit = call + entries * (square + cube * variables)
        # Lambda, by nulls of independent variables and of two halves of the samples, or of exchanged samples.
        choice = nulls * (measure + 1e-7 * entries if spec.difference else 3 * measure + 2.4e-7 * entries)
        if "group_cost" in spec.options or not spec.entrywise:
            choice += LAMBDAS * fit * (1 + _number(FITTED_PAIRS, pairs) * (2 if spec.entrywise else 1))
        tests = 2 * permutations * 2 * measure if spec.difference else 0  # of counts as they are, and thinned
        controls = permutations * (2 * measure + fit) + split_halves * 2 * measure
        stability = choice / 2 + 2 * subsamples * (measure + fit) if subsamples else 0
        seconds.append(choice + fit + tests + controls + stability)
    # Matrices in double precision: of the samples, of all nulls, and of one half with its nulls.
    memory = PROGRAM + entries * (350 + 95 * nulls) / 1e6
    few = min(sizes) < variables / 4
    seconds = [each + START for each in seconds]
    return Cost("whole", "ridge" if few else "threshold", math.ceil(memory), max(seconds), sum(seconds))


def _in_tiles(variables: int, sizes: Sequence[int], estimators: Sequence[str], jobs: int) -> Cost:
    contexts, total, largest = len(sizes), sum(sizes), max(sizes)
    # Scores, their Gram matrix and its Cholesky factor, two triangular solutions.
    factor = 2.2e-7 * variables * largest + 2e-10 * variables * largest**2
    exchange = contexts * (1.5e-7 * variables * largest + 2e-10 * variables * largest**2)
    sampled = min(variables, SAMPLED)

    def products(rows: float, overhead: float) -> float:
        """Seconds of all tiles of so many variables: products at 80 GFLOP/s, and a look at each value."""
        return rows**2 / 2 * (total * 2 / 80e9 + contexts * overhead)

    threshold = (1 + TILE_PERMUTATIONS) * products(sampled, 1e-9) + TILE_PERMUTATIONS * contexts * factor
    threshold += TILE_EXCHANGES * (exchange + products(sampled, 5e-10))
    rows = products(variables, 5e-10)
    longest = max(threshold, 1.3 * rows / jobs, factor)
    # Single precision for all contexts; double precision for the one at work.
    memory = PROGRAM + (4.2 * variables * total + 40 * variables * largest + 8 * sampled * total) / 1e6
    return Cost(
        "tiles",
        "ridge",
        math.ceil(memory),
        longest + START,
        contexts * (factor + START) + len(estimators) * (threshold + rows + START * (jobs + 2)),
    )


def _number(wanted: int, pairs: float) -> int:
    return min(max(math.ceil(wanted / pairs), 1), MOST_NULLS)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
