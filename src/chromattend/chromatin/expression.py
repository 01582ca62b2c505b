"""Gene expression: the RPKM matrix and the labels made from it."""

import gzip
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from chromattend.errors import UserError, did_you_mean


def read_gene_ids(path: str | Path) -> pd.Index:
    """Return the gene ids of an expression matrix, see `read_rpkm`."""
    return _read(path, ["gene_id"]).index


def read_rpkm(path: str | Path, epigenome: str) -> pd.Series:
    """Read one epigenome's column of an expression matrix.

    The matrix is tab-separated text (.gz or plain) with a header line, a column `gene_id` and a column per
    epigenome. Rows may end in an extra tab, as in Roadmap's matrices.

    Returns:
        RPKM by gene id, float64.

    Raises:
        UserError: the epigenome has no column, a gene is duplicated, or a value is not a non-negative number; the
            message names the line.
    """
    table = _read(path, ["gene_id", epigenome])
    values = pd.to_numeric(table[epigenome], errors="coerce")
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        gene, text = table.index[bad[0]], table[epigenome].iloc[bad[0]]
        raise UserError(
            f"{path}: line {bad[0] + 2}: {epigenome} of {gene} is {text!r}, not a non-negative number; "
            "give a number or remove the gene's line"
        )
    return values


def _read(path: str | Path, columns: list[str]) -> pd.DataFrame:
    try:
        header = pd.read_csv(path, sep="\t", nrows=0, index_col=False).columns
        for column in columns:
            if column not in header:
                raise UserError(
                    f"{path}: line 1: has no column {column!r}{did_you_mean(column, header)}; "
                    "give a tab-separated matrix with gene_id and one column per epigenome"
                )
        _check_width(path, len(header))
        # Read as text, so that a message can quote a bad value; columns by position, because of the trailing tab.
        table = pd.read_csv(
            path,
            sep="\t",
            index_col=False,
            usecols=[header.get_loc(column) for column in columns],
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
        )[columns]
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: is empty; give the RPKM matrix") from None
    except pd.errors.ParserError as error:
        raise UserError(f"{path}: is not a tab-separated table ({str(error).strip()}); repair it") from None
    except (EOFError, zlib.error, OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UserError(f"{path}: is truncated or damaged ({error}); download it again") from None
    if table.empty:
        raise UserError(f"{path}: has a header line but no gene; give the RPKM matrix")
    # A version suffix, as in ENSG00000000003.9, is not part of the gene's identity.
    table["gene_id"] = table["gene_id"].str.split(".").str[0]
    duplicates = np.flatnonzero(table["gene_id"].duplicated())
    if len(duplicates):
        row = duplicates[0]
        raise UserError(f"{path}: line {row + 2}: gene {table['gene_id'].iloc[row]} is duplicated; keep one row")
    return table.set_index("gene_id")


def _check_width(path: str | Path, columns: int) -> None:
    """Reject lines with more columns than the header line; pandas would drop the extra ones silently."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.rstrip().count("\t") >= columns:
                raise UserError(f"{path}: line {number}: has more columns than line 1; split joined lines or repair it")


def label_by_median(rpkm: pd.Series) -> pd.Series:
    """Label genes 1 if their RPKM is above the epigenome's median, else 0 (DeepChrome, section 3.1).

    Values equal to the median are 0, so slightly fewer than half of the genes may be 1.

    Args:
        rpkm: RPKM of all genes of the expression matrix, by gene id.

    Returns:
        int8 by gene id.
    """
    return (rpkm > rpkm.median()).astype(np.int8)
