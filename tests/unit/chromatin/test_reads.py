"""Reading reads: what is handled, and what is refused with file and line."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest

from chromattend.chromatin.reads import ReadOptions, read_bam, read_intervals
from chromattend.errors import UserError

GOOD = [("chr1", 100, 136, "N", 1000, "+"), ("chr2", 50, 86, "N", 1000, "-"), ("chr1", 10, 46, "N", 1000, "+")]
LINES = "".join("\t".join(map(str, row)) + "\n" for row in GOOD)
SPANS = [("chr1", 10, 46), ("chr1", 100, 136), ("chr2", 50, 86)]


def spans(path: Path) -> list[tuple[str, int, int]]:
    return sorted(
        (block.chroms[code], int(start), int(end))
        for block in read_intervals(path)
        for code, start, end in zip(
            np.broadcast_to(block.codes, len(block.starts)), block.starts, block.ends, strict=True
        )
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.tagAlign", LINES),
        ("a.tagAlign.gz", LINES),
        ("a.bed", LINES.replace("\tN\t1000\t+", "").replace("\tN\t1000\t-", "")),
        ("a.bed", LINES.replace("\n", "\r\n")),
        ("a.bed", LINES.removesuffix("\n")),
        ("a.bed", "track name=x\n#comment\nbrowser position chr1\n" + LINES),
        ("a.bed", "\n#after a blank line\n" + LINES),
        ("a.bed", "\ufeff" + LINES),
        ("a.bed", "\ufefftrack name=x\r\n" + LINES.replace("\n", "\r\n")),
        ("a.BED.GZ", LINES),
        ("a.bed", LINES.replace("\n", "\r")),
        ("a.bed", LINES + "\n\n"),
        ("a.bed", LINES.replace("\tN\t", '\t"quoted\t')),
        ("a.bed", LINES.replace("+", ".")),
    ],
)
def test_reads_in_any_usual_form_are_the_same(write: Callable[..., Path], name: str, content: str) -> None:
    assert spans(write(name, content)) == SPANS


def test_joined_gzip_files_are_read_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "joined.bed.gz"
    path.write_bytes(gzip.compress(LINES.encode()) + gzip.compress(LINES.encode()))
    assert spans(path) == sorted(SPANS * 2)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\t\n", "\r+\n"])
def test_line_ends_between_lines_of_one_layout_are_not_passed_over(write: Callable[..., Path], end: str) -> None:
    """Each pair of lines looks like one longer line where only newlines are looked for."""
    pairs = f"chr1\t100\t136\tN\t0\t+{end}chr1\t200\t236\tN\t0\t+\n" * 600
    path = write("a.bed", pairs)
    if end in ("\n", "\r\n", "\r"):
        assert spans(path) == sorted([("chr1", 100, 136), ("chr1", 200, 236)] * 600)
    else:
        with pytest.raises(UserError, match="line 2: "):
            spans(path)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("", None, ["is empty"]),
        ("\n\n", None, ["is empty"]),
        ("\r\n", None, ["is empty"]),
        ("track name=x\n", None, ["is empty"]),
        ("#only a comment\n", None, ["is empty"]),
        ("chrom\tstart\tend\tname\tscore\tstrand\n" + LINES, 1, ["header line", "remove it"]),
        ("#c\nchrom\tstart\tend\tname\tscore\tstrand\n" + LINES, 2, ["header line", "remove it"]),
        (LINES + "chr1\t5\n" + LINES, 4, ["2 tab-separated columns"]),
        (LINES + "chr1\t5\t41\n" + LINES, 4, ["3 columns", "before it have 6"]),
        (LINES + "chr1\tx\t41\tN\t1000\t+\n", 4, ["'x', '41'", "integers"]),
        (LINES + "chr1\t5.5\t41\tN\t1000\t+\n", 4, ["'5.5'", "integers"]),
        (LINES + "chr1\t41\t41\tN\t1000\t+\n", 4, ["start 41 is not before end 41"]),
        (LINES + "chr1\t50\t41\tN\t1000\t+\n", 4, ["start 50 is not before end 41"]),
        (LINES + "chr1\t-5\t41\tN\t1000\t+\n", 4, ["'-5'", "integers of at least 0"]),
        (LINES + "chr1\t\t41\tN\t1000\t+\n", 4, ["''", "integers"]),
        (LINES.replace("\t", " "), 1, ["1 tab-separated columns", "separate columns by tabs"]),
        (LINES + "track name=late\n", 4, ["1 tab-separated columns"]),
        (LINES + "chr1\t²\t41\tN\t1000\t+\n", 4, ["'²'", "integers"]),
        ("#c\n\n" + LINES + "\nchr1\t5\n", 7, ["2 tab-separated columns"]),
        (LINES + f"chr1\t5\t{10**20}\tN\t1000\t+\n", 4, [str(10**20), "beyond any chromosome", "repair it"]),
        (LINES.encode() + b"chr\xff\t5\t41\tN\t1000\t+\n", 4, ["name is not UTF-8 text"]),
        ("chr1\t5\t41\t" + "N" * 2_000_000 + "\n", None, ["cannot be read as BED", "a line is longer than"]),
    ],
)
@pytest.mark.parametrize("name", ["a.bed", "a.tagAlign.gz"])
def test_a_bad_line_is_named(
    write: Callable[..., Path], name: str, content: str | bytes, line: int | None, words: list[str]
) -> None:
    path = write(name, content)
    with pytest.raises(UserError) as caught:
        spans(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: line {line}: " if line else f"{path}: ")
    assert all(word in message for word in words), message
    assert "; " in message
    assert "\n" not in message


def test_a_bad_line_far_into_the_file_is_named(write: Callable[..., Path]) -> None:
    path = write("long.bed", "chr1\t5\t41\n" * 1_500_000 + "chr1\t5\tend\n")
    with pytest.raises(UserError, match="line 1500001: "):
        for _ in read_intervals(path):
            pass


@pytest.mark.parametrize("options", [ReadOptions(shift=10), ReadOptions(extend_to=200)])
@pytest.mark.parametrize(
    "content", [LINES.replace("+", "."), LINES.replace("\tN\t1000\t+", "").replace("\tN\t1000\t-", "")]
)
def test_moving_reads_needs_their_strand(write: Callable[..., Path], options: ReadOptions, content: str) -> None:
    path = write("a.bed", content)
    with pytest.raises(UserError) as caught:
        list(read_intervals(path, options))
    assert str(caught.value).startswith(f"{path}: line 1: has no strand")
    assert "reads.shift" in str(caught.value)


def one_line(caught: pytest.ExceptionInfo[UserError], path: Path) -> str:
    """Return the message, which is one line with the file, the error and the fix."""
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "; " in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("cut", [-1, -20, 40])
def test_a_truncated_gzip_is_refused(write: Callable[..., Path], cut: int) -> None:
    path = write("a.bed.gz", LINES * 1000)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError) as caught:
        spans(path)
    assert "truncated or damaged" in one_line(caught, path)


def test_a_file_of_no_byte_is_empty_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.bed.gz"
    path.touch()
    with pytest.raises(UserError) as caught:
        spans(path)
    assert "is empty" in one_line(caught, path)


def test_a_gzip_damaged_in_the_middle_is_refused(write: Callable[..., Path]) -> None:
    rows = [("chr1", start, start + 36) for start in range(0, 400_000, 7)]
    path = write("a.bed.gz", rows)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = b"\xff" * 50
    path.write_bytes(bytes(data))
    with pytest.raises(UserError) as caught:
        spans(path)
    one_line(caught, path)


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.bed.gz", LINES.encode()), ("a.bed", gzip.compress(LINES.encode()))],
    ids=["text as .gz", "gzip as .bed"],
)
def test_compression_is_recognised_by_the_content(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert spans(path) == SPANS


def test_what_is_no_bam_is_refused(write: Callable[..., Path]) -> None:
    path = write("a.bam", LINES)
    with pytest.raises(UserError) as caught:
        list(read_bam(path))
    assert "is text, no BAM file" in one_line(caught, path)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.99], ids=["nothing", "header", "half", "all but the end"])
def test_a_truncated_bam_is_refused(write_bam: Callable[..., Path], kept: float) -> None:
    path = write_bam("a.bam", [("chr1", start, start + 36, 0) for start in range(5000)], {"chr1": 9000})
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(UserError) as caught:
        list(read_bam(path))
    assert "truncated" in one_line(caught, path)


def test_a_bam_cut_between_two_blocks_is_refused(write_bam: Callable[..., Path]) -> None:
    """There every block is whole, and only the empty one that ends a BAM file is missing."""
    path = write_bam("a.bam", [("chr1", 5, 41, 0)], {"chr1": 9000})
    path.write_bytes(path.read_bytes()[:-28])
    with pytest.raises(UserError) as caught:
        list(read_bam(path))
    assert "EOF marker" in one_line(caught, path)


def test_a_bam_damaged_in_the_middle_is_refused(write_bam: Callable[..., Path]) -> None:
    path = write_bam("a.bam", [("chr1", start, start + 36, 0) for start in range(20_000)], {"chr1": 30_000})
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = b"\xff" * 50
    path.write_bytes(bytes(data))
    with pytest.raises(UserError) as caught:
        list(read_bam(path))
    one_line(caught, path)


def pairs_bam(path: Path, seed: int = 4) -> list[pysam.AlignedSegment]:
    """Write a paired-end BAM file: proper pairs, pairs that are not, single reads and a duplicate pair."""
    generator = np.random.default_rng(seed)
    header = pysam.AlignmentHeader.from_references(["chr1", "chr2"], [50_000, 20_000])
    records = []
    for number in range(300):
        start, size = int(generator.integers(0, 15_000)), int(generator.integers(60, 600))
        proper, single, duplicate = number % 5 != 0, number % 11 == 0, number % 7 == 0
        for mate in range(1 if single else 2):
            read = pysam.AlignedSegment(header)
            read.query_name = f"r{number}"
            read.reference_id = int(number % 3 == 0)
            read.reference_start = start if mate == 0 else start + size - 50
            read.cigartuples = [(0, 50)]
            read.mapping_quality = 30
            read.is_reverse, read.is_duplicate = mate == 1, duplicate
            if not single:
                read.is_paired, read.is_proper_pair = True, proper
                read.is_read1, read.is_read2 = mate == 0, mate == 1
                read.next_reference_id, read.next_reference_start = read.reference_id, start
                read.template_length = size if mate == 0 else -size
            records.append(read)
    records.sort(key=lambda read: (read.reference_id, read.reference_start))
    with pysam.AlignmentFile(str(path), "wb", header=header) as file:
        for read in records:
            file.write(read)
    return records


@pytest.mark.parametrize("options", [{}, {"paired": "mates"}, {"duplicates": True}, {"extend_to": 200}])
def test_proper_pairs_are_fragments(tmp_path: Path, options: dict) -> None:
    """As a plain loop over pysam's records has it."""
    expected = []
    for read in pairs_bam(tmp_path / "pairs.bam"):
        if read.is_duplicate and not options.get("duplicates"):
            continue
        start, end = read.reference_start, read.reference_end
        pair = read.is_proper_pair and options.get("paired") != "mates"
        if pair and read.template_length < 0:
            continue
        if pair:
            end = start + read.template_length
        elif "extend_to" in options:
            start, end = (max(end - 200, 0), end) if read.is_reverse else (start, start + 200)
        expected.append((read.reference_name, start, end))
    sizes = {"chr1": 50_000, "chr2": 20_000}
    found = [
        (block.chroms[code], int(start), int(end))
        for block in read_bam(tmp_path / "pairs.bam", ReadOptions(**options), sizes)
        for code, start, end in zip(block.codes, block.starts, block.ends, strict=True)
    ]
    assert sorted(found) == sorted(expected)
