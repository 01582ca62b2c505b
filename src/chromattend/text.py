"""Text files of users, in any usual compression, encoding and line end, and their tab-separated tables.

What a file is, its content says, not its name. A file that is no text is refused with the reason.
"""

import bz2
import io
import lzma
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from isal import igzip

from chromattend.errors import UserError, did_you_mean
from chromattend.files import GZIP_ERRORS

# First bytes of a file -> what opens it.
COMPRESSIONS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": igzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
# First bytes of files that often stand in for a table, and what they are; the fix.
OTHER_FORMATS = {
    b"PK\x03\x04": ("a zip archive, such as an Excel workbook (.xlsx)", "save the table as tab-separated text"),
    b"\xd0\xcf\x11\xe0": ("an Excel workbook (.xls)", "save the table as tab-separated text"),
    b"\x28\xb5\x2f\xfd": ("compressed by zstd", "decompress it, or compress it by gzip"),
    b"%PDF": ("a PDF", "give the table as tab-separated text"),
}
# Byte order marks; that of UTF-32 begins with that of UTF-16.
ENCODINGS = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
    b"\xef\xbb\xbf": "utf-8-sig",
}
# Errors that reading damaged compressed data can raise.
DAMAGED: tuple[type[Exception], ...] = (*GZIP_ERRORS, lzma.LZMAError)
# First line of GCT tables, whose second line has their size.
GCT = ("#1.2", "#1.3")
WEB_PAGE = (b"<!doctype", b"<html", b"<?xml")
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


@contextmanager
def open_bytes(path: str | Path, name: str | Path = "") -> Iterator[Any]:
    """Open a file for reading bytes, decompressed if its content is gzip, bzip2 or xz.

    Args:
        path: the file.
        name: its name in messages; by default the path.

    Raises:
        UserError: the file is truncated, damaged, a web page, or of a format that is no text.
    """
    name = name or path
    with ExitStack() as stack:
        stream: Any = stack.enter_context(open(path, "rb"))
        try:
            # A file may be compressed twice.
            while opener := _by_start(stream, COMPRESSIONS):
                stream = stack.enter_context(opener(stream, "rb"))
            if other := _by_start(stream, OTHER_FORMATS):
                raise UserError(f"{name}: is {other[0]}, not text; {other[1]}")
            if stream.peek(64).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(WEB_PAGE):
                raise UserError(f"{name}: is a web page (HTML or XML), not data; download the file itself")
            yield stream
        except DAMAGED as error:
            if isinstance(error, OSError) and error.errno:  # of the disk, not of the content
                raise
            raise UserError(f"{name}: is truncated or damaged ({error}); copy, download or create it again") from None


def _by_start(stream: Any, known: dict[bytes, Any]) -> Any:
    head = stream.peek(8)
    return next((value for start, value in known.items() if head.startswith(start)), None)


def read_lines(path: str | Path, name: str | Path = "") -> Generator[tuple[int, str], None, None]:
    """Read the lines of a text file, without their line ends (LF, CRLF or CR), and their numbers from 1.

    The encoding is UTF-8, or what a byte order mark says.

    Raises:
        UserError: see `open_bytes`; the text has another encoding, or the file is binary data.
    """
    name = name or path
    with open_bytes(path, name) as stream:
        encoding = _by_start(stream, ENCODINGS) or "utf-8"
        try:
            for number, line in enumerate(io.TextIOWrapper(stream, encoding=encoding), start=1):
                if "\0" in line:
                    raise UserError(
                        f"{name}: line {number}: has a NUL byte, so it is binary data, or UTF-16 without a byte order "
                        "mark; save it as UTF-8 text"
                    )
                yield number, line.rstrip("\n")
        except UnicodeDecodeError as error:
            raise _undecodable(path, name, encoding, error) from None


def _undecodable(path: str | Path, name: str | Path, encoding: str, error: UnicodeDecodeError) -> UserError:
    if encoding not in ("utf-8", "utf-8-sig"):
        return UserError(
            f"{name}: begins as {encoding.upper()} text but does not go on so ({error.reason}); save it as UTF-8"
        )
    if b"\0" in error.object:
        return UserError(f"{name}: is binary data, not text; save it as UTF-8 text")
    # The error came with a block of many lines.
    with open_bytes(path) as stream:
        lines = io.TextIOWrapper(stream, encoding=encoding, errors="replace")
        line = next(number for number, text in enumerate(lines, start=1) if "\ufffd" in text)
    return UserError(
        f"{name}: line {line}: is not UTF-8 text but has the byte 0x{error.object[error.start]:02X}, as Latin-1 or "
        "Windows-1252 text may; save it as UTF-8"
    )


