"""Explicit features of gapped k-mers, hashed or not, and the kernel from a sample of choices of positions."""

import gzip
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from chromattend.errors import UserError
from chromattend.sequence.kernel import gapped_kmer_kernel
from chromattend.sequence.kernel.features import GappedKmerFeatures, kernel_error
from chromattend.sequence.kernel.gapped_kmers import MOST_CHOICES, GappedKmers, sample_choices
from chromattend.sequence.kernel.sampled import hoeffding_serfling, sampled_kernel
from chromattend.sequence.kernel.strings import Strings

# Alphabet and strands of each kind of string.
KINDS = [("dna", "both"), ("dna", "one"), ("protein", "one"), ("01", "one")]
BLANK = {"dna": "N", "protein": "X", "01": ""}
LETTERS = {"dna": "ACGT", "protein": "ACDEFGHIKLMNPQRSTVWY", "01": "01"}


def other_strand(text: str) -> str:
    return text[::-1].translate(str.maketrans("ACGT", "TGCA"))


def windows(text: str, g: int) -> list[str]:
    return [text[start : start + g] for start in range(len(text) - g + 1)]


def count_matches(one: str, other: str, g: int, k: int, letters: str) -> int:
    """Count pairs of windows, once per choice of positions at which both have the same known letter."""
    return sum(
        math.comb(sum(a == b and a in letters for a, b in zip(first, second, strict=True)), k)
        for first in windows(one, g)
        for second in windows(other, g)
    )


def counts_by_hand(texts: list[str], g: int, k: int, alphabet: str, strands: str) -> np.ndarray:
    letters = LETTERS[alphabet]
    return np.array(
        [
            [
                count_matches(one, other, g, k, letters)
                + (count_matches(one, other_strand(other), g, k, letters) if strands == "both" else 0)
                for other in texts
            ]
            for one in texts
        ]
    )


def random_texts(number: int, length: int, alphabet: str = "dna", seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice([*LETTERS[alphabet]], length)) for _ in range(number)]


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[str], int, int, str, str]:
    alphabet, strands = draw(st.sampled_from(KINDS))
    g = draw(st.integers(1, 5))
    k = draw(st.integers(1, min(g, 3)))
    # Few different letters, so that strings have gapped k-mers in common.
    text = st.text(LETTERS[alphabet][:3] + BLANK[alphabet], max_size=10)
    return draw(st.lists(text, min_size=1, max_size=4)), g, k, alphabet, strands


