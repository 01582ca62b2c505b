"""Gapped k-mers as numbers: a choice of k positions of a window of g letters, and the letters at them."""

import itertools
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit

from chromattend.errors import UserError
from chromattend.sequence.windows import check_sizes, whole

# Most choices of positions that are listed: 100 MB.
MOST_CHOICES = 2**20
# Most columns of gapped k-mers: 500 MB for one weight each.
MOST_COLUMNS = 2**26
_MOST_BITS = MOST_COLUMNS.bit_length() - 1


@dataclass(frozen=True)
class GappedKmers:
    """A numbering of gapped k-mers.

    Without `bits`, every gapped k-mer has its own number, `choice * letters ** k + code`, where `code` has the letters
    at the chosen positions as digits in base `letters`, the first one highest. With `bits`, it has a hash of its
    positions and letters, which several can share: `2 * column + 1` if it counts as -1 in that column, `2 * column`
    if it counts as 1. Gapped k-mers that collide thus cancel as often as they add up, and the expected dot product of
    the columns is that of the gapped k-mers (Weinberger et al., ICML 2009). A hash depends on neither the sample of
    choices nor its seed. A gapped k-mer with an unknown letter has no number.

    Attributes:
        g: letters of a window.
        k: chosen positions.
        letters: letters of the alphabet.
        choices: positions in the window, ascending, int32, shape (choice, k).
        bits: None, or gapped k-mers are hashed to 2 ** bits columns.
    """

    g: int
    k: int
    letters: int
    choices: np.ndarray
    bits: int | None = None

    @classmethod
    def of(
        cls, g: int, k: int, letters: int, *, choices: int | None = None, bits: int | None = None, seed: int = 1
    ) -> "GappedKmers":
        """Return the numbering of all choices of positions, or of a random sample of them without replacement.

        Args:
            g, k, letters, bits: see the class.
            choices: number of choices in the sample; None, or at least C(g, k), takes all.
            seed: seed of the sample.

        Raises:
            UserError: bits is not valid, or see `sample_choices`.
        """
        if bits is not None and not 1 <= bits <= _MOST_BITS:
            raise UserError(f"bits is {bits}; give the binary logarithm of the number of columns, 1 to {_MOST_BITS}")
        return cls(g, k, letters, sample_choices(g, k, choices, seed), bits)

    @property
    def share(self) -> float:
        """Share of all choices of positions that are counted."""
        return len(self.choices) / math.comb(self.g, self.k)

    @property
    def size(self) -> int:
        """Largest number that a gapped k-mer can have, plus 1."""
        return self.columns if self.bits is None else 2 * self.columns

    @property
    def columns(self) -> int:
        """Number of columns of a table of counts."""
        return len(self.choices) * self.letters**self.k if self.bits is None else 2**self.bits

    def weights(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the weight of each number of a linear model of the counts, shape (`size`,).

        Args:
            coefficients: coefficient of each column, shape (`columns`,).
        """
        return coefficients if self.bits is None else np.stack([coefficients, -coefficients], axis=1).ravel()

    def numbers(self, letters: np.ndarray) -> np.ndarray:
        """Return the number of each gapped k-mer of a string, int64, shape (window, choice); -1 with unknown letters.

        Args:
            letters: letters of one string, int8, -1 for unknown ones.
        """
        numbers = np.empty((max(len(letters) - self.g + 1, 0), len(self.choices)), np.int64)
        _number_windows(letters, *self.compiled, numbers)
        return numbers

    def check_columns(self) -> None:
        """Check that a table of weights of all columns fits into memory.

        Raises:
            UserError: there are more than `MOST_COLUMNS` columns.
        """
        if self.columns > MOST_COLUMNS:
            raise UserError(
                f"{len(self.choices):,} choices of k = {self.k} positions with {self.letters} letters make "
                f"{self.columns:.3g} gapped k-mers, more than {MOST_COLUMNS:,}; give bits, such as 18, or a smaller k"
            )

    @cached_property
    def compiled(self) -> tuple[int, int, int, np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
        """Arguments of `number_window` after the first two: what it needs of the numbering.

        Raises:
            UserError: a number does not fit into 64 bits.
        """
        if self.size > 2**63:
            self.check_columns()
        width = max(self.letters - 1, 1).bit_length()
        per_word = 64 // width
        masks = np.zeros((len(self.choices), -(-self.g // per_word)), np.uint64)
        places = np.zeros(len(self.choices), np.uint64)
        for positions in self.choices.T:
            places |= np.uint64(1) << positions.astype(np.uint64)
            shifts = (positions % per_word * width).astype(np.uint64)
            masks[np.arange(len(masks)), positions // per_word] |= np.uint64(2**width - 1) << shifts
        # Choices far apart for neighbouring sets of positions.
        keys = np.array([_mixed(np.uint64(place + np.uint64(0x9E3779B97F4A7C15))) for place in places], np.uint64)
        return self.g, self.letters, width, self.choices, masks, places, keys, -1 if self.bits is None else self.bits


def sample_choices(g: int, k: int, choices: int | None = None, seed: int = 1) -> np.ndarray:
    """Return all choices of k of g positions, or a random sample of them without replacement.

    Args:
        g: letters of a window.
        k: chosen positions.
        choices: number of choices in the sample; None, or at least C(g, k), takes all.
        seed: seed of the sample.

    Returns:
        Positions in the window, ascending, int32, shape (choice, k), in lexicographic order.

    Raises:
        UserError: g, k or choices is not valid, or more choices are asked for than are listed.
    """
    g, k = check_sizes(g, k)
    total = math.comb(g, k)
    if choices is not None and whole(choices, "choices") < 1:
        raise UserError(f"choices is {choices}; give the number of choices of positions, from 1, or None for all")
    wanted = total if choices is None else min(choices, total)
    if wanted > MOST_CHOICES:
        raise UserError(
            f"{wanted:,} of the {total:,} choices of k = {k} of g = {g} positions are more than can be listed; give "
            f"a sample of at most {MOST_CHOICES:,} choices, or a k further from g / 2"
        )
    rows: Iterable[Sequence[int]] = itertools.combinations(range(g), k)
    if wanted < total:
        # Python's generator draws from a range without listing it, and keeps its numbers between versions.
        rows = [_choice(rank, g, k) for rank in sorted(random.Random(seed).sample(range(total), wanted))]
    return np.array(list(rows), dtype=np.int32).reshape(wanted, k)


def _choice(rank: int, g: int, k: int) -> list[int]:
    """Return the choice of positions that has a rank in the order of `itertools.combinations`."""
    positions, position = [], 0
    for left in range(k, 0, -1):
        while (beginning := math.comb(g - position - 1, left - 1)) <= rank:
            rank -= beginning
            position += 1
        positions.append(position)
        position += 1
    return positions


@njit(cache=True, nogil=True)
def _mixed(value: Any) -> Any:
    """Mix the bits of a number: the last step of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), one to one."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def number_window(
    letters: np.ndarray,
    start: int,
    g: int,
    size: int,
    width: int,
    choices: np.ndarray,
    masks: np.ndarray,
    places: np.ndarray,
    keys: np.ndarray,
    bits: int,
    words: np.ndarray,
    numbers: np.ndarray,
) -> None:
    """Number the gapped k-mers of one window; see `GappedKmers.compiled` for the arguments from `g` to `bits`.

    Args:
        letters: letters of a string or of several, int8.
        start: where the window begins.
        words: room for the window as bits, uint64, shape (word,), as many as `masks` has.
        numbers: receives the number of each choice, int64, shape (choice,).
    """
    unknown = np.uint64(0)
    if bits >= 0:
        words[:] = 0
        per_word = 64 // width
        for position in range(g):
            letter = letters[start + position]
            if letter < 0:
                unknown |= np.uint64(1) << np.uint64(position)
            else:
                shift = np.uint64(position % per_word * width)
                words[position // per_word] |= np.uint64(letter) << shift
        shift = np.uint64(63 - bits)
        for choice in range(len(choices)):
            if unknown & places[choice]:
                numbers[choice] = -1
                continue
            code = keys[choice]
            for word in range(len(words)):
                code = _mixed(code ^ (words[word] & masks[choice, word]))
            numbers[choice] = np.int64(code >> shift)
        return
    block = size ** choices.shape[1]
    for choice in range(len(choices)):
        number = 0
        for place in range(choices.shape[1]):
            letter = letters[start + choices[choice, place]]
            if letter < 0:
                number = -1
                break
            number = number * size + letter
        numbers[choice] = number if number < 0 else choice * block + number


@njit(cache=True, nogil=True)
def _number_windows(
    letters: np.ndarray,
    g: int,
    size: int,
    width: int,
    choices: np.ndarray,
    masks: np.ndarray,
    places: np.ndarray,
    keys: np.ndarray,
    bits: int,
    numbers: np.ndarray,
) -> None:
    words = np.empty(masks.shape[1], np.uint64)
    for start in range(len(numbers)):
        number_window(letters, start, g, size, width, choices, masks, places, keys, bits, words, numbers[start])
