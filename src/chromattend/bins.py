"""Counts of reads, or average signal, in the bins around each TSS."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyBigWig

from chromattend.errors import UserError
from chromattend.reads import Reads

logger = logging.getLogger(__name__)


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


class _Edges:
    """Borders of all bins on one chromosome, and how many reads start before and end by each of them."""

    def __init__(self, starts: np.ndarray, bins: Bins) -> None:
        borders = starts[:, None] + np.arange(bins.number + 1) * bins.size
        self.positions, index = np.unique(borders, return_inverse=True)
        self.index = index.reshape(borders.shape)
        self.started = np.zeros(len(self.positions), dtype=np.int64)
        self.ended = np.zeros(len(self.positions), dtype=np.int64)

    def add(self, starts: np.ndarray, ends: np.ndarray) -> None:
        _add_sorted(self.started, self.positions, np.sort(starts), side="left")
        _add_sorted(self.ended, self.positions, np.sort(ends), side="right")

    def counts(self) -> np.ndarray:
        """Reads that start before a bin's end, less those that end by its start: shape (gene, bin)."""
        return self.started[self.index[:, 1:]] - self.ended[self.index[:, :-1]]


def _add_sorted(total: np.ndarray, positions: np.ndarray, values: np.ndarray, side: Literal["left", "right"]) -> None:
    """Add to `total` how many of the sorted `values` lie before each of the sorted `positions`.

    Only positions within the range of the values are searched: reads mostly come sorted, in blocks that cover a
    small part of a chromosome.
    """
    first = np.searchsorted(positions, values[0], side="left")
    last = np.searchsorted(positions, values[-1], side="right")
    total[first:last] += np.searchsorted(values, positions[first:last], side=side)
    total[last:] += len(values)


def count_reads(
    blocks: Iterable[Reads], genes: pd.DataFrame, bins: Bins, chrom_sizes: dict[str, int], source: str | Path
) -> tuple[np.ndarray, dict[str, int]]:
    """Count the reads that overlap each bin by at least 1 bp, as `bedtools multicov` does.

    A read over a border counts in both bins. Parts of a window beyond the chromosome hold no reads. Blocks may
    come in any order; memory is bounded by one block and the bins.

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
    rows = {str(chrom): np.flatnonzero(genes["chrom"] == chrom) for chrom in genes["chrom"].unique()}
    starts = bins.starts(genes)
    edges = {chrom: _Edges(starts[index], bins) for chrom, index in rows.items()}
    inside, elsewhere, unknown = 0, 0, set()
    for block in blocks:
        if block.chrom not in chrom_sizes:
            elsewhere += len(block.starts)
            unknown.add(block.chrom)
            continue
        inside += len(block.starts)
        if block.ends.max() > chrom_sizes[block.chrom]:
            raise UserError(
                f"{source}: a read on {block.chrom} ends at {block.ends.max()} and the chromosome at "
                f"{chrom_sizes[block.chrom]}; the reads are of another genome build than genome.chrom_sizes"
            )
        if block.chrom in edges:
            edges[block.chrom].add(block.starts, block.ends)
    if not inside:
        named = f"its chromosomes are called {', '.join(sorted(unknown)[:3])}; " if unknown else "it holds no reads; "
        raise UserError(f"{source}: has no read on a chromosome of the genome: {named}compare genome.chrom_sizes")
    if elsewhere:
        logger.warning("%s: %d reads on %s left out: not in the genome", source, elsewhere, ", ".join(sorted(unknown)))
    counts = np.zeros((len(genes), bins.number), dtype=np.int32)
    for chrom, index in rows.items():
        counts[index] = edges[chrom].counts()
    return bins.orient(counts, genes), {"reads": inside, "reads_elsewhere": elsewhere}


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
    try:
        file = pyBigWig.open(str(path))
    except RuntimeError:
        raise UserError(f"{path}: is not a readable bigWig file; download it again") from None
    with file:
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
        for row, (chrom, start) in enumerate(zip(genes["chrom"], bins.starts(genes), strict=True)):
            first, last = max(start, 0), min(start + width, sizes.get(chrom, 0))
            if first >= last:
                continue
            window = np.zeros(width)
            try:
                found = file.values(chrom, first, last, numpy=True)
            except RuntimeError:
                raise UserError(f"{path}: is damaged at {chrom}:{first}-{last}; download it again") from None
            window[first - start : last - start] = np.nan_to_num(found)
            binned = window.reshape(bins.number, bins.size)
            values[row] = binned.mean(axis=1) if statistic == "mean" else binned.sum(axis=1)
    if (values < 0).any():
        raise UserError(
            f"{path}: has values below 0 around genes, as log ratios have; models take counts or a signal from 0, "
            "such as fold change or -log10 p"
        )
    return bins.orient(values, genes)


def _check_chromosomes(genes: pd.DataFrame, chrom_sizes: dict[str, int]) -> None:
    lacking = sorted(set(genes["chrom"]) - chrom_sizes.keys())
    if lacking:
        raise UserError(
            f"genome.chrom_sizes: lacks {', '.join(lacking[:3])}, where the annotation has genes; "
            "give the chromosome sizes of the annotation's genome build"
        )
