"""What was damaged or replaced after it was written is named, is not used, and is made again as it was."""

import os
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from .conftest import SHEET, Run, Workspace, config, run

SIGNAL = "byFileType/alignments/consolidated/SYN1-H3K4me3.tagAlign.gz"
DATASET = "results/SYN1/dataset.nc"
NETWORK = "results/SYN1/deepchrome/model.ckpt"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path, small_mirror: Path) -> Workspace:
    """A finished study of downloaded reads and local tables."""
    workspace = Workspace(tmp_path_factory.mktemp("finished"), repository / "Snakefile")
    shutil.copytree(small_mirror / "byDataType", workspace / "data/byDataType")
    changes = {
        "select": ["SYN1"],
        "marks": ["H3K36me3", "H3K4me3"],
        "mirror": f"file://{small_mirror}",
        "models": ["logistic_regression", "deepchrome"],
        "training": {"max_epochs": 2, "accelerator": "cpu"},
    }
    settings = config(repository, **changes)
    del settings["sources"]["signal"]
    workspace.configure(settings, SHEET)
    workspace.succeed()
    return workspace


@pytest.fixture
def study(finished: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to damage something in; with the times of its files, as Snakemake looks at them."""
    return finished.copy(tmp_path)


def verify(workspace: Workspace, *places: str) -> Run:
    found = run([sys.executable, "-m", "chromattend", "verify", *(places or ["results/"])], workspace.folder)
    print(found.output, end="")
    return found


def flip(path: Path) -> None:
    """Change one bit of a file, and neither its size nor its time."""
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def mend(workspace: Workspace, found: Run) -> None:
    """Do what verify's last line says, and then the run that made the study."""
    files = found.output.partition("rm -f ")[2].partition(";")[0]
    assert f"; snakemake --cores all {files}; then repeat it to update" in found.output
    for path in shlex.split(files):
        (workspace / path).unlink(missing_ok=True)
    workspace.succeed("--", *shlex.split(files))
    workspace.succeed()


def test_a_finished_study_is_as_written(finished: Workspace) -> None:
    found = verify(finished)
    assert found.code == 0
    files = [path for path in (finished / "results").rglob("*") if path.is_file() and ".records" not in path.parts]
    reads = list((finished / "resources").rglob("*.tagAlign.gz"))
    print(f"{len(files)} results, {len(reads)} downloads")
    # The results, and the downloads that they were made of.
    assert found.output == f"{len(files) + len(reads)} files as written\n"
    # Each download has its checksum beside it, which is an output too.
    assert verify(finished, "resources").output == f"{2 * len(reads)} files as written\n"
    assert finished.succeed("--dry-run").jobs == {}


def test_a_flipped_bit_in_a_dataset(study: Workspace, finished: Workspace) -> None:
    flip(study / DATASET)
    found = verify(study)
    assert found.code == 1
    assert f"damaged\t{DATASET}\t" in found.output
    assert "; 1 damaged\n" in found.output
    # Nothing is trained on it, though Snakemake sees no change.
    (study / NETWORK).unlink()
    stopped = study.snakemake("--", NETWORK)
    assert stopped.code != 0
    assert f"Error: {DATASET}: is not the file that was written" in stopped.output
    assert "Traceback" not in stopped.output
    assert not (study / NETWORK).exists()
    found = verify(study)
    assert f"missing\t{NETWORK}\t" in found.output
    assert f"missing\t{Path(NETWORK).with_name('history.csv')}\t" in found.output
    assert "; 1 damaged; 2 missing\n" in found.output
    mend(study, found)
    assert verify(study).code == 0
    for path in (DATASET, NETWORK, "results/SYN1/deepchrome/predictions.tsv", "results/tables/auc.tsv"):
        assert (study / path).read_bytes() == (finished / path).read_bytes(), path


def test_checkpoints_cut_in_half(study: Workspace, finished: Workspace) -> None:
    models = ["deepchrome", "logistic_regression"]
    for number, model in enumerate(models, start=1):
        checkpoint = f"results/SYN1/{model}/model.ckpt"
        size = (study / checkpoint).stat().st_size
        os.truncate(study / checkpoint, size // 2)
        found = verify(study)
        assert found.code == 1
        assert f"damaged\t{checkpoint}\thas {size // 2} bytes, not {size}\n" in found.output
        assert f"; {number} damaged\n" in found.output
    for model in models:
        stopped = study.snakemake("--", f"results/SYN1/{model}/metrics.json")
        assert stopped.code != 0
        assert f"Error: results/SYN1/{model}/model.ckpt: is not the file that was written" in stopped.output
    mend(study, verify(study))
    assert verify(study).code == 0
    kept = [f"results/SYN1/{model}/{name}" for model in models for name in ("model.ckpt", "predictions.tsv")]
    for path in (*kept, "results/tables/auc.tsv"):
        assert (study / path).read_bytes() == (finished / path).read_bytes(), path


def test_a_download_an_input_and_a_result_that_are_not_as_they_were(study: Workspace, finished: Workspace) -> None:
    path, table = f"resources/roadmap/{SIGNAL}", "results/tables/auc.tsv"
    flip(study / path)
    (study / table).unlink()
    expression = study / "data/byDataType/rna/expression/57epigenomes.RPKM.pc.gz"
    before = expression.stat()
    content = bytearray(expression.read_bytes())
    content[4] ^= 1  # the time in the header of gzip
    expression.write_bytes(content)
    # As an archive unpacks it, with its old time, so that Snakemake sees nothing.
    os.utime(expression, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = verify(study)
    assert found.code == 1
    lines = [line.split("\t")[:2] for line in found.output.splitlines() if "\t" in line]
    # The results of an input that was replaced are stale.
    made_from_it = [DATASET, "results/gene_counts.tsv", "results/genes.tsv"]
    assert [line for line in lines if line[0] == "stale"] == [["stale", path] for path in made_from_it]
    assert "has changed since" in found.output
    assert sorted(line for line in lines if line[0] != "stale") == [["damaged", path], ["missing", table]]
    mend(study, found)
    assert verify(study).code == 0
    for same in (path, table):
        assert (study / same).read_bytes() == (finished / same).read_bytes(), same
