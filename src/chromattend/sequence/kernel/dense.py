"""The exact kernel as products of tables of counts, for few different gapped k-mers."""

from collections.abc import Callable

import numpy as np
from numba import njit
from threadpoolctl import threadpool_limits

from chromattend.sequence.kernel.gapped_kmers import GappedKmers
from chromattend.sequence.kernel.problem import Problem
from chromattend.sequence.kernel.strings import Strings

# Rows of the kernel that are computed together, and columns of a table of counts (more if one choice has more).
ROWS = 512
COLUMNS = 1024
# Integers up to this one are exact in float32, whose products take half the time.
EXACT_SINGLE = 2**24
# Seconds for one unit of each kind of `work`, fitted by benchmarks/kernel.py on one core of an EPYC of 2021 (AVX2).
SECONDS = (1.3e-11, 4.6e-9, 1.7e-8)


def count(problem: Problem, kernel: np.ndarray, threads: int, done: Callable[[int, int], None]) -> None:
    """Add products of counts of gapped k-mers, some choices of positions at a time.

    Args:
        problem, kernel, threads, done: see `chromattend.sequence.kernel.postings.count`.
    """
    size = problem.rows.size
    choices = GappedKmers.of(problem.g, problem.k, size).choices
    precision = np.float32 if problem.largest <= EXACT_SINGLE else np.float64
    together = max(1, COLUMNS // size**problem.k)
    with threadpool_limits(threads):
        for begin in range(0, len(choices), together):
            some = choices[begin : begin + together]
            left = _table((problem.rows,), some, problem.g, precision)
            alike = problem.square and len(problem.strands) == 1
            right = left if alike else _table(problem.strands, some, problem.g, precision)
            for row in range(0, len(left), ROWS):
                start = row if problem.square else 0
                kernel[row : row + ROWS, start:] += left[row : row + ROWS] @ right[start:].T
            done(min(begin + together, len(choices)), len(choices))


def work(problem: Problem) -> tuple[float, float, float]:
    """Return the products that are added, the letters read for tables of counts, and the updates of entries."""
    rows, columns = problem.shape
    width = float(problem.rows.size) ** problem.k * problem.choices
    tables = problem.column_windows + (0 if problem.square else problem.row_windows)
    pairs = rows * columns / (1 + problem.square)
    return pairs * width, float(tables) * problem.choices * problem.k, pairs * max(1.0, width / COLUMNS)


def work_bytes(problem: Problem, threads: int) -> int:
    """Return the memory that `count` needs beside the kernel, in bytes."""
    rows, columns = problem.shape
    return 8 * (max(COLUMNS, problem.rows.size**problem.k) * (rows + columns) + ROWS * columns)


def _table(strands: tuple[Strings, ...], choices: np.ndarray, g: int, precision: type) -> np.ndarray:
    """Return the number of each gapped k-mer in each string, all strands together, shape (string, gapped k-mer)."""
    size = strands[0].size
    table = np.zeros((len(strands[0]), len(choices) * size ** choices.shape[1]), precision)
    for strand in strands:
        _fill(table, strand.letters, strand.bounds, choices, g, size)
    return table


@njit(cache=True, nogil=True)
def _fill(table: np.ndarray, letters: np.ndarray, bounds: np.ndarray, choices: np.ndarray, g: int, size: int) -> None:
    """Count gapped k-mers."""
    kmers = size ** choices.shape[1]
    for string in range(len(bounds) - 1):
        for start in range(bounds[string], bounds[string + 1] - g + 1):
            for choice in range(len(choices)):
                code = 0
                known = True
                for position in choices[choice]:
                    letter = letters[start + position]
                    known &= letter >= 0
                    code = code * size + letter
                if known:
                    table[string, choice * kmers + code] += 1
