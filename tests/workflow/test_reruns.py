"""What is made again, and what is left alone, when something changes."""

import gzip
from pathlib import Path

import pytest

from .conftest import SHEET, Workspace, config, made_after, now


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, small_study: Workspace) -> Workspace:
    """A finished run over local files that the tests may change."""
    return small_study.copy(tmp_path_factory.mktemp("reruns"))


def test_running_again_does_nothing(study: Workspace) -> None:
    assert study.succeed().jobs == {}


def test_a_changed_file_rebuilds_only_what_depends_on_it(study: Workspace) -> None:
    reads = study / "data/byFileType/alignments/consolidated/SYN2-H3K4me3.tagAlign.gz"
    text = gzip.decompress(reads.read_bytes())
    reads.write_bytes(gzip.compress(text + text.splitlines(keepends=True)[0] * 50))
    before = now(study)
    jobs = study.succeed().jobs
    assert jobs["count"] == jobs["dataset"] == jobs["train"] == jobs["evaluate"] == jobs["page"] == 1
    assert "genes" not in jobs
    assert "split" not in jobs
    changed = made_after(study, before)
    assert not any(path.startswith("SYN1/") for path in changed)
    assert "SYN2/signal/H3K4me3.nc" in changed
    assert "SYN2/signal/H3K36me3.nc" not in changed
    assert {"tables/auc.tsv", "report.html", "SYN2/report.html"} <= changed


def test_a_deleted_output_is_rebuilt_alone(study: Workspace) -> None:
    target = study / "results/SYN1/figures/roc.svg"
    content = target.read_bytes()
    target.unlink()
    before = now(study)
    assert study.succeed("results/SYN1/figures/roc.svg").jobs == {"plot_performance": 1}
    assert made_after(study, before) == {"SYN1/figures/roc.svg", "SYN1/figures/calibration.svg"}
    assert target.read_bytes() == content


def test_a_deleted_output_is_missed_by_the_default_target(study: Workspace) -> None:
    (study / "results/SYN1/figures/roc.svg").unlink()
    # The figure, and the two pages that show it.
    assert study.succeed("--dry-run").jobs == {"plot_performance": 1, "page": 1, "report": 1}
    (study / "results/SYN2/logistic_regression/predictions.tsv").unlink()
    jobs = study.succeed().jobs
    assert jobs["evaluate"] == 1
    assert jobs["plot_performance"] == 2
    assert "train" not in jobs
    assert study.succeed("--dry-run").jobs == {}


def test_a_deleted_dataset_is_rebuilt_with_the_same_bytes(study: Workspace) -> None:
    target = study / "results/SYN1/dataset.nc"
    content = target.read_bytes()
    target.unlink()
    assert study.succeed("results/SYN1/dataset.nc").jobs == {"dataset": 1}
    assert target.read_bytes() == content


def test_one_epigenome_is_built_alone(small_study: Workspace) -> None:
    made = (small_study / "alone.txt").read_text().splitlines()
    assert {path.split("/")[0] for path in made} == {
        ".records",
        "SYN2",
        "gene_counts.tsv",
        "genes.tsv",
        "split.tsv",
        "tables",
    }
    assert "SYN2/report.html" in made


def test_what_changes_no_result_makes_nothing_again(study: Workspace, repository: Path) -> None:
    faster = {"download": {"retries": 1}, "training": {"threads": 2, "learning_rate": 0.1}}
    study.configure(config(repository, **faster), SHEET)
    jobs = study.succeed("--dry-run").jobs
    study.configure(config(repository), SHEET)
    # The report shows the configuration, which is archived, too; a baseline has no learning rate.
    assert jobs == {"report": 1, "archive": 1}


def test_another_split_counts_no_reads_again(study: Workspace, repository: Path) -> None:
    study.configure(config(repository, split={"mode": "random", "seed": 7}), SHEET)
    jobs = study.succeed("--dry-run").jobs
    study.configure(config(repository), SHEET)
    assert jobs["dataset"] == jobs["train"] == 2
    assert "count" not in jobs
