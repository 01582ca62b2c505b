"""Counting in bins: against the published counts, bedtools, and per-base computation."""

import gzip
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pysam
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chromattend.chromatin import count as count_module
from chromattend.chromatin import reads as reads_module
from chromattend.chromatin.bigwig import bin_bigwig
from chromattend.chromatin.bins import Bins
from chromattend.chromatin.count import count_reads
from chromattend.chromatin.formats import PUBLISHED_MARKS
from chromattend.chromatin.genes import read_chrom_sizes
from chromattend.chromatin.reads import ReadOptions, read_bam, read_intervals
from chromattend.chromatin.reads import bam as alignments
from chromattend.chromatin.reads import bed as bedtext
from chromattend.errors import UserError

SIZES = {"chr1": 2000, "chr2": 900}
SMALL = Bins(upstream=300, downstream=300, size=100)
needs_bedtools = pytest.mark.skipif(
    not shutil.which("bedtools"), reason="bedtools is not installed (Debian: apt install bedtools)"
)


def count(path: Path, genes: pd.DataFrame, bins: Bins = SMALL, options: ReadOptions | None = None) -> np.ndarray:
    reader = read_bam if path.suffix == ".bam" else read_intervals
    return count_reads(reader(path, options, SIZES), genes, bins, SIZES, path)[0]


