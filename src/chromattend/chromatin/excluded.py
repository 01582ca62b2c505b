"""Regions whose reads are not counted, such as ENCODE's list of regions with artefacts (Amemiya et al., 2019)."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from chromattend.errors import UserError
from chromattend.text import read_lines


class Regions:
    """Disjoint regions by chromosome.

    Attributes:
        chroms: chromosome -> starts and ends, half-open, bp from 0, int64, sorted; overlapping ones are joined.
    """

    def __init__(self, intervals: Mapping[str, list[tuple[int, int]]]) -> None:
        """Join the intervals of each chromosome."""
        self.chroms: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        for chrom, pairs in intervals.items():
            starts, ends = np.array(sorted(pairs), dtype=np.int64).T
            reached = np.maximum.accumulate(ends)
            first = np.append(True, starts[1:] > reached[:-1])
            last = np.append(np.flatnonzero(first)[1:] - 1, len(starts) - 1)
            self.chroms[chrom] = starts[first], reached[last]

    def on_axis(self, offsets: Mapping[str, int]) -> tuple[np.ndarray, np.ndarray]:
        """Return starts and ends of all regions, sorted, on an axis that chromosomes begin on at `offsets`."""
        known = sorted((offset, self.chroms[chrom]) for chrom, offset in offsets.items() if chrom in self.chroms)
        parts = [(offset + starts, offset + ends) for offset, (starts, ends) in known]
        starts, ends = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
        return starts, ends


def read_regions(path: str | Path, chrom_sizes: Mapping[str, int]) -> Regions:
    """Read regions from a BED file, of three columns or more.

    Args:
        path: the file.
        chrom_sizes: chromosomes of the genome; regions elsewhere are left out.

    Raises:
        UserError: a line is not a region, or no region is on a chromosome of the genome.
    """
    intervals: dict[str, list[tuple[int, int]]] = {}
    others: set[str] = set()
    for number, line in read_lines(path):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        fields = line.split("\t")
        if len(fields) < 3 or not (fields[1].isdecimal() and fields[2].strip().isdecimal()):
            raise UserError(
                f"{path}: line {number}: is not a region of BED; give chromosome, start and end, separated by tabs"
            )
        start, end = int(fields[1]), int(fields[2])
        if start >= end:
            raise UserError(f"{path}: line {number}: start {start} is not before end {end}; repair it")
        if fields[0] in chrom_sizes:
            intervals.setdefault(fields[0], []).append((start, end))
        else:
            others.add(fields[0])
    if not intervals:
        named = f": its chromosomes are called {', '.join(sorted(others)[:3])}" if others else ""
        raise UserError(
            f"{path}: has no region on a chromosome of the genome{named}; give the regions of the reads' genome build, "
            "or leave out genome.excluded"
        )
    return Regions(intervals)


def overlaps(starts: np.ndarray, ends: np.ndarray, regions: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return whether each read shares a base with a region, bool, shape (read,).

    Args:
        starts, ends: reads, half-open, shape (read,).
        regions: disjoint regions on the same axis, sorted, see `Regions.on_axis`.
    """
    before = np.searchsorted(regions[0], ends, side="left") - 1
    found: np.ndarray = (before >= 0) & (regions[1][before] > starts)
    return found
