"""One estimator on the samples of one set: lambda, edges, controls, and what they say in a sentence."""

import resource
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from chromattend.graphs.controls import (
    AUTOCORRELATED,
    STABLE,
    DifferenceTests,
    autocorrelation,
    difference_tests,
    null_counts,
    nulls_of,
    split_halves,
    stability,
    stability_of,
    thin,
)
from chromattend.graphs.edges import RELATIONS, edge_pairs, edges_of, pair_numbers, relation_of
from chromattend.graphs.estimators.registry import EstimatorSpec
from chromattend.graphs.measure import Measured, Settings, measure, problem_of_part
from chromattend.graphs.problem import Contexts, DifferenceGraph, Problem
from chromattend.graphs.samples import prepared, variable_table
from chromattend.graphs.selection import Nulls, Selection, choose_lambda, given_lambda, null_number, null_scale
from chromattend.graphs.study import ABOVE_CHANCE
from chromattend.graphs.truth import Truth, edge_scores, truth_scores
from chromattend.statistics import false_discovery_rates

# With fewer samples per variable, a partial correlation is little more than a rescaled correlation.
SAMPLES_PER_VARIABLE = 0.5
# Variables whose correlation is at least this large are copies of each other, but for noise.
REDUNDANT = 0.999


@dataclass(frozen=True)
class Choices:
    """What the configuration says of an analysis; see the section `graphs`.

    Attributes:
        settings: correlations and backward maps.
        options: `share_cost`, `group_cost` and `group_change`, handed to the estimators that have them.
        rule: `null`, `stability`, or a lambda.
        fdr, difference_fdr: targets, for the graphs of contexts and for a difference.
        permutations, split_halves, subsamples: numbers of repetitions of the controls.
        thin: whether counts are thinned for the difference of two contexts.
        transform, covariates: see `samples.prepared`.
        seed: of all permutations.
    """

    settings: Settings
    options: Mapping[str, float]
    rule: str | float = "null"
    fdr: float = 0.1
    difference_fdr: float = 0.05
    permutations: int = 200
    split_halves: int = 10
    subsamples: int = 25
    thin: bool = True
    transform: str = "none"
    covariates: tuple[str, ...] = ()
    seed: int = 1

    def target(self, spec: EstimatorSpec) -> float:
        """The false discovery rate that an estimator aims at."""
        return self.difference_fdr if spec.difference else self.fdr


@dataclass(frozen=True)
class Analysis:
    """What an estimator says of a set.

    Attributes:
        edges: see `edges.edges_of`, with relation (`edges.relation_of`), stability (share of half samples), p, q, and,
            where counts were thinned, thinned_q.
        path: lambda, edges, null_edges, fdr; see `selection.Selection`.
        null: counts of each class after exchanges of samples between contexts; see `controls.null_counts`.
        summary: numbers and sentences for pages and tables.
    """

    edges: pd.DataFrame
    path: pd.DataFrame
    null: pd.DataFrame
    summary: dict[str, Any]


