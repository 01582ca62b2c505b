"""Formats of matrices, told by their content: their sizes without reading them, and the values of their lines.

Neither NumPy nor pandas is imported: planning a study of many contexts takes a moment.
"""

import ast
import csv
import math
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from chromattend.errors import UserError
from chromattend.text import COMPRESSIONS, open_bytes, read_lines, text_of

# Text that is read to count the samples (bytes); beyond it, their number is an estimate.
COUNTED = 4_000_000
# How many times smaller numbers become by compression, about.
RATIO = 3
# Errors that reading a damaged archive can raise.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)
ARRAYS = ("samples", "variables", "blocks")
# Names of a first column with the names of the samples.
SAMPLE = ("", "sample")
# What tables write for no value.
MISSING = ("", "na", "n/a", "nan", "null", "none", "-", ".", "?")
EXPECTED = "give the variables' names in the header line and one sample per line, tab- or comma-separated"


@dataclass(frozen=True)
class Header:
    """The header line of a matrix.

    Attributes:
        line: its number, from 1.
        columns: names of all columns.
        separator: a tab or a comma.
        named: whether the first column has the names of samples.
    """

    line: int
    columns: tuple[str, ...]
    separator: str
    named: bool

    def variables(self, block: str = "") -> tuple[str, ...]:
        """Return the names of the variables: without those of samples and of the column that has the blocks."""
        return tuple(name for name in self.columns[self.named :] if not block or name != block)


@dataclass(frozen=True)
class Size:
    """What is known of a matrix before it is read.

    Attributes:
        variables: names of its variables.
        samples: number of its samples; an estimate if not `counted`.
    """

    variables: tuple[str, ...]
    samples: int
    counted: bool


def is_npz(path: Path) -> bool:
    """Return whether a file is an archive of NumPy arrays."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(".npy") for name in archive.namelist())


def split(line: str, separator: str) -> list[str]:
    """Return the cells of a line of a matrix."""
    if separator == "," and '"' in line:
        return next(csv.reader([line]))
    return line.split(separator)


def read_header(path: Path, name: str, block: str = "") -> Header:
    """Read the header line of a matrix of text.

    Args:
        path: the file.
        name: its name in messages.
        block: name of the column that has the blocks; empty for none.

    Raises:
        UserError: a name is missing, a number or given twice, or the file is not such a table.
    """
    with closing(read_lines(path, name)) as lines:
        number, line = next(((number, line) for number, line in lines if line.strip()), (1, ""))
    if not line:
        raise UserError(f"{name}: is empty; {EXPECTED}")
    where = f"{name}: line {number}"
    separator = "\t" if "\t" in line else ","
    columns = [text_of(cell) for cell in split(line, separator)]
    while len(columns) > 1 and not columns[-1]:  # empty columns at the end, as spreadsheets write them
        columns.pop()
    named = columns[0].lower() in SAMPLE
    header = Header(number, tuple(columns), separator, named)
    check_names(where, columns[named:], start=named + 1)
    if len(columns) == 1:
        raise UserError(f"{where}: {line[:60]!r} has one column only; {EXPECTED}")
    if all(map(_is_number, columns[named:])):
        raise UserError(f"{where}: has numbers where the names of variables should be; {EXPECTED}")
    if block and block not in columns[named:]:
        raise UserError(f"{where}: has no column {block!r} for the blocks; correct the cell 'block' of the sheet")
    return header


def check_names(where: str, names: Sequence[str], start: int = 1) -> None:
    """Raise a `UserError` if a variable has no name or has that of another; `start` is the first one's number."""
    if len(set(names)) == len(names) and "" not in names:
        return
    first: dict[str, int] = {}
    for number, name in enumerate(names, start):
        if not name:
            raise UserError(f"{where}: column {number} has no name; name the variable or remove the column")
        if first.setdefault(name, number) != number:
            raise UserError(
                f"{where}: variable {name!r} is given twice, as columns {first[name]} and {number}; remove or rename "
                "one"
            )


