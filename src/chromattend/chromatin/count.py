"""Counts of reads in the bins around each TSS."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chromattend.chromatin.bins import CHROM_SIZES, Bins, check_chromosomes
from chromattend.chromatin.chromosomes import check_lengths, find_empty_chromosomes, listed
from chromattend.chromatin.excluded import Regions, overlaps
from chromattend.chromatin.reads import Reads
from chromattend.errors import UserError

logger = logging.getLogger(__name__)

# Reads near genes that are buffered before they are counted together, 16 bytes each.
READS_AT_ONCE = 4_000_000
GENES_AT_ONCE = 1000
# Resolution of the lookup of windows near a read: 2 ** CELL bp.
CELL = 13
# One read in so many is measured.
MEASURED = 32
# Reads of usual experiments, fragments of pairs included, are shorter (bp).
LONGEST_READS = 1000


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
    blocks: Iterable[Reads],
    genes: pd.DataFrame,
    bins: Bins,
    chrom_sizes: dict[str, int],
    source: str | Path,
    excluded: Regions | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Count the reads that overlap each bin by at least 1 bp, as `bedtools multicov` does.

    A read across a border counts in both bins. Parts of a window beyond the chromosome have no reads. Blocks may
    come in any order; memory is bounded by `READS_AT_ONCE` and the bins.

    Args:
        blocks: reads of one file, see `chromattend.chromatin.reads`.
        genes: table with chrom, tss and strand.
        bins: the window and its bins.
        chrom_sizes: chromosome lengths (bp). Reads on other chromosomes are left out and counted.
        source: the file's name, for messages.
        excluded: regions; a read that shares a base with one is not counted.

    Returns:
        Counts, int32, shape (gene, bin), and what the file holds: `reads`, their number on the genome's chromosomes;
        `reads_elsewhere`; `empty_chromosomes`, those with genes but without reads, separated by spaces;
        `median_length` of the reads (bp, of a sample); `one_start`, 1 if all reads start at one position, else 0;
        `reads_excluded`, the number of reads in excluded regions, which are not among `reads`, if there are regions.

    Raises:
        UserError: no read is on a chromosome of the genome, a read reaches beyond a chromosome's end, or the file has
            other chromosome lengths or another name for a chromosome with genes.
    """
    check_chromosomes(genes, chrom_sizes)
    windows = _Windows(genes, bins, chrom_sizes)
    regions = excluded.on_axis(windows.offsets) if excluded else None
    left_out = 0
    inside, elsewhere, unknown = 0, 0, set[str]()
    chroms: list[str] = []
    offsets = sizes = np.zeros(0, dtype=np.int64)
    held = np.zeros(0, dtype=bool)
    lengths: dict[str, int] = {}
    measured: list[np.ndarray] = []
    only_start: int | None = None
    one_start = True
    for block in blocks:
        if len(block.chroms) > len(chroms):
            chroms = list(block.chroms)
            offsets = np.array([windows.offsets.get(chrom, -1) for chrom in chroms])
            sizes = np.array([chrom_sizes.get(chrom, 0) for chrom in chroms])
            held = np.concatenate([held, np.zeros(len(chroms) - len(held), dtype=bool)])
            if block.lengths:
                lengths = dict(block.lengths)
                check_lengths(source, lengths, chrom_sizes)
        codes, starts, ends = block.codes, block.starts, block.ends
        if not held.all():
            held[codes] = True
        measured.append(ends[::MEASURED] - starts[::MEASURED])
        if one_start:
            only_start = int(starts[0]) if only_start is None else only_start
            one_start = bool((starts == only_start).all())
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
                f"give the {CHROM_SIZES} of the reads' genome build"
            )
        starts, ends = starts + shift, ends + shift
        if regions is not None:
            kept = ~overlaps(starts, ends, regions)
            left_out += len(kept) - int(kept.sum())
            starts, ends = starts[kept], ends[kept]
        windows.add(starts, ends)
    if not inside and not unknown:
        raise UserError(f"{source}: has no reads; give a file with reads")
    if not inside:
        raise UserError(
            f"{source}: has no read on a chromosome of the genome: its chromosomes are called "
            f"{', '.join(sorted(unknown)[:3])}, the genome's {', '.join(list(chrom_sizes)[:3])}; rename them in the "
            f"file, or give an annotation and {CHROM_SIZES} with the file's names"
        )
    present = [chrom for chrom, is_held in zip(chroms, held, strict=True) if is_held]
    empty = find_empty_chromosomes(source, genes, chrom_sizes, present, lengths or present, lengths)
    median = float(np.median(np.concatenate(measured)))
    if median > LONGEST_READS:
        logger.warning(
            "%s: intervals are %d bp long in the median, longer than reads; if they are peaks or domains, give the "
            "aligned reads instead",
            source,
            median,
        )
    one_start = one_start and inside + elsewhere > 1
    if one_start:
        logger.warning("%s: all %d reads start at %d; create the file again", source, inside + elsewhere, only_start)
    if elsewhere:
        logger.warning(
            "%s: %d reads left out, on chromosomes without a size in genome.chrom_sizes: %s",
            source,
            elsewhere,
            listed(sorted(unknown)),
        )
    if left_out:
        logger.info("%s: %d of %d reads are in excluded regions and not counted", source, left_out, inside)
    return bins.orient(windows.count(), genes), {
        "reads": inside - left_out,
        **({"reads_excluded": left_out} if regions is not None else {}),
        "reads_elsewhere": elsewhere,
        "empty_chromosomes": " ".join(empty),
        "median_length": median,
        "one_start": int(one_start),
    }