def analyse(
    raw: Contexts,
    spec: EstimatorSpec,
    choices: Choices,
    *,
    counts: bool = False,
    weights: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    truth: Truth | None = None,
) -> Analysis:
    """Run one estimator on one set, with all controls.

    Args:
        raw: samples before any transform.
        spec: the estimator; one of a difference needs two contexts.
        choices: see `Choices`.
        counts: whether the values are counts.
        weights, groups: prior knowledge, see `Problem`.
        truth: true edges, if they are known.

    Returns:
        The same for the same seed.
    """
    start = time.perf_counter()
    rngs = _generators(choices.seed, spec.difference)
    options = {name: choices.options[name] for name in spec.options}
    contexts = prepared(raw, choices.transform, choices.covariates)
    measured = measure(contexts.samples, choices.settings, weights, groups)
    problem, settings = measured.problem, measured.settings
    matrices = "correlations" if spec.baseline else "partial"
    # Lambda is chosen without prior knowledge: the noise of favoured edges would raise it for all others.
    plain = replace(problem, weights=None, groups=None)
    nulls = nulls_of(contexts, settings, spec.difference, null_number(len(contexts.variables)), rngs["lambda"])
    tests = None
    if spec.difference:
        tests = difference_tests(
            contexts, plain, settings, matrices, choices.permutations, choices.difference_fdr, rngs["tests"]
        )
    selection = _select(plain, nulls, spec, options, choices, tests)
    graph = spec.load()(problem, selection.thresholds, **options)
    edges = edges_of(
        graph, contexts.variables, contexts.names, problem.partial, problem.correlations, shares=spec.shares
    )
    if choices.subsamples:
        target = choices.target(spec) if isinstance(choices.rule, str) else None
        frequencies = stability(
            contexts, problem, settings, spec, options, selection, target, choices.subsamples, rngs["stability"]
        )
        edges["stability"] = stability_of(edges, frequencies, contexts.variables, contexts.names)
    else:
        edges["stability"] = np.nan
    edges["relation"] = relation_of(edges, variable_table(contexts.variables))
    if tests is not None:
        pairs = edge_pairs(edges, contexts.variables)
        edges["p"], edges["q"] = tests.p[pairs], tests.q[pairs]
    else:
        edges["p"], edges["q"] = _independence(edges, contexts, problem, nulls, matrices, spec)
    thinned = None
    if tests is not None and counts and choices.thin:
        again = _thinned(raw, choices, settings, matrices, rngs)
        edges["thinned_q"] = again.q[pairs]
        thinned = {"edges": int(np.triu(again.q <= choices.difference_fdr, k=1).sum())}
        thinned["both"] = int((edges["thinned_q"] <= choices.difference_fdr).sum())
    if choices.rule == "stability":
        edges = edges[edges["stability"] >= STABLE].reset_index(drop=True)
    scored: pd.DataFrame | DifferenceGraph = edges
    if isinstance(graph, DifferenceGraph):  # a table without rows does not tell that it is of differences
        left = np.zeros_like(graph.difference)
        left[edge_pairs(edges, contexts.variables)] = edges["weight"]
        scored = DifferenceGraph(left + left.T)
    null = pd.DataFrame()
    # Edges that are chosen by their stability cannot be compared with those of exchanges, which are not.
    if len(contexts.names) > 1 and choices.rule != "stability":
        null = null_counts(
            contexts, problem, settings, spec, options, selection.thresholds, choices.permutations, rngs["null"]
        )
    halves = split_halves(contexts, settings, choices.split_halves, rngs["halves"]) if choices.split_halves else None
    summary = _summary(
        spec,
        choices,
        edges,
        null,
        variables=len(contexts.variables),
        contexts=_describe(contexts, measured, selection),
        map=settings.map,
        value=selection.value,
        fdr=selection.fdr if tests is None or not spec.entrywise or null.empty else _rate(edges, null),
        fwer=None
        if tests is None
        else int((tests.fwer[edge_pairs(edges, contexts.variables)] <= choices.difference_fdr).sum()),
        split_halves=[] if halves is None else halves.to_dict("records"),
        stability={
            "subsamples": choices.subsamples,
            "threshold": STABLE,
            "edges": int((edges["stability"] >= STABLE).sum()),
        },
        thinned=thinned,
        truth=None if truth is None else truth_scores(scored, truth, problem.partial, problem.correlations),
        warnings=_warnings(contexts, measured) + _redundant(contexts, problem),
        seconds=time.perf_counter() - start,
    )
    return Analysis(edges, selection.path, null, summary)


def summarise_tiles(
    edges: pd.DataFrame,
    spec: EstimatorSpec,
    choices: Choices,
    *,
    variables: Sequence[str],
    contexts: Sequence[tuple[str, int]],
    threshold: Mapping[str, Any],
    null: pd.DataFrame,
    truth: Truth | None = None,
) -> dict[str, Any]:
    """Return the summary of edges that were estimated in tiles, as that of `Analysis`; what tiles cannot tell is None.

    Args:
        edges: see `tiles.gather`.
        spec, choices: the estimator and the choices.
        variables: names.
        contexts: name and number of samples of each context.
        threshold: z, fdr and reached, see `tiles.Threshold`.
        null: counts after exchanges of samples, extrapolated from some variables; permutation 0 is observed.
        truth: true edges, if they are known.
    """
    warnings = few_samples(contexts, len(variables))
    if not threshold["reached"]:
        warnings.append(
            f"{spec.title}: no lambda reached the target of the false discovery rate; the lowest one without null "
            "edges was taken."
        )
    warnings.append(
        "Estimated in tiles: lambda is in units of each context's noise, and the numbers by chance are extrapolated "
        "from some of the variables. Blocks of samples are not kept, and halves and stability are left out."
    )
    return _summary(
        spec,
        choices,
        edges,
        null,
        variables=len(variables),
        contexts=[
            {"name": name, "samples": samples, "blocks": None, "threshold": float(threshold["z"] / np.sqrt(samples))}
            | dict.fromkeys(("v", "raised", "least_eigenvalue", "nonzero", "lag1"))
            for name, samples in contexts
        ],
        map="ridge",
        value=threshold["z"],
        fdr=threshold["fdr"] if isinstance(choices.rule, str) else None,
        truth=None if truth is None else edge_scores(edges, truth),
        warnings=warnings,
    )


