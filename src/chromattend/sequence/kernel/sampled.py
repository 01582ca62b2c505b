"""The gapped k-mer kernel from a random sample of the choices of positions, with its standard error."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from chromattend.errors import UserError
from chromattend.sequence.alphabets import Alphabet
from chromattend.sequence.kernel.exact import (
    SIDE,
    both_strands,
    check_memory,
    check_threads,
    mirror,
    read_strings,
    scale_kernel,
    self_kernel,
)
from chromattend.sequence.kernel.gapped_kmers import sample_choices
from chromattend.sequence.kernel.postings import BUCKETS, group_windows, list_windows
from chromattend.sequence.kernel.problem import Problem
from chromattend.sequence.kernel.strings import Strings, check_windows
from chromattend.sequence.windows import check_sizes, whole


def sampled_kernel(
    strings: Sequence[str] | Strings,
    others: Sequence[str] | Strings | None = None,
    *,
    g: int = 10,
    k: int = 6,
    choices: int = 30,
    seed: int = 1,
    alphabet: str | Alphabet = "dna",
    strands: str = "",
    normalise: bool = True,
    short: str = "error",
    threads: int = 1,
    memory: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the gapped k-mer kernel from a random sample of choices of positions without replacement.

    The kernel is the sum of P_c over all M choices c of k of g positions, P_c the dot product of the counts of the
    gapped k-mers of that choice. From a sample of q of them, M times the mean of P_c is an unbiased estimate, and its
    standard error is M sqrt((1 - q / M) s^2 / q), s^2 the sample variance of P_c (Cochran, Sampling Techniques, 1977,
    chapter 2); an entry whose strings match at no chosen positions has the estimate and standard error 0, although
    they may match at others. From 10 choices on, two standard errors cover about 95 % of the entries of DNA of 100
    letters with g = 10 and k = 6; with 5, 87 %. Short strings have few matches: of 30 letters, 5 choices cover 69 % and
    2 choices 39 %, and most of the other entries have the standard error 0. With both strands, P_c is the mean of the
    two values that s and t give with c and with its mirror image.

    Values are divided by the exact K(s, s), so that they stay unbiased; the diagonal is estimated as every other entry
    is, and the matrix is positive semidefinite. See `hoeffding_serfling` for a bound that needs no variance, and
    `kernel_error` for the difference from the exact kernel on some strings.

    Args:
        strings, others, g, k, alphabet, strands, normalise, short, threads, memory: see `gapped_kmer_kernel`.
        choices: number of choices of positions in the sample, 2 or more; at least C(g, k) takes all, without error.
        seed: seed of the sample.
        progress: called with the numbers of finished choices and of all choices.

    Returns:
        The kernel and its standard error, both float64, shape (string, other string).

    Raises:
        UserError: an argument is not valid, a string has a letter outside the alphabet or is shorter than g, or the
            result needs more memory than `memory`.
    """
    g, k = check_sizes(g, k)
    total = math.comb(g, k)
    if whole(choices, "choices") < min(2, total):
        raise UserError(f"choices is {choices}; give 2 or more, because one has no standard error")
    drawn = sample_choices(g, k, choices, seed)
    if short not in ("error", "zero"):
        raise UserError(f"short is {short!r}; give 'error' or 'zero'")
    check_threads(threads)
    rows = read_strings(strings, alphabet)
    columns = rows if others is None else read_strings(others, alphabet)
    both = both_strands(strands, alphabet)
    if short == "error":
        check_windows(rows, g, k)
        check_windows(columns, g, k, "other string")
    # Checked here: that no count can be too large.
    problem = Problem.of(rows, None if others is None else columns, g, k, both=both)
    windows = (1 + both) * int(rows.windows(g).sum() + (0 if others is None else columns.windows(g).sum()))
    check_memory(problem, 8 * math.prod(problem.shape) + 64 * windows, memory)
    kernel, error = _sums(rows, columns, both, drawn, g, threads, progress)
    number, strand_number = len(drawn), 1 + both
    for begin in range(0, len(kernel), SIDE):
        part, squares = kernel[begin : begin + SIDE], error[begin : begin + SIDE]
        squares -= part * part / number
        np.maximum(squares, 0, out=squares)
        squares *= (1 - number / total) / number / max(number - 1, 1)
        np.sqrt(squares, out=squares)
        part *= total / number / strand_number
        squares *= total / strand_number
    if normalise:
        own = [
            self_kernel(each, g=g, k=k, alphabet=alphabet, strands=strands)
            for each in ((rows,) if others is None else (rows, columns))
        ]
        scales = [np.divide(1, np.sqrt(each), out=np.zeros(len(each)), where=each > 0) for each in own]
        for matrix in (kernel, error):
            scale_kernel(matrix, scales[0], scales[-1])
    if others is None:
        mirror(kernel)
        mirror(error)
    return kernel, error


