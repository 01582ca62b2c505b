"""Sheets of tracks: tab-separated tables whose rows are checked against a schema."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chromattend.errors import UserError, did_you_mean
from chromattend.pipeline.config import check
from chromattend.text import find_columns, read_small_table, text_of


def read_rows(
    path: Path, name: str, schema: dict[str, Any], content: str, row: str
) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Read the rows of a sheet, one by one, each checked against the schema.

    Args:
        path: the sheet; lines that begin with # are comments.
        name: its name in messages.
        schema: schema of a row.
        content, row: what the sheet has a row for, for messages on an empty sheet and on its columns.

    Yields:
        Number of the line, file and line for messages, and column -> cell.

    Raises:
        UserError: the sheet is empty, a column is unknown, missing or given twice, or a cell is invalid.
    """
    number, header, table = read_small_table(path, name, comments=True)
    if not header:
        raise UserError(f"{name}: is empty; give a header line and one row per {content}")
    where = f"{name}: line {number}"
    known = list(schema["properties"])
    expected = f"a tab-separated sheet with one row per {row}, whose lines that begin with # are comments"
    find_columns(where, header, [*schema["required"], *header], expected)
    for column in header:
        if column not in known:
            raise UserError(
                f"{where}: unknown column {column!r}{did_you_mean(column, known)}; the columns are {', '.join(known)}"
            )
    for number, cells in table:
        where = f"{name}: line {number}"
        values = dict(zip(header, map(text_of, cells), strict=True))
        check(values, schema, lambda _, where=where: where)  # type: ignore[misc]
        yield number, where, values
