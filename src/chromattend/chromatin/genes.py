"""The gene table: the protein-coding genes of the study and their TSSs."""

import logging
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

from chromattend.errors import UserError, did_you_mean
from chromattend.text import find_columns, read_lines, read_small_table, text_of

logger = logging.getLogger(__name__)

COLUMNS = ["gene", "symbol", "chrom", "tss", "strand"]
# ENSG00000000003.9 of Ensembl, ENSGR0000226179.1 and ENSG00000182378.15_PAR_Y of GENCODE for the pseudoautosomal genes
# of Y, and ENSG00000223972.5_2 of GENCODE's annotations that were lifted to another build. A dot in any other id, such
# as Y74C9A.3, is part of the name.
ENSEMBL_VERSION = re.compile(r"(ENS[A-Z]*[0-9]{10,11})\.[0-9]+(?:_PAR_Y|_[0-9]+)*")
# GTF attributes, gene_id "ENSG00000000003.9"; gene_name "TSPAN6"; and so on. A value may lack quotes, and within quotes
# it may contain a semicolon, or what looks like an attribute.
ATTRIBUTE = r'(?:[^";]*(?:"[^"]*"[^";]*)*+;)*?\s*{}\s+("[^"]*"|[^";]*)\s*(?:;|$)'
GENE_ID, GENE_NAME = re.compile(ATTRIBUTE.format("gene_id")), re.compile(ATTRIBUTE.format("gene_name"))
# GFF3 attributes, ID=gene:ENSG00000000003;Name=TSPAN6 and so on, and the features that are genes there.
GFF3 = re.compile(r"\s*[\w.:-]+=")
GFF3_GENES = ("gene", "ncRNA_gene", "pseudogene")
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
# A smaller share of genes in both annotation and expression matrix is a sign of different kinds of ids.
FEW_IN_COMMON = 0.5


def without_version(gene: str) -> str:
    """Return a gene id without the version of an Ensembl id, as in ENSG00000000003.9; any other id is left whole."""
    if gene.startswith("ENS") and (versioned := ENSEMBL_VERSION.fullmatch(gene)):
        return versioned[1]
    return gene


def read_annotation(path: str | Path, chroms: Collection[str] = ()) -> pd.DataFrame:
    """Read the gene rows of a GTF or GFF3 file, as those of GENCODE and Ensembl.

    A gene at several loci, as a pseudoautosomal gene of X and Y, is taken from a chromosome of `chroms` before others,
    from X before Y, and from the first line; a warning is logged.

    Args:
        path: the annotation.
        chroms: chromosomes of the genome.

    Returns:
        One row per gene with columns gene (id, see `without_version`), symbol (the id if it has no name), chrom, tss,
        strand. The TSS is the gene's start on the plus strand and its end on the minus strand, 1-based as in the GTF.

    Raises:
        UserError: the file is damaged, a line is not GTF, or no line is a gene.
    """
    with closing(read_lines(path)) as lines:
        rows, features = _gene_rows(path, lines)
    if not rows:
        raise UserError(f"{path}: has no line with the feature 'gene'{_instead(features)}")
    return _one_locus(pd.DataFrame(rows, columns=COLUMNS), chroms, path)


def _gene_rows(
    path: str | Path, lines: Iterable[tuple[int, str]]
) -> tuple[list[tuple[str, str, str, int, str]], dict[str, int]]:
    """Return the genes with all their loci, and the first line of each other feature."""
    rows = []
    features: dict[str, int] = {}
    for number, line in lines:
        if line.startswith("#"):
            if line.startswith("##FASTA"):
                break
            continue
        fields = line.split("\t")
        if len(fields) != 9:
            if not line.strip():
                continue
            raise UserError(
                f"{path}: line {number}: has {len(fields)} tab-separated columns, but GTF has 9; repair the line"
            )
        feature = fields[2].strip()
        if feature not in GFF3_GENES:
            features.setdefault(feature, number)
            continue
        chrom, _, _, start, end, _, strand, _, attributes = map(str.strip, fields)
        if attributes.startswith('"'):  # a spreadsheet or R has quoted the cell
            attributes = text_of(attributes)
        if "=" in attributes and GFF3.match(attributes):
            gene, symbol = _gff3_names(attributes)
        elif feature == "gene":
            gene, symbol = _value(GENE_ID, attributes), _value(GENE_NAME, attributes)
        else:
            continue
        if not gene:
            raise UserError(f"{path}: line {number}: the gene has no gene_id, or an empty one; give it")
        if strand not in ("+", "-"):
            raise UserError(f"{path}: line {number}: {gene} has strand {strand!r}, but needs strand + or -; repair it")
        first, last = int(start) if start.isdecimal() else 0, int(end) if end.isdecimal() else 0
        if not 0 < first <= last:
            raise UserError(
                f"{path}: line {number}: {gene} has start, end {start!r}, {end!r}, but needs positions from 1 (bp), "
                "the start not after the end; repair it"
            )
        gene = without_version(gene)
        rows.append((gene, symbol or gene, chrom, first if strand == "+" else last, strand))
    return rows, features


