"""The workflow as Snakemake users compose it: from elsewhere, as a module, with nested keys, and ended by Ctrl-C."""

import os
import signal
import time
from pathlib import Path

import pytest
import yaml
from builders import ROADMAP, merged

from .conftest import SHEET, Workspace, config, snakemake

TARGET = "results/SYN1/dataset.nc"


@pytest.fixture
def folder(workspace: Workspace, repository: Path, small_mirror: Path) -> Path:
    """A folder in the layout of the workflow catalogue: config/config.yaml, its sheet, and data."""
    (workspace / "data").symlink_to(small_mirror)
    (workspace / "config").mkdir()
    settings = merged(merged(ROADMAP, config(repository)), {"epigenomes": "config/sheet.tsv"})
    (workspace / "config/config.yaml").write_text(yaml.safe_dump(settings))
    (workspace / "config/sheet.tsv").write_text(SHEET)
    return workspace.folder


def assert_made(arguments: list[str], folder: Path, prefix: str = "") -> None:
    """Plan the whole study, and make a small target."""
    plan = snakemake([*arguments, "--dry-run", "--quiet", "rules"], folder)
    assert plan.code == 0, plan.output
    assert plan.jobs[f"{prefix}count"] == 12
    made = snakemake([*arguments, "--", TARGET], folder)
    assert made.code == 0, made.output
    assert made.jobs == {f"{prefix}{rule}": number for rule, number in DATASET.items()}


DATASET = {"count": 5, "dataset": 1, "genes": 1, "split": 1}


def test_from_another_folder(folder: Path, repository: Path) -> None:
    assert_made(["--snakefile", str(repository / "workflow/Snakefile"), "--cores", "2"], folder)


def test_in_a_directory(folder: Path, repository: Path) -> None:
    arguments = ["--snakefile", str(repository / "workflow/Snakefile"), "--directory", str(folder), "--cores", "2"]
    assert_made(arguments, folder.parent)
    assert (folder / TARGET).is_file()


@pytest.mark.parametrize("prefix", ["", "marks_"])
def test_as_a_module(folder: Path, repository: Path, prefix: str) -> None:
    """As snakedeploy writes it: workflow/Snakefile beside config/."""
    alias = f" as {prefix}*" if prefix else ""
    (folder / "workflow").mkdir()
    (folder / "workflow/Snakefile").write_text(
        'configfile: "config/config.yaml"\n\n\n'
        f"module marks:\n    snakefile:\n        {str(repository / 'workflow/Snakefile')!r}\n"
        "    config:\n        config\n\n\n"
        f"use rule * from marks{alias}\n"
    )
    if prefix:
        with (folder / "workflow/Snakefile").open("a") as file:
            file.write(f"\n\nrule all:\n    default_target: True\n    input:\n        rules.{prefix}chromatin.input\n")
    assert_made(["--cores", "2"], folder, prefix)


def test_nested_keys_on_the_command_line_leave_their_neighbours(folder: Path, repository: Path) -> None:
    """They are merged with those of the file, and are numbers where the key is one."""
    arguments = ["--snakefile", str(repository / "workflow/Snakefile"), "--cores", "1"]
    nested = ["--config", "bins={size: 200}", "select=[SYN2]"]
    made = snakemake([*arguments, *nested, "--", "results/split.tsv"], folder)
    assert made.code == 0, made.output
    plan = snakemake([*arguments, *nested, "--dry-run", "--quiet", "rules"], folder)
    assert plan.jobs["count"] == 6
    wrong = snakemake([*arguments, "--config", "bins={size: 300}", "--dry-run"], folder)
    assert "the command line (--config): key 'bins.size': 300 does not divide the window of 10000 bp" in wrong.output


def test_the_end_says_where_the_results_are_and_how_to_go_on(folder: Path, repository: Path) -> None:
    reads = folder / "cut.tagAlign.gz"
    reads.write_bytes(b"not reads")
    (folder / "config/sheet.tsv").write_text("epigenome\tH3K4me3\nSYN1\tcut.tagAlign.gz\n")
    arguments = ["--snakefile", str(repository / "workflow/Snakefile"), "--cores", "1"]
    failed = snakemake([*arguments, "--", TARGET], folder)
    assert failed.code == 1
    assert "Failed: rule count, log logs/count/SYN1/H3K4me3.log\n" in failed.output
    assert (
        f"the same command goes on: snakemake --snakefile {repository}/workflow/Snakefile --cores 1 -- {TARGET}\n"
        in (failed.output)
    )
    (folder / "config/sheet.tsv").write_text(SHEET)
    made = snakemake([*arguments, "--", "results/split.tsv"], folder)
    assert "Results: results\n" in made.output


def test_the_same_command_goes_on_after_ctrl_c(folder: Path, repository: Path) -> None:
    workspace = Workspace(folder, repository / "workflow/Snakefile")
    (folder / "config.yaml").symlink_to("config/config.yaml")
    log = folder / "run.log"
    run = workspace.start("run.log", "--", TARGET)
    limit = time.monotonic() + 120
    while "rule count:" not in log.read_text() and time.monotonic() < limit:
        time.sleep(0.05)
    # As a terminal does, to Snakemake and its jobs at once, and again by an impatient user.
    os.killpg(run.pid, signal.SIGINT)
    time.sleep(0.2)
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(120) == 1
    printed = log.read_text()
    # A job that had not begun to import the library may have one.
    assert "snakemake/api.py" not in printed
    assert "Interrupted. Finished results are kept; the same command goes on: snakemake --snakefile" in printed
    assert not (folder / TARGET).exists()
    workspace.succeed("--", TARGET)
    assert (folder / TARGET).is_file()
