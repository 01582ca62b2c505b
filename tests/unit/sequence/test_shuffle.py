"""Shuffles keep every dinucleotide, and every possible order is drawn equally often."""

from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import chisquare

from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.shuffle import dinucleotide_shuffle

DNA = ALPHABETS["dna"]


def pairs(letters: np.ndarray) -> list[tuple[int, int]]:
    return sorted(zip(letters[:-1].tolist(), letters[1:].tolist(), strict=True))


def random_letters(rows: int, positions: int, size: int = 4, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, size, (rows, positions)).astype(np.int8)


def orders(path: str, edges: list[str]) -> Iterator[str]:
    """Yield every sequence that begins with a path and has these pairs besides."""
    if not edges:
        yield path
    for edge in {edge for edge in edges if edge[0] == path[-1]}:
        rest = edges.copy()
        rest.remove(edge)
        yield from orders(path + edge[1], rest)


@pytest.mark.parametrize("size", [4, 20])
def test_a_shuffle_keeps_every_pair_and_both_ends(size: int) -> None:
    letters = random_letters(200, 101, size)
    letters[:, 40:43] = -1  # unknown letters
    letters[50:, 90:] = -1  # padding
    letters[100:, :10] = -1
    shuffled = dinucleotide_shuffle(letters, 1)
    assert shuffled.dtype == np.int8
    for before, after in zip(letters, shuffled, strict=True):
        assert ((before < 0) == (after < 0)).all()
        assert pairs(before[:40]) == pairs(after[:40])
        assert pairs(before[43:]) == pairs(after[43:])
        assert (before[[39, 43]] == after[[39, 43]]).all()
    assert (shuffled != letters).any(axis=1).all()


@pytest.mark.parametrize("text", ["AACACGAGCATA", "ACGTACGTCAGT", "AAAAATAAACAA"])
def test_every_order_is_equally_likely(text: str) -> None:
    letters = DNA.encode(text, "")
    possible = set(orders(text[0], [text[n : n + 2] for n in range(len(text) - 1)]))
    assert len(possible) > 5
    drawn, times = np.unique(dinucleotide_shuffle(np.tile(letters, (20_000, 1)), 3), axis=0, return_counts=True)
    assert {DNA.decode(one) for one in drawn} == possible
    assert chisquare(times).pvalue > 0.001


def test_the_same_seed_gives_the_same_shuffle_of_a_row_whatever_follows_it() -> None:
    letters = random_letters(50, 60)
    shuffled = dinucleotide_shuffle(letters, 5)
    assert (dinucleotide_shuffle(letters, 5) == shuffled).all()
    assert (dinucleotide_shuffle(letters, np.random.default_rng(5)) == shuffled).all()
    assert (dinucleotide_shuffle(letters[:20], 5) == shuffled[:20]).all()
    assert (dinucleotide_shuffle(letters, 6) != shuffled).any(axis=1).all()


def test_sequences_without_another_order_stay() -> None:
    letters = np.stack([DNA.encode(text, "") for text in ("ACACACAC", "AAAAAAAA", "NNNNNNNN", "ACGNNTCA", "AAAACCCC")])
    assert (dinucleotide_shuffle(letters, 1) == letters).all()
    assert dinucleotide_shuffle(np.empty((0, 8), np.int8), 1).shape == (0, 8)