class TestNumbering:
    def test_dense_numbers_are_digits(self) -> None:
        kmers = GappedKmers.of(4, 2, 4)
        assert kmers.choices.tolist() == [list(choice) for choice in itertools.combinations(range(4), 2)]
        numbers = kmers.numbers(np.array([0, 1, 2, 3, -1], np.int8))
        # Choice 2 has the positions 0 and 3.
        assert numbers[0, 2] == 2 * 16 + 0 * 4 + 3
        assert numbers[1].tolist() == [0 * 16 + 1 * 4 + 2, 1 * 16 + 1 * 4 + 3, -1, 3 * 16 + 2 * 4 + 3, -1, -1]
        assert kmers.size == kmers.columns == 6 * 16

    @pytest.mark.parametrize(("g", "k", "letters"), [(6, 4, 4), (5, 3, 20), (7, 2, 100), (31, 30, 2)])
    def test_hashes_tell_gapped_kmers_apart(self, g: int, k: int, letters: int) -> None:
        rng = np.random.default_rng(1)
        string = rng.integers(0, letters, 60).astype(np.int8)
        string[3] = -1
        kmers = GappedKmers.of(g, k, letters, bits=26)
        numbers = kmers.numbers(string)
        spelled: dict[tuple[int, ...], set[int]] = {}
        for window, choice in itertools.product(range(len(numbers)), range(len(kmers.choices))):
            places = kmers.choices[choice]
            at = string[window + places]
            if (at < 0).any():
                assert numbers[window, choice] == -1
            else:
                assert 0 <= numbers[window, choice] < kmers.size
                spelled.setdefault((*places.tolist(), *at.tolist()), set()).add(int(numbers[window, choice]))
        assert all(len(same) == 1 for same in spelled.values())
        # About n ** 2 / 2 ** 28 pairs of different gapped k-mers share a number.
        assert len(set.union(*spelled.values())) >= len(spelled) - 3

    def test_letters_outside_the_choice_do_not_matter(self) -> None:
        kmers = GappedKmers.of(31, 1, 127, choices=5, bits=20)
        string = np.full(31, -1, np.int8)
        string[kmers.choices[2, 0]] = 126
        assert (kmers.numbers(string)[0] >= 0).tolist() == [False, False, True, False, False]

    def test_hash_does_not_depend_on_the_sample(self) -> None:
        string = np.arange(12, dtype=np.int8) % 4
        every = GappedKmers.of(8, 4, 4, bits=18)
        some = GappedKmers.of(8, 4, 4, bits=18, choices=9, seed=3)
        rows = [every.choices.tolist().index(choice) for choice in some.choices.tolist()]
        assert (every.numbers(string)[:, rows] == some.numbers(string)).all()

    def test_columns_and_signs_are_even(self) -> None:
        string = np.random.default_rng(2).integers(0, 4, 400).astype(np.int8)
        distinct = np.unique(GappedKmers.of(10, 8, 4, bits=26).numbers(string))
        counts = np.bincount(GappedKmers.of(10, 8, 4, bits=6).numbers(string).ravel(), minlength=128)
        expected = len(distinct) / 128
        assert len(counts) == 128
        # A statistic of 127 degrees of freedom, with a standard deviation of 16.
        assert np.square(counts - expected).sum() / expected < 127 + 5 * 16

    def test_weights_carry_the_sign(self) -> None:
        kmers = GappedKmers.of(5, 3, 4, bits=6)
        coefficients = np.random.default_rng(0).normal(size=kmers.columns)
        texts = random_texts(3, 30)
        features = GappedKmerFeatures(g=5, k=3, strands="one", choices=None, bits=6, normalise=False)
        weights = kmers.weights(coefficients)
        assert weights.shape == (kmers.size,)
        strings = Strings.of_texts(texts)
        by_number = [weights[kmers.numbers(strings[row])].sum() for row in range(3)]
        np.testing.assert_allclose(features.transform(texts) @ coefficients, by_number, rtol=1e-5)


