"""Samples of contexts whose true graphs are known, for the demo, the tests and the benchmark.

All contexts have the shared edges, and each one has specific edges of its own. A true edge has the same partial
correlation in all contexts that have it.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chromattend.errors import UserError, did_you_mean
from chromattend.files import atomic
from chromattend.graphs.problem import Contexts
from chromattend.graphs.truth import Truth

logger = logging.getLogger(__name__)

# Recorded in simulation.json: raise it whenever the output changes, so that older sets are written again.
VERSION = 1
KINDS = ("random", "hub", "small_world")
STRENGTH = (0.2, 0.5)  # absolute values off the diagonal of the precision matrices, before they are scaled
LEAST_EIGENVALUE = 0.2  # of the precision matrices, before they are scaled: the smaller, the stronger the edges
HUB_SIZE = 20  # variables of a hub's star
NEIGHBOURS = 2  # on each side of a variable in the ring of a small world
REWIRED = 0.1  # share of a small world's edges that lead anywhere
SPECIFIC = 0.3  # specific edges of a context, per variable
SET = "simulated"
COLUMNS = ("set", "context", "group", "colour", "data", "block", "truth")


@dataclass(frozen=True)
class Simulation:
    """Samples and the graphs that they were drawn from.

    Attributes:
        contexts: samples with a true mean of 0 and variance of 1.
        precisions: inverses of the true correlation matrices, shape (K, p, p).
        truth: true edges.
    """

    contexts: Contexts
    precisions: np.ndarray
    truth: Truth


def simulate(
    kind: str = "random", variables: int = 60, contexts: int = 3, samples: int = 300, seed: int = 1
) -> Simulation:
    """Draw sparse graphs, and normally distributed samples from them.

    Args:
        kind: shape of the shared graph. random: as many edges as variables. hub: stars of 20 variables. small_world: a
            ring where each variable is joined with two on each side, and a tenth of the edges lead elsewhere
            (Watts, Strogatz 1998). Each context has 0.3 specific edges per variable, which no other context has.
        variables, contexts: p and K.
        samples: of each context.
        seed: non-negative integer.

    Raises:
        UserError: the arguments cannot give graphs.
    """
    if kind not in KINDS:
        raise UserError(f"kind {kind!r}: is unknown{did_you_mean(kind, KINDS)}; give one of {', '.join(KINDS)}")
    if variables < 20 or not 1 <= contexts <= 10 or samples < 2 or seed < 0:
        raise UserError(
            f"variables {variables}, contexts {contexts}, samples {samples}, seed {seed}: out of range; give at least "
            "20 variables, 1 to 10 contexts, at least 2 samples, and a seed of at least 0"
        )
    rng = np.random.default_rng(seed)
    shared = {"random": _random, "hub": _hubs, "small_world": _small_world}[kind](rng, variables)
    free = np.argwhere(np.triu(~shared, k=1))
    chosen = free[rng.permutation(len(free))[: contexts * round(SPECIFIC * variables)]]
    specific = np.zeros((contexts, variables, variables), dtype=bool)
    for context, pairs in enumerate(np.array_split(chosen, contexts)):
        _join(specific[context], pairs)
    values = np.triu(rng.uniform(*STRENGTH, shared.shape) * rng.choice([-1, 1], shared.shape), k=1)
    precisions = (shared | specific) * (values + values.T)
    # One diagonal for all contexts, so that a partial correlation is the same in all of them.
    lowest = min(np.linalg.eigvalsh(matrix)[0] for matrix in precisions)
    precisions += (LEAST_EIGENVALUE - lowest) * np.eye(variables)
    drawn = []
    for context, matrix in enumerate(precisions):
        covariance = np.linalg.inv(matrix)
        scale = np.sqrt(np.diag(covariance))
        precisions[context] = matrix * (scale[:, None] * scale)
        factor = np.linalg.cholesky(covariance / (scale[:, None] * scale))
        drawn.append(rng.standard_normal((samples, variables)) @ factor.T)
    names = tuple("ABCDEFGHIJ"[:contexts])
    labels = tuple(f"v{number:0{len(str(variables))}d}" for number in range(1, variables + 1))
    return Simulation(Contexts(names, labels, tuple(drawn)), precisions, Truth(names, labels, shared, specific))


def simulate_graphs(
    folder: str | Path,
    seed: int = 1,
    *,
    kind: str = "random",
    variables: int = 60,
    contexts: int = 3,
    samples: int = 300,
) -> None:
    """Write a set of contexts, its sheet and its true graph.

    The same arguments give the same bytes. A folder that is complete for these arguments is not changed; a folder that
    is incomplete, or was written for other arguments, is written again.

    Args:
        folder: folder of the set: a matrix of each context, such as `A.tsv`, a row per sample and a column per
            variable; `truth.tsv`, the true edges: node1, node2 and context, which is empty for shared edges;
            `contexts.tsv`, the sheet, with the files in `folder`; and `simulation.json`, the arguments, written last.
        seed, kind, variables, contexts, samples: see `simulate`.

    Raises:
        UserError: see `simulate`.
    """
    folder = Path(folder)
    arguments = {
        "seed": seed,
        "kind": kind,
        "variables": variables,
        "contexts": contexts,
        "samples": samples,
        "folder": folder.as_posix(),
    }
    record, content = folder / "simulation.json", json.dumps({"version": VERSION, **arguments}, indent=1) + "\n"
    simulation = simulate(kind, variables, contexts, samples, seed)
    names = simulation.contexts.names
    paths = [folder / f"{name}.tsv" for name in names]
    truth, sheet = folder / "truth.tsv", folder / "contexts.tsv"
    if record.exists() and record.read_text() == content and all(path.exists() for path in [*paths, truth, sheet]):
        logger.info("%s: is complete", folder)
        return
    record.unlink(missing_ok=True)
    header = "\t".join(simulation.contexts.variables) + "\n"
    texts = {
        path: header + "".join("\t".join(f"{value:.4f}" for value in row) + "\n" for row in matrix)
        for path, matrix in zip(paths, simulation.contexts.samples, strict=True)
    }
    edges = simulation.truth.table()
    texts[truth] = edges.to_csv(sep="\t", index=False, lineterminator="\n")
    # Without colours: those of the pages.
    rows = [
        (SET, name, "demo", "", path.as_posix(), "", truth.as_posix()) for name, path in zip(names, paths, strict=True)
    ]
    texts[sheet] = "".join("\t".join(row) + "\n" for row in [COLUMNS, *rows])
    texts[record] = content
    for path, text in texts.items():
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    logger.info("%s: %d contexts of %d samples with %d true edges written", folder, contexts, samples, len(edges))


def _join(graph: np.ndarray, pairs: np.ndarray) -> None:
    first, second = pairs.T
    graph[first, second] = graph[second, first] = True


def _random(rng: np.random.Generator, variables: int) -> np.ndarray:
    graph = np.zeros((variables, variables), dtype=bool)
    pairs = np.argwhere(np.triu(~graph, k=1))
    _join(graph, pairs[rng.permutation(len(pairs))[:variables]])
    return graph


def _hubs(rng: np.random.Generator, variables: int) -> np.ndarray:
    graph = np.zeros((variables, variables), dtype=bool)
    order = rng.permutation(variables)
    for start in range(0, variables, HUB_SIZE):
        hub, *others = order[start : start + HUB_SIZE]
        graph[hub, others] = graph[others, hub] = True
    return graph


def _small_world(rng: np.random.Generator, variables: int) -> np.ndarray:
    graph = np.zeros((variables, variables), dtype=bool)
    for step in range(1, NEIGHBOURS + 1):
        for first in range(variables):
            second = (first + step) % variables
            if rng.random() < REWIRED:
                free = np.flatnonzero(~graph[first])
                second = rng.choice(free[free != first])
            graph[first, second] = graph[second, first] = True
    return graph
