"""Mean or summed bigWig signal in the bins around each TSS."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pybigtools

from chromattend.chromatin.bins import CHROM_SIZES, Bins, check_chromosomes
from chromattend.errors import UserError


def bin_bigwig(
    path: str | Path, genes: pd.DataFrame, bins: Bins, chrom_sizes: dict[str, int], statistic: str = "mean"
) -> np.ndarray:
    """Average or sum a bigWig's values in each bin; bases without a value count as 0.

    Args:
        path: the bigWig file.
        genes: table with chrom, tss and strand.
        bins: the window and its bins.
        chrom_sizes: chromosome lengths (bp), which the file's lengths must match.
        statistic: `mean` or `sum` over the bases of a bin.

    Returns:
        float32, shape (gene, bin).

    Raises:
        UserError: the file is not a bigWig or is damaged, its chromosome lengths differ, a value is negative, or no
            gene is on one of its chromosomes.
    """
    check_chromosomes(genes, chrom_sizes)
    with ExitStack() as stack:
        with _refused(f"{path}: is not a readable bigWig file; download it again"):
            # Opened as a stream: pybigtools accepts paths only with certain extensions.
            file = stack.enter_context(pybigtools.open(stack.enter_context(open(path, "rb"))))
            if not file.is_bigwig:
                raise ValueError("a bigBed file")
        sizes = file.chroms()
        for chrom in sizes.keys() & chrom_sizes.keys():
            if sizes[chrom] != chrom_sizes[chrom]:
                raise UserError(
                    f"{path}: {chrom} is {sizes[chrom]} bp long, but {chrom_sizes[chrom]} bp in the {CHROM_SIZES}; "
                    "give both for the same genome build"
                )
        if not sizes.keys() & set(genes["chrom"]):
            raise UserError(
                f"{path}: has none of the genes' chromosomes, only {', '.join(list(sizes)[:3])}; "
                f"check the {CHROM_SIZES}"
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
            f"{path}: has negative values around genes, as log ratios do; give counts or a non-negative signal, "
            "such as fold change or -log10 p"
        )
    return bins.orient(values, genes)


@contextmanager
def _refused(message: str) -> Iterator[None]:
    """Raise a UserError in place of the errors of pybigtools for damaged files."""
    try:
        yield
    except BaseException as error:
        # Some damage makes its Rust code panic. PanicException is not an Exception, and no module exports it.
        if isinstance(error, ValueError | pybigtools.BBIReadError) or type(error).__name__ == "PanicException":
            raise UserError(message) from None
        raise