class TestSample:
    def test_sample_is_part_of_all(self) -> None:
        every = {tuple(choice) for choice in sample_choices(7, 3).tolist()}
        sample = sample_choices(7, 3, 12, seed=5)
        assert len({tuple(choice) for choice in sample.tolist()} & every) == 12
        assert (sample == sample_choices(7, 3, 12, seed=5)).all()
        assert (sample != sample_choices(7, 3, 12, seed=6)).any()
        assert (sample_choices(7, 3, 99) == sample_choices(7, 3)).all()

    def test_every_choice_is_as_likely(self) -> None:
        counts = dict.fromkeys(itertools.combinations(range(5), 2), 0)
        for seed in range(1000):
            for choice in sample_choices(5, 2, 3, seed).tolist():
                counts[tuple(choice)] += 1
        # 300 each, with a standard deviation of 14.5.
        assert all(abs(count - 300) < 70 for count in counts.values())

    def test_huge_number_of_choices_is_not_listed(self) -> None:
        sample = sample_choices(31, 15, 20)
        assert sample.shape == (20, 15)
        assert (np.diff(sample, axis=1) > 0).all()
        assert sample.max() > 25
        with pytest.raises(UserError, match="300,540,195") as error:
            sample_choices(31, 15)
        assert str(MOST_CHOICES // 1000)[:4] in str(error.value).replace(",", "")


class TestFeatures:
    @settings(max_examples=40, deadline=None)
    @given(problems())
    def test_dot_products_are_the_counts(self, problem: tuple[list[str], int, int, str, str]) -> None:
        texts, g, k, alphabet, strands = problem
        expected = counts_by_hand(texts, g, k, alphabet, strands) * (2 if strands == "both" else 1)
        features = GappedKmerFeatures(
            g=g, k=k, alphabet=alphabet, strands=strands, choices=None, bits=None, normalise=False, short="zero"
        )
        assert (features.kernel(texts) == expected).all()

    def test_rows_have_unit_length_and_sorted_columns(self) -> None:
        texts = [*random_texts(5, 40), "NNNNNNNNNNNNN", "ACG"]
        rows = GappedKmerFeatures(g=8, k=5, bits=10, short="zero").transform(texts)
        assert rows.dtype == np.float32
        assert rows.shape == (7, 1024)
        np.testing.assert_allclose(np.sqrt(rows.multiply(rows).sum(axis=1)).ravel(), [[1] * 5 + [0, 0]], atol=1e-6)
        assert (np.diff(rows.indptr)[5:] == 0).all()
        assert all((np.diff(rows.indices[rows.indptr[row] : rows.indptr[row + 1]]) > 0).all() for row in range(7))
        assert rows.data.all()

    def test_parts_and_threads_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        texts = [text[: 5 + 7 * row] for row, text in enumerate(random_texts(12, 100))]
        steps: list[tuple[int, int]] = []
        features = GappedKmerFeatures(g=8, k=5, choices=10, bits=12, short="zero")
        whole = features.transform(texts)
        monkeypatch.setattr("chromattend.sequence.kernel.features._CHUNK", 500)
        parts = clone(features).set_params(threads=2, progress=lambda *step: steps.append(step)).transform(texts)
        assert (whole != parts).nnz == 0
        assert len(steps) > 2
        assert steps[-1][0] == steps[-1][1] == 12

    def test_one_strand_equals_the_other(self) -> None:
        texts = random_texts(4, 50)
        both = GappedKmerFeatures(g=8, k=5)
        assert (both.transform(texts) != both.transform([other_strand(text) for text in texts])).nnz == 0
        one = clone(both).set_params(strands="one")
        assert (one.transform(texts) != one.transform([other_strand(text) for text in texts])).nnz > 0

    def test_no_strings(self) -> None:
        assert GappedKmerFeatures(bits=10).transform([]).shape == (0, 1024)

    def test_linear_svm_finds_a_planted_motif(self) -> None:
        texts = random_texts(240, 60, seed=4)
        labels = np.arange(240) % 2
        texts = [
            text[:20] + "GGTCACGTGACC" + text[32:] if label else text for text, label in zip(texts, labels, strict=True)
        ]
        model = make_pipeline(GappedKmerFeatures(g=8, k=6, choices=10, bits=14), LinearSVC())
        assert model.fit(texts[:160], labels[:160]).score(texts[160:], labels[160:]) > 0.95

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"choices": 0}, "choices is 0"),
            ({"bits": 0}, "bits is 0"),
            ({"bits": 40}, "bits is 40"),
            ({"k": 12}, "k is 12"),
            ({"alphabet": "protein", "bits": None}, "give bits"),
            ({"alphabet": "protein", "strands": "both"}, "only DNA has two"),
            ({"threads": 0}, "threads is 0"),
            ({"short": "no"}, "short is 'no'"),
            ({"g": 31, "k": 15, "choices": None}, "300,540,195"),
            ({"g": 31, "k": 31, "alphabet": "protein", "bits": None}, "give bits"),
        ],
    )
    def test_bad_arguments_are_one_line(self, arguments: dict[str, object], words: str) -> None:
        with pytest.raises(UserError, match=words) as error:
            GappedKmerFeatures(**arguments).fit_transform(["ACGACGACGACGACGACGACGACGACGACGACGA"])
        assert "\n" not in str(error.value)

    def test_bad_strings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(UserError, match="string 1 has 3 letters, less than"):
            GappedKmerFeatures().transform(["ACGACGACGACG", "ACG"])
        with pytest.raises(UserError, match="string 0"):
            GappedKmerFeatures().transform(["ACGACGACGACG!"])
        monkeypatch.setattr("chromattend.sequence.kernel.features._MOST_ENTRIES", 100)
        with pytest.raises(UserError, match="give a smaller number of choices"):
            GappedKmerFeatures().transform(["ACGACGACGACG"] * 3)