def _value(attribute: re.Pattern[str], attributes: str) -> str:
    match = attribute.match(attributes)
    return match[1].strip('" ') if match else ""


def _gff3_names(attributes: str) -> tuple[str, str]:
    pairs = (part.partition("=") for part in attributes.split(";"))
    names = {key.strip(): unquote(value).strip() for key, _, value in pairs}
    gene = names.get("gene_id") or re.sub("^gene[:-]", "", names.get("ID", ""))
    return gene, names.get("gene_name") or names.get("Name", "")


def _instead(features: dict[str, int]) -> str:
    """Say what an annotation has instead of genes, and what to do."""
    for feature in ("transcript", "mRNA", "exon", "CDS"):
        if feature in features:
            return (
                f", only such as {feature!r} in line {features[feature]}; add one line per gene, from its first to its "
                "last base, or give the GTF of GENCODE or Ensembl"
            )
    return "; give a GENCODE GTF that has gene rows"


def _one_locus(loci: pd.DataFrame, chroms: Collection[str], path: str | Path) -> pd.DataFrame:
    """Keep one locus of each gene, see `read_annotation`."""
    several = loci["gene"].duplicated(keep=False)
    if not several.any():
        return loci
    elsewhere = ~loci["chrom"].isin(list(chroms))
    on_y = loci["chrom"].str.fullmatch("(chr)?Y", case=False)
    order = np.lexsort((on_y, elsewhere))
    kept = loci.iloc[order].drop_duplicates("gene").sort_index()
    gene = loci["gene"][several].iloc[0]
    places = [f"{row.chrom}:{row.tss}" for row in loci[loci["gene"] == gene].itertuples()]
    chosen = kept[kept["gene"] == gene].iloc[0]
    logger.warning(
        "%s: %d genes have several loci; the study takes one of each: %s is at %s, and %s:%d is taken",
        path,
        loci["gene"][several].nunique(),
        gene,
        ", ".join(places),
        chosen["chrom"],
        chosen["tss"],
    )
    return kept.reset_index(drop=True)


def count_genes(annotation: pd.DataFrame, expressed: pd.Index) -> pd.DataFrame:
    """Count the genes of annotation and expression matrix.

    Args:
        annotation: result of `read_annotation`.
        expressed: gene ids of the expression matrix.

    Returns:
        One row: annotated, expressed, both, and share, which is both over the smaller of the two.
    """
    both = int(annotation["gene"].isin(expressed).sum())
    smaller = min(len(annotation), len(expressed))
    row = {"annotated": len(annotation), "expressed": len(expressed), "both": both, "share": both / smaller}
    return pd.DataFrame([row])


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
        include: ids or symbols of the genes to restrict the table to; a symbol of several genes stands for all of them.

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
    apart = ""
    if count_genes(annotation, expressed)["share"].item() < FEW_IN_COMMON:
        annotated = pd.Index(annotation["gene"])
        apart = (
            f"such as {_examples(expressed.difference(annotated))} of the matrix and "
            f"{_examples(annotated.difference(expressed))} of the annotation"
        )
        logger.warning("fewer than half of the genes are in both annotation and matrix; left out are genes %s", apart)
    if include is not None:
        unknown = include - set(table["gene"]) - set(table["symbol"])
        if unknown:
            logger.warning("genes.include: %d genes are not in the study, such as %s", len(unknown), min(unknown))
        if len(unknown) == len(include) and not table.empty:
            raise UserError(
                f"genes.include: none of its {len(include)} genes is in the study, such as {min(unknown)}; give ids or "
                f"symbols of the annotation, such as {table['gene'].iloc[0]}"
            )
        table = table[table["gene"].isin(include) | table["symbol"].isin(include)]
    if mode == "reproduction":
        twice = table[table["gene"].isin(list(TWICE_LISTED))]
        named = zip(table["gene"], table["symbol"], strict=True)
        first = table.assign(symbol=[TWICE_LISTED.get(gene, (symbol,))[0] for gene, symbol in named])
        second = twice.assign(symbol=[TWICE_LISTED[gene][1] for gene in twice["gene"]])
        table = pd.concat([first, second])
    if table.empty:
        raise UserError(
            f"annotation and expression matrix: have no gene in common, {apart}; give both with the same ids"
        )
    return table.sort_values(["gene", "symbol"], ignore_index=True)[COLUMNS]


