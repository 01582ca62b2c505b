"""Joint graphs of histone marks in real epigenomes: shared and specific edges, and ON against OFF genes.

    .venv/bin/python benchmarks/graph_chromatin.py --data ../shared/data --figure docs/images/graphs.svg

Variables are the counts of five marks in ten groups of bins around the TSS, samples are genes, blocks are chromosomes.
E012 and E013 have 18,421 genes, E003 and E123 759 and 620. ON genes are above the median expression.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from chromattend.chromatin.expression import read_matrix
from chromattend.chromatin.genes import read_annotation
from chromattend.figures import save
from chromattend.files import atomic
from chromattend.graphs.analysis import Analysis, Choices, analyse
from chromattend.graphs.controls import replication
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.measure import Settings, problem_of
from chromattend.graphs.problem import Contexts
from chromattend.graphs.samples import prepared

GROUPS = 10
PAIRS = (("E012", "E013"), ("E003", "E123"))
JOINT, CHANGES = ("jeek",), ("diffee", "correlation_difference")
COLOURS = {"OFF": "#0072b2", "ON": "#d55e00"}


def read(folder: Path) -> tuple[tuple[str, ...], dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Return the variables and, of each epigenome, counts (gene, variable), chromosomes and labels (1 is ON)."""
    annotation = read_annotation(folder / "roadmap/gencode_10_genes.gtf.gz").drop_duplicates("gene")
    chromosomes = annotation.set_index("gene")["chrom"]
    rpkm = read_matrix(folder / "roadmap/57epigenomes.RPKM.pc.gz", ["E012", "E013"])
    epigenomes = {}
    for name in ("E012", "E013"):
        with np.load(folder / f"epigenomes/{name}_promoters_50bp.npz") as file:
            genes, marks = file["genes"], file["marks"]
            # In this file the gene body is at low bins; upstream comes first here.
            counts = file["coverage"].astype(int).transpose(1, 0, 2)[:, :, ::-1]
        values = rpkm.loc[genes, name].to_numpy(dtype=float)
        epigenomes[name] = counts, genes, values > np.median(values)
    for name in ("E003", "E123"):
        with np.load(folder / f"chromatin/{name}_union_counts.npz", allow_pickle=True) as file:
            epigenomes[name] = file["X"].astype(int).transpose(0, 2, 1), file["gene"], file["label"] == 1
    result = {
        name: (
            counts.reshape(len(genes), len(marks), GROUPS, -1).sum(axis=3).reshape(len(genes), -1).astype(float),
            chromosomes.reindex(genes).fillna("none").to_numpy(dtype=str),
            on.astype(int),
        )
        for name, (counts, genes, on) in epigenomes.items()
    }
    return tuple(f"{mark}:{group}" for mark in marks for group in range(1, GROUPS + 1)), result


def draw(states: dict[str, tuple[Analysis, Analysis]], partial: dict[str, np.ndarray], variables: list[str]) -> Figure:
    """Draw the partial and plain correlation of two marks in the same bins, in OFF and ON genes."""
    figure = Figure(figsize=(8.2, 3.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    first, second = (
        [variables.index(f"{mark}:{group}") for group in range(1, GROUPS + 1)] for mark in ("H3K4me1", "H3K4me3")
    )
    places = (np.arange(GROUPS) - GROUPS / 2 + 0.5) * 10 / GROUPS
    for axes, (name, matrices) in zip(panels, partial.items(), strict=True):
        for state, matrix in zip(("OFF", "ON"), matrices, strict=True):
            axes.plot(places, matrix[first, second], "o-", color=COLOURS[state], markersize=4, label=f"{state} genes")
        edges = states[name][0].edges
        chosen = {(a, b) for a, b in edges[["node1", "node2"]].itertuples(index=False)}
        for place, i, j in zip(places, first, second, strict=True):
            if (variables[i], variables[j]) in chosen:
                axes.annotate(
                    "*", (place, max(m[i, j] for m in matrices)), (0, 4), textcoords="offset points", ha="center"
                )
        axes.axhline(0, color="0.6", linewidth=0.8)
        axes.set(title=name, xlabel="Distance from the TSS (kb)")
    panels[0].set_ylabel("Partial correlation of\nH3K4me1 and H3K4me3", fontsize=10)
    panels[0].legend(frameon=False, fontsize=8)
    return figure


def main() -> None:
    """Run all sets, print their tables, and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with chromatin, epigenomes and roadmap")
    parser.add_argument("--output", type=Path, default=Path("build/graph_chromatin.json"))
    parser.add_argument("--figure", type=Path, default=Path("build/graph_chromatin.svg"))
    parser.add_argument("--permutations", type=int, default=200)
    arguments = parser.parse_args()
    variables, epigenomes = read(arguments.data)
    choices = Choices(
        Settings(map="auto"),
        {"share_cost": 0.5, "group_cost": 1.0},
        permutations=arguments.permutations,
        subsamples=0,
        split_halves=10,
        transform="log1p",
    )
    sets = {
        f"{one}, {other}": Contexts(
            (one, other),
            variables,
            tuple(epigenomes[name][0] for name in (one, other)),
            tuple(epigenomes[name][1] for name in (one, other)),
        )
        for one, other in PAIRS
    }
    for name, (counts, chromosomes, on) in epigenomes.items():
        states = [on == state for state in (0, 1)]
        sets[name] = Contexts(
            ("OFF", "ON"), variables, tuple(counts[s] for s in states), tuple(chromosomes[s] for s in states)
        )
    rows, changes = [], {}
    for name, contexts in sets.items():
        for estimator in (*JOINT, *CHANGES):
            start = time.perf_counter()
            analysis = analyse(contexts, ESTIMATORS[estimator], choices, counts=True)
            changes[name, estimator] = analysis
            summary = analysis.summary
            rows.append(
                {"set": name, "estimator": estimator, "verdict": summary["verdict"], "counts": summary["counts"]}
            )
            rows[-1] |= {"null": summary["null"], "halves": summary["split_halves"], "thinned": summary["thinned"]}
            rows[-1]["seconds"] = time.perf_counter() - start
            print(f"{name} | {estimator} | {summary['verdict']} | {rows[-1]['seconds']:.0f} s")
        halves = ", ".join(f"{row['context']}-{row['other']} {row['r']:.2f}" for row in summary["split_halves"])
        print(f"{name} | r of halves: {halves}")
    both = []
    for estimator in CHANGES:
        for one, other in PAIRS:
            result = replication(changes[one, estimator].edges, changes[other, estimator].edges)
            both.append({"estimator": estimator, "sets": [one, other], "same": len(result.both), "r": result.r})
            both[-1] |= {"opposite": result.opposite, "first": result.first, "second": result.second}
            print(f"{estimator} | {one}, {other} | {both[-1]}")
            print(result.both.head(20).to_string())
    with atomic(arguments.output) as temporary:
        temporary.write_text(json.dumps({"sets": rows, "replication": both}, indent=1))
    partial = {name: problem_of(prepared(sets[name], "log1p").samples, choices.settings).partial for name in PAIRS[0]}
    states = {name: (changes[name, "diffee"], changes[name, "correlation_difference"]) for name in PAIRS[0]}
    save(draw(states, partial, list(variables)), arguments.figure)


if __name__ == "__main__":
    main()
