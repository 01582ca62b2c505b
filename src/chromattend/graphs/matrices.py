"""Reading of users' matrices of samples and variables; every error names the file, the line and the column."""

from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chromattend.errors import UserError
from chromattend.graphs.formats import DAMAGED, is_npz, numbers_of, read_header, read_rows, size_of
from chromattend.text import read_lines, text_of


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
    except (ValueError, *DAMAGED) as error:
        raise UserError(f"{name}: is truncated or damaged ({error}); save it again") from None
    if not np.isfinite(samples).all():
        row, column = (int(index[0]) for index in np.nonzero(~np.isfinite(samples)))
        raise UserError(
            f"{name}: sample {row + 1}, variable {size.variables[column]!r}: {samples[row, column]} is not a finite "
            "number; remove the sample or the variable, or fill it in"
        )
    return Matrix(name, size.variables, samples, blocks)
