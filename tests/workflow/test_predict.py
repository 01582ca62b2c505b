"""A sample without RNA-seq, scored by the workflow and by the command as one."""

import gzip
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from chromattend.chromatin.genes import COLUMNS, read_gene_table

from .conftest import MODEL_MARKS, Workspace, run

MODEL = "logistic_regression"


@pytest.fixture
def two_samples(workspace: Workspace, repository: Path, small_mirror: Path) -> Workspace:
    """A study that trains on SYN1, and scores a sample that the RPKM matrix does not have."""
    reads = "byFileType/alignments/consolidated"
    for path in small_mirror.rglob("*.gz"):
        target = workspace / "mirror" / str(path.relative_to(small_mirror)).replace("SYN2", "new")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    matrix = "byDataType/rna/expression/57epigenomes.RPKM.pc.gz"
    table = pd.read_csv(small_mirror / matrix, sep="\t", index_col=False, dtype=str)
    (workspace / "mirror" / matrix).unlink()
    table.drop(columns="SYN2").to_csv(workspace / "mirror" / matrix, sep="\t", index=False)
    # Its validation mark is not needed, and one of its files is the lab's own.
    (workspace / f"mirror/{reads}/new-H3K27ac.tagAlign.gz").unlink()
    own = gzip.decompress((small_mirror / reads / "SYN2-H3K4me1.tagAlign.gz").read_bytes())
    (workspace / "own.bed").write_bytes(own)
    configure(workspace, repository, epigenomes=["new"], checkpoints=[f"SYN1/{MODEL}"])
    return workspace


def configure(workspace: Workspace, repository: Path, **predict: list[str]) -> None:
    workspace.configure(
        {
            "mirror": f"file://{workspace.folder}/mirror",
            "genome": {"name": "synthetic", "chrom_sizes": str(repository / "config/demo/synthetic.chrom.sizes")},
            "models": [MODEL],
            "reads": {"extend_to": 150},
            "predict": predict,
        },
        "epigenome\tH3K4me1\tH3K27ac\nSYN1\t\t\nnew\town.bed\tnone\n",
    )


def test_a_sample_without_expression_is_scored(two_samples: Workspace, repository: Path) -> None:
    # It is neither trained on nor in a table, and takes no part in the default target but for its scores.
    planned = two_samples.succeed("--dry-run", "--quiet", "rules")
    assert planned.jobs == planned.jobs | {"train": 1, "dataset": 1, "page": 1, "predict": 1, "count": 6 + 5}
    refused = two_samples.snakemake("--dry-run", "results/new/report.html")
    assert refused.code == 1
    assert "MissingRuleException" in refused.output

    two_samples.succeed("predicted")
    scores = pd.read_csv(two_samples / "results/new/predicted.tsv", sep="\t")
    assert list(scores) == [*COLUMNS, f"SYN1/{MODEL}"]
    genes = read_gene_table(two_samples / "results/genes.tsv")
    pd.testing.assert_frame_equal(scores[COLUMNS], genes)
    assert scores[f"SYN1/{MODEL}"].nunique() > 200
    assert sorted(path.name for path in (two_samples / "results/new").iterdir()) == ["predicted.tsv", "signal"]

    # The command gives the same bytes, from the reads as from anywhere.
    reads = "mirror/byFileType/alignments/consolidated/new-{mark}.tagAlign.gz"
    command = [sys.executable, "-m", "chromattend", "predict", "--checkpoint", f"results/SYN1/{MODEL}/model.ckpt"]
    command += ["--signal", reads, "--signal", "H3K4me1=own.bed", "--genes", "results/genes.tsv"]
    command += ["--chrom-sizes", str(repository / "config/demo/synthetic.chrom.sizes"), "--output", "command.tsv"]
    done = run(command, two_samples.folder)
    assert done.code == 0, done.output
    assert all(f"{mark}: counting" in done.output for mark in MODEL_MARKS)
    assert (two_samples / "command.tsv").read_bytes() == (two_samples / "results/new/predicted.tsv").read_bytes()

    # A checkpoint from elsewhere scores too, beside the study's own and without a training.
    (two_samples / "other").mkdir()
    shutil.copyfile(two_samples / f"results/SYN1/{MODEL}/model.ckpt", two_samples / "other/best.ckpt")
    configure(two_samples, repository, epigenomes=["new"], checkpoints=["other/best.ckpt", f"SYN1/{MODEL}"])
    again = two_samples.succeed("predicted")
    assert again.jobs == {"predict": 1, "predicted": 1}
    both = pd.read_csv(two_samples / "results/new/predicted.tsv", sep="\t")
    assert list(both) == [*COLUMNS, "best", f"SYN1/{MODEL}"]
    assert both["best"].tolist() == both[f"SYN1/{MODEL}"].tolist() == scores[f"SYN1/{MODEL}"].tolist()
