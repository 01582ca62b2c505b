"""The RO-Crate of a results folder."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chromattend.errors import UserError
from chromattend.pipeline.crate import write_crate
from chromattend.pipeline.records import recorded


def run(folder: Path, inputs: list[Path], output: Path, text: str) -> None:
    """Write a file as a job does, with its record."""
    records = {"roots": [str(folder / "results")], "checkout": str(folder), "configuration": "ab"}
    job: Any = SimpleNamespace(
        input=[str(path) for path in inputs],
        output=[str(output)],
        rule="one",
        wildcards={},
        params={"version": "one 1"},
        config={"records": records},
    )
    with recorded(job):
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text("rule all:\n    input: []\n")
    (tmp_path / "reads.bam").write_text("reads")
    results = tmp_path / "results"
    run(tmp_path, [tmp_path / "reads.bam"], results / "A/dataset.nc", "counts")
    run(tmp_path, [results / "A/dataset.nc"], results / "tables/auc.tsv", "auc\n")
    return results


def test_files_inputs_and_the_run_are_described(results: Path) -> None:
    path = write_crate(results, results.parent / "Snakefile")
    assert path == results / "ro-crate-metadata.json"
    graph = {entity["@id"]: entity for entity in json.loads(path.read_text())["@graph"]}
    root, run_of = graph["./"], graph["#run"]
    assert {profile["@id"] for profile in root["conformsTo"]} == {
        "https://w3id.org/ro/wfrun/process/0.5",
        "https://w3id.org/ro/wfrun/workflow/0.5",
        "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
    }
    assert root["mainEntity"] == {"@id": "inputs/Snakefile"}
    assert root["mentions"] == {"@id": "#run"}
    assert "ComputationalWorkflow" in graph["inputs/Snakefile"]["@type"]
    assert (results / "inputs/Snakefile").read_text().startswith("rule all")
    assert run_of["@type"] == "CreateAction"
    assert run_of["instrument"] == {"@id": "inputs/Snakefile"}
    assert [entity["@id"] for entity in run_of["result"]] == ["A/dataset.nc", "tables/auc.tsv"]
    # The dataset is a result, not an input from outside.
    reads = (results.parent / "reads.bam").as_uri()
    assert run_of["object"] == [{"@id": reads}]
    assert graph[reads]["sha256"] == hashlib.sha256(b"reads").hexdigest()
    assert graph["tables/auc.tsv"]["sha256"] == hashlib.sha256(b"auc\n").hexdigest()
    assert graph["tables/auc.tsv"]["contentSize"] == "4"
    assert graph["A/dataset.nc"]["encodingFormat"] == "application/netcdf"
    assert run_of["startTime"] <= run_of["endTime"]


def test_results_without_records_or_files_are_one_line(results: Path) -> None:
    with pytest.raises(UserError, match="has no records of how its files were made; give the results folder"):
        write_crate(results / "tables", results.parent / "Snakefile")
    (results / "A/dataset.nc").unlink()
    with pytest.raises(UserError, match=r"A/dataset.nc is missing; run the study again, or chromattend verify"):
        write_crate(results, results.parent / "Snakefile")