def bedtools_counts(bam: Path, intervals: list[tuple[str, int, int]], folder: Path) -> list[int]:
    bed = folder / "bins.bed"
    bed.write_text("".join(f"{chrom}\t{start}\t{end}\n" for chrom, start, end in intervals))
    command = ["bedtools", "multicov", "-bams", str(bam), "-bed", str(bed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [int(line.split("\t")[-1]) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("mark", PUBLISHED_MARKS)
def test_real_reads_give_the_published_counts(
    real_data: Path, repository: Path, covered: tuple[pd.DataFrame, dict[str, np.ndarray]], mark: str
) -> None:
    table, truth = covered
    assert len(table) == 143
    sizes = read_chrom_sizes(repository / "resources" / "hg19.chrom.sizes")
    path = real_data / "chromatin" / f"E003-{mark}.demo_regions.tagAlign.gz"
    counts, numbers = count_reads(read_intervals(path), table, Bins(), sizes, path)
    assert np.array_equal(counts, truth[mark])
    assert counts.sum() > 0
    assert numbers["reads_elsewhere"] == 0


def test_real_reads_as_bam_give_the_published_counts(
    real_data: Path,
    repository: Path,
    write_bam: Callable[..., Path],
    covered: tuple[pd.DataFrame, dict[str, np.ndarray]],
) -> None:
    table, truth = covered
    sizes = read_chrom_sizes(repository / "resources" / "hg19.chrom.sizes")
    for mark in PUBLISHED_MARKS:
        source = pd.read_csv(
            real_data / "chromatin" / f"E003-{mark}.demo_regions.tagAlign.gz", sep="\t", usecols=[0, 1, 2], header=None
        )
        rows = [(chrom, start, end, 0) for chrom, start, end in source.itertuples(index=False)]
        path = write_bam(f"{mark}.bam", rows, sizes)
        counts, _ = count_reads(read_bam(path), table, Bins(), sizes, path)
        assert np.array_equal(counts, truth[mark]), mark


def test_real_reads_in_small_blocks_give_the_same(
    real_data: Path,
    repository: Path,
    covered: tuple[pd.DataFrame, dict[str, np.ndarray]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table, truth = covered
    monkeypatch.setattr(reads_module, "BLOCK_BYTES", 10_000)
    sizes = read_chrom_sizes(repository / "resources" / "hg19.chrom.sizes")
    path = real_data / "chromatin" / "E003-H3K9me3.demo_regions.tagAlign.gz"
    assert np.array_equal(count_reads(read_intervals(path), table, Bins(), sizes, path)[0], truth["H3K9me3"])


reads = st.lists(
    st.sampled_from(list(SIZES)).flatmap(
        lambda chrom: st.tuples(st.just(chrom), st.integers(0, SIZES[chrom] - 1), st.integers(1, 250)).map(
            lambda read: (read[0], read[1], min(read[1] + read[2], SIZES[read[0]]))
        )
    ),
    min_size=1,
    max_size=60,
)
# TSSs close to each other, and to both ends of the chromosomes, where windows are cut or leave it altogether.
starts = st.lists(
    st.tuples(st.sampled_from(list(SIZES)), st.integers(1, 2400), st.sampled_from("+-")), min_size=1, max_size=6
)


@needs_bedtools
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(reads=reads, starts=starts, size=st.sampled_from([1, 7, 50, 100]), number=st.integers(1, 6))
def test_bedtools_multicov_agrees(
    tmp_path: Path,
    genes: Callable[..., pd.DataFrame],
    write_bam: Callable[..., Path],
    reads: list[tuple[str, int, int]],
    starts: list[tuple[str, int, str]],
    size: int,
    number: int,
) -> None:
    bins = Bins(upstream=size * (number // 2), downstream=size * (number - number // 2), size=size)
    table = genes(*starts)
    tags = tmp_path / "reads.tagAlign"
    tags.write_text("".join(f"{chrom}\t{start}\t{end}\tN\t1000\t+\n" for chrom, start, end in reads))
    bam = write_bam("reads.bam", [(*read, 0) for read in reads], SIZES)

    first = bins.starts(table)
    edges = first[:, None] + np.arange(bins.number + 1) * size
    expected = np.zeros((len(table), bins.number), dtype=int)
    inside, intervals = [], []
    for row, chrom in enumerate(table["chrom"]):
        for column in range(bins.number):
            # bedtools has no positions outside a chromosome, so no read is placed there.
            low, high = max(edges[row, column], 0), min(edges[row, column + 1], SIZES[chrom])
            if low < high:
                inside.append((row, column))
                intervals.append((chrom, low, high))
    if intervals:
        expected[tuple(zip(*inside, strict=True))] = bedtools_counts(bam, intervals, tmp_path)
    assert np.array_equal(count(tags, table, bins), expected)
    assert np.array_equal(count(bam, table, bins), expected)


# Text around the numbers in lines of many layouts; of one layout in most files.
layouts = st.tuples(st.sampled_from(["chr1", "chr2", "chrUn_a_longer_name"]), st.sampled_from(["N", "", "read 12"]))
lines = st.lists(
    st.tuples(layouts, st.integers(0, 899), st.integers(1, 120), st.integers(1, 9)), min_size=1, max_size=25
).map(
    # The same layout several times, with other numbers of as many digits where there are some.
    lambda some: [
        (chrom, start + step if chrom != "chr2" else start, length, name)
        for (chrom, name), start, length, times in some
        for step in range(times)
    ]
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=lines, starts=starts, end=st.sampled_from(["\n", "\r\n", "\r"]), last=st.booleans())
def test_a_count_read_by_read_agrees(
    write: Callable[..., Path],
    write_bam: Callable[..., Path],
    genes: Callable[..., pd.DataFrame],
    lines: list[tuple[str, int, int, str]],
    starts: list[tuple[str, int, str]],
    end: str,
    last: bool,
) -> None:
    """Blocks, stretches of one layout and lots of reads are so small here that each example has many."""
    sizes = {"chr1": 2000, "chr2": 1100, "chrUn_a_longer_name": 1100}
    table = genes(*starts)
    text = end.join(f"{chrom}\t{start}\t{start + length}\t{name}" for chrom, start, length, name in lines)
    tags = write("r.bed.gz", text + (end if last else ""))
    bam = write_bam("r.bam", [(chrom, start, start + length, 0) for chrom, start, length, _ in lines], sizes)
    unaligned = bam.with_name("unaligned.bam")
    with gzip.open(bam) as file, pysam.BGZFile(str(unaligned), "wb") as other:
        for piece in iter(lambda: file.read(333), b""):  # so that records go over from block to block
            other.write(piece)
            other.flush()

    expected = np.zeros((len(table), SMALL.number), dtype=int)
    for row, (chrom, first) in enumerate(zip(table["chrom"], SMALL.starts(table), strict=True)):
        for column in range(SMALL.number):
            low, high = first + column * SMALL.size, first + (column + 1) * SMALL.size
            expected[row, column] = sum(
                where == chrom and start < high and start + length > low for where, start, length, _ in lines
            )
    small = {
        reads_module: {"BLOCK_BYTES": 200},
        bedtext: {"LEAST_RUN": 2},
        alignments: {"BLOCKS_AT_ONCE": 2, "RECORDS_AT_ONCE": 7},
        count_module: {"READS_AT_ONCE": 11, "GENES_AT_ONCE": 2},
    }
    with pytest.MonkeyPatch.context() as patch:
        for module, values in small.items():
            for key, value in values.items():
                patch.setattr(module, key, value)
        for path in (tags, bam, unaligned):
            reader = read_intervals if path is tags else read_bam
            assert np.array_equal(count_reads(reader(path), table, SMALL, sizes, path)[0], expected), path


@pytest.mark.parametrize(
    ("options", "counted"),
    [
        ({}, ["primary"]),
        ({"duplicates": True}, ["primary", "duplicate"]),
        ({"secondary": True}, ["primary", "secondary", "supplementary"]),
        ({"qc_fail": True}, ["primary", "qc_fail"]),
        ({"min_mapq": 21}, []),
    ],
)
def test_flags_of_bam_reads(
    tmp_path: Path,
    genes: Callable[..., pd.DataFrame],
    write_bam: Callable[..., Path],
    options: dict,
    counted: list[str],
) -> None:
    flags = {"primary": 0, "unmapped": 4, "secondary": 256, "qc_fail": 512, "duplicate": 1024, "supplementary": 2048}
    # One read per bin, so that the counts show which reads were used.
    rows = [("chr1", 700 + 100 * index, 736 + 100 * index, flag) for index, flag in enumerate(flags.values())]
    path = write_bam("flags.bam", rows, SIZES)
    table = genes(("chr1", 1000, "+"))
    if not counted:
        assert count(path, table, options=ReadOptions(min_mapq=20)).sum() == 1
        with pytest.raises(UserError, match="none of its 6 alignments is counted"):
            count(path, table, options=ReadOptions(**options))
        return
    taken = count(path, table, options=ReadOptions(**options))[0]
    assert [name for name, number in zip(flags, taken, strict=True) if number] == [
        name for name in flags if name in counted
    ]
    if shutil.which("bedtools") and not options:
        intervals = [("chr1", 700 + 100 * index, 800 + 100 * index) for index in range(6)]
        theirs = dict(zip(flags, bedtools_counts(path, intervals, tmp_path), strict=True))
        ours = dict(zip(flags, count(path, table, options=ReadOptions(secondary=True))[0].tolist(), strict=True))
        # multicov counts unmapped reads that have a position.
        assert theirs == ours | {"unmapped": 1}


@needs_bedtools
def test_a_spliced_read_spans_from_first_to_last_base(
    tmp_path: Path, genes: Callable[..., pd.DataFrame], write_bam: Callable[..., Path]
) -> None:
    path = write_bam("spliced.bam", [("chr1", 790, "10M200N10M", 0), ("chr1", 1195, "4S3M2I3M10D5M", 0)], SIZES)
    assert count(path, genes(("chr1", 1000, "+"))).tolist() == [[1, 1, 1, 1, 1, 1]]
    intervals = [("chr1", start, start + 100) for start in range(700, 1300, 100)]
    assert bedtools_counts(path, intervals, tmp_path) == [1, 1, 1, 1, 1, 1]


def test_minus_strand_windows_turn_round_on_request(
    genes: Callable[..., pd.DataFrame], write: Callable[..., Path]
) -> None:
    path = write("r.bed", [("chr1", 700, 736), ("chr1", 700, 736), ("chr1", 1250, 1286)])
    table = genes(("chr1", 1000, "+"), ("chr1", 1000, "-"))
    assert count(path, table).tolist() == [[2, 0, 0, 0, 0, 1]] * 2
    flipped = Bins(upstream=300, downstream=300, size=100, flip_strand=True)
    assert count(path, table, flipped).tolist() == [[2, 0, 0, 0, 0, 1], [1, 0, 0, 0, 0, 2]]
    # Upstream of a minus-strand gene is to its right.
    lopsided = Bins(upstream=300, downstream=100, size=100, flip_strand=True)
    assert count(path, table, lopsided).tolist() == [[2, 0, 0, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize(
    ("strand", "options", "span"),
    [
        ("+", {"shift": 50}, (850, 886)),
        ("-", {"shift": 50}, (750, 786)),
        ("+", {"extend_to": 200}, (800, 1000)),
        ("-", {"extend_to": 200}, (636, 836)),
        ("+", {"shift": 10, "extend_to": 100}, (810, 910)),
        ("-", {"shift": 5000}, (0, 1)),
        ("+", {"shift": 5000}, (1999, 2000)),
        ("+", {"extend_to": 5000}, (800, 2000)),
    ],
)
def test_shift_and_extension_go_in_the_reads_direction(
    write: Callable[..., Path],
    write_bam: Callable[..., Path],
    strand: str,
    options: dict,
    span: tuple[int, int],
) -> None:
    bed = write("r.bed", [("chr1", 800, 836, "N", 0, strand)])
    bam = write_bam("r.bam", [("chr1", 800, 836, 16 if strand == "-" else 0)], SIZES)
    for blocks in (
        read_intervals(bed, ReadOptions(**options), SIZES),
        read_bam(bam, ReadOptions(**options), SIZES),
    ):
        (block,) = blocks
        assert (block.starts.tolist(), block.ends.tolist()) == ([span[0]], [span[1]])


def test_blocks_of_bam_reads_add_up(
    genes: Callable[..., pd.DataFrame], write_bam: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [(chrom, start, start + 36, 0) for chrom in SIZES for start in range(0, 860, 9)]
    path = write_bam("r.bam", rows, SIZES)
    table = genes(("chr1", 400, "+"), ("chr2", 500, "-"))
    whole = count(path, table)
    monkeypatch.setattr(alignments, "RECORDS_AT_ONCE", 7)
    assert len(list(read_bam(path))) > 20
    assert np.array_equal(count(path, table), whole)
    assert whole.min() > 0


def test_reads_off_the_genome_are_left_out_and_counted(
    genes: Callable[..., pd.DataFrame], write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = write("r.bed", [("chrUn", 1, 37), ("chr1", 990, 1026), ("chrUn", 5, 41)])
    counts, numbers = count_reads(read_intervals(path), genes(("chr1", 1000, "+")), SMALL, SIZES, path)
    assert counts.tolist() == [[0, 0, 1, 1, 0, 0]]
    assert (numbers["reads"], numbers["reads_elsewhere"]) == (1, 2)
    assert "2 reads left out, on chromosomes without a size in genome.chrom_sizes: chrUn" in caplog.text


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("1", 5, 41)], ["no read on a chromosome of the genome", "called 1", "genome.chrom_sizes"]),
        ([("chr2", 880, 916)], ["ends at 916", "the chromosome ends at 900", "genome build"]),
    ],
)
def test_reads_of_another_genome_are_refused(
    genes: Callable[..., pd.DataFrame], write: Callable[..., Path], rows: list[tuple], words: list[str]
) -> None:
    path = write("r.bed", rows)
    with pytest.raises(UserError) as caught:
        count(path, genes(("chr1", 1000, "+")))
    assert all(word in str(caught.value) for word in [str(path), *words])
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_genes_off_the_genome_are_refused(genes: Callable[..., pd.DataFrame], write: Callable[..., Path]) -> None:
    path = write("r.bed", [("chr1", 5, 41)])
    with pytest.raises(UserError, match=r"chromosome sizes \(genome.chrom_sizes, .*\) lack chr9"):
        count(path, genes(("chr9", 1000, "+")))


@pytest.fixture
def bigwig(tmp_path: Path) -> Callable[..., Path]:
    def make(runs: list[tuple[str, int, int, float]], sizes: dict[str, int] = SIZES) -> Path:
        path = tmp_path / "signal.bw"
        with pyBigWig.open(str(path), "w") as file:
            file.addHeader(list(sizes.items()))
            chroms, starts, ends, values = zip(*runs, strict=True)
            file.addEntries(list(chroms), list(starts), ends=list(ends), values=list(values))
        return path

    return make


@pytest.mark.parametrize("statistic", ["mean", "sum"])
def test_bigwig_bins_equal_a_per_base_computation(
    genes: Callable[..., pd.DataFrame], bigwig: Callable[..., Path], statistic: str
) -> None:
    generator = np.random.default_rng(4)
    borders = np.sort(generator.choice(np.arange(1, 1900), 60, replace=False))
    # Every second stretch has no value.
    runs = [
        ("chr1", int(a), int(b), float(generator.integers(1, 50)))
        for a, b in zip(borders[::2], borders[1::2], strict=True)
    ]
    base = np.zeros(SIZES["chr1"])
    for _, start, end, value in runs:
        base[start:end] = value
    table = genes(("chr1", 1000, "+"), ("chr1", 40, "-"), ("chr1", 1990, "+"), ("chr2", 500, "+"))
    found = bin_bigwig(bigwig(runs), table, SMALL, SIZES, statistic)[0]
    padded = np.concatenate([np.zeros(300), base, np.zeros(300)])
    for row, tss in enumerate((1000, 40, 1990)):
        window = padded[tss : tss + 600].reshape(6, 100)
        expected = window.mean(axis=1) if statistic == "mean" else window.sum(axis=1)
        np.testing.assert_array_equal(found[row], expected.astype(np.float32))
    assert not found[3].any()


@pytest.mark.parametrize(
    ("runs", "sizes", "words"),
    [
        ([("chr1", 0, 9, 1.0)], {"chr1": 1999}, ["chr1 is 1999 bp long, but 2000 bp", "genome build"]),
        ([("1", 0, 9, 1.0)], {"1": 2000}, ["none of the genes' chromosomes", "only 1"]),
        ([("chr1", 900, 1100, -2.5)], SIZES, ["negative values", "fold change"]),
    ],
)
def test_bigwigs_that_do_not_fit_are_refused(
    genes: Callable[..., pd.DataFrame], bigwig: Callable[..., Path], runs: list, sizes: dict, words: list[str]
) -> None:
    path = bigwig(runs, sizes)
    with pytest.raises(UserError) as caught:
        bin_bigwig(path, genes(("chr1", 1000, "+")), SMALL, SIZES)
    assert all(word in str(caught.value) for word in [str(path), *words])
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_a_chromosome_that_a_bigwig_lacks_has_no_signal(
    genes: Callable[..., pd.DataFrame], bigwig: Callable[..., Path]
) -> None:
    path = bigwig([("chr1", 0, 2000, 3.0)], {"chr1": 2000})
    table = genes(("chr1", 1000, "+"), ("chr2", 500, "+"))
    assert bin_bigwig(path, table, SMALL, SIZES)[0].tolist() == [[3.0] * 6, [0.0] * 6]


def test_signal_of_minus_strand_windows_turns_round_on_request(
    genes: Callable[..., pd.DataFrame], bigwig: Callable[..., Path]
) -> None:
    path = bigwig([("chr1", 1000, 1100, 4.0)])
    lopsided = Bins(upstream=300, downstream=100, size=100, flip_strand=True)
    table = genes(("chr1", 1000, "+"), ("chr1", 1000, "-"))
    assert bin_bigwig(path, table, lopsided, SIZES)[0].tolist() == [[0, 0, 0, 4.0], [0, 0, 4.0, 0]]


def test_a_bigwig_damaged_in_the_middle_is_refused(
    genes: Callable[..., pd.DataFrame], bigwig: Callable[..., Path]
) -> None:
    generator = np.random.default_rng(6)
    path = bigwig([("chr1", start, start + 1, float(generator.random())) for start in range(2000)])
    data = bytearray(path.read_bytes())
    values, index = struct.unpack_from("<QQ", data, 16)  # where they begin in the file
    data[values + 8 : index] = bytes(index - values - 8)
    path.write_bytes(bytes(data))
    with pytest.raises(UserError) as caught:
        bin_bigwig(path, genes(("chr1", 1000, "+")), SMALL, SIZES)
    assert str(caught.value) == f"{path}: is damaged around chr1:700-1300; download it again"


def test_a_bigwig_that_was_cut_off_is_refused_or_has_what_is_asked_for(
    genes: Callable[..., pd.DataFrame], bigwig: Callable[..., Path]
) -> None:
    generator = np.random.default_rng(6)
    path = bigwig([("chr1", start, start + 1, float(generator.random())) for start in range(2000)])
    whole, table = path.read_bytes(), genes(("chr1", 1000, "+"))
    expected, _ = bin_bigwig(path, table, SMALL, SIZES)
    refused = 0
    for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(len(whole) * share)])
        try:
            found, _ = bin_bigwig(path, table, SMALL, SIZES)
        except UserError as error:
            assert str(error).endswith("; download it again")  # noqa: PT017
            refused += 1
        else:  # cut behind the values
            np.testing.assert_array_equal(found, expected)
    assert refused >= 4


def test_what_is_no_bigwig_is_refused(genes: Callable[..., pd.DataFrame], write: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="is not a readable bigWig"):
        bin_bigwig(write("x.bw", b"\x00\x01"), genes(("chr1", 1000, "+")), SMALL, SIZES)


@pytest.mark.parametrize("name", ["signal", "signal.BIGWIG", "signal.bb"])
def test_a_bigwig_may_have_any_name(
    genes: Callable[..., pd.DataFrame], bigwig: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    path = bigwig([("chr1", 0, 2000, 3.0)]).rename(tmp_path / name)
    assert bin_bigwig(path, genes(("chr1", 1000, "+")), SMALL, SIZES)[0].tolist() == [[3.0] * 6]
