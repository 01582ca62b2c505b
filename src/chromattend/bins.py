"""Counts of reads, or average signal, in the bins around each TSS."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pybigtools

from chromattend.errors import UserError
from chromattend.reads import Reads

logger = logging.getLogger(__name__)

# The reads near genes that are kept until they are counted together, 16 bytes each.
READS_AT_ONCE = 4_000_000
GENES_AT_ONCE = 1000
# Genes' neighbourhoods are looked up in steps of 2 ** CELL bp.
CELL = 13


@dataclass(frozen=True)
class Bins:
    """Bins around a TSS.

    Bin b (from 0) of a gene is [TSS - upstream + b * size, TSS - upstream + (b + 1) * size), half-open and in
    genome orientation, with the 1-based TSS of the GTF taken as it stands: that is how the published counts
    were made (AttentiveChrome, section 3).

    Attributes:
        upstream, downstream: extent of the window before and after the TSS (bp).
        size: width of a bin (bp).
        flip_strand: turn the windows of minus-strand genes round, so that bin 0 is upstream in the gene's own
            direction. The papers do not.
    """

    upstream: int = 5000
    downstream: int = 5000
    size: int = 100
    flip_strand: bool = False

    @property
    def number(self) -> int:
        """Number of bins of a gene."""
        return (self.upstream + self.downstream) // self.size

    @property
    def offsets(self) -> np.ndarray:
        """Start of each bin relative to the TSS (bp), shape (bin,)."""
        return np.arange(self.number) * self.size - self.upstream

    def starts(self, genes: pd.DataFrame) -> np.ndarray:
        """Return the first base of each gene's window, shape (gene,); negative where it leaves the chromosome."""
        before = np.full(len(genes), self.upstream, dtype=np.int64)
        if self.flip_strand:
            before[(genes["strand"] == "-").to_numpy()] = self.downstream
        return genes["tss"].to_numpy(np.int64) - before

    def orient(self, values: np.ndarray, genes: pd.DataFrame) -> np.ndarray:
        """Reverse the bins (axis 1) of minus-strand genes if `flip_strand` is set."""
        if self.flip_strand:
            minus = (genes["strand"] == "-").to_numpy()
            values[minus] = values[minus, ::-1]
        return values


class _Windows:
    """All windows on one axis, on which the chromosomes follow each other, and the reads near them.

    The axis leaves room for windows that reach beyond a chromosome, so that no window touches another chromosome.
    """

    def __init__(self, genes: pd.DataFrame, bins: Bins, chrom_sizes: dict[str, int]) -> None:
        starts, width = bins.starts(genes), bins.number * bins.size
        extremes = pd.DataFrame({"chrom": genes["chrom"].to_numpy(), "start": starts}).groupby("chrom")["start"]
        low, high = extremes.min().to_dict(), extremes.max().to_dict()
        self.offsets, axis = dict[str, int](), 0
        for chrom, size in chrom_sizes.items():
            before = max(0, -low.get(chrom, 0))
            self.offsets[chrom] = axis + before
            axis += before + max(size, high.get(chrom, 0) + width)
        self.bins, self.firsts = bins, starts + genes["chrom"].map(self.offsets).to_numpy(np.int64)
        # For each cell the next one, itself included, in which a window lies.
        cells = np.zeros((axis >> CELL) + 2, dtype=np.int64)
        np.add.at(cells, self.firsts >> CELL, 1)
        np.add.at(cells, (self.firsts + width - 1 >> CELL) + 1, -1)
        cells = np.where(np.cumsum(cells) > 0, np.arange(len(cells)), len(cells)).astype(np.int32)
        self.next = np.minimum.accumulate(cells[::-1])[::-1].copy()
        self.counts = np.zeros((len(genes), bins.number), dtype=np.int32)
        self.kept: list[tuple[np.ndarray, np.ndarray]] = []
        self.number = 0

    def add(self, starts: np.ndarray, ends: np.ndarray) -> None:
        """Add reads by their places on the axis, shape (read,)."""
        lasts = ends - 1
        # Most reads are far from every gene and need no more than this look.
        near = np.flatnonzero(self.next[starts >> CELL] <= lasts >> CELL)
        if len(near):
            self.kept.append((starts[near], lasts[near]))
            self.number += len(near)
        if self.number >= READS_AT_ONCE:
            self.count()

    def count(self) -> np.ndarray:
        """Count the reads: those that start before a bin's end, less those whose last base is before its start."""
        if self.kept:
            starts, lasts = (_sorted(np.concatenate(part)) for part in zip(*self.kept, strict=True))
            # In the order of the genome, neighbouring windows are looked up in neighbouring memory.
            order = np.argsort(self.firsts)
            for row in range(0, len(order), GENES_AT_ONCE):
                some = order[row : row + GENES_AT_ONCE]
                started, ended = (_before(places, self.firsts[some], self.bins) for places in (starts, lasts))
                self.counts[some] += (started[:, 1:] - ended[:, :-1]).astype(np.int32)
            self.kept, self.number = [], 0
        return self.counts


