"""Readers of aligned reads: tagAlign or BED (.gz) and BAM, each a stream of arrays."""

import gzip
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pysam
from isal import igzip

from chromattend.chromatin.reads.bam import read_alignments
from chromattend.chromatin.reads.bed import MARGIN, MOST_DIGITS, NEWLINE, IntervalParser, NotIntervals
from chromattend.errors import UserError
from chromattend.files import GZIP_ERRORS

# A block and the arrays made of it stay in a core's cache.
BLOCK_BYTES = 1 << 20
# What reading a damaged BAM file can raise.
BAM_ERRORS: tuple[type[Exception], ...] = (*GZIP_ERRORS, ValueError)
# Lines that the BED format allows before the first interval (UCSC, "BED format").
COMMENTS = ("#", "track", "browser")
_BEFORE_READS = re.compile(rb"(?:\xef\xbb\xbf)?(?:(?:%s)[^\r\n]*[\r\n]|[\r\n])*" % "|".join(COMMENTS).encode())


@dataclass(frozen=True)
class Reads:
    """Some reads of a file.

    Attributes:
        chroms: names of chromosomes; within a file later blocks may name more after these.
        codes: chromosome of each read as an index into `chroms`, shape (read,), or () where all are on one.
        starts, ends: half-open intervals in bp from 0, int64, shape (read,), in no particular order.
    """

    chroms: Sequence[str]
    codes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray


