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

# Reads near genes that are buffered before they are counted together, 16 bytes each.
READS_AT_ONCE = 4_000_000
GENES_AT_ONCE = 1000
# Resolution of the lookup of windows near a read: 2 ** CELL bp.
CELL = 13


class _Windows:
    """All windows on one axis of concatenated chromosomes, and the reads near them.

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
        # For each block of 2 ** CELL bp, the first block from there on that a window overlaps.
        blocks = np.zeros((axis >> CELL) + 2, dtype=np.int64)
        np.add.at(blocks, self.firsts >> CELL, 1)
        np.add.at(blocks, (self.firsts + width - 1 >> CELL) + 1, -1)
        blocks = np.where(np.cumsum(blocks) > 0, np.arange(len(blocks)), len(blocks)).astype(np.int32)
        self.next = np.minimum.accumulate(blocks[::-1])[::-1].copy()
        self.counts = np.zeros((len(genes), bins.number), dtype=np.int32)
        self.buffer: list[tuple[np.ndarray, np.ndarray]] = []
        self.buffered = 0

    def add(self, starts: np.ndarray, ends: np.ndarray) -> None:
        """Add reads by their positions on the axis, shape (read,)."""
        lasts = ends - 1
        # Most reads are far from every gene, and this lookup alone discards them.
        near = np.flatnonzero(self.next[starts >> CELL] <= lasts >> CELL)
        if len(near):
            self.buffer.append((starts[near], lasts[near]))
            self.buffered += len(near)
        if self.buffered >= READS_AT_ONCE:
            self.count()

    def count(self) -> np.ndarray:
        """Count reads per bin: reads that start before its end, less reads whose last base is before its start."""
        if self.buffer:
            starts, lasts = (_sorted(np.concatenate(part)) for part in zip(*self.buffer, strict=True))
            # In genome order, lookups of neighbouring windows are close in memory.
            order = np.argsort(self.firsts)
            for row in range(0, len(order), GENES_AT_ONCE):
                batch = order[row : row + GENES_AT_ONCE]
                started, ended = (_before(positions, self.firsts[batch], self.bins) for positions in (starts, lasts))
                self.counts[batch] += (started[:, 1:] - ended[:, :-1]).astype(np.int32)
            self.buffer, self.buffered = [], 0
        return self.counts


def _sorted(values: np.ndarray) -> np.ndarray:
    """Sort in place, unless the values are already sorted, as in most files."""
    if (values[1:] < values[:-1]).any():
        values.sort()
    return values


def _before(values: np.ndarray, firsts: np.ndarray, bins: Bins) -> np.ndarray:
    """Count the sorted values below each bin border of the windows that start at `firsts`, shape (gene, bin + 1)."""
    low, high = np.searchsorted(values, firsts), np.searchsorted(values, firsts + bins.number * bins.size)
    number = high - low
    # Every value in a window, once per window that contains it.
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

    A read across a border counts in both bins. Parts of a window beyond the chromosome have no reads. Blocks may
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
        UserError: no read is on a chromosome of the genome, or a read reaches beyond a chromosome's end.
    """
    check_chromosomes(genes, chrom_sizes)
    windows = _Windows(genes, bins, chrom_sizes)
    inside, elsewhere, unknown = 0, 0, set[str]()
    chroms: list[str] = []
    offsets = sizes = np.zeros(0, dtype=np.int64)
    for block in blocks:
        if len(block.chroms) > len(chroms):
            chroms = list(block.chroms)
            offsets = np.array([windows.offsets.get(chrom, -1) for chrom in chroms])
            sizes = np.array([chrom_sizes.get(chrom, 0) for chrom in chroms])
        codes, starts, ends = block.codes, block.starts, block.ends
        shift = offsets[codes]
        if (shift < 0).any():
            on_genome = np.broadcast_to(shift >= 0, len(starts))
            codes = np.broadcast_to(codes, len(starts))
            unknown.update(chroms[code] for code in np.unique(codes[~on_genome]))
            elsewhere += int(np.count_nonzero(~on_genome))
            codes, starts, ends = codes[on_genome], starts[on_genome], ends[on_genome]
            shift = offsets[codes]
        inside += len(starts)
        beyond = ends > sizes[codes]
        if beyond.any():
            code = np.broadcast_to(codes, len(ends))[np.argmax(beyond)]
            last = ends[np.broadcast_to(codes, len(ends)) == code].max()
            raise UserError(
                f"{source}: a read on {chroms[code]} ends at {last}, but the chromosome ends at {sizes[code]}; "
                "give genome.chrom_sizes of the reads' genome build"
            )
        windows.add(starts + shift, ends + shift)
    if not inside:
        reason = f"its chromosomes are called {', '.join(sorted(unknown)[:3])}" if unknown else "it has no reads at all"
        raise UserError(f"{source}: has no read on a chromosome of the genome: {reason}; check genome.chrom_sizes")
    if elsewhere:
        logger.warning(
            "%s: %d reads left out, on chromosomes that are not in the genome: %s",
            source,
            elsewhere,
            ", ".join(sorted(unknown)),
        )
    return bins.orient(windows.count(), genes), {"reads": inside, "reads_elsewhere": elsewhere}
