"""The exact kernel by lists of the strings that have each gapped k-mer; needs no C compiler."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from chromattend.sequence.kernel.gapped_kmers import GappedKmers
from chromattend.sequence.kernel.problem import Problem
from chromattend.sequence.kernel.strings import Strings

# Most buckets of one pass of the sort: their counters stay in the CPU's second cache.
BUCKETS = 2**15
# Seconds for one unit of each kind of `work`, fitted by benchmarks/kernel.py on one core of an EPYC of 2021 (AVX2).
SECONDS = (1.2e-7, 1.0e-9)


def count(problem: Problem, kernel: np.ndarray, threads: int, done: Callable[[int, int], None]) -> None:
    """Count matches of gapped k-mers, choice by choice of positions.

    The windows are sorted by their letters at the chosen positions; then every window of a row meets the column
    windows that have the same letters.

    Args:
        problem: what is counted.
        kernel: where counts are added, float64, shape (row, column); of a square one, the upper triangle.
        threads: threads that divide the rows.
        done: called with the numbers of finished parts and of all parts.
    """
    g, upper = problem.g, problem.square
    strings, starts = list_windows(problem.strands, g)
    letters = np.concatenate([each.letters for each in problem.strands])
    columns = len(starts)
    # Lists of strings are in order, because the sort is stable.
    order = np.argsort(strings, kind="stable")
    strings, starts = strings[order], starts[order]
    row_strings, row_starts = list_windows((problem.rows,), g)
    if upper:
        row_windows = np.empty(columns, np.int32)
        row_windows[order] = np.arange(columns, dtype=np.int32)
        row_windows = row_windows[: len(row_starts)]  # those of the first strand
    else:
        row_windows = np.arange(columns, columns + len(row_starts), dtype=np.int32)
        starts = np.concatenate([starts, row_starts + len(letters)])
        letters = np.concatenate([letters, problem.rows.letters])
    bounds = np.searchsorted(row_strings, np.arange(len(problem.rows) + 1))
    parts = _parts(bounds, threads, upper)
    size = problem.rows.size
    per_pass = max(1, int(np.log(BUCKETS) / np.log(size)))
    choices = GappedKmers.of(g, problem.k, size).choices
    with ThreadPoolExecutor(threads) as pool:
        for number, choice in enumerate(choices):
            first, lists, group = group_windows(letters, starts, strings, choice, size, per_pass)
            jobs = [
                pool.submit(_add, kernel, first, lists, group, row_windows, bounds, begin, end, upper)
                for begin, end in parts
            ]
            for job in jobs:
                job.result()
            done(number + 1, len(choices))


def work(problem: Problem) -> tuple[float, float]:
    """Return the windows that are sorted, and the matches expected of strings with random letters."""
    windows = problem.column_windows + (0 if problem.square else problem.row_windows)
    return windows * problem.choices, problem.window_pairs * problem.choices * problem.same_letter**problem.k


def work_bytes(problem: Problem, threads: int) -> int:
    """Return the memory that `count` needs beside the kernel, in bytes."""
    return 64 * (problem.row_windows + problem.column_windows) * (1 + threads // 4)


def list_windows(strands: tuple[Strings, ...], g: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the string of each window, int32, and its first letter in the letters of all strands, int64."""
    strings, starts = [], []
    offset = 0
    for strand in strands:
        numbers = strand.windows(g)
        strings.append(np.repeat(np.arange(len(strand), dtype=np.int32), numbers))
        within = np.arange(numbers.sum()) - np.repeat(np.cumsum(numbers) - numbers, numbers)
        starts.append(np.repeat(strand.bounds[:-1], numbers) + within + offset)
        offset += len(strand.letters)
    return np.concatenate(strings), np.concatenate(starts)


def _parts(bounds: np.ndarray, threads: int, upper: bool) -> list[tuple[int, int]]:
    """Divide the rows into parts of about the same work, two per thread."""
    rows = len(bounds) - 1
    work = np.cumsum(np.diff(bounds) * (np.arange(rows, 0, -1) if upper else 1))
    shares = np.linspace(0, work[-1], 2 * threads + 1)[1:-1] if threads > 1 else np.empty(0)
    edges: list[int] = np.unique([0, *np.searchsorted(work, shares), rows]).tolist()
    return list(itertools.pairwise(edges))


@njit(cache=True, nogil=True)
def group_windows(
    letters: np.ndarray, starts: np.ndarray, strings: np.ndarray, choice: np.ndarray, size: int, per_pass: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group windows by their letters at the chosen positions.

    The sort takes the last letters first, `per_pass` at a time, so that no code is too large for an integer.

    Args:
        letters: all letters.
        starts: first letter of each window; those of columns are first.
        strings: string of each window of a column.
        choice: the positions.
        size: number of letters of the alphabet.
        per_pass: letters of one pass of the sort.

    Returns:
        Where the list of each group begins; strings of column windows, group by group, in order; and the group of each
        window, -1 where a letter is unknown.
    """
    columns = len(strings)
    order = np.empty(len(starts), np.int32)
    known = 0
    for window in range(len(starts)):
        whole = True
        for position in choice:
            whole &= letters[starts[window] + position] >= 0
        if whole:
            order[known] = window
            known += 1
    ordered = np.empty(known, np.int32)
    digits = np.empty(known, np.int32)
    end = len(choice)
    while end > 0:
        begin = max(0, end - per_pass)
        place = np.zeros(size ** (end - begin) + 1, np.int64)
        for number in range(known):
            digit = 0
            for position in choice[begin:end]:
                digit = digit * size + letters[starts[order[number]] + position]
            digits[number] = digit
            place[digit + 1] += 1
        place = np.cumsum(place)
        for number in range(known):
            ordered[place[digits[number]]] = order[number]
            place[digits[number]] += 1
        order[:known] = ordered
        end = begin
    group = np.full(len(starts), -1, np.int32)
    first = np.empty(known + 1, np.int64)
    lists = np.empty(columns, np.int32)
    groups, filled = 0, 0
    for number in range(known):
        window = order[number]
        same = number > 0
        if same:
            for position in choice:
                same &= letters[starts[window] + position] == letters[starts[order[number - 1]] + position]
        if not same:
            first[groups] = filled
            groups += 1
        group[window] = groups - 1
        if window < columns:
            lists[filled] = strings[window]
            filled += 1
    first[groups] = filled
    return first[: groups + 1], lists, group


@njit(cache=True, nogil=True)
def _add(
    kernel: np.ndarray,
    first: np.ndarray,
    lists: np.ndarray,
    group: np.ndarray,
    row_windows: np.ndarray,
    bounds: np.ndarray,
    begin: int,
    end: int,
    upper: bool,
) -> None:
    """Add the matches of the rows from `begin` to `end`, whose windows are `row_windows[bounds[row] : ...]`."""
    heads = first.copy()
    for row in range(begin, end):
        for window in row_windows[bounds[row] : bounds[row + 1]]:
            number = group[window]
            if number < 0:
                continue
            stop = first[number + 1]
            if upper:
                head = heads[number]
                while head < stop and lists[head] < row:
                    head += 1
                heads[number] = head
            for place in range(heads[number], stop):
                kernel[row, lists[place]] += 1.0
