"""The gene table: the protein-coding genes of the study and their TSSs."""

import gzip
import logging
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pandas as pd

from chromattend.errors import UserError, did_you_mean
from chromattend.files import GZIP_ERRORS

logger = logging.getLogger(__name__)

COLUMNS = ["gene", "symbol", "chrom", "tss", "strand"]
# GTF attributes: gene_id "ENSG00000000003.9"; gene_name "TSPAN6"; ...
ATTRIBUTE = re.compile(r'(gene_id|gene_name) "([^"]*)"')
# The gene table behind the papers lists these Ensembl ids twice, under two symbols: 19,795 + 7 = 19,802 rows.
TWICE_LISTED = {
    "ENSG00000062370": ("ZFP112", "ZNF285"),
    "ENSG00000104835": ("FBXO17", "SARS2"),
    "ENSG00000167380": ("ZNF226", "ZNF234"),
    "ENSG00000167578": ("MIA", "RAB4B"),
    "ENSG00000183048": ("MRPL12", "SLC25A10"),
    "ENSG00000188629": ("ZNF177", "ZNF559-ZNF177"),
    "ENSG00000213030": ("CGB1", "CGB8"),
}


def read_annotation(path: str | Path) -> pd.DataFrame:
    """Read the gene rows of a GENCODE GTF (.gz or plain).

    Returns:
        One row per gene with columns gene (Ensembl id without version), symbol, chrom, tss, strand. The TSS is
        the gene's start on the plus strand and its end on the minus strand, 1-based as in the GTF.

    Raises:
        UserError: the file is damaged, a line is not GTF, or no line is a gene.
    """
    rows = []
    for number, line in _lines(path):
        if line.startswith("#") or not line.strip():
            continue
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) != 9:
            raise UserError(
                f"{path}: line {number}: has {len(fields)} tab-separated columns, but GTF has 9; repair the line"
            )
        if fields[2] != "gene":
            continue
        names = dict(ATTRIBUTE.findall(fields[8]))
        numbers = fields[3].isdecimal() and fields[4].isdecimal()
        if "gene_id" not in names or fields[6] not in ("+", "-") or not numbers:
            raise UserError(f"{path}: line {number}: a gene needs start, end, strand + or - and a gene_id; repair it")
        gene = names["gene_id"].split(".")[0]
        tss = int(fields[3] if fields[6] == "+" else fields[4])
        rows.append((gene, names.get("gene_name", gene), fields[0], tss, fields[6]))
    if not rows:
        raise UserError(f"{path}: has no line with the feature 'gene'; give a GENCODE GTF that has gene rows")
    table = pd.DataFrame(rows, columns=COLUMNS)
    # Pseudoautosomal genes are listed on both X and Y under one id; X comes first and is kept.
    return table.drop_duplicates("gene", ignore_index=True)


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    file: IO[str]
    opener = gzip.open if str(path).endswith(".gz") else open
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            yield from enumerate(file, start=1)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 text ({error}); save it as UTF-8 or download it again") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path}: is truncated or damaged ({error}); download it again") from None


def build_gene_table(
    annotation: pd.DataFrame,
    expressed: pd.Index,
    *,
    mode: str = "unique",
    include: set[str] | None = None,
) -> pd.DataFrame:
    """Combine annotation and expression matrix into the genes of the study, sorted by Ensembl id.

    A gene needs both a TSS and an expression value; genes with only one of them are left out, and their number is
    logged.

    Args:
        annotation: result of `read_annotation`.
        expressed: gene ids of the expression matrix.
        mode: `unique`, or `reproduction` for the papers' 19,802 rows, where 7 genes are listed twice.
        include: gene ids to restrict the table to.

    Returns:
        Columns gene, symbol, chrom, tss, strand; one row per gene.

    Raises:
        UserError: no gene is left.
    """
    table = annotation[annotation["gene"].isin(expressed)]
    logger.info(
        "%d genes have a TSS and an expression value; left out: %d of the matrix without a TSS, "
        "%d of the annotation without an expression value",
        len(table),
        len(expressed) - len(table),
        len(annotation) - len(table),
    )
    if include is not None:
        unknown = include - set(table["gene"])
        if unknown:
            logger.warning("genes.include: %d ids are not in the study, such as %s", len(unknown), min(unknown))
        if len(unknown) == len(include) and not table.empty:
            raise UserError(f"genes.include: none of its {len(include)} ids is in the study; give Ensembl gene ids")
        table = table[table["gene"].isin(include)]
    if mode == "reproduction":
        twice = table[table["gene"].isin(list(TWICE_LISTED))]
        named = zip(table["gene"], table["symbol"], strict=True)
        first = table.assign(symbol=[TWICE_LISTED.get(gene, (symbol,))[0] for gene, symbol in named])
        second = twice.assign(symbol=[TWICE_LISTED[gene][1] for gene in twice["gene"]])
        table = pd.concat([first, second])
    if table.empty:
        raise UserError("annotation and expression matrix: have no gene in common; give both with Ensembl gene ids")
    return table.sort_values(["gene", "symbol"], ignore_index=True)[COLUMNS]


