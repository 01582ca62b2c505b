"""Explanations of support vector machines on gapped k-mers."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from chromattend.errors import UserError
from chromattend.sequence.kernel.gapped_kmers import GappedKmers
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.kernel.weights import GappedKmerWeights

ROUTES = {"table": 50_000_000, "windows": 0}


def random_strings(rng: np.random.Generator, size: int, lengths: list[int], unknown: float = 0.05) -> Strings:
    letters = rng.integers(0, size, sum(lengths)).astype(np.int8)
    letters[rng.random(len(letters)) < unknown] = -1
    return Strings(letters, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), size)


def counts_of(letters: np.ndarray, g: int, k: int, strands: str) -> Counter:
    """Count gapped k-mers, written as positions and letters."""
    counts: Counter = Counter()
    other = np.where(letters < 0, letters, 3 - letters)[::-1]
    for strand in [letters, other] if strands == "both" else [letters]:
        for start in range(len(strand) - g + 1):
            for places in itertools.combinations(range(g), k):
                kmer = tuple(strand[start + place] for place in places)
                if min(kmer) >= 0:
                    counts[places, kmer] += 1
    return counts


def brute_kernel(strings: Strings, others: Strings, g: int, k: int, strands: str) -> np.ndarray:
    """K(s, t) of every pair, not normalised: the other strand counts for the second string."""
    rows = [counts_of(strings[row], g, k, "one") for row in range(len(strings))]
    columns = [counts_of(others[row], g, k, strands) for row in range(len(others))]
    values = [sum(n * column[kmer] for kmer, n in row.items()) for row in rows for column in columns]
    return np.array(values, float).reshape(len(rows), len(columns))


def brute_decision(strings: Strings, support: Strings, dual: np.ndarray, intercept: float, *args) -> np.ndarray:
    """Decision of coefficients that the roots of the support strings' own kernels already divide."""
    norms = np.array([brute_kernel(one, one, *args)[0, 0] for one in each_of(strings)])
    scores = brute_kernel(strings, support, *args) @ dual
    return intercept + np.divide(scores, np.sqrt(norms), out=np.zeros(len(norms)), where=norms > 0)


def each_of(strings: Strings) -> list[Strings]:
    return [strings.take(np.array([row])) for row in range(len(strings))]


def substituted(letters: np.ndarray, size: int) -> Strings:
    """Return every substitution of a string, position by position and letter by letter, itself included."""
    rows = np.repeat(letters[None], len(letters) * size, axis=0)
    place = np.repeat(np.arange(len(letters)), size)
    rows[np.arange(len(rows)), place] = np.tile(np.arange(size), len(letters))
    bounds = np.arange(len(rows) + 1, dtype=np.int64) * len(letters)
    return Strings(rows.ravel().astype(np.int8), bounds, size)


SIZES = st.sampled_from([(4, "both"), (4, "one"), (20, "one"), (2, "one"), (27, "one")])


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    alphabet=SIZES,
    g=st.integers(1, 6),
    gaps=st.integers(0, 4),
    route=st.sampled_from([*ROUTES]),
)
def test_explanations_equal_a_brute_force(seed, alphabet, g, gaps, route):
    size, strands = alphabet
    k = max(1, g - gaps) if size < 20 else max(1, min(g - gaps, 3))
    rng = np.random.default_rng(seed)
    support = random_strings(rng, size, [12, 9, 3, 0, 15])
    strings = random_strings(rng, size, [10, 0, 7, g, 13])
    dual, intercept = rng.normal(size=len(support)), rng.normal()
    weights = GappedKmerWeights.of_support(support, dual, intercept, g=g, k=k, strands=strands, largest=ROUTES[route])
    assert (weights.table is None) == (route == "windows")
    expected = brute_decision(strings, support, dual, intercept, g, k, strands)
    np.testing.assert_allclose(weights.decision(strings), expected, rtol=1e-9, atol=1e-9)
    positions = weights.positions(strings)
    assert [len(each) for each in positions] == strings.lengths.tolist()
    np.testing.assert_allclose([each.sum() + intercept for each in positions], expected, rtol=1e-9, atol=1e-9)
    row = rng.integers(len(strings))
    changes = weights.mutagenesis(strings)[row]
    mutants = substituted(strings[row], size)
    rescored = brute_decision(mutants, support, dual, 0, g, k, strands) - expected[row] + intercept
    np.testing.assert_allclose(changes.ravel(), rescored, rtol=1e-9, atol=1e-9)


def test_position_weights_share_each_pair_of_windows_among_its_matches():
    # One window each: matches at positions 0, 2 and 3, so C(3, 2) = 3 gapped 2-mers, and 3 / 3 for each position.
    one = Strings.of_texts(["ACGTA"])
    other = Strings.of_texts(["AGGTC"])
    weights = GappedKmerWeights.of_support(other, np.array([2.0]), 0.5, g=5, k=2, strands="one")
    np.testing.assert_allclose(weights.positions(one)[0], np.array([1, 0, 1, 1, 0]) * 2 / np.sqrt(10))


@pytest.mark.parametrize("strands", ["one", "both"])
@pytest.mark.parametrize(("choices", "bits"), [(None, None), (5, None), (None, 6), (5, 4), (4, 16)])
@pytest.mark.parametrize("size", [4, 20])
def test_linear_machines_are_explained_as_their_features_score(strands, choices, bits, size):
    if strands == "both" and size == 20:
        pytest.skip("proteins have one strand")
    rng = np.random.default_rng(5)
    g, k = 5, 3
    numbering = GappedKmers.of(g, k, size, choices=choices, bits=bits, seed=3)
    coefficients = rng.normal(size=numbering.columns)
    strings = random_strings(rng, size, [11, 0, 4, 8])
    weights = GappedKmerWeights.of_features(coefficients, -0.3, numbering, strands=strands)

    def score(strings: Strings) -> np.ndarray:
        forms = [strings, strings.reverse_complement()] if strands == "both" else [strings]
        scores = np.empty(len(strings))
        for row in range(len(strings)):
            counts = np.zeros(numbering.size)
            for form in forms:
                numbers = numbering.numbers(form[row])
                np.add.at(counts, numbers[numbers >= 0], 1)
            if bits is not None:
                counts = counts[::2] - counts[1::2]
            length = np.sqrt((counts**2).sum())
            scores[row] = (counts @ coefficients / length if length else 0) - 0.3
        return scores

    np.testing.assert_allclose(weights.decision(strings), score(strings), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        [each.sum() - 0.3 for each in weights.positions(strings)], score(strings), rtol=1e-9, atol=1e-9
    )
    for row, changes in enumerate(weights.mutagenesis(strings)):
        expected = score(substituted(strings[row], size)) - score(strings)[row]
        np.testing.assert_allclose(changes.ravel(), expected, rtol=1e-9, atol=1e-9)
