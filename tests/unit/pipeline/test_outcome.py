"""The last lines of a run."""

from pathlib import Path

import pytest

from chromattend.pipeline.config import typed
from chromattend.pipeline.outcome import failed_jobs, on_error, on_success

LOG = """
rule count:
    log: logs/count/A/H3K4me3.log
Error in rule count:
    message: None
    jobid: 10
    input: results/genes.tsv, a b.bam
    log: logs/count/A/H3K4me3.log (check log file(s) for error details)
Select jobs to execute...
Error in rule report, jobid: 3:
    jobid: 3
    output: results/report.html
Exiting because a job execution failed. Look below for error messages
    Error in rule count:
        jobid: 10
        log: logs/count/A/H3K4me3.log (check log file(s) for error details)
"""
COMMAND = ["/venv/bin/snakemake", "--cores", "all", "--config", "select=[A, B]"]


def test_failed_jobs_are_named_once_with_their_logs() -> None:
    assert failed_jobs(LOG) == ["rule count, log logs/count/A/H3K4me3.log", "rule report"]


def test_the_end_names_the_jobs_and_the_command_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text(LOG)
    assert on_error([tmp_path / "run.log"], COMMAND, interrupted=False).splitlines() == [
        "Failed: rule count, log logs/count/A/H3K4me3.log",
        "Failed: rule report",
        "Finished results are kept; after the fix, the same command goes on: "
        "snakemake --cores all --config 'select=[A, B]'",
    ]
    assert on_error([], COMMAND, interrupted=True).startswith(
        "Interrupted. Finished results are kept; the same command"
    )
    many = "".join(f"Error in rule r{number}:\n    jobid: 1\n" for number in range(30))
    (tmp_path / "run.log").write_text(many)
    assert on_error([tmp_path / "run.log"], COMMAND, interrupted=False).splitlines()[10] == "and 20 more jobs"


def test_a_successful_end_names_the_pages(tmp_path: Path) -> None:
    for name in ("index.html", "sequence/index.html", "A/report.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert on_success(tmp_path, ["snakemake"]) == f"Pages: {tmp_path}/index.html, {tmp_path}/sequence/index.html"
    page = f"{tmp_path}/A/report.html"
    assert on_success(tmp_path, ["snakemake", "--", page]) == f"Pages: {page}"
    assert on_success(tmp_path / "B", ["snakemake"]) == f"Results: {tmp_path}/B"


SCHEMA = {
    "$defs": {"rate": {"type": "number"}},
    "properties": {
        "genes": {"type": ["integer", "null"]},
        "names": {"type": "array", "items": {"type": "string"}},
        "mark": {"type": ["string", "null"]},
        "rates": {"type": "array", "items": {"$ref": "#/$defs/rate"}},
        "on": {"type": "boolean"},
        "sets": {"type": "object", "additionalProperties": {"properties": {"epochs": {"type": "integer"}}}},
    },
}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"genes": "20"}, {"genes": 20}),
        ({"genes": "null"}, {"genes": None}),
        ({"genes": "many"}, {"genes": "many"}),
        ({"names": ["001", "null"]}, {"names": ["001", "null"]}),
        ({"mark": "null"}, {"mark": None}),
        ({"mark": "7"}, {"mark": "7"}),
        ({"rates": ["0.5", "1"]}, {"rates": [0.5, 1]}),
        ({"on": "true", "unknown": "1"}, {"on": True, "unknown": "1"}),
        ({"sets": {"a": {"epochs": "2"}}}, {"sets": {"a": {"epochs": 2}}}),
        ({"genes": "[1"}, {"genes": "[1"}),
    ],
)
def test_values_of_the_command_line_have_the_types_of_the_schema(value: dict, expected: dict) -> None:
    assert typed(value, SCHEMA) == expected
