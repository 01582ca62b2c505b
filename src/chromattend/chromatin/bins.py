"""The window around each TSS, and its bins."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from chromattend.errors import UserError

# What messages call them: the key of a study's configuration, and the option of `chromattend predict`.
CHROM_SIZES = "chromosome sizes (genome.chrom_sizes, --chrom-sizes)"


@dataclass(frozen=True)
class Bins:
    """Bins around a TSS.

    Bin b (from 0) of a gene is [TSS - upstream + b * size, TSS - upstream + (b + 1) * size), half-open and in
    genome orientation. The 1-based TSS of the GTF is used unchanged, as in the published counts
    (AttentiveChrome, section 3).

    Attributes:
        upstream, downstream: extent of the window before and after the TSS (bp).
        size: width of a bin (bp).
        flip_strand: reverse the windows of minus-strand genes, so that bin 0 is upstream in the gene's own
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
        """Return the first base of each gene's window, shape (gene,); negative if the window leaves the chromosome."""
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
    """Raise a `UserError` if a gene is on a chromosome of unknown length."""
    missing = sorted(set(genes["chrom"]) - chrom_sizes.keys())
    if missing:
        raise UserError(
            f"{CHROM_SIZES} lack {', '.join(missing[:3])}, where the annotation has genes, and have "
            f"{', '.join(list(chrom_sizes)[:3])}; give both with the same names, of the same genome build"
        )


def check_tss(genes: pd.DataFrame, chrom_sizes: dict[str, int]) -> None:
    """Raise a `UserError` if a gene is on a chromosome of unknown length, or its TSS is beyond the chromosome's end."""
    check_chromosomes(genes, chrom_sizes)
    beyond = np.flatnonzero(genes["tss"].to_numpy() > genes["chrom"].map(chrom_sizes).to_numpy())
    if len(beyond):
        gene = genes.iloc[beyond[0]]
        raise UserError(
            f"{CHROM_SIZES}: {gene['chrom']} has {chrom_sizes[gene['chrom']]} bp, but the TSS of {gene['gene']} is at "
            f"{gene['tss']}; give those of the annotation's genome build"
        )
