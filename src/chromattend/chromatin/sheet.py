"""The sample sheet, with one row per epigenome, and the table of known checksums."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend.errors import UserError, did_you_mean
from chromattend.pipeline.config import check

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
    "genes.tsv",
    "named_genes.tsv",
    "split.tsv",
    "config.yaml",
    "report.html",
    "index.html",
    "quality.html",
)
MISSING = "none"


@dataclass(frozen=True)
class Epigenome:
    """One row of the sample sheet.

    Attributes:
        id: identifier, for instance E003.
        name, group, colour: shown in reports and figures.
        signal: template of the URLs or paths of its marks.
        sources: mark -> URL or path, for the marks whose column the row fills.
        missing: marks that the sheet declares to have no data.
    """

    id: str
    name: str
    group: str
    colour: str
    signal: str
    sources: Mapping[str, str]
    missing: frozenset[str]


def read_text(path: Path, name: str) -> str:
    """Read a user's table, with or without a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: is not UTF-8 text ({error.reason}); save it as UTF-8") from None


def read_sheet(
    path: Path, name: str, schema: dict[str, Any], wanted: set[str]
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Read the sample sheet into rows by epigenome, and the names of its mark columns."""
    if not path.is_file():
        raise UserError(f"key 'epigenomes': file {name!r} does not exist; give the path of the sample sheet")
    text = read_text(path, name)
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines:
        raise UserError(f"{name}: is empty; give a header line and one row per epigenome")
    table = [next(csv.reader([line], delimiter="\t")) for _, line in lines]
    header = [cell.strip() for cell in table[0]]
    fixed = list(schema["properties"])
    columns = [column for column in header if column not in fixed]
    for column in header:
        if header.count(column) > 1:
            raise UserError(f"{name}: column {column!r} is given twice; remove one")
    for column in columns:
        if column not in ROADMAP_MARKS and column not in wanted:
            raise UserError(
                f"{name}: unknown column {column!r}{did_you_mean(column, [*fixed, *sorted(wanted)])}; "
                f"use {', '.join(fixed)} or the name of a mark that the configuration lists"
            )
    if "epigenome" not in header:
        raise UserError(f"{name}: column 'epigenome' is missing; add it to the tab-separated header line")

    rows: dict[str, dict[str, str]] = {}
    for (number, _), cells in zip(lines[1:], table[1:], strict=True):
        where = f"{name} line {number}"
        if len(cells) != len(header):
            raise UserError(
                f"{where}: number of columns is {len(cells)}, but the header has {len(header)}; separate them by tabs"
            )
        row = {column: cell.strip() for column, cell in zip(header, cells, strict=True)}
        check(row, schema, where)
        epigenome = row["epigenome"]
        if epigenome in rows:
            raise UserError(f"{where}: epigenome {epigenome!r} is given twice; remove or rename one row")
        if epigenome in RESERVED_NAMES:
            raise UserError(f"{where}: epigenome name {epigenome!r} is reserved for another result; rename it")
        rows[epigenome] = row
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
        signal=row.get("signal") or config["sources"]["signal"],
        sources={mark: cell for mark, cell in cells.items() if cell != MISSING},
        missing=frozenset(mark for mark, cell in cells.items() if cell == MISSING),
    )


def read_checksums(config: dict[str, Any], workdir: Path) -> dict[str, tuple[str | None, int | None]]:
    """Read the table of known checksums: URL -> (algorithm:digest, size in bytes)."""
    name = config["sources"]["checksums"]
    if not name:
        return {}
    path = workdir / name
    if not path.is_file():
        raise UserError(f"key 'sources.checksums': file {name!r} does not exist; correct the path or give null")
    checksums: dict[str, tuple[str | None, int | None]] = {}
    reader = csv.DictReader(read_text(path, name).splitlines(), delimiter="\t")
    if "url" not in (reader.fieldnames or []):
        raise UserError(f"{name}: column 'url' is missing; give the columns url, checksum and size")
    for row in reader:
        checksum, size = (row.get("checksum") or "").strip(), (row.get("size") or "").strip()
        if checksum and not re.fullmatch(r"sha256:[0-9a-fA-F]{64}|md5:[0-9a-fA-F]{32}", checksum):
            raise UserError(
                f"{name} line {reader.line_num}: checksum {checksum!r} is not valid; "
                "give sha256: or md5: followed by the hexadecimal digits"
            )
        if size and not size.isdecimal():
            raise UserError(
                f"{name} line {reader.line_num}: size {size!r} is not a number of bytes; correct it or leave it empty"
            )
        checksums[row["url"]] = (checksum.lower() or None, int(size) if size else None)
    return checksums
