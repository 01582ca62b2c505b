"""The study and the demo, planned as they are committed."""

import shutil
import sys
from pathlib import Path

import pytest

from .conftest import run


def test_the_study_plans_56_epigenomes(checkout: Path) -> None:
    result = run([sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--quiet", "rules"], checkout)
    assert result.code == 0, result.output
    jobs = result.jobs
    assert jobs["train"] == jobs["evaluate"] == 56 * 15
    assert jobs["dataset"] == jobs["page"] == 56
    # Five marks everywhere, and the validation mark where Roadmap has it.
    assert jobs["count"] == 56 * 5 + 48
    assert jobs["download"] == jobs["count"] + 2


def test_networks_of_the_study_train_several_epigenomes_a_job(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "several.yaml").write_text("training: {epigenomes_per_job: 10}\n")
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--quiet", "rules"]
    result = run([*command, "--configfile", str(tmp_path / "several.yaml")], checkout)
    assert result.code == 0, result.output
    jobs = result.jobs
    assert jobs["train"] == 56 * 7  # the baselines
    together = {name: number for name, number in jobs.items() if name.startswith("train_")}
    # Five jobs of ten and one of six, of each network.
    assert list(together.values()) == [8] * 6
    assert jobs["evaluate"] == 56 * 15


def test_one_epigenome_of_the_study_is_a_target(checkout: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run"]
    result = run([*command, "--", "results/E116/report.html"], checkout)
    assert result.code == 0, result.output
    assert result.jobs["train"] == 15
    assert result.jobs["dataset"] == 1
    assert "    benchmark: logs/benchmarks/train/E116/deepchrome.tsv\n" in result.output


def test_the_slurm_profile_is_found_by_its_name(checkout: Path) -> None:
    command = [sys.executable, "-m", "snakemake", "--profile", "slurm", "--dry-run", "--quiet", "rules"]
    result = run(command, checkout)
    assert result.code == 0, result.output
    assert result.jobs["train"] == 56 * 15


PLAN = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--quiet", "rules"]
ONE = ["--config", "select=[E003]"]


@pytest.fixture(scope="module")
def planned(checkout: Path) -> dict[str, int]:
    """The jobs of one epigenome of the study."""
    result = run([*PLAN, *ONE], checkout)
    assert result.code == 0, result.output
    assert result.jobs["train"] == 15
    return result.jobs


@pytest.mark.parametrize("arguments", [["--snakefile", "workflow/Snakefile"], ["--", "chromatin"]])
def test_either_snakefile_and_the_tracks_target_plan_the_same(
    checkout: Path, planned: dict[str, int], arguments: list[str]
) -> None:
    result = run([*PLAN, *ONE, *arguments], checkout)
    assert result.code == 0, result.output
    assert {rule: number for rule, number in result.jobs.items() if rule != "chromatin"} == planned


def test_another_workflow_uses_this_one_as_a_module(checkout: Path, planned: dict[str, int], tmp_path: Path) -> None:
    for name in ("config", "resources"):
        shutil.copytree(checkout / name, tmp_path / name)
    module = f"module chromattend:\n    snakefile: {str(checkout / 'workflow/Snakefile')!r}\n    config: config\n"
    text = f"configfile: 'config/config.yaml'\n\n{module}\nuse rule * from chromattend\n"
    (tmp_path / "Snakefile").write_text(text)
    result = run([*PLAN, *ONE], tmp_path)
    assert result.code == 0, result.output
    assert result.jobs == planned


def test_a_container_that_was_not_built_is_one_line(checkout: Path) -> None:
    result = run([*PLAN, *ONE, "--software-deployment-method", "apptainer"], checkout)
    assert result.code != 0
    assert result.output.splitlines()[-1].startswith(
        f"Error: {checkout}/envs/chromattend.sif: does not exist; build it"
    )
