"""The study and the demo, planned as they are committed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import run, snakemake

PLAN = ["--cores", "1", "--dry-run", "--quiet", "rules"]
ONE = ["--config", "select=[E003]"]


def test_the_study_plans_56_epigenomes(checkout: Path) -> None:
    result = snakemake(PLAN, checkout)
    assert result.code == 0, result.output
    jobs = result.jobs
    assert jobs["train"] == jobs["evaluate"] == 56 * 15
    assert jobs["dataset"] == jobs["page"] == 56
    # Five marks everywhere, and the validation mark where Roadmap has it.
    assert jobs["count"] == 56 * 5 + 48
    assert jobs["download"] == jobs["count"] + 2


def test_networks_of_the_study_train_several_epigenomes_a_job(checkout: Path, tmp_path: Path) -> None:
    rows = (checkout / "config/epigenomes.tsv").read_text().splitlines()
    chosen = ", ".join(row.split("\t")[0] for row in rows[1:17])
    (tmp_path / "several.yaml").write_text(f"select: [{chosen}]\ntraining: {{epigenomes_per_job: 10}}\n")
    result = snakemake([*PLAN, "--configfile", "config/config.yaml", str(tmp_path / "several.yaml")], checkout)
    assert result.code == 0, result.output
    jobs = result.jobs
    assert jobs["train"] == 16 * 7  # the baselines
    together = {name: number for name, number in jobs.items() if name.startswith("train_")}
    # A job of ten and one of six, of each network.
    assert list(together.values()) == [8] * 2
    assert jobs["evaluate"] == 16 * 15


def test_one_epigenome_of_the_study_is_a_target(checkout: Path) -> None:
    result = snakemake(["--cores", "1", "--dry-run", "--", "results/E116/report.html"], checkout)
    assert result.code == 0, result.output
    assert result.jobs["train"] == 15
    assert result.jobs["dataset"] == 1
    assert "    benchmark: logs/benchmarks/train/E116/deepchrome.tsv\n" in result.output


@pytest.mark.usefixtures("with_slurm")
def test_the_slurm_profile_is_found_by_its_name(checkout: Path) -> None:
    # As the README says, in a process of its own.
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--dry-run", "--quiet", "rules"]
    result = run([*command, *ONE], checkout)
    assert result.code == 0, result.output
    assert result.jobs["train"] == 15


@pytest.fixture
def with_slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slurm's commands on the path, which planning only looks for."""
    for name in ("sbatch", "squeue"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")


def test_a_machine_without_slurm_is_one_line(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = snakemake(["--profile", "slurm", "--dry-run", *ONE], checkout)
    assert result.code == 1
    assert result.output.splitlines()[-1].startswith(
        "Error: --profile slurm: sbatch is not on the path, so there is no"
    )
    assert "Traceback" not in result.output


@pytest.fixture(scope="module")
def planned(checkout: Path) -> dict[str, int]:
    """The jobs of one epigenome of the study."""
    result = snakemake([*PLAN, *ONE], checkout)
    assert result.code == 0, result.output
    assert result.jobs["train"] == 15
    return result.jobs


@pytest.mark.parametrize("arguments", [["--snakefile", "workflow/Snakefile"], ["--", "chromatin"]])
def test_either_snakefile_and_the_tracks_target_plan_the_same(
    checkout: Path, planned: dict[str, int], arguments: list[str]
) -> None:
    result = snakemake([*PLAN, *ONE, *arguments], checkout)
    assert result.code == 0, result.output
    assert {rule: number for rule, number in result.jobs.items() if rule != "chromatin"} == planned


def test_another_workflow_uses_this_one_as_a_module(checkout: Path, planned: dict[str, int], tmp_path: Path) -> None:
    for name in ("config", "resources"):
        shutil.copytree(checkout / name, tmp_path / name)
    module = f"module chromattend:\n    snakefile: {str(checkout / 'workflow/Snakefile')!r}\n    config: config\n"
    text = f"configfile: 'config/config.yaml'\n\n{module}\nuse rule * from chromattend\n"
    (tmp_path / "Snakefile").write_text(text)
    result = snakemake([*PLAN, *ONE], tmp_path)
    assert result.code == 0, result.output
    assert result.jobs == planned


def test_a_container_that_was_not_built_is_one_line(checkout: Path) -> None:
    result = snakemake([*PLAN, *ONE, "--software-deployment-method", "apptainer"], checkout)
    assert result.code != 0
    assert result.output.splitlines()[-1].startswith(
        f"Error: {checkout}/envs/chromattend.sif: does not exist; build it"
    )


SHEET_COLUMNS = "set\ttf\tpositives\tnegatives\n"


@pytest.fixture(scope="module")
def hundred_sets(checkout: Path) -> list[str]:
    """Arguments for a study of a hundred sets of sequences beside the 56 epigenomes."""
    folder = checkout / "data"
    folder.mkdir()
    rows = []
    for number in range(100):
        (folder / f"S{number:03d}.fa").write_text(">a\nACGTACGT\n")
        rows.append(f"S{number:03d}\tCTCF\tdata/S{number:03d}.fa\tshuffle\n")
    (folder / "sets.tsv").write_text(SHEET_COLUMNS + "".join(rows))
    (folder / "sets.yaml").write_text("sequence: {sheet: data/sets.tsv}\n")
    return ["--configfile", "config/config.yaml", "data/sets.yaml"]


@pytest.mark.usefixtures("with_slurm")
def test_a_hundred_sets_of_sequences_are_planned_for_a_cluster(checkout: Path, hundred_sets: list[str]) -> None:
    result = snakemake(
        ["--profile", "slurm", "--dry-run", "--quiet", "rules", *hundred_sets, "--", "sequence"], checkout
    )
    assert result.code == 0, result.output
    assert result.jobs == {
        **{"sequence_dataset": 100, "train_sequence": 700, "evaluate_sequence": 700, "compare_sequence": 100},
        **{"motif_database": 1, "explain_sequence": 400, "gapped_kmers": 100, "motifs": 400, "plot_sequence": 100},
        **{"sequence_page": 100, "sequence_tables": 1, "sequence_index": 1, "sequence": 1},
    }


@pytest.mark.usefixtures("with_slurm")
def test_one_of_a_hundred_sets_is_a_target(checkout: Path, hundred_sets: list[str]) -> None:
    target = "results/sequence/S042/report.html"
    result = snakemake(["--profile", "slurm", "--dry-run", *hundred_sets, "--", target], checkout)
    assert result.code == 0, result.output
    assert result.jobs == {
        **{"sequence_dataset": 1, "train_sequence": 7, "evaluate_sequence": 7, "compare_sequence": 1},
        **{"motif_database": 1, "explain_sequence": 4, "gapped_kmers": 1, "motifs": 4, "sequence_page": 1},
    }
    assert "    benchmark: logs/benchmarks/train_sequence/S042/dilated.tsv\n" in result.output


# What the rules do before the first job: their own imports, and the checks of both tracks.
PLANNED = """
import re, sys, yaml
from pathlib import Path

for path in sorted(Path("workflow/rules").rglob("*.smk")):
    for line in re.findall("^from chromattend.* import .*$", path.read_text(), re.MULTILINE):
        exec(line)
config = yaml.safe_load(Path("config/config.yaml").read_text())
config |= yaml.safe_load(Path("data/sets.yaml").read_text())
assert len(load_studies(config, [], Path("workflow/schemas"), Path.cwd()).sequences.sets) == 100
print(*sorted({"numpy", "pandas", "torch", "scipy", "pysam"} & sys.modules.keys()))
"""


def test_planning_imports_no_arrays(checkout: Path, hundred_sets: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", PLANNED], cwd=checkout, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr
