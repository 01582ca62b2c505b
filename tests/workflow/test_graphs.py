"""The track of graphs, planned as a user plans it."""

from pathlib import Path

import numpy as np
import pytest

from .conftest import Workspace

FILES = ["edges.tsv", "path.tsv", "null.tsv", "summary.json", "graph.graphml", "graph.sif", "graph.json"]
SHEET = "set\tcontext\tdata\tgroup\n"
PAIR = "pair\tA\tdata/A.tsv\tfirst\npair\tB\tdata/B.tsv\tsecond\n"
TRIO = "trio\tA\tdata/A.tsv\t\ntrio\tB\tdata/B.tsv\t\ntrio\tC\tdata/C.npz\t\n"
MARKS = "marks\tON\tepigenome:SYN1:ON\t\nmarks\tOFF\tepigenome:SYN1:OFF\t\n"


def configure(workspace: Workspace, repository: Path, graphs: dict | None, sheet: str = SHEET + PAIR + TRIO) -> None:
    """Write a configuration of the tracks chromatin and graphs; the files of the former are only planned."""
    config: dict = {
        "genome": {"name": "synthetic", "chrom_sizes": str(repository / "config/demo/synthetic.chrom.sizes")}
    }
    config |= {"models": ["logistic_regression"]} | ({} if graphs is None else {"graphs": graphs})
    workspace.configure(config, "epigenome\tname\nSYN1\tone\nSYN2\ttwo\n")
    (workspace / "contexts.tsv").write_text(sheet)
    (workspace / "data").mkdir(exist_ok=True)
    for name in "AB":
        rows = ("\t".join(str((n * 5 + i) % 7) for i in range(4)) for n in range(30))
        (workspace / f"data/{name}.tsv").write_text("\n".join(["w\tx\ty\tz", *rows]) + "\n")
    np.savez(workspace / "data/C.npz", samples=np.ones((30, 4)), variables=[*"wxyz"])


def plan(workspace: Workspace, *arguments: str) -> dict[str, int]:
    return workspace.succeed("--dry-run", "--quiet", "rules", *arguments).jobs


def test_the_target_of_the_track_is_all_sets(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, {"sheet": "contexts.tsv"})
    jobs = {"graph_samples": 2, "graph_estimate": 5 + 3, "graph_page": 2, "graph_tables": 1, "graph_index": 1}
    assert plan(workspace, "--", "graphs") == jobs | {"graphs": 1}
    both = plan(workspace)
    assert both["train"] == 2
    assert {rule: number for rule, number in both.items() if rule in jobs} == jobs
    page = "results/graphs/pair/report.html"
    assert plan(workspace, "--", page) == {"graph_samples": 1, "graph_estimate": 5, "graph_page": 1}
    result = workspace.succeed("--dry-run", "--", f"results/graphs/pair/jeek/{FILES[0]}")
    assert all(f"results/graphs/pair/jeek/{name}" in result.output for name in FILES)
    # One line for each set says what it takes.
    (line,) = [line for line in result.output.splitlines() if line.startswith("Graphs of pair: ")]
    assert "2 contexts" in line
    assert "4 variables" in line


def test_many_variables_are_estimated_in_tiles(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, {"sheet": "contexts.tsv", "tiles": {"from": 4, "jobs": 3}, "estimators": ["jeek"]})
    assert plan(workspace, "--", "results/graphs/trio/report.html") == {
        **{"graph_samples": 1, "graph_map": 3, "graph_threshold": 2, "graph_rows": 2 * 3, "graph_edges": 2},
        "graph_page": 1,
    }


def test_epigenomes_come_from_the_other_track(workspace: Workspace, repository: Path, small_mirror: Path) -> None:
    configure(workspace, repository, {"sheet": "contexts.tsv", "estimators": ["diffee"]}, SHEET + MARKS)
    (workspace / "mirror").symlink_to(small_mirror)
    jobs = plan(workspace, "--config", "mirror=file://{workdir}/mirror", "--", "results/graphs/marks/report.html")
    assert jobs["dataset"] == jobs["graph_samples"] == jobs["graph_page"] == 1
    assert jobs["graph_estimate"] == 2
    assert "train" not in jobs


@pytest.mark.parametrize(
    ("graphs", "sheet", "words"),
    [
        ({"sheet": "other.tsv"}, SHEET, ["config.yaml: key 'graphs.sheet'", "'other.tsv' does not exist"]),
        ({"share_cost": 1}, SHEET + PAIR, ["config.yaml: key 'graphs.share_cost'", "nothing is ever shared"]),
        ({}, SHEET + "one\tA\tepigenome:SYN3\t\n", ["'SYN3' is not in the study, did you mean 'SYN"]),
        ({}, SHEET + "one\tA\texpression\t\n", ["expression has 2 epigenomes", "fewer than the 20"]),
    ],
)
def test_a_mistake_is_one_line_before_any_job(
    workspace: Workspace, repository: Path, graphs: dict, sheet: str, words: list[str]
) -> None:
    configure(workspace, repository, {"sheet": "contexts.tsv"} | graphs, sheet)
    result = workspace.snakemake("--dry-run", "--", "graphs")
    assert result.code == 1
    assert "Traceback" not in result.output
    assert "Job stats" not in result.output
    (line,) = [line for line in result.output.splitlines() if words[0] in line]
    assert line.startswith("Error: ")
    assert all(word in line for word in words), line


def test_without_a_section_nothing_of_the_track_is_planned(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, None)
    result = workspace.succeed("--dry-run")
    assert result.jobs["train"] == 2
    assert "results/graphs" not in result.output
    assert "Graphs of" not in result.output
    assert workspace.succeed("--dry-run", "--", "graphs").jobs.keys() <= {"graphs"}