def size_of(path: Path, name: str, block: str = "") -> Size:
    """Return what a matrix has, from its header and at most some megabytes of text; see `read_header` for errors."""
    if is_npz(path):
        try:
            return _size_of_arrays(path, name)
        except DAMAGED as error:
            raise UserError(f"{name}: is truncated or damaged ({error}); save it again") from None
    header = read_header(path, name, block)
    rows = taken = 0
    last = b"\n"
    with open_bytes(path, name) as stream:
        while chunk := stream.read(min(1 << 20, COUNTED - taken)):
            taken += len(chunk)
            rows += chunk.count(b"\n")
            last = chunk[-1:]
        whole = taken < COUNTED
    rows += whole and last != b"\n"
    if not whole:
        with open(path, "rb") as file:
            compressed = file.read(8).startswith(tuple(COMPRESSIONS))
        total = path.stat().st_size * (RATIO if compressed else 1)
        rows = round(rows * max(1, total / taken))
    return Size(header.variables(block), max(rows - header.line, 0), counted=whole)


def _size_of_arrays(path: Path, name: str) -> Size:
    """Return what an archive has, from the headers of its arrays and the names of its variables."""
    with zipfile.ZipFile(path) as archive:
        known = [entry.removesuffix(".npy") for entry in archive.namelist()]
        for array in ARRAYS[:2]:
            if array not in known:
                raise UserError(
                    f"{name}: has no array {array!r} but {', '.join(known)}; give samples (sample, variable), "
                    "variables (their names) and, optionally, blocks (one name per sample)"
                )
        shapes = {}
        for array in set(known) & set(ARRAYS):
            with archive.open(f"{array}.npy") as file:
                kind, shapes[array] = array_header(file, f"{name}: array {array!r}", text=array != "samples")
                if array == "variables":
                    names = _texts(file.read(), kind)
    samples, variables = shapes["samples"], shapes["variables"]
    check_shapes(name, samples, variables, shapes.get("blocks"))
    check_names(f"{name}: array 'variables'", names)
    return Size(tuple(names), samples[0], counted=True)


def check_shapes(
    name: str, samples: tuple[int, ...], variables: tuple[int, ...], blocks: tuple[int, ...] | None
) -> None:
    """Raise a `UserError` if the arrays of an archive do not fit each other."""
    if len(samples) != 2:
        raise UserError(f"{name}: array 'samples' has the shape {samples}; give (sample, variable)")
    if variables != samples[1:]:
        raise UserError(
            f"{name}: array 'variables' has the shape {variables}, but 'samples' has {samples[1]} columns; give one "
            "name per column"
        )
    if blocks is not None and blocks != samples[:1]:
        raise UserError(
            f"{name}: array 'blocks' has the shape {blocks}, but 'samples' has {samples[0]} rows; give one name per row"
        )


def array_header(file: IO[bytes], where: str, text: bool) -> tuple[str, tuple[int, ...]]:
    """Read the header of a .npy file: its dtype and shape.

    Args:
        file: the file, at its start.
        where: file and array for messages.
        text: whether its values must be text, instead of numbers.

    Raises:
        UserError: it is damaged, or its values are of another kind; Python objects are never unpickled.
    """
    start = file.read(8)
    header: dict[str, Any] = {}
    if start.startswith(b"\x93NUMPY"):
        length = struct.unpack("<H", file.read(2))[0] if start[6] == 1 else struct.unpack("<I", file.read(4))[0]
        with suppress(ValueError, SyntaxError):
            header = ast.literal_eval(file.read(length).decode("latin-1").strip())
    if not {"descr", "shape"} <= header.keys():
        raise UserError(f"{where}: is not an array of NumPy; save the file again by numpy.savez")
    kind = str(header["descr"])
    if kind.lstrip("<>|=")[:1] not in (tuple("US") if text else tuple("biuf")):
        what, fix = ("text", "numpy.array(names, dtype=str)") if text else ("numbers", "samples.astype(float)")
        objects = " (Python objects)" if "O" in kind else ""
        raise UserError(f"{where}: has the dtype {kind}{objects}, not {what}; save {fix}")
    return kind, tuple(header["shape"])


