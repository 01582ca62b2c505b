"""Readers of aligned reads: tagAlign or BED (.gz) and BAM, each a stream of arrays per chromosome."""

import codecs
import gzip
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pysam
from isal import igzip

from chromattend.errors import UserError
from chromattend.files import GZIP_ERRORS

BLOCK_BYTES = 16 << 20
BAM_BLOCK_READS = 500_000
# Lines that the BED format allows before the first interval (UCSC, "BED format").
COMMENTS = ("#", "track", "browser")


@dataclass(frozen=True)
class Reads:
    """Some reads of one chromosome.

    Attributes:
        chrom: chromosome name.
        starts, ends: half-open intervals in bp from 0, int64, shape (read,), in no particular order.
    """

    chrom: str
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
        self, starts: np.ndarray, ends: np.ndarray, minus: np.ndarray, length: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Shift and extend reads in their own direction, within the chromosome of `length` bp."""
        direction = np.where(minus, -1, 1)
        starts, ends = starts + self.shift * direction, ends + self.shift * direction
        if self.extend_to:
            starts = np.where(minus, ends - self.extend_to, starts)
            ends = np.where(minus, ends, starts + self.extend_to)
        # A read that is moved out of the chromosome altogether stays as its first or last base.
        last = np.iinfo(np.int64).max if length is None else length
        return np.clip(starts, 0, last - 1), np.clip(ends, 1, last)


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
    sizes = chrom_sizes or {}
    columns = ["f0", "f1", "f2"] + (["f5"] if options.needs_strand else [])
    try:
        with _open_bytes(path) as stream:
            reader = pa.csv.open_csv(
                stream,
                read_options=pa.csv.ReadOptions(
                    block_size=BLOCK_BYTES, skip_rows=_comment_lines(path), autogenerate_column_names=True
                ),
                parse_options=pa.csv.ParseOptions(delimiter="\t", quote_char=False),
                convert_options=pa.csv.ConvertOptions(
                    include_columns=columns,
                    column_types={
                        "f0": pa.dictionary(pa.int32(), pa.string()),
                        "f1": pa.int64(),
                        "f2": pa.int64(),
                        "f5": pa.string(),
                    },
                    null_values=[],
                ),
            )
            for batch in reader:
                yield from _split(path, batch, options, sizes)
    except GZIP_ERRORS as error:
        raise _damaged(path, error) from None
    except (pa.ArrowInvalid, pa.ArrowKeyError, StopIteration) as error:
        raise _bad_line(path, options) or UserError(f"{path}: cannot be read as BED ({error}); repair it") from None


def _split(path: str | Path, batch: pa.RecordBatch, options: ReadOptions, sizes: dict[str, int]) -> Iterator[Reads]:
    """Check a batch of rows and cut it into chromosomes."""
    codes = batch.column(0).indices.to_numpy()
    names = batch.column(0).dictionary.to_pylist()
    starts = batch.column(1).to_numpy()
    ends = batch.column(2).to_numpy()
    if (starts < 0).any() or (starts >= ends).any():
        raise _bad_line(path, options) or AssertionError("a bad row is on some line")
    minus = None
    if options.needs_strand:
        strand = batch.column(3).to_numpy(zero_copy_only=False)
        minus = strand == "-"
        if not (minus | (strand == "+")).all():
            raise _bad_line(path, options) or AssertionError("a bad strand is on some line")
    for code, name in enumerate(names):
        chosen = slice(None) if len(names) == 1 else codes == code
        first, last = starts[chosen], ends[chosen]
        if minus is not None:
            first, last = options.move(first, last, minus[chosen], sizes.get(name))
        yield Reads(name, first, last)


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
    sizes = chrom_sizes or {}
    excluded = options.excluded_flags()
    try:
        with pysam.AlignmentFile(str(path), "rb", check_sq=False) as file:
            names = file.references
            rows = (
                (read.reference_id, read.reference_start, read.reference_end, read.is_reverse)
                for read in file.fetch(until_eof=True)
                if not read.flag & excluded
                and read.mapping_quality >= options.min_mapq
                and read.reference_end is not None
            )
            while block := list(itertools.islice(rows, BAM_BLOCK_READS)):
                table = np.array(block, dtype=np.int64)
                for code in np.unique(table[:, 0]):
                    _, starts, ends, minus = table[table[:, 0] == code].T
                    name = names[code]
                    if options.needs_strand:
                        starts, ends = options.move(starts, ends, minus.astype(bool), sizes.get(name))
                    yield Reads(name, starts, ends)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: is not a readable BAM file or is truncated ({error}); make it again") from None


def _open_bytes(path: str | Path) -> IO[bytes] | Any:
    return igzip.open(path, "rb") if str(path).lower().endswith(".gz") else open(path, "rb")


def _comment_lines(path: str | Path) -> int:
    """Number of lines before the first that is neither blank nor comment nor `track` nor `browser` line."""
    marks = tuple(comment.encode() for comment in COMMENTS)
    with _open_bytes(path) as stream:
        lines = (line.removeprefix(codecs.BOM_UTF8) for line in stream)
        before = itertools.takewhile(lambda line: line.startswith(marks) or not line.strip(b"\r\n"), lines)
        return sum(1 for _ in before)


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
    if not (cells[1].isdecimal() and cells[2].isdecimal()):
        if columns is None:
            return f"start and end {cells[1]!r}, {cells[2]!r} are no numbers; if this is a header line, remove it"
        return f"start and end {cells[1]!r}, {cells[2]!r} are no whole numbers from 0; repair it"
    if int(cells[1]) >= int(cells[2]):
        return f"start {cells[1]} is not before end {cells[2]}; repair it"
    if options.needs_strand and (len(cells) < 6 or cells[5] not in ("+", "-")):
        return "has no strand + or - in column 6, which reads.shift and reads.extend_to need; add it or set them to 0"
    return None
