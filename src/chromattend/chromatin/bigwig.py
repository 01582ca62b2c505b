"""Mean or summed bigWig signal in the bins around each TSS."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pybigtools

from chromattend.chromatin.bins import CHROM_SIZES, Bins, check_chromosomes
from chromattend.chromatin.chromosomes import check_lengths, find_empty_chromosomes
from chromattend.chromatin.reads.content import check_bigwig
from chromattend.errors import UserError


def bin_bigwig(
    path: str | Path, genes: pd.DataFrame, bins: Bins, chrom_sizes: dict[str, int], statistic: str = "mean"
) -> tuple[np.ndarray, dict[str, str]]:
    """Average or sum a bigWig's values in each bin; bases without a value count as 0.

    Args:
        path: the bigWig file.
        genes: table with chrom, tss and strand.
        bins: the window and its bins.
        chrom_sizes: chromosome lengths (bp), which the file's lengths must match.
        statistic: `mean` or `sum` over the bases of a bin.

    Returns:
        Signal, float32, shape (gene, bin), and `empty_chromosomes`: those with genes on which every base has no value
        or 0, separated by spaces.

    Raises:
        UserError: the file is not a bigWig or is damaged, its chromosome lengths differ, a value is negative, no gene
            is on one of its chromosomes, or it has another name for a chromosome with genes.
    """
    check_chromosomes(genes, chrom_sizes)
    check_bigwig(path)
    with ExitStack() as stack:
        with _refused(f"{path}: is not a readable bigWig file; download it again"):
            # Opened as a stream: pybigtools accepts paths only with certain extensions.
            file = stack.enter_context(pybigtools.open(stack.enter_context(open(path, "rb"))))
        sizes = file.chroms()
        check_lengths(path, sizes, chrom_sizes)
        chroms = set(genes["chrom"])
        if not sizes.keys() & chroms:
            raise UserError(
                f"{path}: has none of the genes' chromosomes, such as {min(chroms)}, only "
                f"{', '.join(list(sizes)[:3])}; rename them in the file, or give an annotation and {CHROM_SIZES} with "
                "the file's names"
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
        held = set(genes["chrom"].to_numpy()[values.any(axis=1)])
        with _refused(f"{path}: is damaged; download it again"):
            held |= {chrom for chrom in (chroms & sizes.keys()) - held if _has_signal(file, chrom)}
    if not held:
        raise UserError(f"{path}: has only 0 or no value on the genes' chromosomes; give a file with signal")
    if (values < 0).any():
        raise UserError(
            f"{path}: has negative values around genes, as log ratios do; give counts or a non-negative signal, "
            "such as fold change or -log10 p"
        )
    if not np.isfinite(values).all():
        row, number = np.argwhere(~np.isfinite(values))[0]
        start = bins.starts(genes)[row] + number * bins.size
        raise UserError(
            f"{path}: has an infinite value in {genes['chrom'].iloc[row]}:{start}-{start + bins.size}, as -log10 of "
            "p 0 or a ratio to 0; replace such values by the largest finite one"
        )
    empty = find_empty_chromosomes(path, genes, chrom_sizes, held, sizes, sizes)
    return bins.orient(values, genes), {"empty_chromosomes": " ".join(empty)}


def _has_signal(file: pybigtools.BBIReader, chrom: str) -> bool:
    """Return whether a base of the chromosome has a value other than 0; reads only up to the first one."""
    return any(value not in (0, None) and value == value for _, _, value in file.records(chrom))


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
