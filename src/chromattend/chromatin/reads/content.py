"""What a file of reads really is, by its first bytes and lines, whatever its name says."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from isal import igzip

from chromattend.errors import UserError
from chromattend.files import GZIP_ERRORS

GZIP = b"\x1f\x8b"
BIGWIG = (b"\x26\xfc\x8f\x88", b"\x88\x8f\xfc\x26")
# First bytes of files that are neither text nor gzip: what the file is, and the fix.
BINARY = (
    (b"BZh", "is compressed by bzip2, which is not read; decompress it or compress it by gzip"),
    (b"\xfd7zXZ\0", "is compressed by xz, which is not read; decompress it or compress it by gzip"),
    (b"\x28\xb5\x2f\xfd", "is compressed by zstd, which is not read; decompress it or compress it by gzip"),
    (b"PK\3\4", "is a zip archive; unpack it and give the file of reads"),
    (b"CRAM", "is a CRAM file, which is not read; convert it by 'samtools view -b' and name it .bam"),
    *((magic, "is a bigWig, which holds signal and no reads; name it .bigWig or .bw") for magic in BIGWIG),
    (b"\xeb\xf2\x89\x87", "is a bigBed file, which is not read; convert it by bigBedToBed if it holds reads"),
    (b"\x87\x89\xf2\xeb", "is a bigBed file, which is not read; convert it by bigBedToBed if it holds reads"),
    (b"\xff\xfe", "is UTF-16 text; save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16 text; save it as UTF-8"),
)
BAM = b"BAM\1"
# Lines that the BED format allows before the first interval (UCSC, "BED format").
COMMENTS = ("#", "track", "browser")
# What is read to recognise a text: enough lines to see a pattern, and little beside the whole file.
HEAD_BYTES, HEAD_LINES = 1 << 16, 500
# First bytes of texts that are no BED.
STARTS = (
    (r"\s*<(!doctype|html|\?xml)", "is a web page, probably an error message; download the file again"),
    (r"@(HD|SQ|RG|PG|CO)\t", "is SAM text, which is not read; convert it by 'samtools view -b' and name it .bam"),
    (r"@[^\n]*\n[A-Za-z.*-]+\r?\n\+", "holds reads that are not aligned (FASTQ); align them and give the BAM file"),
    (r">", "holds sequences (FASTA), no aligned reads; give aligned reads"),
    (r"##gff-version", "is an annotation (GFF); give aligned reads"),
    (r"##fileformat=VCF", "holds variants (VCF); give aligned reads"),
)
PEAKS = "holds peaks, no reads; give the aligned reads that the peaks were called from"
# Lines before the first interval that name another format.
TRACKS = (
    (
        r"^(track[^\n]*type=[\"']?(wiggle_0|bedGraph)|(variable|fixed)Step\s)",
        "holds signal (wiggle or bedGraph), no reads; convert it to bigWig (wigToBigWig, bedGraphToBigWig)",
    ),
    (r"^track[^\n]*type=[\"']?(narrowPeak|broadPeak|gappedPeak)", PEAKS),
)
_BEFORE_DATA = re.compile(r"(?:(?:#|track|browser|variableStep|fixedStep)[^\n]*\n|\s*\n)*")
# Reads leave gaps and overlap: intervals are not reads if at least this many lines are there and this share touches.
LEAST_LINES, MOST_TOUCHING = 20, 0.9
_CIGAR = re.compile(r"(\d+[MIDNSHP=X])+|\*")
_PEAK_NAME = re.compile(r".*(peak|summit).*", re.IGNORECASE)
_INTEGER, _NUMBER = re.compile(r"-?\d+"), re.compile(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def is_gzip(path: str | Path) -> bool:
    """Return whether a file is gzip-compressed, by its first bytes."""
    with open(path, "rb") as file:
        return file.read(2) == GZIP


def check_text(path: str | Path) -> None:
    """Raise a `UserError` that says what a file is, if it surely holds no reads as tagAlign or BED text.

    Lines that are only damaged are left to the reader, which names them.
    """
    with open(path, "rb") as file:
        head = file.read(8)
    _refuse_binary(path, head)
    try:
        with igzip.open(path, "rb") if head.startswith(GZIP) else open(path, "rb") as stream:
            data = stream.read(HEAD_BYTES)
    except GZIP_ERRORS:
        return
    if data.startswith(BAM):
        raise UserError(f"{path}: is a BAM file; name it .bam")
    if data.startswith(GZIP):
        raise UserError(f"{path}: is compressed twice; decompress it once")
    _refuse_binary(path, data)
    text = data.decode("utf-8-sig", errors="replace")
    lines = [line for line in text.splitlines()[:HEAD_LINES] if line.strip() and not line.startswith(COMMENTS)]
    # The last line may be cut.
    reason = _start(text) or _layout(lines[:-1] or lines if len(data) == HEAD_BYTES else lines)
    if reason:
        raise UserError(f"{path}: {reason}")


def check_alignments(path: str | Path) -> None:
    """Raise a `UserError` that says what a file is, if it is no BAM file but one of another known kind."""
    with open(path, "rb") as file:
        head = file.read(512)
    if not head:
        raise UserError(f"{path}: is empty; give a file with reads")
    _refuse_binary(path, head)
    if _is_text(head):
        reason = _start(head.decode()) or "is text, no BAM file; name tagAlign or BED .tagAlign or .bed"
        raise UserError(f"{path}: {reason}")


def check_bigwig(path: str | Path) -> None:
    """Raise a `UserError` that says what a file is, if it is text or of another known kind instead of a bigWig."""
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith(BIGWIG):
        return
    _refuse_binary(path, head)
    if head.startswith(GZIP):
        raise UserError(f"{path}: is compressed by gzip or a BAM file; decompress a bigWig, and name BAM .bam")
    if _is_text(head):
        reason = _start(head.decode()) or "is text; convert wiggle or bedGraph to bigWig, or name reads .bed"
        raise UserError(f"{path}: {reason}")


def _is_text(head: bytes) -> bool:
    return bool(head) and head.isascii() and b"\0" not in head


def _refuse_binary(path: str | Path, head: bytes) -> None:
    for magic, reason in BINARY:
        if head.startswith(magic):
            raise UserError(f"{path}: {reason}")


def _start(text: str) -> str | None:
    for pattern, reason in STARTS:
        if re.match(pattern, text, re.IGNORECASE):
            return reason
    before = _BEFORE_DATA.match(text)
    for pattern, reason in TRACKS:
        if before and re.search(pattern, before[0], re.IGNORECASE | re.MULTILINE):
            return reason
    return None


def _layout(lines: Sequence[str]) -> str | None:
    """Return the reason why lines are not reads, from their columns; None if they may be reads."""
    rows = [line.split("\t") if "\t" in line else line.split() for line in lines]
    columns = len(rows[0]) if rows else 0
    if not rows or any(len(row) != columns for row in rows):
        return None

    def every(column: int, pattern: re.Pattern[str]) -> bool:
        return all(pattern.fullmatch(row[column]) for row in rows)

    if columns >= 11 and every(1, _INTEGER) and every(5, _CIGAR):
        return "is SAM text without a header; convert it by 'samtools view -b -t' and name it .bam"
    if not (columns >= 3 and every(1, _INTEGER) and every(2, _INTEGER)):
        if columns in (8, 9) and every(3, _INTEGER) and every(4, _INTEGER):
            return "is an annotation (GTF or GFF); give aligned reads"
        if columns >= 8 and every(1, _INTEGER) and all(re.fullmatch("[ACGTN]+", row[3]) for row in rows):
            return "holds variants (VCF); give aligned reads"
        return None
    second = sum(row[3] in (row[0], ".") for row in rows) if columns >= 6 else 0
    if second > len(rows) / 2 and every(4, _INTEGER) and every(5, _INTEGER):
        return "holds pairs of intervals (BEDPE); give the reads as BAM, or one line per fragment as BED"
    if columns in (9, 10, 15) and _has_peaks(rows, columns):
        return PEAKS
    # MACS and other callers name what they find; aligners name reads after the sequencer's run.
    if columns >= 4 and every(3, _PEAK_NAME):
        return PEAKS
    disjoint, touching = _arrangement(rows)
    if columns == 4 and every(3, _NUMBER):
        lengths = {int(row[2]) - int(row[1]) for row in rows}
        if not every(3, _INTEGER) or (disjoint and (touching or len(lengths) > 1)):
            return (
                "holds signal (bedGraph), no reads; convert it to bigWig (bedGraphToBigWig) or, if column 4 "
                "names reads, remove it"
            )
    if disjoint and touching > MOST_TOUCHING * len(rows) and len(rows) >= LEAST_LINES:
        return "holds intervals that follow each other without a gap, such as bins or states, no reads; give reads"
    return None


def _has_peaks(rows: Sequence[Sequence[str]], columns: int) -> bool:
    """Return whether the last columns are signal, p and q (and the summit of narrowPeak), as ENCODE defines them."""
    first = 12 if columns == 15 else 6
    values = [cell for row in rows for cell in row[first : first + 3]]
    if not all(_NUMBER.fullmatch(cell) for cell in values):
        return False
    # The same columns of BED9 are positions and a colour: integers of at least 0.
    return any("." in cell or cell.startswith("-") for cell in values)


def _arrangement(rows: Sequence[Sequence[str]]) -> tuple[bool, int]:
    """Return whether neighbouring intervals never overlap, and how many begin where the one before them ends."""
    pairs = [(int(before[2]), int(after[1])) for before, after in pairwise(rows) if before[0] == after[0]]
    return all(end <= start for end, start in pairs), sum(end == start for end, start in pairs)
