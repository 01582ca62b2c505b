"""Explanations of support vector machines on gapped k-mers."""

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.svm import SVC

from chromattend.errors import UserError
from chromattend.sequence.kernel.gapped_kmers import GappedKmers
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.kernel.top import gapped_kmer_motif, top_gapped_kmers
from chromattend.sequence.kernel.weights import GappedKmerWeights

ROUTES = {"table": 50_000_000, "windows": 0}


def random_strings(rng: np.random.Generator, size: int, lengths: list[int], unknown: float = 0.05) -> Strings:
    letters = rng.integers(0, size, sum(lengths)).astype(np.int8)
    letters[rng.random(len(letters)) < unknown] = -1
    return Strings(letters, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), size)


def joined(rows: list[np.ndarray], size: int) -> Strings:
    bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Strings(np.concatenate(rows), bounds.astype(np.int64), size)


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


MOTIF = "GATTACAGGC"
G, K = 8, 5


def features(strings: Strings, strands: str) -> sparse.csr_matrix:
    """Count gapped k-mers by their numbers."""
    numbering = GappedKmers.of(G, K, strings.size)
    forms = [strings, strings.reverse_complement()] if strands == "both" else [strings]
    numbers = [np.concatenate([numbering.numbers(form[row]).ravel() for form in forms]) for row in range(len(strings))]
    rows = np.repeat(np.arange(len(strings)), [len(each) for each in numbers])
    entries = np.concatenate(numbers)
    return sparse.csr_matrix((np.ones(len(rows)), (rows, entries)), shape=(len(strings), numbering.size))


class Planted:
    """A machine that was fitted on strings, half of them with a motif, and its weights."""

    def __init__(self, strands: str, shuffled: bool = False) -> None:
        rng = np.random.default_rng(2)
        self.strings = random_strings(rng, 4, [60] * 240, unknown=0)
        motif = Strings.of_texts([MOTIF])
        other = motif.reverse_complement()
        self.label = np.arange(240) % 2
        self.start = rng.integers(0, 51, 240)
        for row in np.flatnonzero(self.label):
            turned = strands == "both" and rng.random() < 0.5
            place = self.strings.bounds[row] + self.start[row]
            self.strings.letters[place : place + 10] = (other if turned else motif).letters
        one, counted = features(self.strings, "one"), features(self.strings, strands)
        kernel = (one @ counted.T).toarray()
        norms = kernel.diagonal()
        normalised = kernel / np.sqrt(np.outer(norms, norms))
        train = np.arange(240) < 160
        label = rng.permutation(self.label[train]) if shuffled else self.label[train]
        machine = SVC(kernel="precomputed", C=1).fit(normalised[train][:, train], label)
        dual = machine.dual_coef_[0] / np.sqrt(norms[machine.support_])
        self.weights = {
            route: GappedKmerWeights.of_support(
                self.strings.take(machine.support_),
                dual,
                machine.intercept_[0],
                g=G,
                k=K,
                strands=strands,
                largest=largest,
            )
            for route, largest in ROUTES.items()
        }
        self.test = self.strings.take(~train)
        self.decision = machine.decision_function(normalised[~train][:, train])
        self.positive, self.place = self.label[~train] == 1, self.start[~train]

    def share_on_motif(self) -> float:
        """Share of test strings with the motif whose largest weight lies on it."""
        best = np.array([each.argmax() for each in self.weights["table"].positions(self.test)])
        return float(np.mean((best >= self.place)[self.positive] & (best < self.place + 10)[self.positive]))


@pytest.fixture(scope="module", params=["one", "both"])
def planted(request: pytest.FixtureRequest) -> Planted:
    return Planted(request.param)


def test_decision_is_that_of_the_fitted_machine(planted):
    for weights in planted.weights.values():
        np.testing.assert_allclose(weights.decision(planted.test), planted.decision, rtol=1e-9, atol=1e-9)


