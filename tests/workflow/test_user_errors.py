"""Mistakes as a user sees them: one line before any job, or one line for the job that met bad data."""

import gzip
from collections.abc import Callable
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
        ({}, SHEET + "SYN1\tagain\n", ["sheet.tsv: line 3", "'SYN1' is given twice", "remove"]),
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


READS = "byFileType/alignments/consolidated/SYN1-H3K4me3.tagAlign.gz"
MATRIX = "byDataType/rna/expression/57epigenomes.RPKM.pc.gz"


def with_header(data: bytes) -> bytes:
    return gzip.compress(b"chrom\tstart\tend\tname\tscore\tstrand\n" + gzip.decompress(data))


def with_missing_value(data: bytes) -> bytes:
    lines = gzip.decompress(data).splitlines(keepends=True)
    gene, reference, _, rest = lines[2].split(b"\t", 3)
    lines[2] = b"\t".join([gene, reference, b"NA", rest])
    return gzip.compress(b"".join(lines))


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        pytest.param(READS, with_header, ["H3K4me3.tagAlign.gz: line 1:", "header line", "remove it"], id="header"),
        pytest.param(READS, lambda _: b"<html>Please log in</html>", ["H3K4me3.tagAlign.gz", "web page"], id="html"),
        pytest.param(READS, lambda data: data[:-20], ["H3K4me3.tagAlign.gz", "truncated", "again"], id="truncated"),
        pytest.param(MATRIX, with_missing_value, ["RPKM.pc.gz: line 3:", "SYN1 of ENSG", "'NA'"], id="missing value"),
    ],
)
def test_bad_data_stop_their_job_with_one_line(
    workspace: Workspace,
    correct: dict,
    small_mirror: Path,
    file: str,
    damage: Callable[[bytes], bytes],
    words: list[str],
) -> None:
    for path in small_mirror.rglob("*.gz"):
        target = workspace / "mirror" / path.relative_to(small_mirror)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(path)
    (workspace / "mirror" / file).unlink()
    (workspace / "mirror" / file).write_bytes(damage((small_mirror / file).read_bytes()))
    workspace.configure(correct | {"mirror": f"file://{workspace.folder}/mirror", "marks": ["H3K4me3"]}, SHEET)
    result = workspace.snakemake("results/SYN1/dataset.nc")
    assert result.code == 1
    assert "Traceback" not in result.output
    lines = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert lines
    assert all(word in lines[0] for word in words), lines
    assert not (workspace / "results/SYN1/dataset.nc").exists()