def _summary(
    spec: EstimatorSpec,
    choices: Choices,
    edges: pd.DataFrame,
    null: pd.DataFrame,
    *,
    variables: int,
    contexts: list[dict[str, Any]],
    map: str,
    value: float,
    fdr: float | None,
    warnings: list[str],
    truth: Mapping[str, Any] | None,
    fwer: int | None = None,
    split_halves: Sequence[Mapping[Any, Any]] = (),
    stability: Mapping[str, Any] | None = None,
    thinned: Mapping[str, int] | None = None,
    seconds: float | None = None,
) -> dict[str, Any]:
    """Return the contents of `summary.json`; what does not exist, such as an error rate of no edges, is None."""
    summary = {
        "estimator": spec.name,
        "title": spec.title,
        "source": spec.source,
        "baseline": spec.baseline,
        "difference": spec.difference,
        "variables": variables,
        "contexts": contexts,
        "settings": {"covariance": choices.settings.covariance, "map": map, "transform": choices.transform}
        | {name: choices.options[name] for name in spec.options},
        "lambda": {
            "rule": choices.rule if isinstance(choices.rule, str) else "number",
            "value": value,
            "fdr": fdr,
            "target": choices.target(spec),
        },
        "counts": _counts(edges),
        "relations": _relations(edges),
        "null": _null(null),
        "fwer": fwer,
        "split_halves": list(split_halves),
        "stability": stability,
        "thinned": thinned,
        "truth": truth,
        "warnings": warnings,
        "seconds": seconds,
        "memory_mb": _peak_memory(),
    }
    complete: dict[str, Any] = _without_nan(summary | {"verdict": verdict(summary)})
    return complete


def _without_nan(value: Any) -> Any:
    """Return a value of JSON in which NaN, which JSON has not, is None."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and np.isnan(value) else value


def _generators(seed: int, difference: bool) -> dict[str, np.random.Generator]:
    """Return random numbers for each control, so that more of one changes no other.

    Tests of a difference, its lambda and its null counts draw the same exchanges, so that their numbers agree.
    """
    names = ("null", "lambda", "halves", "stability", "thin", "tests")
    seeds = dict(zip(names, np.random.SeedSequence(seed).spawn(len(names)), strict=True))
    if difference:
        seeds |= {"lambda": seeds["null"], "tests": seeds["null"]}
    return {name: np.random.default_rng(each) for name, each in seeds.items()}


def _select(
    problem: Problem,
    nulls: Nulls,
    spec: EstimatorSpec,
    options: Mapping[str, Any],
    choices: Choices,
    tests: DifferenceTests | None,
) -> Selection:
    """Return lambda and its path, by the rule of the configuration."""
    if not isinstance(choices.rule, str):
        return given_lambda(problem, nulls, spec, options, choices.rule)
    if tests is None or not spec.entrywise:
        return choose_lambda(problem, nulls, spec, options, choices.target(spec))
    # All exchanges of the tests, and not only the few nulls, choose the lambda of a difference.
    value = tests.threshold
    if np.isnan(value):
        values = np.diff(problem.correlations if spec.baseline else problem.partial, axis=0)[0]
        value = 1.01 * float(np.abs(np.triu(values, k=1)).max())
    return given_lambda(problem, nulls, spec, options, value)


def _independence(
    edges: pd.DataFrame,
    contexts: Contexts,
    problem: Problem,
    nulls: Nulls,
    matrices: str,
    spec: EstimatorSpec,
) -> tuple[np.ndarray, np.ndarray]:
    """Return p and q of each row of joint edges against variables that are independent.

    A context's edge is tested by its value over the context's noise, against the values of all pairs, contexts and
    nulls; a shared edge by the mean over contexts, against means of the nulls. p is the larger one of both kinds of
    nulls (`selection.Nulls`), q is over all pairs (and contexts).
    """
    upper = np.triu_indices(len(contexts.variables), k=1)
    scale = null_scale(nulls, replace(spec, matrices=matrices))[:, None]
    values = getattr(problem, matrices)[:, *upper] / scale
    kinds = [
        np.stack([getattr(each, matrices)[:, *upper] / scale for each in kind])
        for kind in (nulls.unlinked, nulls.noise)
        if kind
    ]
    place = {name: number for number, name in enumerate(contexts.names)}
    pair = pair_numbers(edges, contexts.variables)
    own = edges["context"].map(place).to_numpy(dtype=float)
    p, q = np.full(len(edges), np.nan), np.full(len(edges), np.nan)
    for rows, data, backgrounds in (
        (np.isnan(own), values.mean(axis=0)[None], [null.mean(axis=1) for null in kinds]),
        (~np.isnan(own), values, kinds),
    ):
        of_pairs = np.max([_pooled_p(data, background) for background in backgrounds], axis=0)
        corrected = false_discovery_rates(pd.Series(of_pairs.ravel())).to_numpy().reshape(of_pairs.shape)
        context = np.where(np.isnan(own), 0, own).astype(int)[rows]
        p[rows], q[rows] = of_pairs[context, pair[rows]], corrected[context, pair[rows]]
    return p, q


def _pooled_p(values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Return two-sided p values, never 0, of values among all null values."""
    ascending = np.sort(np.abs(null), axis=None)
    above = len(ascending) - np.searchsorted(ascending, np.abs(values), side="left")
    p: np.ndarray = (1 + above) / (1 + len(ascending))
    return p


