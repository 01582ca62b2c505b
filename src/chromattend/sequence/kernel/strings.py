"""Strings of an alphabet as numbers, end to end in one array, and the checks of a kernel's arguments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from chromattend.errors import UserError, did_you_mean, listed
from chromattend.sequence.alphabets import ALPHABETS, Alphabet, reverse_complement


@dataclass(frozen=True)
class Strings:
    """Strings of different lengths.

    Attributes:
        letters: letters of all strings, end to end, int8, from 0 to size - 1, or -1 for an unknown one.
        bounds: where each string starts in `letters`, and where the last one ends, int64, shape (string + 1,).
        size: number of letters of the alphabet.
    """

    letters: np.ndarray
    bounds: np.ndarray
    size: int

    @classmethod
    def of_texts(cls, texts: Sequence[str], alphabet: str | Alphabet = "dna") -> "Strings":
        """Read texts.

        Args:
            texts: the strings; upper and lower case are the same letter.
            alphabet: an alphabet, its name (`dna`, `rna`, `protein`, `text`), or its letters, such as `01`.

        Raises:
            UserError: these are not texts, or a text has a character outside the alphabet.
        """
        known = alphabet if isinstance(alphabet, Alphabet) else alphabet_of(alphabet)
        if isinstance(texts, str | bytes) or not isinstance(texts, Iterable) or getattr(texts, "ndim", 1) != 1:
            raise UserError(f"the strings are a {type(texts).__name__}; give a list of texts")
        texts = list(texts)
        for row, text in enumerate(texts):
            if not isinstance(text, str):
                raise UserError(f"string {row} is a {type(text).__name__}; give a text")
        return cls._joined([known.encode(text, f"string {row}") for row, text in enumerate(texts)], len(known))

    @classmethod
    def of_rows(cls, rows: np.ndarray, size: int) -> "Strings":
        """Read the rows of a table, without the unknown letters at their ends, which pad them to one length.

        Args:
            rows: numbers of letters, -1 for unknown ones, shape (string, position).
            size: number of letters of the alphabet.
        """
        known = rows >= 0
        starts = known.argmax(axis=1)
        ends = np.where(known.any(axis=1), rows.shape[1] - known[:, ::-1].argmax(axis=1), starts)
        return cls._joined([row[start:end] for row, start, end in zip(rows, starts, ends, strict=True)], size)

    @classmethod
    def _joined(cls, parts: Sequence[np.ndarray], size: int) -> "Strings":
        letters = np.concatenate([*parts, np.empty(0, np.int8)]).astype(np.int8)
        return cls(letters, np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64), size)

    def __len__(self) -> int:
        """Return the number of strings."""
        return len(self.bounds) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        """Return the letters of one string."""
        return self.letters[self.bounds[row] : self.bounds[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Number of letters of each string, shape (string,)."""
        return np.diff(self.bounds)

    def windows(self, g: int) -> np.ndarray:
        """Return the number of windows of g letters in each string, shape (string,)."""
        return np.maximum(self.lengths - g + 1, 0)

    def take(self, rows: np.ndarray) -> "Strings":
        """Return some of the strings, by number or as a mask, in the order given."""
        numbers = np.flatnonzero(rows) if rows.dtype == bool else rows
        return self._joined([self[int(row)] for row in numbers], self.size)

    def reverse_complement(self) -> "Strings":
        """Return the other strand of every string; only DNA and RNA have one."""
        return self._joined([reverse_complement(self[row]) for row in range(len(self))], self.size)


def alphabet_of(name: str) -> Alphabet:
    """Return an alphabet by its name, or one of the given letters.

    Raises:
        UserError: it is not a name, and is not a list of different letters either.
    """
    if name in ALPHABETS:
        return ALPHABETS[name]
    hint = did_you_mean(name, ALPHABETS) if isinstance(name, str) else ""
    letters = {letter.upper() for letter in name} if isinstance(name, str) and name.isascii() and not hint else set()
    if not 2 <= len(letters) == len(name):
        raise UserError(
            f"alphabet {name!r} is not known{hint}; give {listed(ALPHABETS)}, or two or more letters of ASCII, each "
            "once and in one case"
        )
    return Alphabet(name, name.upper(), "", "")


def check_windows(strings: Strings, g: int, k: int, what: str = "string") -> None:
    """Check that every string has a gapped k-mer: a window of g letters, k of them known.

    Args:
        strings: the strings.
        g: letters of a window.
        k: positions that are compared.
        what: what a string is called in messages.

    Raises:
        UserError: a string has none.
    """
    counted = np.concatenate([[0], np.cumsum(strings.letters >= 0)])
    # The window that begins at each letter, if it ends within the same string.
    starts = np.arange(max(len(strings.letters) - g + 1, 0))
    owner = np.searchsorted(strings.bounds, starts, side="right") - 1
    complete = (starts + g <= strings.bounds[owner + 1]) & (counted[starts + g] - counted[starts] >= k)
    has = np.zeros(len(strings), dtype=bool)
    has[owner[complete]] = True
    missing = np.flatnonzero(~has)
    if len(missing):
        row = int(missing[0])
        more = f", as {len(missing) - 1:,} more" if len(missing) > 1 else ""
        length = int(strings.lengths[row])
        reason = f"has {length} letters, less than a window of g = {g}"
        if length >= g:
            reason = f"has no window of g = {g} letters with k = {k} known ones"
        raise UserError(f"{what} {row} {reason}{more}; give smaller ones, remove it, or give short='zero' for zeros")
