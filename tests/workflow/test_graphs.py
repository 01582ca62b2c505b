"""The track of graphs, planned as a user plans it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from chromattend.graphs.simulate import simulate_graphs

from .conftest import SHEET as EPIGENOMES
from .conftest import Workspace, config

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


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, small_study: Workspace, repository: Path) -> Workspace:
    """A finished study of matrices whose truth is known, and of ON against OFF genes of two epigenomes."""
    workspace = small_study.copy(tmp_path_factory.mktemp("graphs") / "study")
    simulate_graphs(workspace / "known", seed=3, variables=24, contexts=2, samples=300)
    header = "set\tcontext\tdata\ttruth\n"
    rows = [f"known\t{name}\tknown/{name}.tsv\tknown/truth.tsv" for name in "AB"]
    rows += [f"{e}\t{label}\tepigenome:{e}:{label}\t" for e in ("SYN1", "SYN2") for label in ("OFF", "ON")]
    (workspace / "contexts.tsv").write_text(header + "\n".join(rows) + "\n")
    graphs = {
        "sheet": "contexts.tsv",
        "estimators": ["jeek", "diffee"],
        "variables": {"bin_groups": 4},
        "controls": {"permutations": 20, "split_halves": 2, "stability": 2},
    }
    workspace.configure(config(repository) | {"graphs": graphs}, EPIGENOMES)
    workspace.succeed("--", "graphs")
    return workspace


def test_graphs_of_matrices_and_epigenomes(finished: Workspace) -> None:
    folder = finished / "results/graphs"
    tables = {name: pd.read_csv(folder / f"tables/{name}.tsv", sep="\t") for name in ("sets", "replication")}
    estimators = ["jeek", "diffee", "correlation", "correlation_difference"]
    expected = [(name, each) for name in ("known", "SYN1", "SYN2") for each in estimators]
    assert list(tables["sets"][["set", "estimator"]].itertuples(index=False, name=None)) == expected
    for name, estimator in expected:
        assert all((folder / name / estimator / file).stat().st_size for file in FILES)
        assert f"{estimator}/graph.graphml" in (folder / name / "report.html").read_text()
    # ON against OFF of both epigenomes can be compared; the set of matrices has other variables.
    pairs = tables["replication"][["estimator", "set", "other"]].itertuples(index=False, name=None)
    assert list(pairs) == [(each, "SYN1", "SYN2") for each in ("diffee", "correlation_difference")]
    summary = json.loads((folder / "SYN1/diffee/summary.json").read_text())
    assert [context["name"] for context in summary["contexts"]] == ["OFF", "ON"]
    assert summary["variables"] == 5 * 4
    assert summary["contexts"][0]["blocks"] > 1
    assert summary["thinned"] is not None
    assert json.loads((folder / "known/jeek/summary.json").read_text())["truth"]["edges"]["f1"] > 0.7


def test_nothing_is_left_to_do_until_a_choice_changes(finished: Workspace, tmp_path: Path) -> None:
    assert finished.succeed("--", "graphs").jobs == {}
    study = finished.copy(tmp_path / "study")
    settings = yaml.safe_load((study / "config.yaml").read_text())
    settings["graphs"]["share_cost"] = 0.4
    (study / "config.yaml").write_text(yaml.safe_dump(settings))
    assert study.succeed("--dry-run", "--quiet", "rules", "--", "results/graphs/known/report.html").jobs.keys() == {
        "graph_estimate",
        "graph_page",
    }


def test_tiles_find_the_same_strong_edges(finished: Workspace, tmp_path: Path) -> None:
    study = finished.copy(tmp_path / "study")
    settings = yaml.safe_load((study / "config.yaml").read_text())
    settings["graphs"] |= {"tiles": {"from": 20, "size": 16, "jobs": 2}, "estimators": ["jeek"], "select": ["known"]}
    (study / "config.yaml").write_text(yaml.safe_dump(settings))
    study.succeed("--", "graphs")
    whole, tiled = (pd.read_csv(each / "results/graphs/known/jeek/edges.tsv", sep="\t") for each in (finished, study))
    shared = [set(map(tuple, table[table["class"] == "shared"][["node1", "node2"]].values)) for table in (whole, tiled)]
    assert len(shared[0] & shared[1]) > 0.6 * len(shared[0])
    summary = json.loads((study / "results/graphs/known/jeek/summary.json").read_text())
    assert summary["truth"]["edges"]["f1"] > 0.7
    assert not (study / "results/graphs/known/jeek/rows").exists() or not any(
        (study / "results/graphs/known/jeek/rows").iterdir()
    )


def test_a_job_names_the_bad_variable(finished: Workspace, tmp_path: Path) -> None:
    study = finished.copy(tmp_path / "study")
    path = study / "known/A.tsv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *("\t".join(["1.5", *row.split("\t")[1:]]) for row in rows)]) + "\n")
    result = study.snakemake("--", "results/graphs/known/report.html")
    assert result.code
    name = header.split("\t")[0]
    assert (
        f"known/A.tsv: context 'A': variable '{name}' is constant, 1.5 in all 300 samples; remove it" in result.output
    )