def _thinned(
    raw: Contexts,
    choices: Choices,
    settings: Settings,
    matrices: str,
    rngs: Mapping[str, np.random.Generator],
) -> DifferenceTests:
    """Test the differences again after counts were thinned to equal means."""
    chosen = np.isin(raw.variables, choices.covariates, invert=True)
    samples = [values.astype(np.int64) for values in raw.samples]
    for values, other in zip(samples, thin([values[:, chosen] for values in samples], rngs["thin"]), strict=True):
        values[:, chosen] = other
    contexts = prepared(
        replace(raw, samples=tuple(values.astype(float) for values in samples)), choices.transform, choices.covariates
    )
    # Thinning can leave a rare mark without counts.
    problem = problem_of_part(contexts.samples, settings, rngs["thin"])
    return difference_tests(
        contexts, problem, settings, matrices, choices.permutations, choices.difference_fdr, rngs["thin"]
    )


def _describe(contexts: Contexts, measured: Measured, selection: Selection) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "samples": len(contexts.samples[number]),
            "blocks": len(np.unique(contexts.blocks[number])) if contexts.blocks else None,
            "threshold": float(selection.thresholds[number]),
            "v": float(measured.thresholds[number]),
            "raised": bool(measured.raised[number]),
            "least_eigenvalue": float(measured.least_eigenvalues[number]),
            "nonzero": float(measured.nonzero[number]),
            "lag1": autocorrelation(contexts.samples[number]),
        }
        for number, name in enumerate(contexts.names)
    ]


def _counts(edges: pd.DataFrame) -> dict[str, int]:
    counts = edges["class"].value_counts()
    return {name: int(counts.get(name, 0)) for name in ("shared", "modulated", "specific", "single", "difference")}


def _rate(edges: pd.DataFrame, null: pd.DataFrame) -> float:
    """Return the mean number of differences after exchanges over that of the samples; NaN without any."""
    return float(null.loc[null["permutation"] > 0, "difference"].mean() / len(edges)) if len(edges) else np.nan


def _relations(edges: pd.DataFrame) -> dict[str, dict[str, int]] | None:
    """Return class -> relation of the variables -> number of edges; None if the variables have no groups."""
    if (edges["relation"] == "").any():
        return None
    table = edges.groupby(["class", "relation"]).size()
    return {
        name: {relation: int(table.get((name, relation), 0)) for relation in RELATIONS}
        for name in dict.fromkeys(edges["class"])
    }


def _null(null: pd.DataFrame) -> dict[str, Any] | None:
    """Return mean, maximum and one-sided p of the counts after exchanges."""
    if null.empty:
        return None
    observed, exchanged = null.iloc[0], null.iloc[1:]
    facts: dict[str, Any] = {"permutations": len(exchanged)}
    for name in ("shared", "modulated", "specific", "difference"):
        reached = int((exchanged[name] >= observed[name]).sum())
        facts[name] = {
            "mean": float(exchanged[name].mean()),
            "max": int(exchanged[name].max()),
            "p": (1 + reached) / (1 + len(exchanged)),
        }
    return facts