class TestHash:
    def test_error_is_that_of_collisions(self) -> None:
        texts = random_texts(60, 80, seed=7)
        exact = gapped_kmer_kernel(texts, g=8, k=5)
        pairs = np.triu_indices(60, 1)
        for bits in (10, 14):
            features = GappedKmerFeatures(g=8, k=5, choices=None, bits=bits)
            difference = (features.kernel(texts) - exact)[pairs]
            # Differences of 1,770 pairs are not independent: they share 60 strings.
            assert 0.7 < difference.std() / 2 ** (-bits / 2) < 1.6
            assert abs(difference.mean()) < 0.3 * difference.std()
            report = kernel_error(features.kernel, texts, g=8, k=5)
            assert report.strings == 60
            assert report.rms == pytest.approx(math.sqrt((difference**2).mean()))
            assert report.largest == pytest.approx(np.abs(difference).max())
            assert report.mean == pytest.approx(exact[pairs].mean())

    def test_report_of_a_sample_of_strings(self) -> None:
        texts = random_texts(30, 30)
        features = GappedKmerFeatures(g=8, k=5, choices=None, bits=None)
        report = kernel_error(features.kernel, [*texts, "ACG"], g=8, k=5, sample=10)
        assert report.strings == 10
        assert report.largest < 1e-6
        assert str(report).startswith("over the pairs of 10 strings")
        with pytest.raises(UserError, match="1 string"):
            kernel_error(features.kernel, [texts[0], "ACG"], g=8, k=5)


