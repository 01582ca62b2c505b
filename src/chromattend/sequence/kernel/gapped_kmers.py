"""Gapped k-mers as numbers: a choice of k positions of a window of g letters, and the letters at them."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from chromattend.sequence.kernel.strings import check_sizes


@dataclass(frozen=True)
class GappedKmers:
    """A numbering of gapped k-mers.

    Every gapped k-mer has its own number, `choice * letters ** k + code`, where `code` has the letters at the chosen
    positions as digits in base `letters`, the first one highest; or, with `bits`, the hash of that number, which
    several can share. A gapped k-mer with an unknown letter has none.

    Attributes:
        g: letters of a window.
        k: chosen positions.
        letters: letters of the alphabet.
        choices: positions in the window, ascending, int32, shape (choice, k).
        bits: None, or numbers are hashed to 0 to 2 ** bits - 1.
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
            UserError: g or k is not valid.
        """
        check_sizes(g, k)
        every = np.array(list(itertools.combinations(range(g), k)), dtype=np.int32)
        if choices is not None and choices < len(every):
            every = every[np.sort(np.random.default_rng(seed).permutation(len(every))[:choices])]
        return cls(g, k, letters, every, bits)

    @property
    def share(self) -> float:
        """Share of all choices of positions that are counted."""
        return len(self.choices) / math.comb(self.g, self.k)

    @property
    def size(self) -> int:
        """Largest number that a gapped k-mer can have, plus 1."""
        return len(self.choices) * self.letters**self.k if self.bits is None else 2**self.bits