def test_both_routes_explain_alike(planted):
    some = planted.test.take(np.arange(6))
    table, windows = planted.weights.values()
    for view in ("positions", "mutagenesis"):
        for one, other in zip(getattr(table, view)(some), getattr(windows, view)(some), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_largest_weight_lies_on_a_planted_motif(planted):
    assert planted.share_on_motif() > 0.95


def test_weights_of_shuffled_labels_do_not_point_to_the_motif():
    assert Planted("one", shuffled=True).share_on_motif() < 0.5


def test_delta_is_the_difference_of_decisions_of_alleles_of_any_length(planted):
    weights = planted.weights["table"]
    row = int(np.flatnonzero(planted.positive)[0])
    reference = planted.test[row]
    mutated, place = reference.copy(), planted.place[row] + 4
    mutated[place] = (mutated[place] + 1) % 4
    shorter = np.delete(reference, slice(place, place + 3))
    pair = joined([reference, reference], 4)
    delta = weights.delta(pair, joined([mutated, shorter], 4))
    changes = weights.mutagenesis(pair)[0]
    assert delta[0] == pytest.approx(changes[place, mutated[place]], rel=1e-9)
    assert delta[0] < -0.1
    one, other = (weights.decision(joined([each], 4))[0] for each in (reference, shorter))
    assert delta[1] == pytest.approx(other - one, rel=1e-9)


@pytest.mark.parametrize("route", ROUTES)
def test_top_gapped_kmers_and_their_motif_are_the_planted_ones(planted, route):
    weights = planted.weights[route]
    table = top_gapped_kmers(weights, "ACGT", 60)
    assert table["rank"].tolist() == list(range(1, 61))
    assert table["weight"].is_monotonic_decreasing
    assert not table["kmer"].duplicated().any()
    assert not table["kmer"].str.startswith("-").any()
    forms = [MOTIF, "GCCTGTAATC"] if weights.strands == "both" else [MOTIF]
    assert np.mean([any(occurs(kmer, form) for form in forms) for kmer in table["kmer"][:10]]) == 1
    motif = gapped_kmer_motif(table, "ACGT", weights.strands)
    np.testing.assert_allclose(motif.sum(axis=1), 1)
    consensus = "".join("ACGT"[letter] for letter in motif.argmax(axis=1))
    assert any(consensus in form or form in consensus for form in forms)
    assert len(motif) >= 8


def occurs(kmer: str, text: str) -> bool:
    """Return whether a gapped k-mer occurs in a text."""
    starts = range(len(text) - len(kmer) + 1)
    return any(all(a in ("-", b) for a, b in zip(kmer, text[start:], strict=False)) for start in starts)


def test_weight_of_a_top_gapped_kmer_is_what_an_occurrence_adds(planted):
    table = top_gapped_kmers(planted.weights["table"], "ACGT", 5)
    weights = planted.weights["windows"]  # its support strings are those of both strands
    for kmer, weight in zip(table["kmer"], table["weight"], strict=True):
        expected = 0.0
        for row, coefficient in enumerate(weights.coefficients):
            text = "".join("ACGT"[letter] for letter in weights.support[row])
            for start in range(len(text) - len(kmer) + 1):
                if occurs(kmer, text[start : start + len(kmer)]):
                    first, last = max(0, start + len(kmer) - G), min(start, len(text) - G)
                    expected += coefficient * (last - first + 1)  # windows that contain this occurrence
        assert weight == pytest.approx(expected, rel=1e-9)


def test_no_gapped_kmers_are_listed_of_hashed_numbers():
    numbering = GappedKmers.of(G, K, 4, bits=6)
    weights = GappedKmerWeights.of_features(np.ones(64), 0, numbering, strands="both")
    assert weights.unlisted
    table = top_gapped_kmers(weights, "ACGT")
    assert table.empty
    assert table.columns.tolist() == ["rank", "kmer", "weight"]
    assert gapped_kmer_motif(table, "ACGT").shape == (0, 4)


def test_motif_leaves_out_gapped_kmers_that_do_not_fit():
    table = pd.DataFrame({"kmer": ["GGTCAC", "GTCAC-T", "AAATTT", "TC-CGT"], "weight": [4.0, 3.0, 2.0, 1.0]})
    motif = gapped_kmer_motif(table, "ACGT")
    assert "".join("ACGT"[letter] for letter in motif.argmax(axis=1)) in ("GGTCACGT", "GGTCAC")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"k": 9}, "k is 9"), ({"strands": "two"}, "strands: 'two' is not known")],
)
def test_bad_arguments_are_named(arguments, message):
    arguments = {"g": 8, "k": 5, "strands": "one"} | arguments
    with pytest.raises(UserError, match=message):
        GappedKmerWeights.of_support(Strings.of_texts(["ACGTACGT"]), np.ones(1), 0, **arguments)


def test_both_strands_need_dna():
    with pytest.raises(UserError, match="four letters of DNA"):
        GappedKmerWeights.of_support(Strings.of_texts(["ACDE"], "protein"), np.ones(1), 0, g=2, k=2, strands="both")
