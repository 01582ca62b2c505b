"""Controls of joint graphs: exchanged labels, tests of differences, split halves, stability, thinning, replication.

Blocks are groups of samples that depend on each other, such as genes of one chromosome. Controls exchange, split and
keep them as wholes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy

from chromattend.graphs.edges import pair_numbers, parts_of
from chromattend.graphs.estimators.registry import EstimatorSpec
from chromattend.graphs.measure import Settings, problem_of, problem_of_part, resolved, standardised, varied
from chromattend.graphs.problem import Contexts, DifferenceGraph, JointGraph, Problem
from chromattend.graphs.selection import (
    Nulls,
    Selection,
    choose_lambda,
    halves,
    independence_nulls,
    noise_nulls,
    null_number,
    part,
    rows_of_blocks,
)

# Columns of the numbers of edges after exchanges of samples; permutation 0 is the samples as they are.
NULL_COUNTS = ("permutation", "shared", "modulated", "specific", "difference")
SPLIT_HALVES = ("context", "other", "r", "low", "high", "full")
# Median lag-1 autocorrelation above which samples without blocks are suspected to depend on their neighbours.
AUTOCORRELATED = 0.2
# Selection frequency from which an edge is called stable (Meinshausen and Bühlmann 2010: 0.6 to 0.9).
STABLE = 0.6
# Halves of the samples whose median lambda is that of all halves: one alone is an accident of its nulls.
HALVES_OF_LAMBDA = 5


def exchange_labels(contexts: Contexts, rng: np.random.Generator) -> Contexts:
    """Exchange samples between contexts, as if they had the same graph.

    Without blocks, all samples are dealt out again, n_i to context i. The contexts' parts of a block that all contexts
    have, such as a chromosome, are permuted among the contexts. Other blocks, such as subjects, are dealt out again as
    wholes, as many to each context as it had. With blocks, the n_i change.
    """
    number = len(contexts.names)
    if not contexts.blocks:
        rows = [np.arange(len(values)) for values in contexts.samples]
        origin = np.repeat(np.arange(number), [len(each) for each in rows])
        order = rng.permutation(len(origin))
        samples = np.concatenate(contexts.samples)[order]
        return replace(contexts, samples=tuple(np.split(samples, np.cumsum(np.bincount(origin))[:-1])))
    parts: list[tuple[int, np.ndarray]] = []
    names: list[Any] = []
    for context, blocks in enumerate(contexts.blocks):
        parts += [(context, rows) for rows in rows_of_blocks(blocks)]
        names += sorted(set(blocks.tolist()))
    dealt = np.array([context for context, _ in parts])  # the context that each part goes to
    places: dict[Any, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    others: list[int] = []
    for chosen_places in places.values():
        if len(chosen_places) == number:
            dealt[chosen_places] = rng.permutation(number)
        else:
            others += chosen_places
    dealt[others] = rng.permutation(dealt[others])
    chosen = [[part for part, goal in zip(parts, dealt, strict=True) if goal == context] for context in range(number)]
    return replace(
        contexts,
        samples=tuple(np.concatenate([contexts.samples[origin][rows] for origin, rows in each]) for each in chosen),
        blocks=tuple(np.concatenate([contexts.blocks[origin][rows] for origin, rows in each]) for each in chosen),
    )


def exchange_nulls(contexts: Contexts, settings: Settings, number: int, rng: np.random.Generator) -> Iterator[Problem]:
    """Yield the matrices of contexts whose samples were exchanged, one exchange at a time.

    Variables get the same distribution in every context before: a mixture of contexts with different means would have
    correlations that none of them has.
    """
    contexts, settings = standardised(contexts, settings)
    for _ in range(number):
        yield problem_of_part(exchange_labels(contexts, rng).samples, settings, rng)


def nulls_of(contexts: Contexts, settings: Settings, difference: bool, number: int, rng: np.random.Generator) -> Nulls:
    """Return the nulls for the lambda of graphs, or of a difference; see `null_number`.

    Memory is 16 K p^2 bytes for each of up to twice as many matrices, and 8 K p^2 more once estimators read them.
    """
    if difference:
        return Nulls(list(exchange_nulls(contexts, settings, number, rng)))
    return Nulls(independence_nulls(contexts, settings, number, rng), noise_nulls(contexts, settings, number, rng))


def null_counts(
    contexts: Contexts,
    problem: Problem,
    settings: Settings,
    spec: EstimatorSpec,
    options: Mapping[str, Any],
    thresholds: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Count the edges of each class in the samples and after exchanges of samples between contexts.

    Args:
        contexts: at least two.
        problem, settings: their matrices, with weights and groups, and how they were made.
        spec, options: the estimator and its options.
        thresholds: of each context, shape (K,), also used after the exchanges.
        permutations: number of exchanges.
        rng: source of the exchanges.

    Returns:
        Columns `NULL_COUNTS`; classes as in `edges.edges_of`, specific and modulated edges summed over contexts.
    """
    function = spec.load()
    rows = [edge_counts(function(problem, thresholds, **options), spec.shares)]
    for null in exchange_nulls(contexts, settings, permutations, rng):
        informed = replace(null, weights=problem.weights, groups=problem.groups)
        rows.append(edge_counts(function(informed, thresholds, **options), spec.shares))
    table = pd.DataFrame(rows).reindex(columns=list(NULL_COUNTS[1:]), fill_value=0)
    table.insert(0, NULL_COUNTS[0], np.arange(len(rows)))
    return table