def read_gene_table(path: str | Path) -> pd.DataFrame:
    """Read `genes.tsv`, or a table with the same columns.

    Raises:
        UserError: a column is missing, or a TSS or strand is not valid.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise
    except GZIP_ERRORS as error:
        raise UserError(f"{path}: is truncated or damaged ({error}); create it again") from None
    # Parser errors of pandas and decoding errors are ValueErrors.
    except ValueError as error:
        raise UserError(f"{path}: is not a table ({str(error).strip()}); give the study's genes.tsv") from None
    for column in COLUMNS:
        if column not in table:
            raise UserError(
                f"{path}: column {column!r} is missing; give a tab-separated table with {', '.join(COLUMNS)}"
            )
    for column, valid, expected in (
        ("tss", table["tss"].str.fullmatch("[0-9]+"), "a position (bp)"),
        ("strand", table["strand"].isin(["+", "-"]), "+ or -"),
    ):
        if not valid.all():
            row = int((~valid).to_numpy().argmax())
            raise UserError(f"{path}: line {row + 2}: {column} {table[column][row]!r} is not {expected}; repair it")
    if table.empty:
        raise UserError(f"{path}: has a header line but no gene; add one row per gene")
    return table.astype({"tss": "int64"})


def read_gene_list(path: str | Path) -> set[str]:
    """Read gene ids, one per line; versions such as `.9` are dropped."""
    lines = (line.strip() for _, line in _lines(path))
    genes = {line.split(".")[0] for line in lines if line and not line.startswith("#")}
    if not genes:
        raise UserError(f"{path}: lists no gene; give one Ensembl gene id per line")
    return genes


def find_genes(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Find genes by Ensembl id, with or without a version, or by symbol.

    Args:
        table: gene table.
        names: Ensembl ids or symbols, case-insensitive.

    Returns:
        Rows of the table in the order of the names, each gene once.

    Raises:
        UserError: a name is not in the table, or is the symbol of several genes.
    """
    ids, symbols = table["gene"].str.upper(), table["symbol"].str.upper()
    rows = []
    for name in names:
        wanted = name.strip().upper()
        matches = table[(ids == re.sub(r"\.\d+$", "", wanted)) | (symbols == wanted)].drop_duplicates("gene")
        if len(matches) > 1:
            raise UserError(f"gene {name!r}: is the symbol of {', '.join(matches['gene'])}; give one of these ids")
        if matches.empty:
            candidates = ids if wanted.startswith("ENSG") else symbols
            raise UserError(
                f"gene {name!r}: is not among the {len(set(ids)):,} genes of the study"
                f"{did_you_mean(wanted, candidates.unique())}; correct or remove it"
            )
        rows.append(matches)
    return pd.concat(rows).drop_duplicates("gene") if rows else table.iloc[:0]


def read_chrom_sizes(path: str | Path) -> dict[str, int]:
    """Read chromosome lengths (bp) from a tab-separated file of name and length.

    Raises:
        UserError: a line does not have a name and a positive integer.
    """
    sizes = {}
    for number, line in _lines(path):
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        if len(fields) < 2 or not fields[1].isdecimal() or int(fields[1]) == 0:
            raise UserError(f"{path}: line {number}: {line.strip()!r} is not a chromosome and its length; repair it")
        sizes[fields[0]] = int(fields[1])
    if not sizes:
        raise UserError(f"{path}: is empty; give one chromosome and its length per line")
    return sizes
