"""Synthetic sets of contexts for the tests of their pages: simulated graphs, and what an estimator says of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chromattend.graphs.edges import edges_of
from chromattend.graphs.pages.report import Estimated, write_page
from chromattend.graphs.problem import DifferenceGraph, JointGraph, partial_correlations

EVIL = "</script><script>alert(1)</script><img src=x onerror=\"document.title='x'\">"
MARKS = {"H3K4me3": "#FF0000", "H3K4me1": "#FFC34D", "H3K36me3": "#008000", "H3K27me3": "#808080", "H3K9me3": "#8A91D0"}


def variables_of(kind: str, number: int = 60, evil: str = "") -> pd.DataFrame:
    """Marks in ten bins each, or a number of genes."""
    if kind == "marks":
        rows = [
            (f"{mark}_{place}{evil}", mark, place, colour) for mark, colour in MARKS.items() for place in range(1, 11)
        ]
    else:
        rows = [(f"gene{place}{evil}", "", "", "") for place in range(1, number + 1)]
    return pd.DataFrame(rows, columns=["variable", "group", "position", "colour"])


def matrices_of(
    rng: np.random.Generator, variables: pd.DataFrame, contexts: int, samples: int
) -> dict[str, np.ndarray]:
    """Correlations and partial correlations of samples from sparse graphs, most of whose edges are shared."""
    size = len(variables)
    base = np.zeros((size, size))
    if (variables["group"] != "").all():
        for mark in range(5):
            for place in range(9):
                base[10 * mark + place, 10 * mark + place + 1] = 0.34
        for place in range(10):
            base[place, 10 + place] = -0.2 if 3 < place < 6 else 0.22
            base[20 + place, 40 + place] = 0.2
    else:
        hubs = rng.choice(size, max(3, size // 12), replace=False)
        for node in range(size):
            base[node, rng.choice(hubs)] = rng.choice([0.3, 0.3, -0.3])
    made: dict[str, list[np.ndarray]] = {"partial": [], "correlation": []}
    for _ in range(contexts):
        own = base.copy()
        for _ in range(size // 4):
            own[tuple(rng.integers(0, size, 2))] = rng.choice([-0.28, 0.28])
        own = np.triu(own, 1) + np.triu(own, 1).T
        precision = np.eye(size) * (1.02 * max(1, np.abs(np.linalg.eigvalsh(own)).max())) - own
        factor = np.linalg.cholesky(np.linalg.inv(precision))
        correlation = np.corrcoef(factor @ rng.standard_normal((size, samples)))
        made["correlation"].append(correlation)
        ridge = 0.9 * correlation + 0.1 * np.eye(size)
        made["partial"].append(partial_correlations(np.linalg.inv(ridge)[None])[0])
    return {kind: np.stack(stack) for kind, stack in made.items()}


def estimated_of(
    rng: np.random.Generator,
    name: str,
    variables: pd.DataFrame,
    contexts: Sequence[dict[str, Any]],
    matrices: dict[str, np.ndarray],
    wanted: int,
    evil: str = "",
) -> Estimated:
    """What an estimator says: about as many edges as wanted, and invented controls."""
    difference, baseline = "diff" in name, name.startswith("corr")
    stack = matrices["correlation" if baseline else "partial"].copy()
    names = tuple(str(context["name"]) for context in contexts)
    stack[:, np.arange(len(variables)), np.arange(len(variables))] = 0
    values = np.abs(stack[1] - stack[0]) if difference else np.abs(stack).max(axis=0)
    upper = np.sort(values[np.triu_indices(len(variables), 1)])
    threshold = float(upper[-min(wanted, len(upper))])
    graph: JointGraph | DifferenceGraph
    if difference:
        change = stack[1] - stack[0]
        graph = DifferenceGraph(np.sign(change) * np.maximum(np.abs(change) - threshold, 0))
    else:
        total = np.sign(stack) * np.maximum(np.abs(stack) - 0.8 * threshold, 0)
        total *= np.abs(stack).max(axis=0) > threshold
        everywhere = np.abs(np.sign(total).sum(axis=0)) == len(contexts)
        shared = (
            np.where(everywhere, np.sign(total[0]) * np.abs(total).min(axis=0), 0)
            if len(contexts) > 1
            else 0 * total[0]
        )
        graph = JointGraph(shared, total - shared)
    variable_names = tuple(variables["variable"])
    edges = edges_of(graph, variable_names, names, matrices["partial"], matrices["correlation"], shares=True)
    edges["stability"] = np.clip(0.45 + 3 * edges["weight"].abs() + 0.12 * rng.standard_normal(len(edges)), 0, 1)
    edges["p"] = np.where(edges["class"] == "difference", np.minimum(1, 10 ** -(60 * edges["weight"].abs())), np.nan)
    edges["q"] = np.minimum(1, edges["p"] * 4)
    counts = {
        kind: int((edges["class"] == kind).sum())
        for kind in ("shared", "modulated", "specific", "single", "difference")
    }
    kind = "difference" if difference else "specific"
    level = counts[kind] * (1.02 if kind == "specific" else 0.4)
    null = pd.DataFrame({"permutation": np.arange(201)})
    for column in ("shared", "modulated", "specific", "difference"):
        null[column] = np.nan if (column == "difference") != difference else float(counts[column])
    null.loc[1:, kind] = rng.poisson(level, 200).astype(float)
    permuted = null.loc[1:, kind].to_numpy(dtype=float)
    lambdas = np.linspace(0.2, 1.6, 40) * threshold
    observed = np.array([(upper > value).sum() for value in lambdas])
    by_chance = len(upper) * np.exp(-((lambdas / threshold * 2.4) ** 2) / 1.6)
    titles = {
        "jeek": "JEEK",
        "diffee": "DIFFEE",
        "correlation": "Correlation",
        "correlation_difference": "Difference of correlations",
        "fasjem_closed": "Sparse group",
    }
    halves = [
        {
            "context": each,
            "other": each,
            "r": 0.71 - 0.04 * number,
            "low": 0.64 - 0.04 * number,
            "high": 0.77 - 0.04 * number,
        }
        for number, each in enumerate(names[:4])
    ]
    halves += [{"context": names[0], "other": names[1], "r": 0.68, "low": 0.62, "high": 0.75}] if len(names) > 1 else []
    tested = {
        "mean": float(permuted.mean()),
        "max": float(permuted.max()),
        "p": float((1 + (permuted >= counts[kind]).sum()) / 201),
    }
    warning = f"Samples of {names[0]} follow each other: the autocorrelation is 0.34, so give blocks.{evil}"
    warnings = [warning] if len(names) == 3 or evil else []
    verdict = (
        f"{counts['shared']} edges are shared; the {counts['specific']} specific edges do not exceed those of shuffled "
        f"samples, {tested['mean']:.0f} on average, so there is no evidence that the contexts differ.{evil}"
    )
    summary = {
        "set": "set", "estimator": name, "title": titles[name], "source": "Wang, Sekhon, Qi 2018", "baseline": baseline,
        "difference": difference, "variables": len(variables), "contexts": [dict(context) for context in contexts],
        "lambda": {"rule": None, "value": threshold, "fdr": 0.094, "target": 0.1}, "counts": counts, "relations": None,
        "null": {"permutations": 200, "shared": None, "specific": None, "difference": None, kind: tested},
        "split_halves": [] if difference else halves,
        "stability": {"subsamples": 50, "threshold": 0.6, "edges": int((edges["stability"] >= 0.6).sum())},
        "thinned": None, "truth": {"f1": 0.851, "shared": {"f1": 0.93, "fdp": 0.01}} if len(names) == 3 else None,
        "warnings": warnings,
        "verdict": verdict, "seconds": 3.2, "memory_mb": 410.0,
    }  # fmt: skip
    path = pd.DataFrame(
        {
            "lambda": lambdas,
            "edges": observed,
            "null_edges": by_chance,
            "fdr": np.minimum(1, by_chance / np.maximum(observed, 1)),
        }
    )
    return Estimated(name, summary, edges, path, null)


def set_of(
    kind: str, contexts: int = 2, number: int = 60, wanted: int = 200, samples: int = 600, evil: str = ""
) -> dict[str, Any]:
    """The arguments of `write_page` of one set."""
    rng = np.random.default_rng(3)
    variables = variables_of(kind, number, evil)
    titles = ("OFF", "ON") if kind == "marks" else tuple(f"context {place + 1}" for place in range(contexts))
    colours = ("#0072b2", "#d55e00", "#007a5a", "#a8457f")
    rows = [
        {"name": name + evil, "group": "embryonic", "colour": colours[place % 4],
         "samples": samples - 41 * (place % 5), "blocks": 23 if kind == "marks" else 0,
         "threshold": 0.081, "least_eigenvalue": 0.21, "nonzero": 0.62, "lag1": 0.03}
        for place, name in enumerate(titles)
    ]  # fmt: skip
    matrices = matrices_of(rng, variables, len(rows), samples)
    names = [
        "jeek",
        "fasjem_closed",
        *(["diffee"] if len(rows) == 2 else []),
        "correlation",
        *(["correlation_difference"] if len(rows) == 2 else []),
    ]
    estimators = [estimated_of(rng, name, variables, rows, matrices, wanted, evil) for name in names]
    replication = None
    if len(rows) == 2:
        changes = pd.concat(
            [each.edges.assign(estimator=each.name) for each in estimators if each.summary["difference"]]
        )
        replication = changes[["estimator", "node1", "node2"]].assign(
            same_sign=rng.integers(0, 2, len(changes)), sets=1
        )
    return {
        "name": ("E003, ON and OFF" if kind == "marks" else "simulated") + evil,
        "variables": variables, "estimators": estimators, "matrices": matrices, "replication": replication,
        "links": [("All sets", "../index.html")],
        "command": f"snakemake --cores 2 results/graphs/set/report.html{evil}",
    }  # fmt: skip


def page_of(folder: Path, kind: str = "marks", **options: Any) -> Path:
    """Write the page of a synthetic set."""
    path = folder / "report.html"
    write_page(path, **set_of(kind, **options))
    return path