def edge_counts(graph: JointGraph | DifferenceGraph, shares: bool) -> dict[str, int]:
    """Return the number of edges of each class, as in `edges.edges_of`, over all contexts."""
    return {name: int(np.count_nonzero(edges)) for name, edges in classes_of(graph, shares).items()}


def classes_of(graph: JointGraph | DifferenceGraph, shares: bool) -> dict[str, np.ndarray]:
    """Return which pairs of variables are edges of each class: bool, shaped as in `edges.parts_of`."""
    return {name: weights != 0 for name, weights in parts_of(graph, shares).items()}


@dataclass(frozen=True)
class DifferenceTests:
    """Tests of the difference of two contexts; arrays have shape (p, p), symmetric, with a diagonal of 1.

    Attributes:
        p: two-sided, of all pairs and exchanges together; never 0.
        q: corrected by the method of Benjamini and Hochberg.
        fwer: share of exchanges whose largest difference is at least as large; never 0.
        threshold: between the |differences| (over their weights) whose q is within the target and smaller ones; NaN if
            none is.
    """

    p: np.ndarray
    q: np.ndarray
    fwer: np.ndarray
    threshold: float


def difference_tests(
    contexts: Contexts,
    problem: Problem,
    settings: Settings,
    matrices: str,
    permutations: int,
    target: float,
    rng: np.random.Generator,
) -> DifferenceTests:
    """Test all differences of two contexts against those after exchanges of samples between them.

    The null values of all pairs are pooled, so that p values can be small after few exchanges. Pairs differ in noise,
    so they are estimates.

    Args:
        contexts: two.
        problem, settings: their matrices, with weights, and how they were made.
        matrices: partial or correlations.
        permutations: number of exchanges.
        target: false discovery rate of the threshold.
        rng: source of the exchanges.
    """
    variables = len(contexts.variables)
    upper = np.triu_indices(variables, k=1)
    weights = 1 if problem.weights is None else problem.weights[upper]
    observed = _difference(problem, matrices, upper) / weights
    ascending = np.sort(observed)
    reached = np.zeros(len(ascending) + 1, dtype=np.int64)
    largest = np.empty(permutations)
    for number, null in enumerate(exchange_nulls(contexts, settings, permutations, rng)):
        values = _difference(null, matrices, upper) / weights
        reached += np.bincount(np.searchsorted(ascending, values, side="right"), minlength=len(reached))
        largest[number] = values.max()
    # Null values in place i are at least as large as the first i differences.
    above = np.cumsum(reached[::-1])[::-1][1:][np.searchsorted(ascending, observed)]
    p = (1 + above) / (1 + permutations * len(observed))
    q = scipy.stats.false_discovery_control(p)
    fwer = (1 + permutations - np.searchsorted(np.sort(largest), observed, side="left")) / (1 + permutations)
    threshold = np.nan
    if (q <= target).any():
        threshold = (observed[q <= target].min() + observed[q > target].max(initial=0)) / 2
    return DifferenceTests(_square(p, variables), _square(q, variables), _square(fwer, variables), float(threshold))