def _warnings(contexts: Contexts, measured: Measured) -> list[str]:
    """Return sentences on what may mislead."""
    sentences = []
    lags = {name: autocorrelation(values) for name, values in zip(contexts.names, contexts.samples, strict=True)}
    name, lag = max(lags.items(), key=lambda item: item[1])
    if not contexts.blocks and lag > AUTOCORRELATED:
        sentences.append(
            f"Neighbouring samples depend on each other (context {name}: median lag-1 autocorrelation {lag:.2f}). Give "
            "blocks, such as subjects, in the sheet; without them too many edges and differences look real."
        )
    sizes = zip(contexts.names, map(len, contexts.samples), strict=True)
    sentences += few_samples(list(sizes), len(contexts.variables))
    for number, name in enumerate(contexts.names):
        if measured.raised[number]:
            sentences.append(
                f"Context {name}: v was raised to {measured.thresholds[number]:.3g}, because the thresholded "
                "correlations had no inverse; differences between contexts with different v are less certain."
            )
    return sentences


def few_samples(contexts: Sequence[tuple[str, int]], variables: int) -> list[str]:
    """Return a warning if contexts, given by name and number of samples, have few samples for so many variables."""
    few = [(name, samples) for name, samples in contexts if samples < SAMPLES_PER_VARIABLE * variables]
    if not few:
        return []
    name, samples = min(few, key=lambda context: context[1])
    others = f" (and {len(few) - 1} more)" if len(few) > 1 else ""
    return [
        f"Context {name}{others} has {samples:,} samples of {variables:,} variables. A partial correlation is then "
        "little more than a rescaled correlation; compare the correlation baseline. If the samples are the columns of "
        "your matrix, transpose it."
    ]


def _redundant(contexts: Contexts, problem: Problem) -> list[str]:
    """Return a warning if two variables say the same in a context: their edge says nothing new."""
    upper = np.triu_indices(len(contexts.variables), k=1)
    values = np.abs(problem.correlations[:, *upper])
    context, pair = np.unravel_index(int(values.argmax()), values.shape)
    if values[context, pair] < REDUNDANT:
        return []
    first, second = (contexts.variables[places[pair]] for places in upper)
    others = int((values.max(axis=0) >= REDUNDANT).sum()) - 1
    more = f" (and {others} more pairs)" if others else ""
    return [
        f"Variables {first} and {second}{more} are nearly the same in context {contexts.names[context]}: |correlation| "
        f"{values[context, pair]:.4f}. Remove one of them, because neither has edges of its own beside the other."
    ]


def _peak_memory() -> float:
    # In bytes on macOS, else in KB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def verdict(summary: Mapping[str, Any]) -> str:
    """Say in one or two sentences what an analysis shows; see `Analysis.summary`."""
    counts, null = summary["counts"], summary["null"]
    pairs = summary["variables"] * (summary["variables"] - 1) // 2
    what = "correlations" if summary["baseline"] else "partial correlations"
    stable = ""
    if summary["lambda"]["rule"] == "stability":
        stable = f" They are in at least {STABLE:.0%} of half samples; such edges have no number by chance."
    if summary["difference"]:
        text = f"{counts['difference']:,} of {pairs:,} {what} differ"
        if summary["lambda"]["rule"] == "null":
            # No threshold may have reached the target.
            rate = max(summary["lambda"]["target"], summary["lambda"]["fdr"] or 0)
            text += f" at an estimated false discovery rate of {rate:.0%}"
        if null is not None:
            text += f" ({null['difference']['mean']:,.1f} after exchanging samples between contexts"
            text += ")" if summary["fwer"] is None else f"; {summary['fwer']:,} family-wise)"
        if summary["thinned"] is not None:
            text += f". {summary['thinned']['both']:,} of them also differ after thinning to equal counts"
        return f"{text}.{stable}"
    if len(summary["contexts"]) == 1:
        return f"{_counted(counts['single'], 'edge')} among {pairs:,} pairs of variables, of one context alone.{stable}"
    text = _counted(counts["shared"], "shared edge")
    if near := (summary["relations"] or {}).get("shared"):
        text += f" ({near['adjacent']:,} between neighbouring variables)"
    specific = counts["specific"]
    if not specific:
        return f"{text}, and no specific ones.{stable}"
    if null is None:
        return f"{text}, and {_counted(specific, 'specific edge')}.{stable}"
    exchanged = null["specific"]
    which = "The one specific edge is" if specific == 1 else f"The {specific:,} specific edges are"
    above = "more than by chance" if exchanged["p"] <= ABOVE_CHANCE else "not above chance"
    return (
        f"{text}. {which} {above}: {exchanged['mean']:,.0f} on average and {exchanged['max']:,.0f} at most after "
        "exchanging samples between contexts."
    )


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