def text_of(cell: str) -> str:
    """Return the text of a table cell, without blanks around it and without quotes that enclose all of it."""
    cell = cell.strip()
    if cell.startswith('"') and (quoted := _QUOTED.fullmatch(cell)):
        return quoted[1].replace('""', '"').strip()
    return cell


def read_cells(
    path: str | Path, name: str | Path = "", *, comments: bool = False
) -> Generator[tuple[int, list[str]], None, None]:
    """Read a tab-separated table: the line number and cells of the header line, and then of every row.

    Names in the header line are as `text_of` gives them; other cells are as written. Each row has as many cells as the
    header line; empty cells beyond these, which Roadmap's matrices and spreadsheets have, are left out, and so are
    empty lines at the end.

    Args:
        path: the file.
        name: its name in messages; by default the path.
        comments: leave out lines that begin with `#`, and empty lines anywhere.

    Raises:
        UserError: see `read_lines`; a row has another number of columns than the header line, or is empty.
    """
    name = name or path
    header: tuple[int, list[str]] | None = None
    rows = empty = 0
    for number, line in read_lines(path, name):
        if not line.strip() or (comments and line.startswith("#")):
            empty = empty or number
            continue
        if empty and not comments:
            raise UserError(f"{name}: line {empty}: is empty; remove it, or give its content")
        cells = line.split("\t")
        if header is None and line.startswith(GCT):
            raise UserError(f"{name}: is a GCT table; remove the two lines before its header line")
        if header is None and line.startswith("# Program:"):
            continue
        if header is None:
            header = number, [text_of(cell) for cell in line.rstrip().split("\t")]
            continue
        while len(cells) > len(header[1]) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(header[1]):
            raise _ragged(f"{name}: line {number}", len(cells), header, first=not rows)
        if not rows:
            yield header
        rows += 1
        yield number, cells
    if header and not rows:
        yield header


def _ragged(where: str, columns: int, header: tuple[int, list[str]], first: bool) -> UserError:
    number, expected = header[0], len(header[1])
    fix = "separate columns by tabs, and repair joined or cut lines"
    if first and columns == expected + 1:
        # R's write.table gives row names, and no name to their column.
        fix = f"if line {number} lacks the name of the first column, as in tables of R, add it; else repair the line"
    noun = "column" if columns == 1 else "columns"
    return UserError(f"{where}: has {columns} {noun}, but line {number} has {expected}; {fix}")


def read_small_table(
    path: str | Path, name: str | Path = "", *, comments: bool = False
) -> tuple[int, list[str], list[tuple[int, list[str]]]]:
    """Read a whole table, see `read_cells`: number and cells of the header line, and the rows; no cells if it is empty.

    Nothing is left open if a row is refused. A table that is too large for memory is streamed with
    `contextlib.closing(read_cells(...))`: the traceback of an error would otherwise keep the file open.
    """
    (number, header), *rows = [*read_cells(path, name, comments=comments)] or [(1, [])]
    return number, header, rows


def find_columns(where: str, header: Sequence[str], wanted: Iterable[str], expected: str) -> list[int]:
    """Return the positions of columns, from 0, by their names in the header line.

    Args:
        where: file and line of the header, for messages.
        header: names of all columns.
        wanted: names to find.
        expected: what the file should be, for messages.

    Raises:
        UserError: a column is missing or given twice.
    """
    positions = []
    for column in wanted:
        matches = [position for position, other in enumerate(header) if other == column]
        if len(matches) > 1:
            first, second = matches[0] + 1, matches[1] + 1
            raise UserError(
                f"{where}: column {column!r} is given twice, as columns {first} and {second}; remove or rename one"
            )
        if not matches:
            raise UserError(f"{where}: {_missing(column, header)}; give {expected}")
        positions += matches
    return positions


def _missing(column: str, header: Sequence[str]) -> str:
    if len(header) == 1 and len(re.split(r"[,;|\s]+", header[0])) > 1:
        return f"{header[0][:60]!r} is not separated by tabs"
    unnamed = f" (column {header.index('') + 1} has no name)" if "" in header else ""
    return f"has no column {column!r}{unnamed or did_you_mean(column, header)}"
