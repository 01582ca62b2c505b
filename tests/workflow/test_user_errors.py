"""Mistakes as a user sees them: one line before any job, or one line for the job that met bad data."""

import gzip
from pathlib import Path

import pytest

from .conftest import Workspace

SHEET = "epigenome\tname\nSYN1\tone\n"


@pytest.fixture
def correct(repository: Path, small_mirror: Path) -> dict:
    return {
        "mirror": f"file://{small_mirror}",
        "genome": {"name": "synthetic", "chrom_sizes": str(repository / "config/demo/synthetic.chrom.sizes")},
        "models": ["logistic_regression"],
    }


@pytest.mark.parametrize(
    ("change", "sheet", "words"),
    [
        ({"bin": {"size": 50}}, SHEET, ["unknown key 'bin'", "did you mean 'bins'"]),
        ({"marks": ["H3K4me33"]}, SHEET, ["'marks'", "'H3K4me33'", "did you mean 'H3K4me3'"]),
        ({}, SHEET + "SYN1\tagain\n", ["sheet.tsv line 3", "'SYN1' is given twice", "remove"]),
        ({}, "epigenome\tH3K4me3\nSYN1\tmissing.bam\n", ["sheet.tsv", "H3K4me3", "'missing.bam' does not exist"]),
        ({"bins": {"size": -5}}, SHEET, ["'bins.size'", "-5", "at least 1"]),
        ({"models": ["deepcrome"]}, SHEET, ["'deepcrome'", "did you mean 'deepchrome'"]),
    ],
)
def test_a_mistake_is_one_line_before_any_job(
    workspace: Workspace, correct: dict, change: dict, sheet: str, words: list[str]
) -> None:
    workspace.configure(correct | change, sheet)
    result = workspace.snakemake("--dry-run")
    assert result.code == 1
    assert "Traceback" not in result.output
    assert "Job stats" not in result.output
    (line,) = [line for line in result.output.splitlines() if words[0] in line]
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (
            "byFileType/alignments/consolidated/SYN1-H3K4me3.tagAlign.gz",
            gzip.compress(b"chrom\tstart\tend\tname\tscore\tstrand\nchr1\t5\t41\tN\t1000\t+\n"),
            ["SYN1-H3K4me3.tagAlign.gz: line 1:", "header line", "remove it"],
        ),
        (
            "byFileType/alignments/consolidated/SYN1-H3K4me3.tagAlign.gz",
            b"<html><body>Please log in</body></html>",
            ["SYN1-H3K4me3.tagAlign.gz", "web page"],
        ),
        (
            "byFileType/alignments/consolidated/SYN1-H3K4me3.tagAlign.gz",
            gzip.compress(b"chr1\t5\t41\tN\t1000\t+\n" * 5000)[:-20],
            ["SYN1-H3K4me3.tagAlign.gz", "truncated", "download it again"],
        ),
        (
            "byDataType/rna/expression/57epigenomes.RPKM.pc.gz",
            gzip.compress(b"gene_id\tE000\tSYN1\nENSG00000000001\t1.0\t2.0\t\nENSG00000000002\t1.0\tNA\t\n"),
            ["57epigenomes.RPKM.pc.gz", "line 3", "ENSG00000000002", "'NA'"],
        ),
    ],
)
def test_bad_data_stop_their_job_with_one_line(
    workspace: Workspace,
    correct: dict,
    small_mirror: Path,
    file: str,
    content: bytes,
    words: list[str],
) -> None:
    for path in small_mirror.rglob("*.gz"):
        target = workspace / "mirror" / path.relative_to(small_mirror)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    (workspace / "mirror" / file).unlink()
    (workspace / "mirror" / file).write_bytes(content)
    workspace.configure(correct | {"mirror": f"file://{workspace.folder}/mirror"}, SHEET)
    result = workspace.snakemake("results/SYN1/dataset.nc")
    assert result.code == 1
    assert "Traceback" not in result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert lines
    assert all(word in lines[0] for word in words), lines
    assert not (workspace / "results/SYN1/dataset.nc").exists()
    assert not (workspace / "results/SYN1/signal/H3K4me3.nc").exists() or "expression" in file
