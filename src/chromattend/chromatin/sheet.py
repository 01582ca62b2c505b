"""The sample sheet, with one row per epigenome, and the table of known checksums."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromattend.errors import Collected, UserError, did_you_mean, listed
from chromattend.pipeline.config import check
from chromattend.pipeline.locations import read_checksum_table
from chromattend.text import find_columns, read_small_table, text_of

# Histone marks and histone variants of Roadmap's consolidated epigenomes. Any other mark needs a column in the sheet.
ROADMAP_MARKS = frozenset(
    "H2A.Z H2AK5ac H2AK9ac H2BK120ac H2BK12ac H2BK15ac H2BK20ac H2BK5ac H3K14ac H3K18ac H3K23ac H3K23me2 "  # noqa: SIM905
    "H3K27ac H3K27me3 H3K36me3 H3K4ac H3K4me1 H3K4me2 H3K4me3 H3K56ac H3K79me1 H3K79me2 H3K9ac H3K9me1 "
    "H3K9me3 H3T11ph H4K12ac H4K20me1 H4K5ac H4K8ac H4K91ac".split()
)
# Other names in the results folder, which no epigenome's folder can have.
RESERVED_NAMES = (
    "tables",
    "figures",
    "pan_epigenome",
    "transfer",
    "differential",
    "sequence",
    "graphs",
    "robustness",
    "genes.tsv",
    "gene_counts.tsv",
    "named_genes.tsv",
    "split.tsv",
    "inputs",
    "config.yaml",
    "report.html",
    "index.html",
    "quality.html",
)
MISSING = "none"
# Columns of the sheet that are no marks, and names that the table of samples has, too.
FIXED = ("epigenome", "name", "group", "colour", "signal")
TAKEN = ("use", "marks")
METADATA = re.compile(r"\w[\w ()-]*")
_MARK_LIKE = re.compile(r"H(2A|2B|3|4)[A-Z]?\d", re.IGNORECASE)
# First columns of featureCounts' output.
FEATURE_COUNTS = ("Geneid", "Chr", "Start", "End", "Strand", "Length")
# What tables write for no data elsewhere, which nobody calls a file.
NOT_FILES = ("na", "n/a", "nan", "null", "-", ".", "missing")


@dataclass(frozen=True)
class Epigenome:
    """One row of the sample sheet.

    Attributes:
        id: identifier, for instance E003.
        name, group, colour: shown in reports and figures.
        signal: template of the URLs or paths of its marks; empty if there is none.
        sources: mark -> URL or path, for the marks whose column the row fills.
        missing: marks that the sheet declares to have no data.
        metadata: further columns of the sheet, such as the donor's age, without empty cells.
    """

    id: str
    name: str
    group: str
    colour: str
    signal: str
    sources: Mapping[str, str]
    missing: frozenset[str]
    metadata: Mapping[str, str] = field(default_factory=dict)


def read_sheet(
    path: Path, name: str, schema: dict[str, Any], wanted: set[str]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Read the sample sheet into rows by epigenome, and the names of its mark columns.

    A column that is neither fixed nor a mark is metadata, unless its name is so like one that it may be misspelled.
    """
    if not path.is_file():
        raise UserError(f"key 'epigenomes': file {name!r} does not exist; give the path of the sample sheet")
    number, header, table = read_small_table(path, name, comments=True)
    if not header:
        raise UserError(f"{name}: is empty; give a header line and one row per epigenome")
    where = f"{name}: line {number}"
    expected = "a tab-separated sheet with one row per epigenome, whose lines that begin with # are comments"
    find_columns(where, header, ["epigenome", *header], expected)
    errors = Collected()
    columns = [column for column in header if column in ROADMAP_MARKS or column in wanted]
    for column in header:
        if column not in columns and column not in FIXED and (column in TAKEN or not METADATA.fullmatch(column)):
            errors.add(
                f"{where}: column {column!r} cannot be metadata; give it another name, of letters, digits, blanks "
                "and - _ ( )"
            )
        elif column not in columns and column not in FIXED:
            like = did_you_mean(column, [*FIXED, *sorted({*ROADMAP_MARKS, *wanted})])
            if like or _MARK_LIKE.match(column):
                errors.add(
                    f"{where}: unknown column {column!r}{like}; correct it, use the name of a mark that the "
                    "configuration lists, or, for metadata, another name"
                )

    rows: dict[str, dict[str, str]] = {}
    lines: dict[str, int] = {}
    for number, cells in table:
        where = f"{name}: line {number}"
        row = dict(zip(header, map(text_of, cells), strict=True))
        epigenome = row["epigenome"]
        with errors.check():
            check(row, schema, lambda _, where=where: where)  # type: ignore[misc]
        if epigenome in rows:
            errors.add(
                f"{where}: epigenome {epigenome!r} is given twice, also in line {lines[epigenome]}; "
                "remove or rename one row"
            )
        for column in columns:
            if row[column].lower() in (*NOT_FILES, MISSING) and row[column] != MISSING:
                errors.add(f"{where}: {column}: {row[column]!r} is not a file; write {MISSING} for a mark without data")
        if epigenome in RESERVED_NAMES:
            errors.add(f"{where}: epigenome name {epigenome!r} is reserved for another result; rename it")
        rows[epigenome], lines[epigenome] = row, number
    errors.report()
    if not rows:
        raise UserError(f"{name}: has a header line but no epigenome; add a row for each")
    return rows, columns


