"""The exact kernel in C, with one bit per string; its time does not depend on the alphabet."""

import ctypes
import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chromattend.compiled import load
from chromattend.sequence.kernel.problem import Problem

SOURCE = Path(__file__).with_name("bitsliced.c")
# Rows of one part of the work.
ROWS = 128
PRODUCTS = 31
# Seconds for one unit of each kind of `work`, fitted by benchmarks/kernel.py on one core of an EPYC of 2021 (AVX2).
SECONDS = (1.8e-10,)


class _Formula(ctypes.Structure):
    """How C(matches, k) follows from binary digits, as bitsliced.c declares it."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("g", "planes", "start", "gated", "products")),
        ("factors", ctypes.c_int64 * PRODUCTS),
        ("weights", ctypes.c_int64 * PRODUCTS),
    )


@dataclass(frozen=True)
class Formula:
    """C(matches, k) as a weighted sum of products of the binary digits of matches + start.

    Attributes:
        planes: number of digits.
        start: what is added to the number of matches.
        gated: only windows whose highest digit is 1 count, and other digits are multiplied by it.
        factors: digits of each product, as the bits of a number.
        weights: weight of each product.
    """

    planes: int
    start: int
    gated: bool
    factors: tuple[int, ...]
    weights: tuple[int, ...]

    @classmethod
    def of(cls, g: int, k: int) -> "Formula":
        """Return the formula with the least work for windows of g letters and k compared positions.

        Weights follow by Moebius inversion: the weight of a set of digits is the value of the number that has just
        these, minus the weights of all its subsets. Numbers that do not occur get the weight 0.

        With start = 2 ** (planes - 1) - k the highest digit says that there are k matches, so that it is a factor of
        all products.
        """
        formulas = []
        for planes in range(1, 6):
            for start in {0, 2 ** (planes - 1) - k}:
                if start < 0 or start + g >= 2**planes:
                    continue
                weights = np.zeros(2**planes, dtype=object)
                for number in range(start, start + g + 1):
                    subsets = sum(weights[subset] for subset in range(number) if subset & number == subset)
                    weights[number] = math.comb(number - start, k) - subsets
                top = 2 ** (planes - 1)
                gated = start + k == top
                factors = np.flatnonzero(weights)
                # Gated digits have the highest one as a factor.
                stored = [int(factor) - top if gated and factor > top else int(factor) for factor in factors]
                formulas.append(cls(planes, start, gated, tuple(stored), tuple(int(weights[f]) for f in factors)))
        return min(formulas, key=lambda formula: formula.operations)

    @property
    def operations(self) -> float:
        """Vector operations of one window, without those of wider counters: additions are 5 operations each."""
        slide = 3 * self.planes - 1 + (self.planes - 1) * self.gated
        return slide + sum(4 + factors.bit_count() for factors in self.factors)


@functools.cache
def library() -> ctypes.CDLL | None:
    """Return the compiled functions; if they cannot be compiled, log a warning and return None."""
    functions = load(SOURCE, "gapped k-mer kernels take ten times as long")
    if functions is None:
        return None
    functions.bitsliced_block.restype = ctypes.c_long
    functions.bitsliced_block.argtypes = []
    functions.bitsliced_count.restype = ctypes.c_long
    pointer, number = ctypes.c_void_p, ctypes.c_long
    functions.bitsliced_count.argtypes = [
        *(pointer, pointer, pointer, number, number, pointer, pointer, number, pointer, number),
        *(pointer, pointer, number, number),
    ]
    return functions


def count(problem: Problem, kernel: np.ndarray, threads: int, done: Callable[[int, int], None]) -> None:
    """Count matches of windows, block of columns by block of columns.

    Args:
        problem, kernel, threads, done: see `chromattend.sequence.kernel.postings.count`.
    """
    functions = library()
    assert functions is not None
    formula = Formula.of(problem.g, problem.k)
    given = _Formula(problem.g, formula.planes, formula.start, formula.gated, len(formula.factors))
    given.factors[: len(formula.factors)] = formula.factors
    given.weights[: len(formula.weights)] = formula.weights
    rows, columns = problem.rows, problem.columns
    # The other strand of a row meets a column as the row meets the other strand of the column.
    strands = (rows, rows.reverse_complement())[: len(problem.strands)]
    row_letters = (ctypes.c_void_p * len(strands))(*(strand.letters.ctypes.data for strand in strands))
    blocks, order = _blocks(problem, functions.bitsliced_block())
    failed = False

    def run(block: np.ndarray, some: np.ndarray) -> int:
        return functions.bitsliced_count(
            *(columns.letters.ctypes.data, columns.bounds.ctypes.data, block.ctypes.data, len(block), columns.size),
            *(row_letters, rows.bounds.ctypes.data, len(strands), some.ctypes.data, len(some)),
            *(ctypes.byref(given), kernel.ctypes.data, kernel.shape[1], problem.square),
        )

    parts = []
    end = 0
    for block in blocks:
        end += len(block)
        some = order[:end] if problem.square else order
        parts += [(block, some[first : first + ROWS]) for first in range(0, len(some), ROWS)]
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(run, *part) for part in reversed(parts)]
        for number, job in enumerate(as_completed(jobs)):
            failed |= job.result() != 0
            done(number + 1, len(jobs))
    if failed:
        raise MemoryError("not enough memory for a gapped k-mer kernel")


def work(problem: Problem) -> tuple[float]:
    """Return the vector operations of all windows that slide along whole blocks of columns."""
    functions = library()
    size = functions.bitsliced_block() if functions else 1
    blocks = max(1, math.ceil(problem.shape[1] / size))
    # All columns of a block take as long as its longest one; a square kernel has whole blocks on its diagonal.
    windows = int(np.sort(problem.columns.windows(problem.g))[::-1][::size].sum())
    share = (blocks + 1) / (2 * blocks) if problem.square else 1.0
    steps = problem.row_windows * windows * len(problem.strands) * share
    return (steps * Formula.of(problem.g, problem.k).operations,)


def work_bytes(problem: Problem, threads: int) -> int:
    """Return the memory that `count` needs beside the kernel, in bytes."""
    longest = int(problem.columns.lengths.max(initial=0))
    return threads * 64 * ((problem.rows.size + 2) * longest + 2000) + 2 * len(problem.rows.letters)


def _blocks(problem: Problem, size: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the columns of each block, of similar lengths, and all rows in that order."""
    order = np.argsort(problem.columns.lengths, kind="stable")
    blocks = [order[first : first + size] for first in range(0, len(order), size)]
    return blocks, order if problem.square else np.arange(len(problem.rows))