def hoeffding_serfling(largest: float, choices: int, total: int, confidence: float = 0.95) -> float:
    """Return how far an estimate of `sampled_kernel` is from the kernel at most, with a given probability.

    The bound of Hoeffding and Serfling for samples without replacement (Serfling, Annals of Statistics 2:39, 1974):
    |estimate - kernel| <= R sqrt((1 - (q - 1) / M) ln(2 / (1 - confidence)) / (2 q)).

    Args:
        largest: R, the largest that M P_c can be, of the normalised kernel or not; P_c is never negative. P_c(s, t) is
            at most sqrt(P_c(s, s) P_c(t, t)).
        choices: q, the number of choices of positions in the sample.
        total: M = C(g, k), the number of all choices.
        confidence: the probability.

    Raises:
        UserError: the numbers are not 1 <= choices <= total, or the probability is not between 0 and 1.
    """
    if not 1 <= choices <= total:
        raise UserError(f"choices is {choices}; give the number of choices in the sample, from 1 to total, {total}")
    if not 0 < confidence < 1:
        raise UserError(f"confidence is {confidence}; give a probability between 0 and 1, such as 0.95")
    return largest * math.sqrt((1 - (choices - 1) / total) * math.log(2 / (1 - confidence)) / (2 * choices))


def _sums(
    rows: Strings,
    columns: Strings,
    both: bool,
    choices: np.ndarray,
    g: int,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums over choices of the dot products of counts and of their squares.

    With both strands, the counts of both are added in rows and columns. If rows and columns are the same strings, the
    sums are those of the upper triangle, and 0 below it.
    """
    letters, strings, starts = _listed(columns, both, g)
    if columns is rows:
        row_windows = np.arange(len(starts), dtype=np.int32)
        row_strings = strings
    else:
        row_letters, row_strings, row_starts = _listed(rows, both, g)
        row_windows = np.arange(len(starts), len(starts) + len(row_starts), dtype=np.int32)
        starts = np.concatenate([starts, row_starts + len(letters)])
        letters = np.concatenate([letters, row_letters])
    bounds = np.searchsorted(row_strings, np.arange(len(rows) + 1))
    per_pass = max(1, int(np.log(BUCKETS) / np.log(rows.size)))
    sums, squares = np.zeros((len(rows), len(columns))), np.zeros((len(rows), len(columns)))
    # Rows in turn, so that each thread has short and long ones of the upper triangle.
    parts = [(begin, threads) for begin in range(min(threads, len(rows)))]
    with ThreadPoolExecutor(threads) as pool:
        for number, choice in enumerate(choices):
            first, lists, group = group_windows(letters, starts, strings, choice, rows.size, per_pass)
            jobs = [
                pool.submit(
                    _add_products, sums, squares, first, lists, group[row_windows], bounds, begin, step, columns is rows
                )
                for begin, step in parts
            ]
            for job in jobs:
                job.result()
            if progress is not None:
                progress(number + 1, len(choices))
    return sums, squares


def _listed(strings: Strings, both: bool, g: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the letters of one or both strands, and string and first letter of each window, string by string."""
    strands = (strings, strings.reverse_complement()) if both else (strings,)
    numbers, starts = list_windows(strands, g)
    order = np.argsort(numbers, kind="stable")
    return np.concatenate([strand.letters for strand in strands]), numbers[order], starts[order]


@njit(cache=True, nogil=True)
def _add_products(
    sums: np.ndarray,
    squares: np.ndarray,
    first: np.ndarray,
    lists: np.ndarray,
    group: np.ndarray,
    bounds: np.ndarray,
    begin: int,
    step: int,
    upper: bool,
) -> None:
    """Add the dot products of one choice, and their squares, to every `step`-th row from `begin`.

    Args:
        sums, squares: shape (row, column).
        first, lists: where the list of each group of windows begins, and the columns in it, see `group_windows`.
        group: the group of each window of the rows, -1 where a letter is unknown.
        bounds: where the windows of each row begin in `group`.
        upper: whether columns before the diagonal are left out.
    """
    heads = first.copy()
    products = np.zeros(sums.shape[1], np.int64)
    for row in range(begin, len(sums), step):
        for number in group[bounds[row] : bounds[row + 1]]:
            if number < 0:
                continue
            stop = first[number + 1]
            if upper:
                head = heads[number]
                while head < stop and lists[head] < row:
                    head += 1
                heads[number] = head
            for place in range(heads[number], stop):
                products[lists[place]] += 1
        for column in range(row if upper else 0, sums.shape[1]):
            product = float(products[column])
            products[column] = 0
            sums[row, column] += product
            squares[row, column] += product * product
