"""Whether a file of reads or signal fits the chromosomes that have genes."""

import logging
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from chromattend.chromatin.bins import CHROM_SIZES
from chromattend.errors import UserError, listed

logger = logging.getLogger(__name__)


def check_lengths(source: str | Path, lengths: Mapping[str, int], chrom_sizes: Mapping[str, int]) -> None:
    """Raise a `UserError` if a file's header and the genome give a chromosome different lengths (bp)."""
    for chrom in lengths.keys() & chrom_sizes.keys():
        if lengths[chrom] != chrom_sizes[chrom]:
            raise UserError(
                f"{source}: {chrom} is {lengths[chrom]} bp long, but {chrom_sizes[chrom]} bp in the {CHROM_SIZES}, so "
                "they are of different genome builds; give both for the same build"
            )


def find_empty_chromosomes(
    source: str | Path,
    genes: pd.DataFrame,
    chrom_sizes: Mapping[str, int],
    held: Collection[str],
    named: Collection[str],
    lengths: Mapping[str, int],
) -> list[str]:
    """Find the chromosomes with genes on which a file holds nothing, and log them in one line.

    Args:
        source: the file's name, for messages.
        genes: table with chrom.
        chrom_sizes: chromosome lengths (bp), with every chromosome of the genes.
        held: chromosomes on which the file holds reads or values.
        named: all chromosome names in the file.
        lengths: chromosome lengths (bp) in the file's header; empty without one.

    Returns:
        Their names, in the order of `chrom_sizes`.

    Raises:
        UserError: the file has another name of a chromosome with genes.
    """
    numbers = genes["chrom"].value_counts()
    chroms = [chrom for chrom in chrom_sizes if chrom in numbers.index]
    foreign = [name for name in named if name not in chrom_sizes]
    by_key = {_key(name): name for name in foreign}
    by_length = {lengths[name]: name for name in foreign if name in lengths}
    for chrom in chroms:
        other = by_key.get(_key(chrom))
        # Of another length it is another sequence: chrMT beside chrM in hg19, or a chromosome of a spike-in.
        of_length = lengths.get(str(other), chrom_sizes[chrom]) == chrom_sizes[chrom]
        if not of_length and (chrom in held or is_mitochondrial(chrom)):
            other = None
        if other is None and chrom not in named:
            other = by_length.get(chrom_sizes[chrom])
        # Files of hg19 may hold chrM and chrMT side by side.
        if other is None or (chrom in held and is_mitochondrial(chrom)):
            continue
        raise UserError(
            f"{source}: {chrom}, where the study has genes ({numbers[chrom]}), is called "
            f"{f'both {chrom!r} and {other!r}' if chrom in held else repr(other)} in the file; rename {other!r} to "
            f"{chrom!r} in it"
        )
    empty = [chrom for chrom in chroms if chrom not in held]
    if empty:
        number = int(numbers[empty].sum())
        logger.log(
            logging.INFO if all(map(may_be_absent, empty)) else logging.WARNING,
            "%s: holds nothing on %s, where %s 0 in every bin; %s",
            source,
            listed(empty),
            "1 gene has" if number == 1 else f"{number} genes have",
            cause_of_empty(empty),
        )
    return empty


def cause_of_empty(chroms: Collection[str]) -> str:
    """Return the likely cause of chromosomes without data, and what to do."""
    if all(map(may_be_absent, chroms)):
        return "this is expected in a female sample"
    if all(may_be_absent(chrom) or is_mitochondrial(chrom) for chrom in chroms):
        return "mitochondrial reads are often removed; leave the mitochondrial genes out of the study (genes.include)"
    return (
        "the file is probably cut off or was filtered by chromosome; give a whole file, or leave the genes there out "
        "of the study (genes.include)"
    )


def may_be_absent(chrom: str) -> bool:
    """Return whether good data may lack the chromosome: Y, as in a female sample."""
    return _key(chrom) == "Y"


def is_mitochondrial(chrom: str) -> bool:
    """Return whether the chromosome is the mitochondrial one."""
    return _key(chrom) == "M"


def _key(name: str) -> str:
    """Return what the names of a chromosome in different conventions share: chr2, Chr2, 2 and 02; chrM, MT."""
    key = name.strip().upper().removeprefix("CHR").lstrip("_0")
    return "M" if key == "MT" else key