@dataclass(frozen=True)
class ReadOptions:
    """Which reads count, and where.

    Attributes:
        shift: bp to move reads towards their 3' end.
        extend_to: fragment length to extend reads to from their 5' end (bp); 0 leaves them as they are.
        min_mapq: least mapping quality (BAM).
        duplicates, secondary, qc_fail: count reads flagged so (BAM); secondary stands for supplementary
            alignments too.
    """

    shift: int = 0
    extend_to: int = 0
    min_mapq: int = 0
    duplicates: bool = False
    secondary: bool = False
    qc_fail: bool = False

    @property
    def needs_strand(self) -> bool:
        """Whether the options depend on the direction of a read."""
        return self.shift != 0 or self.extend_to != 0

    def excluded_flags(self) -> int:
        """SAM flags of the reads that do not count; unmapped reads never do."""
        flags = pysam.FUNMAP
        if not self.secondary:
            flags |= pysam.FSECONDARY | pysam.FSUPPLEMENTARY
        if not self.duplicates:
            flags |= pysam.FDUP
        if not self.qc_fail:
            flags |= pysam.FQCFAIL
        return flags

    def move(
        self, starts: np.ndarray, ends: np.ndarray, minus: np.ndarray, lengths: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shift and extend reads in their own direction, within their chromosomes of `lengths` bp."""
        direction = np.where(minus, -1, 1)
        starts, ends = starts + self.shift * direction, ends + self.shift * direction
        if self.extend_to:
            starts = np.where(minus, ends - self.extend_to, starts)
            ends = np.where(minus, ends, starts + self.extend_to)
        # A read that is moved out of the chromosome altogether stays as its first or last base.
        return np.clip(starts, 0, lengths - 1), np.clip(ends, 1, lengths)


def read_intervals(
    path: str | Path, options: ReadOptions | None = None, chrom_sizes: dict[str, int] | None = None
) -> Iterator[Reads]:
    """Stream the reads of a tagAlign or BED file, gzip-compressed if its name ends in `.gz`.

    Order does not matter. Comment, `track` and `browser` lines before the first read are passed over, and lines
    may end in CRLF.

    Args:
        path: three columns (chrom, start, end) at least; six where `options` need the strand.
        options: shift and extension.
        chrom_sizes: chromosome lengths (bp) that moved reads are kept within.

    Raises:
        UserError: an empty or damaged file, or a line that is no read, with its number.
    """
    options = options or ReadOptions()
    parser = IntervalParser(strand=options.needs_strand)
    try:
        with igzip.open(path, "rb") if str(path).lower().endswith(".gz") else open(path, "rb") as stream:
            for buffer, first, stop in _line_blocks(stream):
                for found in parser.parse(buffer, first, stop):
                    starts, ends = found.starts, found.ends
                    if found.minus is not None:
                        limits = _limits(parser.chroms, chrom_sizes)[found.codes]
                        starts, ends = options.move(starts, ends, found.minus, limits)
                    yield Reads(parser.chroms, found.codes, starts, ends)
    except GZIP_ERRORS as error:
        raise _damaged(path, error) from None
    except NotIntervals as error:
        raise _bad_line(path, options) or UserError(f"{path}: cannot be read as BED ({error}); repair it") from None
    if parser.columns is None:
        raise _bad_line(path, options) or AssertionError("a file without a read is empty")


def _line_blocks(stream: BinaryIO) -> Iterator[tuple[bytearray, int, int]]:
    """Yield blocks of whole lines, from the first read on, as a buffer and where in it the block begins and stops.

    The buffer is used again for the next block.
    """
    buffer = bytearray(MARGIN + BLOCK_BYTES + 1 + MARGIN)
    kept, at_reads, at_end = 0, False, False
    while not at_end:
        stop = MARGIN + kept
        with memoryview(buffer) as view:
            got = stream.readinto(view[stop : MARGIN + BLOCK_BYTES])  # type: ignore[attr-defined]
        if not stop + got - MARGIN:
            return
        stop += got
        at_end = not got and kept < BLOCK_BYTES
        if at_end:  # the last line may lack its line end
            buffer[stop] = NEWLINE
            stop += 1
        after = max(buffer.rfind(b"\n", MARGIN, stop), MARGIN - 1) + 1
        if after == MARGIN:
            after = max(buffer.rfind(b"\r", MARGIN, stop), MARGIN - 1) + 1
        if after == MARGIN and kept == BLOCK_BYTES:
            raise NotIntervals(f"a line is longer than {BLOCK_BYTES} bytes")
        first = MARGIN
        if not at_reads:
            found = _BEFORE_READS.match(buffer, first, after)
            first = found.end() if found else first
            at_reads = first < after
        if first < after:
            yield buffer, first, after
        kept = stop - after
        buffer[MARGIN : MARGIN + kept] = buffer[after:stop]


def read_bam(
    path: str | Path, options: ReadOptions | None = None, chrom_sizes: dict[str, int] | None = None
) -> Iterator[Reads]:
    """Stream the alignments of a BAM file, from its first to its last aligned base; no index is needed.

    By default mapped, primary, not duplicate reads that passed quality checks count. `bedtools multicov` differs in
    counting secondary and supplementary alignments and unmapped reads that have a position.

    Raises:
        UserError: the file is no BAM, or is truncated.
    """
    options = options or ReadOptions()
    try:
        # pysam tells what is no BAM, or lacks the block that ends one. Its reads are Python objects, which are slow.
        with pysam.AlignmentFile(str(path), "rb", check_sq=False) as file:
            if not file.is_bam:
                raise ValueError("it is in another format")
            chroms = file.references
        limits = _limits(chroms, chrom_sizes)
        excluded = options.excluded_flags()
        for found in read_alignments(path, len(chroms)):
            chosen = (found.flags & excluded == 0) & (found.mapq >= options.min_mapq) & found.placed
            codes, starts, ends = (values[chosen] for values in (found.codes, found.starts, found.ends))
            if not len(codes):
                continue
            if options.needs_strand:
                minus = found.flags[chosen] & pysam.FREVERSE != 0
                starts, ends = options.move(starts, ends, minus, limits[codes])
            yield Reads(chroms, codes, starts, ends)
    except BAM_ERRORS as error:
        raise UserError(f"{path}: is not a readable BAM file or is truncated ({error}); make it again") from None


def _limits(chroms: Sequence[str], chrom_sizes: dict[str, int] | None) -> np.ndarray:
    """Lengths of chromosomes (bp), int64, shape (chromosome,); the largest number where it is not known."""
    sizes = chrom_sizes or {}
    return np.array([sizes.get(chrom, np.iinfo(np.int64).max) for chrom in chroms], dtype=np.int64)


def _bad_line(path: str | Path, options: ReadOptions) -> UserError | None:
    """Find the first line that is no read, and say what is wrong with it.

    The fast reader cannot name lines; this slow one runs only once something is known to be wrong.
    """
    columns = None
    opener = gzip.open if str(path).lower().endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                text = line.rstrip("\r\n")
                if not text or (columns is None and text.startswith(COMMENTS)):
                    continue
                cells = text.split("\t")
                problem = _problem(cells, columns, options)
                if problem:
                    return UserError(f"{path}: line {number}: {problem}")
                columns = len(cells)
    except GZIP_ERRORS as error:
        return _damaged(path, error)
    if columns is None:
        return UserError(f"{path}: is empty; it holds no reads, correct the source")
    return None


def _damaged(path: str | Path, error: BaseException) -> UserError:
    return UserError(f"{path}: is truncated or damaged ({error}); download it again")


def _problem(cells: list[str], columns: int | None, options: ReadOptions) -> str | None:
    if len(cells) < 3:
        return f"has {len(cells)} tab-separated columns where BED needs 3; separate by tabs"
    if columns not in (None, len(cells)):
        return f"has {len(cells)} columns and the lines before it {columns}; the file is damaged or two were joined"
    if "\ufffd" in cells[0]:
        return "the chromosome's name is no UTF-8 text; repair it"
    if not (cells[1].isdecimal() and cells[2].isdecimal()):
        if columns is None:
            return f"start and end {cells[1]!r}, {cells[2]!r} are no numbers; if this is a header line, remove it"
        return f"start and end {cells[1]!r}, {cells[2]!r} are no whole numbers from 0; repair it"
    if max(len(cells[1]), len(cells[2])) > MOST_DIGITS:
        return f"start {cells[1]} or end {cells[2]} is beyond any chromosome; repair it"
    if int(cells[1]) >= int(cells[2]):
        return f"start {cells[1]} is not before end {cells[2]}; repair it"
    if options.needs_strand and (len(cells) < 6 or cells[5] not in ("+", "-")):
        return "has no strand + or - in column 6, which reads.shift and reads.extend_to need; add it or set them to 0"
    return None
