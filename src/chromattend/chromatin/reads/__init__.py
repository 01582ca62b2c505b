"""Readers of aligned reads, from tagAlign or BED (.gz) and BAM, as streams of arrays."""

import gzip
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pysam
from isal import igzip

from chromattend.chromatin.reads.bam import read_alignments
from chromattend.chromatin.reads.bed import MARGIN, MOST_DIGITS, NEWLINE, IntervalParser, NotIntervals
from chromattend.chromatin.reads.content import COMMENTS, check_alignments, check_text, is_gzip
from chromattend.errors import UserError
from chromattend.files import GZIP_ERRORS

# Small enough that a block and its arrays stay in a core's cache.
BLOCK_BYTES = 1 << 20
# Errors that a damaged BAM file can raise.
BAM_ERRORS: tuple[type[Exception], ...] = (*GZIP_ERRORS, ValueError)
# Flags of a read whose mate is where the aligner expects it.
_PROPER = pysam.FPAIRED | pysam.FPROPER_PAIR
_BEFORE_READS = re.compile(rb"(?:\xef\xbb\xbf)?(?:(?:%s)[^\r\n]*[\r\n]|[\r\n])*" % "|".join(COMMENTS).encode())


@dataclass(frozen=True)
class Reads:
    """A block of reads of a file.

    Attributes:
        chroms: names of chromosomes; later blocks of the same file may append more.
        codes: chromosome of each read as an index into `chroms`, shape (read,), or () if all are on one.
        starts, ends: half-open intervals in bp from 0, int64, shape (read,), in no particular order.
        lengths: chromosome lengths (bp) in the file's header; None without a header.
    """

    chroms: Sequence[str]
    codes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    lengths: Mapping[str, int] | None = None


@dataclass(frozen=True)
class ReadOptions:
    """Which reads are counted, and at which position.

    Attributes:
        shift: bp to move reads towards their 3' end.
        extend_to: fragment length to extend reads to from their 5' end (bp); 0 does not extend them.
        min_mapq: minimum mapping quality (BAM).
        duplicates, secondary, qc_fail: count reads with these flags (BAM); secondary includes supplementary
            alignments.
        paired: `fragments` counts a proper pair of a BAM file once, as the interval from its first to its last base;
            shift and extension do not apply to it. `mates` counts both reads.
    """

    shift: int = 0
    extend_to: int = 0
    min_mapq: int = 0
    duplicates: bool = False
    secondary: bool = False
    qc_fail: bool = False
    paired: str = "fragments"

    @property
    def needs_strand(self) -> bool:
        """Return whether the options depend on the strand of a read."""
        return self.shift != 0 or self.extend_to != 0

    def excluded_flags(self) -> int:
        """Return the SAM flags of reads that are not counted; unmapped reads never are."""
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
        # A read that is moved off the chromosome entirely is kept as its first or last base.
        return np.clip(starts, 0, lengths - 1), np.clip(ends, 1, lengths)


def read_intervals(
    path: str | Path, options: ReadOptions | None = None, chrom_sizes: dict[str, int] | None = None
) -> Iterator[Reads]:
    """Stream the reads of a tagAlign or BED file, gzip-compressed or not.

    Order does not matter. Comment, `track` and `browser` lines before the first read are skipped, and lines may end
    in CRLF.

    Args:
        path: three columns (chrom, start, end) at least; six where `options` need the strand.
        options: shift and extension.
        chrom_sizes: chromosome lengths (bp) that moved reads are kept within.

    Raises:
        UserError: the file is empty or damaged, is of another format, or a line is not a read; the message names the
            line.
    """
    options = options or ReadOptions()
    check_text(path)
    parser = IntervalParser(strand=options.needs_strand)
    try:
        with igzip.open(path, "rb") if is_gzip(path) else open(path, "rb") as stream:
            for buffer, first, stop in _line_blocks(stream):
                for intervals in parser.parse(buffer, first, stop):
                    starts, ends = intervals.starts, intervals.ends
                    if intervals.minus is not None:
                        limits = _limits(parser.chroms, chrom_sizes)[intervals.codes]
                        starts, ends = options.move(starts, ends, intervals.minus, limits)
                    yield Reads(parser.chroms, intervals.codes, starts, ends)
    except GZIP_ERRORS as error:
        raise _damaged(path, error) from None
    except NotIntervals as error:
        raise _bad_line(path, options) or UserError(f"{path}: cannot be read as BED ({error}); repair it") from None
    if parser.columns is None:
        raise _bad_line(path, options) or AssertionError("a file without a read is empty")


def _line_blocks(stream: BinaryIO) -> Iterator[tuple[bytearray, int, int]]:
    """Yield blocks of whole lines, from the first read on, as a buffer and the block's start and stop in it.

    The buffer is reused for the next block.
    """
    buffer = bytearray(MARGIN + BLOCK_BYTES + 1 + MARGIN)
    carried, at_reads, at_end = 0, False, False
    while not at_end:
        stop = MARGIN + carried
        with memoryview(buffer) as view:
            got = stream.readinto(view[stop : MARGIN + BLOCK_BYTES])  # type: ignore[attr-defined]
        if not stop + got - MARGIN:
            return
        stop += got
        at_end = not got and carried < BLOCK_BYTES
        if at_end:  # the last line may lack its line end
            buffer[stop] = NEWLINE
            stop += 1
        after = max(buffer.rfind(b"\n", MARGIN, stop), MARGIN - 1) + 1
        if after == MARGIN:
            after = max(buffer.rfind(b"\r", MARGIN, stop), MARGIN - 1) + 1
        if after == MARGIN and carried == BLOCK_BYTES:
            raise NotIntervals(f"a line is longer than {BLOCK_BYTES} bytes")
        first = MARGIN
        if not at_reads:
            preamble = _BEFORE_READS.match(buffer, first, after)
            first = preamble.end() if preamble else first
            at_reads = first < after
        if first < after:
            yield buffer, first, after
        carried = stop - after
        buffer[MARGIN : MARGIN + carried] = buffer[after:stop]