def _texts(data: bytes, kind: str) -> list[str]:
    """Return the texts of an array of dtype U or S."""
    letter, size = kind.lstrip("<>|=")[0], int(kind.lstrip("<>|=")[1:])
    encoding = ("utf-32-be" if kind.startswith(">") else "utf-32-le") if letter == "U" else "utf-8"
    step = max(1, size * (4 if letter == "U" else 1))
    return [data[at : at + step].decode(encoding).rstrip("\0") for at in range(0, len(data), step)]


def read_rows(path: Path, name: str, header: Header) -> Iterator[tuple[int, list[str], bool]]:
    """Yield the number and the cells of each line after the header line, and whether it is ASCII without underscores.

    Raises:
        UserError: a line has another number of cells than the header line, or is empty between others.
    """
    columns, empty, first = len(header.columns), 0, True
    with closing(read_lines(path, name)) as lines:
        for number, line in lines:
            if number <= header.line:
                continue
            if not line.strip():
                empty = empty or number
                continue
            if empty:
                raise UserError(f"{name}: line {empty}: is empty; remove it, or give its values")
            cells = split(line, header.separator)
            while len(cells) > columns and not cells[-1].strip():
                cells.pop()
            if len(cells) != columns:
                raise UserError(f"{name}: line {number}: {_ragged(len(cells), header, first)}")
            first = False
            yield number, cells, line.isascii() and "_" not in line


def _ragged(cells: int, header: Header, first: bool) -> str:
    separator = "tabs" if header.separator == "\t" else "commas"
    fix = f"separate columns by {separator}, and repair joined or cut lines"
    if first and cells == len(header.columns) + 1:
        # R's write.table gives row names, and no name to their column.
        fix = "name the first column 'sample' in the header line, as R's tables lack it"
    noun = "column" if cells == 1 else "columns"
    return f"has {cells} {noun}, but the header line has {len(header.columns)}; {fix}"


def numbers_of(cells: Sequence[str], where: str, columns: Sequence[str], plain: bool) -> Sequence[float]:
    """Return the values of a line.

    Args:
        cells: the values as text.
        where: file and line, for messages.
        columns: the name of each value's column, for messages.
        plain: whether the line is ASCII without underscores: `float` also reads 1_000 and digits of other scripts.

    Raises:
        UserError: a value is missing, infinite or not a number.
    """
    with suppress(ValueError):
        values = list(map(float, cells))
        # `float` reads nan and inf, too; a sum is finite only if all values are.
        if math.isfinite(sum(values)) and (plain or all(cell.isascii() and "_" not in cell for cell in cells)):
            return values
    return [_value(cell, f"{where}, column {column!r}") for column, cell in zip(columns, cells, strict=True)]


def _value(cell: str, where: str) -> float:
    text = text_of(cell)
    if text.lower() in MISSING:
        what = f"{text!r} is a missing value" if text else "is empty, a missing value"
        raise UserError(f"{where}: {what}; remove the sample or the variable, or fill it in")
    value = math.nan
    if text.isascii() and "_" not in text:
        with suppress(ValueError):
            value = float(text)
    if math.isinf(value):
        raise UserError(f"{where}: {text!r} is not finite; remove the sample or the variable, or correct it")
    if math.isnan(value):
        fix = "give a number"
        if "," in text:
            fix = "write a decimal point, and no commas"
        elif any(letter.isalpha() for letter in text):
            fix += ", or, for a column of names, call the first column 'sample', or remove it"
        raise UserError(f"{where}: {text[:40]!r} is not a number; {fix}")
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
