"""Parser of BED text, a block at a time with numpy: no Python code runs per line.

A block is a number of whole lines as bytes. In a run of lines of one layout, as in long stretches of a sorted tagAlign,
a column is at regular distances and is read as a strided view of the block; elsewhere all tabs and newlines are
located. Numbers are read eight digits at once, as one 64-bit word each.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

# Bytes that words may reach before the first and after the last byte of a block.
MARGIN = 16
# A shorter run of lines of one layout is not worth its own treatment.
LEAST_RUN = 500
# int64 holds every number with this many digits.
MOST_DIGITS = 18
TAB, NEWLINE = 9, 10
_LARGEST = 13  # largest control character that separates lines or columns

At = slice | np.ndarray  # one position in a block per line: at regular distances, or anywhere

_ALL = (1 << 64) - 1
# Masks of the first n and the last n of a word's eight bytes, in text order, by n.
_FIRST = np.array([(1 << 8 * n) - 1 for n in range(9)], dtype=np.uint64)
_LAST = np.array([_ALL << 8 * (8 - n) & _ALL for n in range(9)], dtype=np.uint64)
_ZEROS = np.uint64(0x3030303030303030)
_BEYOND_NINE = np.uint64(0x7676767676767676)  # carries a byte above 9 into its highest bit
_HIGH_BITS = 0x8080808080808080


class NotIntervals(ValueError):
    """A line of a block is not an interval, or differs in its number of columns from the lines before it."""


@dataclass(frozen=True)
class Intervals:
    """Intervals of a number of lines.

    Attributes:
        codes: chromosome of each line as an index into the parser's `chroms`, shape (line,), or () if all are on one.
        starts, ends: as written in the file, int64, shape (line,).
        minus: whether the strand is -, shape (line,); None if the strand is not read.
    """

    codes: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    minus: np.ndarray | None


@dataclass(frozen=True)
class _Lines:
    """Positions of lines and their columns in a block.

    Attributes:
        firsts: the first byte of each line.
        stops: for each column, the byte after it: a tab or the newline.
        lengths: for each column, its number of bytes, one for all lines or shape (line,).
    """

    firsts: At
    stops: Sequence[At]
    lengths: Sequence[np.ndarray | int]


class IntervalParser:
    """Parser of the blocks of one file, which remembers the number of columns and the chromosome names.

    Attributes:
        columns: number of columns of every line; None before the first block.
        chroms: chromosome names in order of first appearance; the list only grows.
    """

    def __init__(self, strand: bool = False) -> None:
        """Read columns 1 to 3, and column 6 if `strand` is set."""
        self.strand = strand
        self.columns: int | None = None
        self.chroms: list[str] = []
        self._codes: dict[bytes, int] = {}

    def parse(self, buffer: bytearray, first: int, stop: int) -> list[Intervals]:
        """Parse the whole lines at `buffer[first:stop]`, which ends in a line end.

        Blank lines are skipped, and lines may end in LF, CRLF or CR.

        Args:
            buffer: bytes with at least `MARGIN` more before `first` and after `stop`.
            first, stop: the block.

        Raises:
            NotIntervals: a line is not an interval.
        """
        try:
            return self._parse(np.frombuffer(buffer, dtype=np.uint8), first, stop, exact=False)
        except NotIntervals:
            # Other line ends, blank lines and control characters are rare, and handled only here.
            text = re.sub(rb"[\r\n]+", b"\n", buffer[first:stop]).lstrip(b"\n")
            if not text:
                return []
            margin = bytes(MARGIN)
            cleaned = np.frombuffer(margin + text + margin, dtype=np.uint8)
            return self._parse(cleaned, MARGIN, MARGIN + len(text), exact=True)

    def _parse(self, data: np.ndarray, first: int, stop: int, exact: bool) -> list[Intervals]:
        words = np.ndarray((len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
        columns = self.columns
        if columns is None:
            line = data[first : first + np.argmax(data[first:stop] == NEWLINE)]
            columns = int(np.count_nonzero(line == TAB)) + 1
        needed = 6 if self.strand else 3
        if columns < needed:
            raise NotIntervals
        intervals = []
        while first < stop:
            lines, after = _run(data, columns, first, stop)
            if lines is None:
                separators = _separators(data[first:stop], exact)
                lines, after = _scattered(data, separators, columns, needed, first), stop
            intervals.append(self._intervals(data, words, lines))
            first = after
        self.columns = columns
        return intervals

    def _intervals(self, data: np.ndarray, words: np.ndarray, lines: _Lines) -> Intervals:
        starts = _numbers(data, words, lines.stops[1], lines.lengths[1])
        ends = _numbers(data, words, lines.stops[2], lines.lengths[2])
        if not (starts < ends).all():
            raise NotIntervals
        minus = None
        if self.strand:
            strand = data[_moved(lines.stops[5], -1)]
            minus = strand == ord("-")
            if not (minus | (strand == ord("+"))).all() or np.any(np.not_equal(lines.lengths[5], 1)):
                raise NotIntervals
        return Intervals(self._chromosomes(data, words, lines), starts, ends, minus)

    def _chromosomes(self, data: np.ndarray, words: np.ndarray, lines: _Lines) -> np.ndarray:
        firsts, lengths = lines.firsts, lines.lengths[0]
        # The tab is part of the key: without it, chr1 and chr1 with a byte 0 would give the same word.
        keys = words[firsts] & _FIRST[np.minimum(lengths + 1, 8)]
        for byte in range(8, int(np.max(lengths)) + 1, 8):
            following = _moved(firsts, byte)
            if isinstance(following, np.ndarray):
                following = np.minimum(following, len(words) - 1)
            part = words[following] & _FIRST[np.clip(lengths + 1 - byte, 0, 8)]
            ids, (part_ids, unique) = pd.factorize(keys)[0], pd.factorize(part)
            keys = ids * len(unique) + part_ids
        # One row of each name.
        if (keys == keys[0]).all():
            ids, rows = np.zeros((), dtype=np.intp), np.zeros(1, dtype=np.intp)
        else:
            ids, unique = pd.factorize(keys)
            rows = np.empty(len(unique), dtype=np.intp)
            rows[ids] = np.arange(len(ids))
        firsts = np.arange(firsts.start, firsts.stop, firsts.step) if isinstance(firsts, slice) else firsts
        sizes = np.broadcast_to(lengths, len(keys))
        names = [data[firsts[row] : firsts[row] + sizes[row]].tobytes() for row in rows]
        return np.array([self._code(name) for name in names], dtype=np.intp)[ids]

    def _code(self, name: bytes) -> int:
        if name not in self._codes:
            try:
                self.chroms.append(name.decode())
            except UnicodeDecodeError:
                raise NotIntervals from None
            self._codes[name] = len(self._codes)
        return self._codes[name]


def _run(data: np.ndarray, columns: int, first: int, stop: int) -> tuple[_Lines | None, int]:
    """Find the run of lines from `first` on whose columns are as long as the first line's; None if it is short.

    Only separators are checked here; digits are checked when the numbers are read.
    """
    head = data[first : min(first + 4096, stop)]
    places = np.flatnonzero(_separators(head))[:columns]
    if not np.array_equal(head[places], _line_of(columns)):
        return None, first
    width = int(places[-1]) + 1
    rows = (stop - first) // width
    ends = data[first + width - 1 : first + rows * width : width] == NEWLINE
    if not ends.all():
        rows = int(np.argmin(ends))
    if rows < LEAST_RUN:
        return None, first
    after = first + rows * width
    block = data[first:after]
    # Separators unchanged and 0 for other bytes: every line must equal the next one.
    marks = block * _separators(block).view(np.uint8)
    if not (marks[width:] == marks[:-width]).all():
        return None, first
    stops = [slice(first + int(place), after, width) for place in places]
    lengths = [int(length) for length in np.diff(places, prepend=-1) - 1]
    return _Lines(slice(first, after, width), stops, lengths), after


def _scattered(data: np.ndarray, separators: np.ndarray, columns: int, needed: int, first: int) -> _Lines:
    """Find the columns of lines of any lengths, from all tabs and newlines."""
    places = np.flatnonzero(separators)
    places += first
    rows = len(places) // columns
    if len(places) % columns or not np.array_equal(data[places], np.tile(_line_of(columns), rows)):
        raise NotIntervals
    table = places.reshape(rows, columns)
    firsts = np.concatenate([[first], table[:-1, -1] + 1])
    stops = [np.ascontiguousarray(table[:, column]) for column in range(needed)]
    begins = [firsts, *(stop + 1 for stop in stops[:-1])]
    return _Lines(firsts, stops, [stop - begin for stop, begin in zip(stops, begins, strict=True)])


def _line_of(columns: int) -> np.ndarray:
    return np.array([TAB] * (columns - 1) + [NEWLINE], dtype=np.uint8)


def _separators(block: np.ndarray, exact: bool = False) -> np.ndarray:
    """Mark tabs and newlines, and other control characters too unless `exact`, which is slower."""
    return (block == TAB) | (block == NEWLINE) if exact else block <= _LARGEST


def _moved(at: At, by: int) -> At:
    return slice(at.start + by, at.stop + by, at.step) if isinstance(at, slice) else at + by


def _numbers(data: np.ndarray, words: np.ndarray, stops: At, lengths: np.ndarray | int) -> np.ndarray:
    """Read the integer before each stop, int64.

    The last eight digits are one word, whose lowest byte is the first digit. Neighbours are joined into numbers of two,
    then four, then eight digits; each step is one multiplication for all pairs of the word.
    """
    shortest, longest = int(np.min(lengths)), int(np.max(lengths))
    if shortest < 1 or longest > MOST_DIGITS:
        raise NotIntervals
    digits = words[_moved(stops, -8)] ^ _ZEROS
    if shortest < 8:
        digits &= _LAST[np.minimum(lengths, 8)]
    wrong = digits + _BEYOND_NINE
    wrong |= digits
    if int(np.bitwise_or.reduce(wrong)) & _HIGH_BITS:
        raise NotIntervals
    digits *= np.uint64(1 + (10 << 8))
    digits >>= np.uint64(8)
    digits &= np.uint64(0x00FF00FF00FF00FF)
    digits *= np.uint64(1 + (100 << 16))
    digits >>= np.uint64(16)
    digits &= np.uint64(0x0000FFFF0000FFFF)
    digits *= np.uint64(1 + (10_000 << 32))
    digits >>= np.uint64(32)
    numbers = digits.view(np.int64)
    for place in range(8, longest):
        digit = data[_moved(stops, -1 - place)] - np.uint8(ord("0"))
        if shortest <= place:
            digit *= np.greater(lengths, place)
        if digit.max() > 9:
            raise NotIntervals
        numbers += np.multiply(digit, 10**place, dtype=np.int64)
    return numbers
