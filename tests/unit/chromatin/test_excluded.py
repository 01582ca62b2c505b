"""Excluded regions: joined, and compared with a plain loop and with bedtools."""

import gzip
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.count import count_reads
from chromattend.chromatin.excluded import overlaps, read_regions
from chromattend.chromatin.reads import read_intervals
from chromattend.errors import UserError

SIZES = {"chr1": 40_000, "chr2": 30_000}
GENES = pd.DataFrame(
    {"gene": ["A", "B"], "symbol": ["A", "B"], "chrom": ["chr1", "chr2"], "tss": [15_000, 9_000], "strand": ["+", "-"]}
)


def test_regions_are_joined(write: Callable[..., Path]) -> None:
    text = "track name=x\nchr1\t50\t60\nchr1\t10\t20\tHigh Signal\nchr1\t15\t30\nchr1\t12\t14\nchr9\t1\t2\nchr2\t5\t6\n"
    regions = read_regions(write("x.bed", text), SIZES)
    starts, ends = regions.chroms["chr1"]
    assert (starts.tolist(), ends.tolist()) == ([10, 50], [30, 60])
    assert regions.chroms.keys() == {"chr1", "chr2"}
    starts, ends = regions.on_axis({"chr2": 0, "chr1": 1000})
    assert (starts.tolist(), ends.tolist()) == ([5, 1010, 1050], [6, 1030, 1060])


def test_overlaps_are_as_in_a_plain_loop() -> None:
    generator = np.random.default_rng(2)
    starts = generator.integers(0, 1000, 500)
    ends = starts + generator.integers(1, 40, 500)
    regions = (np.array([0, 100, 400, 900]), np.array([20, 130, 401, 1100]))
    plain = [
        any(a < end and b > start for a, b in zip(*regions, strict=True))
        for start, end in zip(starts, ends, strict=True)
    ]
    assert overlaps(starts, ends, regions).tolist() == plain


def test_reads_in_regions_are_not_counted(write: Callable[..., Path]) -> None:
    every = range(14_000, 16_000, 10)
    reads = write(
        "r.bed", "".join(f"chr1\t{start}\t{start + 36}\n" for start in range(14_000, 16_000, 10)) + "chr2\t1\t9\n"
    )
    regions = read_regions(write("x.bed", "chr1\t14500\t15000\n"), SIZES)
    bins = Bins(1000, 1000)
    counts, found = count_reads(read_intervals(reads), GENES, bins, SIZES, reads, regions)
    kept = [start for start in every if not (start < 15_000 and start + 36 > 14_500)]
    fewer = write("f.bed", "".join(f"chr1\t{start}\t{start + 36}\n" for start in kept) + "chr2\t1\t9\n")
    expected, _ = count_reads(read_intervals(fewer), GENES, bins, SIZES, fewer)
    assert np.array_equal(counts, expected)
    assert (found["reads"], found["reads_excluded"]) == (len(kept) + 1, 200 - len(kept))


@pytest.mark.skipif(shutil.which("bedtools") is None, reason="bedtools is not installed")
def test_bedtools_leaves_out_the_same_real_reads(real_data: Path, tmp_path: Path, repository: Path) -> None:
    reads = real_data / "chromatin/E003-H3K4me3.demo_regions.tagAlign.gz"
    with gzip.open(reads, "rt") as lines:
        first = [line.split("\t")[:3] for number, line in enumerate(lines) if number % 977 == 0]
    regions = "".join(f"{chrom}\t{int(start)}\t{int(start) + 900}\n" for chrom, start, _ in first)
    (tmp_path / "x.bed").write_text(regions)
    command = ["bedtools", "intersect", "-v", "-a", str(reads), "-b", str(tmp_path / "x.bed")]
    left = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (tmp_path / "left.bed").write_text(left)
    sizes = dict(
        (line.split()[0], int(line.split()[1]))
        for line in (repository / "resources/hg19.chrom.sizes").read_text().splitlines()
    )
    genes = GENES.assign(chrom=[first[3][0], first[9][0]], tss=[int(first[3][1]) + 1500, int(first[9][1]) + 1500])
    counted = []
    for path, excluded in ((reads, read_regions(tmp_path / "x.bed", sizes)), (tmp_path / "left.bed", None)):
        counts, found = count_reads(read_intervals(path), genes, Bins(), sizes, path, excluded)
        counted.append((counts, found["reads"]))
    assert np.array_equal(counted[0][0], counted[1][0])
    assert counted[0][1] == counted[1][1] == left.count("\n")
    assert counted[0][0].sum() > 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("chr1\t5\n", "line 1: is not a region of BED; give chromosome"),
        ("chr1\t9\t5\n", "line 1: start 9 is not before end 5"),
        ("1\t5\t9\n", "has no region on a chromosome of the genome: its chromosomes are called 1; give"),
        ("# nothing\n", "has no region on a chromosome of the genome; give"),
    ],
)
def test_bad_regions_are_one_line(write: Callable[..., Path], text: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_regions(write("x.bed", text), SIZES)
    assert words in str(caught.value)