def _sorted(values: np.ndarray) -> np.ndarray:
    """Sort in place, unless that was done before, as in most files."""
    if (values[1:] < values[:-1]).any():
        values.sort()
    return values


def _before(values: np.ndarray, firsts: np.ndarray, bins: Bins) -> np.ndarray:
    """Count the sorted values before each border of the windows that begin at `firsts`, shape (gene, bin + 1)."""
    low, high = np.searchsorted(values, firsts), np.searchsorted(values, firsts + bins.number * bins.size)
    number = high - low
    # Every value in a window, once for each window that it lies in.
    first = np.cumsum(number) - number
    inside = values[np.arange(number.sum()) + np.repeat(low - first, number)]
    inside -= np.repeat(firsts, number)
    inside //= bins.size
    inside += np.repeat(np.arange(len(firsts)) * bins.number, number)
    each = np.bincount(inside, minlength=len(firsts) * bins.number).reshape(len(firsts), bins.number)
    return np.concatenate([low[:, None], low[:, None] + np.cumsum(each, axis=1)], axis=1)


def count_reads(
    blocks: Iterable[Reads], genes: pd.DataFrame, bins: Bins, chrom_sizes: dict[str, int], source: str | Path
) -> tuple[np.ndarray, dict[str, int]]:
    """Count the reads that overlap each bin by at least 1 bp, as `bedtools multicov` does.

    A read over a border counts in both bins. Parts of a window beyond the chromosome hold no reads. Blocks may
    come in any order; memory is bounded by `READS_AT_ONCE` and the bins.

    Args:
        blocks: reads of one file, see `chromattend.reads`.
        genes: table with chrom, tss and strand.
        bins: the window and its bins.
        chrom_sizes: chromosome lengths (bp). Reads on other chromosomes are left out and counted.
        source: the file's name, for messages.

    Returns:
        Counts, int32, shape (gene, bin), and the numbers of reads: `reads` on the genome's chromosomes and
        `reads_elsewhere`.

    Raises:
        UserError: no read lies on a chromosome of the genome, or a read lies beyond a chromosome's end.
    """
    _check_chromosomes(genes, chrom_sizes)
    windows = _Windows(genes, bins, chrom_sizes)
    inside, elsewhere, unknown = 0, 0, set[str]()
    known: list[str] = []
    offsets = sizes = np.zeros(0, dtype=np.int64)
    for block in blocks:
        if len(block.chroms) > len(known):
            known = list(block.chroms)
            offsets = np.array([windows.offsets.get(chrom, -1) for chrom in known])
            sizes = np.array([chrom_sizes.get(chrom, 0) for chrom in known])
        codes, starts, ends = block.codes, block.starts, block.ends
        shift = offsets[codes]
        if (shift < 0).any():
            on_genome = np.broadcast_to(shift >= 0, len(starts))
            codes = np.broadcast_to(codes, len(starts))
            unknown.update(known[code] for code in np.unique(codes[~on_genome]))
            elsewhere += int(np.count_nonzero(~on_genome))
            codes, starts, ends = codes[on_genome], starts[on_genome], ends[on_genome]
            shift = offsets[codes]
        inside += len(starts)
        beyond = ends > sizes[codes]
        if beyond.any():
            code = np.broadcast_to(codes, len(ends))[np.argmax(beyond)]
            last = ends[np.broadcast_to(codes, len(ends)) == code].max()
            raise UserError(
                f"{source}: a read on {known[code]} ends at {last} and the chromosome at {sizes[code]}; "
                "the reads are of another genome build than genome.chrom_sizes"
            )
        windows.add(starts + shift, ends + shift)
    if not inside:
        named = f"its chromosomes are called {', '.join(sorted(unknown)[:3])}; " if unknown else "it holds no reads; "
        raise UserError(f"{source}: has no read on a chromosome of the genome: {named}compare genome.chrom_sizes")
    if elsewhere:
        logger.warning("%s: %d reads on %s left out: not in the genome", source, elsewhere, ", ".join(sorted(unknown)))
    return bins.orient(windows.count(), genes), {"reads": inside, "reads_elsewhere": elsewhere}