def read_bam(
    path: str | Path, options: ReadOptions | None = None, chrom_sizes: dict[str, int] | None = None
) -> Iterator[Reads]:
    """Stream the alignments of a BAM file, each from its first to its last aligned base; no index is needed.

    By default, mapped, primary, non-duplicate reads that passed quality checks are counted, proper pairs as fragments.
    `bedtools multicov` also counts secondary and supplementary alignments, and unmapped reads that have a position.

    Raises:
        UserError: the file is not a BAM file, is truncated, or has no alignment that is counted.
    """
    options = options or ReadOptions()
    check_alignments(path)
    total, number = 0, 0
    try:
        # pysam rejects files that are not BAM or lack its end-of-file block. Its reads are Python objects, too slow.
        with pysam.AlignmentFile(str(path), "rb", check_sq=False) as file:
            if not file.is_bam:
                raise ValueError("it is in another format")
            chroms, lengths = file.references, dict(zip(file.references, file.lengths, strict=True))
        limits = _limits(chroms, chrom_sizes)
        excluded = options.excluded_flags()
        for block in read_alignments(path, len(chroms)):
            counted = (block.flags & excluded == 0) & (block.mapq >= options.min_mapq) & block.placed
            pairs = np.zeros(len(counted), dtype=bool)
            if options.paired == "fragments":
                pairs = (block.flags & _PROPER == _PROPER) & (block.templates != 0)
                counted &= ~pairs | (block.templates > 0)
            codes, starts, ends = (values[counted] for values in (block.codes, block.starts, block.ends))
            pairs = pairs[counted]
            total += len(counted)
            number += len(codes)
            if not len(codes):
                continue
            if options.needs_strand:
                minus = block.flags[counted] & pysam.FREVERSE != 0
                moved = options.move(starts, ends, minus, limits[codes])
                starts, ends = np.where(pairs, starts, moved[0]), np.where(pairs, ends, moved[1])
            if pairs.any():
                ends = np.where(pairs, starts + block.templates[counted], ends)
            yield Reads(chroms, codes, starts, ends, lengths)
    except BAM_ERRORS as error:
        raise UserError(f"{path}: is not a readable BAM file or is truncated ({error}); create it again") from None
    if not total:
        raise UserError(f"{path}: has a header but no reads; give a file with reads")
    if not chroms:
        raise UserError(f"{path}: holds reads that are not aligned; align them")
    if not number:
        raise UserError(
            f"{path}: none of its {total} alignments is counted: they are unmapped, duplicates or secondary, "
            + (f"have a mapping quality below {options.min_mapq}, " if options.min_mapq else "")
            + "or failed quality checks; change the key 'reads' or align again"
        )


def _limits(chroms: Sequence[str], chrom_sizes: dict[str, int] | None) -> np.ndarray:
    """Return chromosome lengths (bp), int64, shape (chromosome,); the largest int64 if unknown."""
    sizes = chrom_sizes or {}
    return np.array([sizes.get(chrom, np.iinfo(np.int64).max) for chrom in chroms], dtype=np.int64)


def _bad_line(path: str | Path, options: ReadOptions) -> UserError | None:
    """Find the first line that is not a read, and return its error.

    The fast reader cannot name lines; this slow one runs only after it has failed.
    """
    columns = None
    opener = gzip.open if is_gzip(path) else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                text = line.rstrip("\r\n")
                if not text or (columns is None and text.startswith(COMMENTS)):
                    continue
                fields = text.split("\t")
                problem = _problem(fields, columns, options)
                if problem:
                    return UserError(f"{path}: line {number}: {problem}")
                columns = len(fields)
    except GZIP_ERRORS as error:
        return _damaged(path, error)
    if columns is None:
        return UserError(f"{path}: is empty; give a file with reads")
    return None


def _damaged(path: str | Path, error: BaseException) -> UserError:
    return UserError(f"{path}: is truncated or damaged ({error}); download it again")


def _problem(fields: list[str], columns: int | None, options: ReadOptions) -> str | None:
    if len(fields) < 3:
        return f"has {len(fields)} tab-separated columns, but BED needs 3; separate columns by tabs"
    if columns not in (None, len(fields)):
        return f"has {len(fields)} columns, but the lines before it have {columns}; repair the damaged or joined lines"
    if "\ufffd" in fields[0]:
        return "the chromosome name is not UTF-8 text; repair it"
    if not (fields[1].isdecimal() and fields[2].isdecimal()):
        if columns is None:
            return f"start and end {fields[1]!r}, {fields[2]!r} are not numbers; if this is a header line, remove it"
        return f"start and end {fields[1]!r}, {fields[2]!r} must be integers of at least 0; repair them"
    if max(len(fields[1]), len(fields[2])) > MOST_DIGITS:
        return f"start {fields[1]} or end {fields[2]} is beyond any chromosome; repair it"
    if int(fields[1]) >= int(fields[2]):
        return f"start {fields[1]} is not before end {fields[2]}; repair it"
    if options.needs_strand and (len(fields) < 6 or fields[5] not in ("+", "-")):
        return "has no strand + or - in column 6, which reads.shift and reads.extend_to need; add it or set them to 0"
    return None
