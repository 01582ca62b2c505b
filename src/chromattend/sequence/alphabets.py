"""Alphabets of sequences: letters as numbers, one-hot signal, and the reverse complement."""

import string
import unicodedata
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chromattend.errors import UserError

UNKNOWN = -1
_ILLEGAL = -2


@dataclass(frozen=True)
class Alphabet:
    """The letters of a kind of sequence.

    Upper and lower case are the same letter: genomes write repeats in lower case (soft masking), and these are read.
    A letter of `text` is any character that a plain keyboard types, blanks and punctuation included.

    Attributes:
        name: `dna`, `rna`, `protein` or `text`.
        letters: the letters in the order of their numbers, from 0.
        complement: the letter that pairs with each of them, in the same order; empty for proteins and text.
        unknown: letters that stand for several, such as N, and are read as unknown.
        same: pairs of another letter and the one that it is read as.
        blank: the letter that is written for an unknown one.
        joint: what stands between the lines of one record of a file; a line break in a text parts two words.
    """

    name: str
    letters: str
    complement: str
    unknown: str
    same: tuple[tuple[str, str], ...] = ()
    blank: str = "N"
    joint: str = ""

    def __len__(self) -> int:
        """Return the number of letters."""
        return len(self.letters)

    @cached_property
    def _numbers(self) -> np.ndarray:
        """Number of each byte."""
        numbers = np.full(256, _ILLEGAL, dtype=np.int8)
        pairs = [*zip(self.letters, range(len(self)), strict=True), *((letter, UNKNOWN) for letter in self.unknown)]
        pairs += [(other, self.letters.index(letter)) for other, letter in self.same]
        for letter, number in pairs:
            numbers[[ord(letter.upper()), ord(letter.lower())]] = number
        return numbers

    def encode(self, text: str, where: str) -> np.ndarray:
        """Return the number of each letter, or -1 for an unknown one, int8, shape (position,).

        Args:
            text: the letters; blanks are legal in `text` only.
            where: file, line and record, for messages.

        Raises:
            UserError: a character is not a letter of the alphabet.
        """
        # One byte per character: those beyond ASCII become 0xff, which no alphabet has.
        codes = text.encode("ascii") if text.isascii() else bytes(min(ord(letter), 255) for letter in text)
        numbers = self._numbers[np.frombuffer(codes, dtype=np.uint8)]
        if numbers.size and numbers.min() == _ILLEGAL:
            raise UserError(f"{where}: {self._explain(text[int(np.argmin(numbers))])}")
        return numbers

    def _explain(self, letter: str) -> str:
        if self.name == "text":
            # Its number tells apart what looks alike.
            code = f"U+{ord(letter):04X}"
            return f"character {letter!r} ({code}) is not in the alphabet {self.name}; {_replacement(letter)}"
        if self.name not in ALPHABETS:
            return f"letter {letter!r} is not in the alphabet; give letters of {self.letters}"
        also = "".join(other for other, _ in self.same)
        legal = f"{self.letters}{f' (or {also})' if also else ''}, and {self.unknown} for unknown ones"
        fix = f"give letters of {legal}"
        if letter == "-":
            fix = "remove the gaps of the alignment"
        elif self.name != "protein" and letter.upper() in PROTEIN.letters + PROTEIN.unknown:
            fix += "; for proteins, write protein into the column 'alphabet' of the sheet"
        return f"letter {letter!r} is not in the alphabet {self.name}; {fix}"

    def soft_masked(self, text: str) -> int:
        """Return the number of lower-case letters, which mark repeats of a genome or a protein; 0 for `text`."""
        if self.name == "text":
            return 0
        return int(np.count_nonzero(np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8) >= ord("a")))

    def decode(self, letters: np.ndarray) -> str:
        """Return the text of one sequence, with `blank` for unknown letters."""
        return "".join(np.array([*self.letters, self.blank])[letters])


# Characters that word processors write, and what a keyboard has for them.
_TYPED = {
    **dict.fromkeys("\u2018\u2019\u201a\u2032\u00b4", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u2033\u00ab\u00bb", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
    "\u2026": "...",
}


def _replacement(letter: str) -> str:
    """Return what to write instead of a character that text cannot have."""
    if letter.isspace():
        return "replace it by a blank"
    if not letter.isprintable():
        return "remove it"
    plain = _TYPED.get(letter) or unicodedata.normalize("NFKD", letter.casefold()).encode("ascii", "ignore").decode()
    return f"replace it by {plain!r}" if plain else "replace it by letters, digits and signs of ASCII, or remove it"


PROTEIN = Alphabet("protein", "ACDEFGHIKLMNPQRSTVWY", "", "BJOUXZ*", blank="X")
# Its unknown letters are the padding of a dataset: every printable character of ASCII is a letter.
TEXT = Alphabet(
    "text",
    f"{string.ascii_uppercase}{string.digits} {string.punctuation}",
    "",
    "",
    (("\t", " "),),
    blank="\N{WHITE SQUARE}",
    joint=" ",
)
# Letters of DNA and RNA that stand for several (IUPAC).
_SEVERAL = "NRYSWKMBDHV"
ALPHABETS = {
    alphabet.name: alphabet
    for alphabet in (
        Alphabet("dna", "ACGT", "TGCA", _SEVERAL, (("U", "T"),)),
        Alphabet("rna", "ACGU", "UGCA", _SEVERAL, (("T", "U"),)),
        PROTEIN,
        TEXT,
    )
}


def one_hot(letters: np.ndarray, size: int) -> np.ndarray:
    """Return the one-hot signal of letters, float32, shape (..., letter); an unknown letter has only zeros.

    Args:
        letters: integers from 0 to size - 1, or -1.
        size: number of letters of the alphabet.
    """
    # The last row, that of number -1, is empty.
    rows = np.eye(size + 1, size, dtype=np.float32)
    return rows[letters]


def reverse_complement(letters: np.ndarray) -> np.ndarray:
    """Return the other strand of DNA or RNA, whose numbers run from A to T or U, shape (..., position)."""
    return np.where(letters < 0, letters, 3 - letters)[..., ::-1]