def _difference(problem: Problem, matrices: str, upper: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    first, second = getattr(problem, matrices)[:, *upper]
    return np.abs(second - first)


def _square(values: np.ndarray, variables: int) -> np.ndarray:
    result = np.ones((variables, variables))
    upper = np.triu_indices(variables, k=1)
    result[upper] = values
    result.T[upper] = values
    return result


def split_halves(contexts: Contexts, settings: Settings, number: int, rng: np.random.Generator) -> pd.DataFrame:
    """Compare the partial correlations of contexts with those of halves of one context.

    Two contexts differ if halves of one are more alike than halves of both.

    Args:
        contexts, settings: what is compared.
        number: number of splits.
        rng: source of the splits.

    Returns:
        Columns `SPLIT_HALVES`, one row per context (other is the same) and pair of contexts: Pearson's r over the pairs
        of variables, of a half of each (mean over splits, smallest and largest), and of all samples of both (`full`;
        NaN for one context).
    """
    settings = resolved(settings, contexts.samples)
    values: dict[tuple[int, int], list[float]] = {}
    for _ in range(number):
        rows = halves(contexts, rng)
        first, second = (
            problem_of_part(part(contexts, [pair[side] for pair in rows]).samples, settings, rng).partial
            for side in (0, 1)
        )
        for i in range(len(rows)):
            for j in range(i, len(rows)):
                values.setdefault((i, j), []).append(similarity(first[i], second[j]))
    partial = problem_of(contexts.samples, settings).partial
    table = [
        (
            contexts.names[i],
            contexts.names[j],
            np.mean(r),
            np.min(r),
            np.max(r),
            np.nan if i == j else similarity(partial[i], partial[j]),
        )
        for (i, j), r in values.items()
    ]
    return pd.DataFrame(table, columns=list(SPLIT_HALVES))


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's r of two symmetric matrices over the pairs of variables; NaN if one has no variation."""
    upper = np.triu_indices(len(first), k=1)
    first, second = first[upper], second[upper]
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return np.nan
    return float(np.corrcoef(first, second)[0, 1])


def stability(
    contexts: Contexts,
    problem: Problem,
    settings: Settings,
    spec: EstimatorSpec,
    options: Mapping[str, Any],
    selection: Selection,
    target: float | None,
    subsamples: int,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Estimate how often edges are found again in random halves of the samples.

    Complementary pairs of halves (Shah and Samworth, J. R. Stat. Soc. B 75:55, 2013); blocks are kept as wholes.

    Args:
        contexts: samples.
        problem, settings: their matrices, with weights and groups, and how they were made.
        spec, options: the estimator and its options.
        selection: lambda of all samples.
        target: false discovery rate by which lambda is chosen on halves as on all samples, because halves have more
            noise: the median of some halves. None for a given lambda; it then rises by the root of 2, as the noise.
        subsamples: number of pairs of halves.
        rng: source of the halves.

    Returns:
        class -> share of halves in which a pair of variables is an edge of the class, as in `classes_of`.
    """
    settings = resolved(settings, contexts.samples)
    function = spec.load()
    splits = [halves(contexts, rng) for _ in range(subsamples)]
    sums: dict[str, np.ndarray] = {}
    thresholds = selection.thresholds * np.sqrt(2)
    if target is not None and not np.isnan(selection.fdr):
        chosen = []
        for rows in splits[:HALVES_OF_LAMBDA]:
            half = part(contexts, [pair[0] for pair in rows])
            half = replace(half, samples=tuple(varied(values, rng) for values in half.samples))
            measured = problem_of(half.samples, settings)  # lambda is chosen without prior knowledge
            nulls = nulls_of(half, settings, spec.difference, null_number(len(contexts.variables)), rng)
            # Without edges, the threshold is above all of them.
            chosen.append(choose_lambda(measured, nulls, spec, options, target).thresholds)
        thresholds = np.median(chosen, axis=0)
    for rows in splits:
        for side in (0, 1):
            half = part(contexts, [pair[side] for pair in rows])
            measured = problem_of_part(half.samples, settings, rng, problem.weights, problem.groups)
            for name, edges in classes_of(function(measured, thresholds, **options), spec.shares).items():
                sums[name] = sums.get(name, 0) + edges.astype(np.float32)
    return {name: values / (2 * subsamples) for name, values in sums.items()}


def stability_of(
    edges: pd.DataFrame, frequencies: Mapping[str, np.ndarray], variables: Sequence[str], contexts: Sequence[str]
) -> np.ndarray:
    """Return the frequency of each row of a table of edges, as an edge of its class, shape (row,); see `stability`."""
    pair = pair_numbers(edges, variables)
    result = np.empty(len(edges))
    places = {name: place for place, name in enumerate(contexts)}
    for name, values in frequencies.items():
        rows = np.flatnonzero(edges["class"] == name)
        if values.ndim == 1:
            result[rows] = values[pair[rows]]
        else:
            result[rows] = values[edges["context"].map(places).to_numpy()[rows].astype(int), pair[rows]]
    return result


def thin(counts: Sequence[np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Thin the counts of every variable to the smallest of its means over contexts.

    Higher counts have less noise relative to their mean, and so stronger correlations; what remains after thinning is
    not an effect of that. Every read is kept with the probability smallest mean / mean of its context.

    Args:
        counts: integers, one array per context, shape (n_i, p).
        rng: source of the draws.
    """
    means = np.array([values.mean(axis=0) for values in counts])
    kept = np.divide(means.min(axis=0), means, out=np.ones_like(means), where=means > 0)
    return [rng.binomial(values, share) for values, share in zip(counts, kept, strict=True)]


def autocorrelation(samples: np.ndarray) -> float:
    """Return the correlation of neighbouring samples, shape (n, p), as the median over variables that vary."""
    centred = samples - samples.mean(axis=0)
    square = (centred**2).sum(axis=0)
    product = (centred[1:] * centred[:-1]).sum(axis=0)
    return float(np.median(product[square > 0] / square[square > 0])) if (square > 0).any() else np.nan


@dataclass(frozen=True)
class Replication:
    """How far the edges of one set are found in another one of the same variables.

    Attributes:
        first, second: number of edges of each set.
        both: edges of both, as rows of node1, node2, class, context, weight and other_weight, strongest mean |weight|
            first; only those with the same sign.
        opposite: number of edges of both whose signs differ.
        r: Pearson's r of the weights of the edges of both, with either sign; NaN for fewer than three.
    """

    first: int
    second: int
    both: pd.DataFrame
    opposite: int
    r: float


def replication(first: pd.DataFrame, second: pd.DataFrame) -> Replication:
    """Compare the edges of two sets with the same variables, in the same order, and the same names of contexts.

    Args:
        first, second: tables of `edges.edges_of`; of differences, whose weights are changes.
    """
    keys = ["node1", "node2", "class", "context"]
    both = first[[*keys, "weight"]].merge(second[[*keys, "weight"]].rename(columns={"weight": "other_weight"}), on=keys)
    weight, other = both["weight"].to_numpy(), both["other_weight"].to_numpy()
    varies = len(both) > 2 and np.ptp(weight) > 0 and np.ptp(other) > 0
    same = both[weight * other > 0]
    order = (-(same["weight"] + same["other_weight"]).abs()).argsort(kind="stable")
    return Replication(
        len(first),
        len(second),
        same.iloc[order].reset_index(drop=True),
        len(both) - len(same),
        float(np.corrcoef(weight, other)[0, 1]) if varies else np.nan,
    )
