"""Reading of users' matrices of samples and variables; every error names the file, the line and the column."""

import math
import zipfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chromattend.errors import UserError
from chromattend.graphs.formats import Header, is_npz, read_header, size_of, split
from chromattend.text import read_lines, text_of

# What tables write for no value.
MISSING = ("", "na", "n/a", "nan", "null", "none", "-", ".", "?")


@dataclass(frozen=True)
class Matrix:
    """Samples of variables.

    Attributes:
        source: what it was read from, for messages.
        variables: names of the variables.
        samples: values, float64, shape (sample, variable).
        blocks: block of each sample, shape (sample,); None if samples are independent.
    """

    source: str
    variables: tuple[str, ...]
    samples: np.ndarray
    blocks: np.ndarray | None = None


def read_matrix(path: str | Path, name: str = "", block: str = "") -> Matrix:
    """Read a matrix with one sample per line and the variables' names in the header line, or an .npz archive.

    Text is tab- or comma-separated, compressed or not. A first column without a name, or named `sample`, is left out.
    An archive has the arrays `samples` of shape (sample, variable), `variables` (names) and, optionally, `blocks`.

    Args:
        path: the file.
        name: its name in messages; by default the path.
        block: name of the column that has the block of each sample; empty for none.

    Raises:
        UserError: a value is not a finite number, a line has another number of columns than the header line, a
            variable has no name or is given twice, or arrays have other shapes or Python objects, which are never
            unpickled.
    """
    path, name = Path(path), name or str(path)
    return _read_arrays(path, name, block) if is_npz(path) else _read_text(path, name, block)


def read_blocks(path: str | Path, samples: int, name: str = "") -> np.ndarray:
    """Read the block of each sample, one name per line, in the order of the samples.

    Raises:
        UserError: a line is empty, or the file has another number of lines than there are samples.
    """
    name = name or str(path)
    blocks = [text_of(line) for _, line in [*read_lines(path, name)]]
    while blocks and not blocks[-1]:
        blocks.pop()
    if "" in blocks:
        raise UserError(f"{name}: line {blocks.index('') + 1}: is empty; give the block of this sample")
    if len(blocks) != samples:
        raise UserError(
            f"{name}: has {len(blocks)} names, but the matrix has {samples} samples; give one name per sample, without "
            "a header line"
        )
    return np.array(blocks, dtype=str)


def _read_text(path: Path, name: str, block: str) -> Matrix:
    header = read_header(path, name, block)
    at = header.columns.index(block) if block else None
    values, blocks = array("d"), []
    variables, samples = header.variables(block), 0
    for number, cells, plain in read_rows(path, name, header):
        if at is not None:
            blocks.append(text_of(cells.pop(at)))
            if not blocks[-1]:
                raise UserError(f"{name}: line {number}: the block, column {block!r}, is empty; give it")
        values.extend(numbers_of(cells[header.named :], f"{name}: line {number}", variables, plain))
        samples += 1
    if not samples:
        raise UserError(f"{name}: has a header line but no sample; give one per line")
    # A view of the values' own memory, so that a large matrix is in memory once.
    matrix = np.frombuffer(values).reshape(samples, len(variables))
    return Matrix(name, variables, matrix, np.array(blocks, dtype=str) if block else None)


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


def _read_arrays(path: Path, name: str, block: str) -> Matrix:
    if block:
        raise UserError(
            f"{name}: an .npz file has no column {block!r}; give it an array 'blocks' with one name per sample, and "
            "empty the cell 'block' of the sheet"
        )
    size = size_of(path, name)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            samples = np.array(arrays["samples"], dtype=np.float64)
            blocks = np.array(arrays["blocks"]).astype(str) if "blocks" in arrays else None
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f"{name}: is truncated or damaged ({error}); save it again") from None
    if not np.isfinite(samples).all():
        row, column = (int(index[0]) for index in np.nonzero(~np.isfinite(samples)))
        raise UserError(
            f"{name}: sample {row + 1}, variable {size.variables[column]!r}: {samples[row, column]} is not a finite "
            "number; remove the sample or the variable, or fill it in"
        )
    return Matrix(name, size.variables, samples, blocks)