def bin_bigwig(
    path: str | Path, genes: pd.DataFrame, bins: Bins, chrom_sizes: dict[str, int], statistic: str = "mean"
) -> np.ndarray:
    """Average or sum a bigWig's values in each bin; bases without a value count as 0.

    Args:
        path: the bigWig file.
        genes: table with chrom, tss and strand.
        bins: the window and its bins.
        chrom_sizes: chromosome lengths (bp); the file's must agree.
        statistic: `mean` or `sum` over the bases of a bin.

    Returns:
        float32, shape (gene, bin).

    Raises:
        UserError: not a bigWig or damaged, other chromosome lengths, values below 0, or no chromosome in common with
            the genome.
    """
    _check_chromosomes(genes, chrom_sizes)
    with ExitStack() as stack:
        with _refused(f"{path}: is not a readable bigWig file; download it again"):
            # A stream, because of paths pybigtools takes some endings only.
            file = stack.enter_context(pybigtools.open(stack.enter_context(open(path, "rb"))))
            if not file.is_bigwig:
                raise ValueError("a bigBed file")
        sizes = file.chroms()
        for chrom in sizes.keys() & chrom_sizes.keys():
            if sizes[chrom] != chrom_sizes[chrom]:
                raise UserError(
                    f"{path}: {chrom} is {sizes[chrom]} bp long and {chrom_sizes[chrom]} in genome.chrom_sizes; "
                    "they are of different genome builds"
                )
        if not sizes.keys() & set(genes["chrom"]):
            raise UserError(
                f"{path}: has none of the genes' chromosomes, only {', '.join(list(sizes)[:3])}; "
                "compare genome.chrom_sizes"
            )
        width = bins.number * bins.size
        values = np.zeros((len(genes), bins.number), dtype=np.float32)
        for row, (chrom, start) in enumerate(zip(genes["chrom"], bins.starts(genes).tolist(), strict=True)):
            if chrom not in sizes:
                continue
            with _refused(f"{path}: is damaged around {chrom}:{start}-{start + width}; download it again"):
                window = file.values(chrom, start, start + width, fillna=0.0, oob=0.0)
            binned = window.reshape(bins.number, bins.size)
            values[row] = binned.mean(axis=1) if statistic == "mean" else binned.sum(axis=1)
    if (values < 0).any():
        raise UserError(
            f"{path}: has values below 0 around genes, as log ratios have; models take counts or a signal from 0, "
            "such as fold change or -log10 p"
        )
    return bins.orient(values, genes)


@contextmanager
def _refused(message: str) -> Iterator[None]:
    """Raise a UserError in place of what pybigtools raises of damaged files."""
    try:
        yield
    except BaseException as error:
        # Some damage makes its Rust code panic, which is no Exception and in no module that could be imported.
        if isinstance(error, ValueError | pybigtools.BBIReadError) or type(error).__name__ == "PanicException":
            raise UserError(message) from None
        raise


def _check_chromosomes(genes: pd.DataFrame, chrom_sizes: dict[str, int]) -> None:
    lacking = sorted(set(genes["chrom"]) - chrom_sizes.keys())
    if lacking:
        raise UserError(
            f"genome.chrom_sizes: lacks {', '.join(lacking[:3])}, where the annotation has genes; "
            "give the chromosome sizes of the annotation's genome build"
        )