def parse_epigenome(row: dict[str, str], mark_columns: list[str], config: dict[str, Any]) -> Epigenome:
    """Parse a row of the sheet; the configuration fills in empty entries."""
    cells = {mark: row[mark] for mark in mark_columns if row[mark]}
    return Epigenome(
        id=row["epigenome"],
        name=row.get("name") or row["epigenome"],
        group=row.get("group", ""),
        colour=row.get("colour") or "#808080",
        signal=row.get("signal") or config["sources"]["signal"] or "",
        sources={mark: cell for mark, cell in cells.items() if cell != MISSING},
        missing=frozenset(mark for mark, cell in cells.items() if cell == MISSING),
        metadata={
            column: cell for column, cell in row.items() if cell and column not in mark_columns and column not in FIXED
        },
    )


def is_feature_counts(header: Sequence[str]) -> bool:
    """Return whether a matrix is the output of featureCounts, whose further columns are counts by BAM file."""
    return tuple(header[: len(FEATURE_COUNTS)]) == FEATURE_COUNTS


def stem_of(bam: str) -> str:
    """Return the name of a BAM file without its folder and ending, as featureCounts has it in its header line."""
    return re.sub(r"\.(bam|sam|cram)$", "", bam.rpartition("/")[2], flags=re.IGNORECASE)


def find_matrix_columns(where: str, header: Sequence[str], epigenomes: Sequence[str]) -> list[int]:
    """Return the positions of `gene_id` and of epigenomes in the header line of an expression matrix.

    In featureCounts' output, an epigenome is the BAM file of its name, or the only one whose name begins with it and a
    separator.

    Raises:
        UserError: a column is missing or given twice.
    """
    if is_feature_counts(header):
        return [0, *(_bam_of(where, header, epigenome) for epigenome in epigenomes)]
    return find_columns(
        where, header, ["gene_id", *epigenomes], "a tab-separated matrix with gene_id and one column per epigenome"
    )


def _bam_of(where: str, header: Sequence[str], epigenome: str) -> int:
    stems = [stem_of(name) for name in header]
    first = len(FEATURE_COUNTS)
    found = [position for position in range(first, len(stems)) if stems[position] == epigenome] or [
        position
        for position in range(first, len(stems))
        if stems[position].startswith(tuple(f"{epigenome}{separator}" for separator in "._-"))
    ]
    if len(found) != 1:
        many = f"has the columns {listed([header[position] for position in found])}, which all begin with {epigenome!r}"
        none = f"has no column of {epigenome!r}{did_you_mean(epigenome, stems[first:])}"
        raise UserError(
            f"{where}: {many if found else none}; name the epigenome as featureCounts' output names its BAM file"
        )
    return found[0]


def read_checksums(config: dict[str, Any], workdir: Path) -> dict[str, tuple[str | None, int | None]]:
    """Read the table of known checksums: URL -> (algorithm:digest, size in bytes)."""
    name = config["sources"]["checksums"]
    if not name:
        return {}
    path = workdir / name
    if not path.is_file():
        raise UserError(f"key 'sources.checksums': file {name!r} does not exist; correct the path or give null")
    return read_checksum_table(path, name)
