"""Gene expression: the RPKM matrix and the labels made from it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from chromattend.chromatin.genes import without_version
from chromattend.chromatin.sheet import FEATURE_COUNTS, find_matrix_columns, is_feature_counts
from chromattend.errors import UserError
from chromattend.text import read_cells, text_of

# With no other characters, Python's numbers are those that tables have, so nan, inf, 1_000 and digits of other scripts
# are not numbers.
NUMERALS = frozenset("0123456789.eE+- ")
LENGTH = FEATURE_COUNTS.index("Length")
# What a spreadsheet makes of MARCH1, SEPT2 and DEC1.
DATE = re.compile(r"\d{1,2}-(Mar|Sep|Sept|Dec)|(Mar|Sep|Dec)-\d{1,2}", re.IGNORECASE)


def read_rpkm(path: str | Path, epigenome: str) -> pd.Series:
    """Read one epigenome's column of an expression matrix, see `read_matrix`.

    Returns:
        RPKM by gene id, float64.
    """
    return read_matrix(path, [epigenome])[epigenome]


def read_matrix(path: str | Path, epigenomes: Sequence[str]) -> pd.DataFrame:
    """Read the columns of epigenomes of an expression matrix.

    The matrix is tab-separated text with a header line, a column `gene_id` and a column per epigenome. Rows may end in
    an extra tab, as in Roadmap's matrices. The row of a gene's copy on Y (`_PAR_Y`) is left out after that of the gene.
    The output of featureCounts is read as it is, and its counts become TPM: the count over the gene's length, over the
    sum of that over all genes of the file, times 1,000,000 (Wagner et al., Theory in Biosciences 131:281, 2012).

    Returns:
        Values by gene id (see `without_version`), float64, one column per epigenome.

    Raises:
        UserError: an epigenome has no column or two, a gene has no id or is given twice, or a value is not a
            non-negative number; the message names the line.
    """
    with closing(read_cells(path)) as rows:
        genes, values, lengths = _read_columns(path, rows, epigenomes)
    if lengths:
        rates = values / np.array(lengths)[:, None]
        sums = rates.sum(axis=0)
        for epigenome, total in zip(epigenomes, sums, strict=True):
            if total == 0:
                raise UserError(f"{path}: {epigenome} has no read in any gene; give the counts of another file")
        values = 1e6 * rates / sums
    return pd.DataFrame(values, index=pd.Index(genes, name="gene_id"), columns=list(epigenomes))


def unit_of(path: str | Path) -> str:
    """Return the unit of the values of `read_matrix`, or nothing if the matrix does not tell."""
    with closing(read_cells(path)) as rows:
        _, header = next(rows, (1, []))
    return "TPM" if is_feature_counts(header) else ""


def _read_columns(
    path: str | Path, rows: Iterator[tuple[int, list[str]]], epigenomes: Sequence[str]
) -> tuple[list[str], np.ndarray, list[float]]:
    """Return the gene ids, the values, shape (gene, epigenome), and, for featureCounts, the genes' lengths (bp)."""
    number, header = next(rows, (1, []))
    if not header:
        raise UserError(f"{path}: is empty; give the RPKM matrix")
    names, *columns = find_matrix_columns(f"{path}: line {number}", header, epigenomes)
    counted = is_feature_counts(header)
    lines: dict[str, int] = {}
    lengths: list[float] = []
    values: list[list[float]] = []
    for number, cells in rows:
        name = text_of(cells[names])
        gene = without_version(name)
        # The copy on Y of a pseudoautosomal gene has its own row in GTEx's matrices; the study takes the gene on X.
        if name.endswith("_PAR_Y") and gene in lines:
            continue
        # Rows of HTSeq that count reads without a gene, such as __no_feature.
        if gene.startswith("__"):
            continue
        if DATE.fullmatch(gene):
            raise UserError(
                f"{path}: line {number}: gene {gene!r} is a date that a spreadsheet made of a gene's name, such as "
                "SEPT2; give the name or remove the line"
            )
        if not gene:
            raise UserError(f"{path}: line {number}: gene_id is empty; give it or remove the line")
        first = lines.setdefault(gene, number)
        if first != number:
            raise UserError(f"{path}: line {number}: gene {gene} is also on line {first}; keep one row")
        texts = [text_of(cells[column]) for column in columns]
        numbers = [value for text in texts if (value := _non_negative(text)) is not None]
        if len(numbers) < len(texts):
            wrong = next(index for index, text in enumerate(texts) if _non_negative(text) is None)
            fix = "give a number or remove the gene's line"
            if texts[wrong].startswith("-") and _non_negative(texts[wrong][1:]) is not None:
                fix = "is it a logarithm? give RPKM or TPM themselves"
            if "," in texts[wrong]:
                fix = "write a decimal point, and no commas"
            raise UserError(
                f"{path}: line {number}: {epigenomes[wrong]} of {gene} is {texts[wrong]!r}, not a non-negative number; "
                + fix
            )
        values.append(numbers)
        if counted:
            length = _non_negative(text_of(cells[LENGTH]))
            if not length:
                raise UserError(
                    f"{path}: line {number}: Length of {gene} is {cells[LENGTH]!r}, not a number above 0; repair it"
                )
            lengths.append(length)
    if not lines:
        raise UserError(f"{path}: has a header line but no gene; give the RPKM matrix")
    return list(lines), np.array(values, dtype=float).reshape(len(lines), len(columns)), lengths


def _non_negative(text: str) -> float | None:
    if not NUMERALS.issuperset(text):
        return None
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < np.inf else None


def label_by_median(rpkm: pd.Series) -> pd.Series:
    """Label genes 1 if their RPKM is above the epigenome's median, else 0 (DeepChrome, section 3.1).

    Values equal to the median are 0, so slightly fewer than half of the genes may be 1.

    Args:
        rpkm: RPKM of all genes of the expression matrix, by gene id.

    Returns:
        int8 by gene id.
    """
    return (rpkm > rpkm.median()).astype(np.int8)
