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
    epigenome. Rows may end in an extra tab, as those of Roadmap's matrices do.

    Returns:
        RPKM by gene id, float64.

    Raises:
        UserError: the epigenome has no column, a gene stands twice, or a value is no number from 0, with its
            line.
    """
    table = _read(path, ["gene_id", epigenome])
    values = pd.to_numeric(table[epigenome], errors="coerce")
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if len(bad):
        gene, text = table.index[bad[0]], table[epigenome].iloc[bad[0]]
        raise UserError(
            f"{path}: line {bad[0] + 2}: {epigenome} of {gene} is {text!r} and no number from 0; "
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
                    "the matrix needs gene_id and one column per epigenome, separated by tabs"
                )
        _check_width(path, len(header))
        # As text, so that a bad value can be shown as it stands; by position, because of the trailing tab.
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
        raise UserError(f"{path}: is no tab-separated table ({str(error).strip()}); repair it") from None
    except (EOFError, zlib.error, OSError, UnicodeDecodeError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise UserError(f"{path}: is truncated or damaged ({error}); download it again") from None
    if table.empty:
        raise UserError(f"{path}: has a header line but no gene; give the RPKM matrix")
    # A version suffix, as in ENSG00000000003.9, is not part of the gene's identity.
    table["gene_id"] = table["gene_id"].str.split(".").str[0]
    twice = np.flatnonzero(table["gene_id"].duplicated())
    if len(twice):
        raise UserError(f"{path}: line {twice[0] + 2}: gene {table['gene_id'].iloc[twice[0]]} stands twice; keep one")
    return table.set_index("gene_id")


def _check_width(path: str | Path, columns: int) -> None:
    """Refuse a line with more cells than the header line, which pandas would leave out without a word."""
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.rstrip().count("\t") >= columns:
                raise UserError(f"{path}: line {number}: has more cells than line 1; part joined lines or repair it")


def label_by_median(rpkm: pd.Series) -> pd.Series:
    """Label genes 1 if their RPKM is above the epigenome's median, else 0 (DeepChrome, section 3.1).

    Ties at the median count as 0, so a little less than half of the genes may be 1.

    Args:
        rpkm: RPKM of all genes of the expression matrix, by gene id.

    Returns:
        int8 by gene id.
    """
    return (rpkm > rpkm.median()).astype(np.int8)
