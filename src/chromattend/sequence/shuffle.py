"""Shuffles of sequences that keep the number of every dinucleotide."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np


def dinucleotide_shuffle(letters: np.ndarray, seed: int | np.random.Generator) -> np.ndarray:
    """Shuffle each sequence and keep its exact number of every letter and of every pair of neighbours.

    A sequence is a path through a graph whose nodes are the letters and whose edges are the pairs of neighbours; a
    shuffle is another path over the same edges (Altschul and Erickson, Mol. Biol. Evol. 2:526, 1985). Every possible
    sequence is drawn with the same probability, the given one included. The last edges out of the letters form a tree,
    which is drawn as Wilson does (STOC 1996), without trials that fail. First and last letter stay.

    Unknown letters, which padding has too, stay at their place; the stretches between them are shuffled one by one.
    So no pair of neighbours across an unknown letter appears.

    Args:
        letters: int8, shape (sequence, position), see `chromattend.sequence.alphabets`.
        seed: seed, or generator. The shuffle of a sequence depends on the seed and on its row, not on other sequences.

    Returns:
        int8, shape (sequence, position).
    """
    seeds = np.random.default_rng(seed).integers(0, 2**64, len(letters), dtype=np.uint64)
    letters = np.ascontiguousarray(letters, dtype=np.int8)
    return _compiled()(letters, seeds, int(letters.max(initial=0)) + 1)


@cache
def _compiled() -> Callable[..., Any]:
    # Imported here: planning a study needs no compiler.
    import numba

    return numba.njit(cache=True)(_shuffle_rows)


def _shuffle_rows(letters: np.ndarray, seeds: np.ndarray, size: int) -> np.ndarray:
    """Shuffle each row with its own random numbers (SplitMix64), so that no version of a library changes them."""
    rows, positions = letters.shape
    shuffled = letters.copy()
    following = np.empty(positions, np.int8)  # letters that follow each letter, letter by letter
    first = np.empty(size + 1, np.int64)  # where those of a letter begin
    place = np.empty(size, np.int64)
    chosen = np.empty(size, np.int64)
    in_tree = np.empty(size, np.bool_)
    state = np.zeros(1, np.uint64)

    def below(limit):  # type: ignore[no-untyped-def]
        """Return a random integer below a limit; 32 random bits make the unevenness negligible."""
        state[0] += np.uint64(0x9E3779B97F4A7C15)
        mixed = state[0]
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed = mixed ^ (mixed >> np.uint64(31))
        return np.int64(((mixed >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))

    for row in range(rows):
        state[0] = seeds[row]
        start = 0
        while start < positions:
            if letters[row, start] < 0:
                start += 1
                continue
            stop = start
            while stop < positions and letters[row, stop] >= 0:
                stop += 1
            # Fewer than four letters have only one order that keeps both ends and all pairs.
            if stop - start < 4:
                start = stop
                continue
            last = letters[row, stop - 1]
            first[:] = 0
            for position in range(start, stop - 1):
                first[letters[row, position] + 1] += 1
            for letter in range(size):
                first[letter + 1] += first[letter]
                place[letter] = first[letter]
            for position in range(start, stop - 1):
                letter = letters[row, position]
                following[place[letter]] = letters[row, position + 1]
                place[letter] += 1
            # The last edge out of each letter leads towards the last letter of the stretch.
            in_tree[:] = False
            in_tree[last] = True
            for letter in range(size):
                if first[letter + 1] == first[letter]:
                    continue
                walker = letter
                while not in_tree[walker]:
                    chosen[walker] = first[walker] + below(first[walker + 1] - first[walker])
                    walker = int(following[chosen[walker]])
                # The walk went in circles; the last choice at each letter is the path without them.
                walker = letter
                while not in_tree[walker]:
                    in_tree[walker] = True
                    walker = int(following[chosen[walker]])
            for letter in range(size):
                free = first[letter + 1]
                if free == first[letter]:
                    continue
                if letter != last:
                    free -= 1
                    following[chosen[letter]], following[free] = following[free], following[chosen[letter]]
                for number in range(free - first[letter], 1, -1):
                    a, b = first[letter] + number - 1, first[letter] + below(number)
                    following[a], following[b] = following[b], following[a]
                place[letter] = first[letter]
            letter = int(letters[row, start])
            for position in range(start + 1, stop):
                place[letter] += 1
                letter = int(following[place[letter] - 1])
                shuffled[row, position] = letter
            start = stop
    return shuffled
