"""Counts of reads, or average signal, in the bins around each TSS."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chromattend.errors import UserError

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


def check_chromosomes(genes: pd.DataFrame, chrom_sizes: dict[str, int]) -> None:
    """Raise a `UserError` if a gene lies on a chromosome whose length is not given."""
    lacking = sorted(set(genes["chrom"]) - chrom_sizes.keys())
    if lacking:
        raise UserError(
            f"genome.chrom_sizes: lacks {', '.join(lacking[:3])}, where the annotation has genes; "
            "give the chromosome sizes of the annotation's genome build"
        )