class TestSampledKernel:
    @settings(max_examples=30, deadline=None)
    @given(problems())
    def test_all_choices_are_exact(self, problem: tuple[list[str], int, int, str, str]) -> None:
        texts, g, k, alphabet, strands = problem
        counts = counts_by_hand(texts, g, k, alphabet, strands)
        kernel, error = sampled_kernel(
            texts, g=g, k=k, choices=100, alphabet=alphabet, strands=strands, normalise=False, short="zero"
        )
        assert np.allclose(kernel, counts)
        assert (error == 0).all()
        part, _ = sampled_kernel(
            texts, texts[:2], g=g, k=k, choices=100, alphabet=alphabet, strands=strands, short="zero", threads=2
        )
        own = np.sqrt(np.diagonal(counts))
        roots = np.outer(own, own)[:, :2]
        assert np.allclose(part, np.divide(counts[:, :2], roots, out=np.zeros(roots.shape), where=roots > 0))

    @pytest.mark.parametrize(("alphabet", "strands"), KINDS)
    def test_estimate_is_unbiased_and_its_error_right(self, alphabet: str, strands: str) -> None:
        texts = random_texts(8, 60, alphabet)
        arguments = {"g": 6, "k": 2, "alphabet": alphabet, "strands": strands}
        exact = gapped_kmer_kernel(texts, **arguments)
        draws = [sampled_kernel(texts, **arguments, choices=6, seed=seed) for seed in range(150)]
        kernels, errors = (np.array(each) for each in zip(*draws, strict=True))
        spread = kernels.std(axis=0, ddof=1)
        # 36 entries, each with its own random mean.
        assert (np.abs(kernels.mean(axis=0) - exact) <= 4 * spread / math.sqrt(150)).all()
        assert np.sqrt(np.square(errors).mean(axis=0)).sum() == pytest.approx(spread.sum(), rel=0.1)

    def test_two_standard_errors_cover(self) -> None:
        texts = random_texts(40, 100, seed=3)
        exact = gapped_kmer_kernel(texts, g=8, k=4)
        covered = []
        for seed in range(5):
            kernel, error = sampled_kernel(texts, g=8, k=4, choices=30, seed=seed)
            covered.append((np.abs(kernel - exact) <= 2 * error)[np.triu_indices(40, 1)].mean())
            assert (np.linalg.eigvalsh(kernel) > -1e-9).all()
        assert 0.9 < np.mean(covered) < 0.99

    def test_same_seed_same_kernel(self) -> None:
        texts = random_texts(5, 40)
        one, again, other = (sampled_kernel(texts, g=8, k=5, choices=5, seed=seed)[0] for seed in (3, 3, 4))
        assert (one == again).all()
        assert (one != other).any()
        # Some strings alone have the values that they have among all.
        assert np.allclose(sampled_kernel(texts[1:3], g=8, k=5, choices=5, seed=3)[0], one[1:3, 1:3])
        report = kernel_error(lambda strings: sampled_kernel(strings, g=8, k=5, choices=5)[0], texts, g=8, k=5)
        assert 0 < report.rms < report.largest < 0.5

    def test_progress_and_empty_rows(self) -> None:
        steps: list[tuple[int, int]] = []
        texts = ["ACGTACGTAC", "NNNNNNNNNN", "ACG"]
        kernel, error = sampled_kernel(
            texts, g=8, k=5, choices=4, short="zero", progress=lambda *step: steps.append(step)
        )
        assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
        assert kernel[0, 0] > 0
        assert not kernel[1:].any()
        assert not error[1:].any()
        assert np.isfinite(kernel).all()

    def test_bound(self) -> None:
        assert hoeffding_serfling(1, 210, 210) < hoeffding_serfling(1, 30, 210) < hoeffding_serfling(1, 10, 210)
        assert hoeffding_serfling(2, 30, 210, 0.9) == pytest.approx(2 * math.sqrt((1 - 29 / 210) * math.log(20) / 60))
        # Of all samples of 5 of 20 numbers, fewer than a tenth miss the mean by more.
        values = np.random.default_rng(0).random(20)
        means = np.array([values[list(rows)].mean() for rows in itertools.combinations(range(20), 5)])
        missed = np.abs(means - values.mean()) > hoeffding_serfling(np.ptp(values), 5, 20, 0.9)
        assert missed.mean() < 0.1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"choices": 1}, "choices is 1"),
            ({"choices": 0}, "choices is 0"),
            ({"threads": 0}, "threads is 0"),
            ({"short": "no"}, "short is 'no'"),
            ({"g": 30}, "string 0"),
            ({"memory": 10}, "memory"),
        ],
    )
    def test_bad_arguments_are_one_line(self, arguments: dict[str, object], words: str) -> None:
        with pytest.raises(UserError, match=words) as error:
            sampled_kernel(["ACGACGACGACG", "ACGACGACGACG"], **arguments)
        assert "\n" not in str(error.value)
        for wrong in ((0, 5), (6, 5)):
            with pytest.raises(UserError, match="choices is"):
                hoeffding_serfling(1, *wrong)
        with pytest.raises(UserError, match="confidence"):
            hoeffding_serfling(1, 2, 5, 1.5)


def test_real_sequences(real_sequences: Path) -> None:
    lines = gzip.decompress((real_sequences / "gkm/EP300.train.fasta.gz").read_bytes()).decode().split()
    strings = Strings.of_texts(lines[1:400:2])
    report = kernel_error(GappedKmerFeatures().kernel, strings, g=10, k=6)
    assert report.rms < 0.008
    assert report.mean > 0.03