def _examples(genes: Iterable[str]) -> str:
    return ", ".join(list(genes)[:3])


def read_gene_table(path: str | Path) -> pd.DataFrame:
    """Read `genes.tsv`, or a table with the same columns.

    Returns:
        Columns gene, symbol (the id if it is empty), chrom, tss, strand; one row per gene, or per symbol of a gene.

    Raises:
        UserError: a column is missing, a name is empty, a TSS or strand is not valid, or a row is given twice.
    """
    number, header, lines = read_small_table(path)
    if not header:
        raise UserError(f"{path}: is empty; give the study's genes.tsv")
    positions = find_columns(
        f"{path}: line {number}", header, COLUMNS, f"a tab-separated table with {', '.join(COLUMNS)}"
    )
    rows: dict[tuple[str, str], tuple[int, tuple[str, str, str, int, str]]] = {}
    for number, cells in lines:
        gene, symbol, chrom, tss, strand = (text_of(cells[position]) for position in positions)
        gene = without_version(gene)
        for column, value, valid, expected in (
            ("gene", gene, gene, "a gene id"),
            ("chrom", chrom, chrom, "a chromosome"),
            ("tss", tss, tss.isascii() and tss.isdecimal(), "a position (bp)"),
            ("strand", strand, strand in ("+", "-"), "+ or -"),
        ):
            if not valid:
                raise UserError(f"{path}: line {number}: {column} {value!r} is not {expected}; repair it")
        row = gene, symbol or gene, chrom, int(tss), strand
        first = rows.setdefault(row[:2], (number, row))[0]
        if first != number:
            raise UserError(f"{path}: line {number}: gene {gene} ({row[1]}) is also on line {first}; keep one row")
    if not rows:
        raise UserError(f"{path}: has a header line but no gene; add one row per gene")
    return pd.DataFrame([row for _, row in rows.values()], columns=COLUMNS)


def read_gene_list(path: str | Path) -> set[str]:
    """Read gene ids, one per line, without the versions of Ensembl ids; lines that begin with `#` are left out."""
    genes = set()
    for number, line in [*read_lines(path)]:
        gene = text_of(line)
        if re.search(r"[\s,;]", gene) and not gene.startswith("#"):
            raise UserError(f"{path}: line {number}: {gene[:60]!r} is not one gene id; give one per line")
        if gene and not gene.startswith("#"):
            genes.add(without_version(gene))
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
        matches = table[(ids == without_version(wanted)) | (symbols == wanted)].drop_duplicates("gene")
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
        UserError: a line does not have a name and a positive integer, or a chromosome has two lengths.
    """
    sizes: dict[str, int] = {}
    lines: dict[str, int] = {}
    for number, line in [*read_lines(path)]:
        fields = line.split()
        if not fields or line.startswith("#"):
            continue
        if len(fields) < 2 or not fields[1].isdecimal() or int(fields[1]) == 0:
            raise UserError(f"{path}: line {number}: {line.strip()!r} is not a chromosome and its length; repair it")
        chrom, size = fields[0], int(fields[1])
        if sizes.setdefault(chrom, size) != size:
            raise UserError(
                f"{path}: line {number}: {chrom} has {size} bp, but {sizes[chrom]} bp in line {lines[chrom]}; "
                "keep the line of your genome build"
            )
        lines.setdefault(chrom, number)
    if not sizes:
        raise UserError(f"{path}: is empty; give one chromosome and its length per line")
    return sizes
