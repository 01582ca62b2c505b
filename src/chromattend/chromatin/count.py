"""Counts of reads in the bins around each TSS."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from chromattend.chromatin.bins import Bins, check_chromosomes
from chromattend.chromatin.reads import Reads
from chromattend.errors import UserError

logger = logging.getLogger(__name__)

# The reads near genes that are kept until they are counted together, 16 bytes each.
READS_AT_ONCE = 4_000_000
GENES_AT_ONCE = 1000
# Genes' neighbourhoods are looked up in steps of 2 ** CELL bp.
CELL = 13


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
        blocks: reads of one file, see `chromattend.chromatin.reads`.
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
    check_chromosomes(genes, chrom_sizes)
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
