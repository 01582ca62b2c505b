"""The exact gapped k-mer kernel: every algorithm against a count by hand, real sets, limits, and bad input."""

import doctest
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from chromattend.compiled import find_compiler
from chromattend.errors import UserError
from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.kernel import GappedKmerKernel, bitsliced, exact, gapped_kmer_kernel, self_kernel
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.readers import read_sequences

LETTERS = {"dna": "ACGTN", "protein": "ACDEFGHIKLMNPQRSTVWYX", "01": "01"}
COMPLEMENT = str.maketrans("ACGT", "TGCA")


@pytest.fixture(params=["dense", "bitsliced", "postings"])
def algorithm(request: pytest.FixtureRequest) -> str:
    """Each algorithm; the one in C only where there is a compiler."""
    if request.param == "bitsliced" and bitsliced.library() is None:
        pytest.skip("no C compiler: the kernel in C is not tested")
    return request.param


def by_hand(one: str, other: str, g: int, k: int, alphabet: str, strands: str) -> int:
    """Count pairs of windows, letter by letter."""
    legal = {letter for letter in LETTERS[alphabet] if letter not in "NX" or (alphabet, letter) == ("protein", "N")}
    others = [other, other[::-1].translate(COMPLEMENT)] if strands == "both" else [other]
    return sum(
        math.comb(sum(one[i + p] == each[j + p] and one[i + p] in legal for p in range(g)), k)
        for each in others
        for i in range(len(one) - g + 1)
        for j in range(len(each) - g + 1)
    )


def table(rows: list[str], columns: list[str], *arguments: object) -> np.ndarray:
    return np.array([[by_hand(row, column, *arguments) for column in columns] for row in rows], float)  # type: ignore[arg-type]


def texts(alphabet: str, most: int) -> st.SearchStrategy[list[str]]:
    return st.lists(st.text(LETTERS[alphabet], max_size=30), min_size=1, max_size=most)


@pytest.mark.parametrize(("alphabet", "strands"), [("dna", "one"), ("dna", "both"), ("protein", "one"), ("01", "one")])
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_every_algorithm_counts_as_by_hand(alphabet: str, strands: str, data: st.DataObject) -> None:
    g = data.draw(st.integers(1, 11), "g")
    k = data.draw(st.integers(1, g if alphabet == "01" else min(g, 2 if alphabet == "protein" else 4)), "k")
    rows = data.draw(texts(alphabet, 6), "rows")
    others = data.draw(st.none() | texts(alphabet, 4), "others")
    columns = rows if others is None else others
    expected = table(rows, columns, g, k, alphabet, strands)
    own = [np.diag(table(each, each, g, k, alphabet, strands)) for each in (rows, columns)]
    assert (self_kernel(rows, g=g, k=k, alphabet=alphabet, strands=strands) == own[0]).all()
    roots = np.sqrt(np.outer(*own))
    normalised = np.divide(expected, roots, out=np.zeros_like(roots), where=roots > 0)
    for algorithm in exact.ALGORITHMS:
        if algorithm == "bitsliced" and bitsliced.library() is None:
            continue
        for threads in (1, 3):
            kernel = gapped_kmer_kernel(
                *(rows, others),
                **{"g": g, "k": k, "alphabet": alphabet, "strands": strands, "short": "zero"},
                **{"normalise": threads == 3, "algorithm": algorithm, "threads": threads},
            )
            assert kernel.dtype == np.float64
            if threads == 1:
                assert (kernel == expected).all()
            else:
                assert np.allclose(kernel, normalised, rtol=0, atol=1e-12)


def random_strings(number: int, size: int, shortest: int, longest: int) -> Strings:
    generator = np.random.default_rng(number)
    lengths = generator.integers(shortest, longest + 1, number)
    letters = generator.integers(-1, size, lengths.sum()).astype(np.int8)
    return Strings(letters, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), size)


@pytest.mark.parametrize(("g", "k"), [(6, 4), (10, 6), (9, 9), (12, 2), (14, 6), (17, 3), (20, 16), (31, 29)])
def test_algorithms_agree_over_several_blocks_of_strings(g: int, k: int) -> None:
    if bitsliced.library() is None:
        pytest.skip("no C compiler: the kernel in C is not tested")
    strings = random_strings(1100 if g == 10 else 150, 4, 0, 60)
    options = {"g": g, "k": k, "normalise": False, "short": "zero", "threads": 2}
    kernel = gapped_kmer_kernel(strings, algorithm="bitsliced", **options)
    assert (kernel == kernel.T).all()
    assert (np.diag(kernel) == self_kernel(strings, g=g, k=k)).all()
    some = np.arange(0, len(strings), 7)
    if math.comb(g, k) <= 1000:
        options["algorithm"] = "postings"
    assert (gapped_kmer_kernel(strings.take(some), strings, **options) == kernel[some]).all()


@pytest.mark.parametrize("k", range(1, 32))
def test_digits_give_the_binomial_coefficient(k: int) -> None:
    for g in range(k, 32):
        formula = bitsliced.Formula.of(g, k)
        top = 1 << (formula.planes - 1)
        for matches in range(g + 1):
            number = matches + formula.start
            digits = 0 if formula.gated and not number & top else number
            parts = zip(formula.factors, formula.weights, strict=True)
            assert sum(weight for factors, weight in parts if digits & factors == factors) == math.comb(matches, k)


@pytest.mark.parametrize(
    ("name", "alphabet", "g", "k", "strands", "stored"),
    [
        ("EP300", "dna", 10, 6, "one", {(0, 1): 524, (17, 3999): 562, (2500, 3100): 623}),
        ("EP300", "dna", 10, 6, "both", {(0, 1): 1067, (17, 3999): 1061, (2500, 3100): 852}),
        ("1.34", "protein", 10, 1, "one", {(0, 1): 4335, (17, 3311): 1437, (2500, 3100): 23578}),
        ("1.34", "protein", 6, 4, "one", {(0, 1): 698, (17, 3311): 1, (2500, 3100): 5}),
    ],
)
def test_real_sets_have_the_counts_of_a_slow_program(
    algorithm: str,
    real_sequences: Path,
    name: str,
    alphabet: str,
    g: int,
    k: int,
    strands: str,
    stored: dict[tuple[int, int], int],
) -> None:
    if algorithm == "dense" and k > 1:
        pytest.skip("dense tables of these gapped k-mers are large")
    parts = [
        read_sequences(real_sequences / "gkm" / f"{name}.{part}.fasta.gz", ALPHABETS[alphabet], labelled=True).letters
        for part in ("train", "test")
    ]
    letters = [each for part in parts for each in part]
    pairs = sorted({row for pair in stored for row in pair})
    ends = np.cumsum([0, *(len(letters[row]) for row in pairs)]).astype(np.int64)
    strings = Strings(np.concatenate([letters[row] for row in pairs]), ends, len(ALPHABETS[alphabet]))
    options = {"g": g, "k": k, "alphabet": alphabet, "strands": strands, "algorithm": algorithm}
    counts = gapped_kmer_kernel(strings, normalise=False, **options)
    kernel = gapped_kmer_kernel(strings, **options)
    for (row, column), value in stored.items():
        i, j = pairs.index(row), pairs.index(column)
        assert counts[i, j] == counts[j, i] == value
        assert kernel[i, j] == pytest.approx(value / math.sqrt(counts[i, i] * counts[j, j]), abs=1e-12)


def test_a_string_without_matches_has_zeros_on_the_diagonal_too() -> None:
    kernel = gapped_kmer_kernel(["ACGTACGT", "NNNNNNNN", "ACG", "ACGTACGA"], g=4, k=2, short="zero")
    assert (kernel[[1, 2]] == 0).all()
    assert (kernel[:, [1, 2]] == 0).all()
    assert kernel[0, 0] == kernel[3, 3] == 1
    assert 0 < kernel[0, 3] < 1


def test_large_counts_are_exact_and_larger_ones_refused(algorithm: str) -> None:
    if algorithm != "postings":  # which would add up one by one
        # 4.4e9 matches: more than 32 bits hold.
        kernel = gapped_kmer_kernel(["0" * 4209], alphabet="01", g=10, k=5, normalise=False, algorithm=algorithm)
        assert kernel[0, 0] == 252 * 4200**2
    with pytest.raises(UserError, match=r"^strings of 40000 and 40000 letters can have 4.8e\+17 matches .*shorter"):
        gapped_kmer_kernel(["0" * 40_000], alphabet="01", g=31, k=15, algorithm=algorithm)


def test_a_window_at_the_end_of_a_shorter_string_is_not_counted(algorithm: str) -> None:
    strings = ["AAAAAAAA" + "C" * 20, "AAAAAAA"]
    kernel = gapped_kmer_kernel(strings, g=5, k=3, strands="one", normalise=False, algorithm=algorithm)
    assert (kernel == table(strings, strings, 5, 3, "dna", "one")).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"g": 32}, r"g is 32; give the letters of a window, from 1 to 31"),
        ({"k": 11}, r"k is 11; give the number of compared positions, from 1 to g, 10"),
        ({"g": 14}, r"string 1 has 12 letters, less than a window of g = 14; give smaller ones, remove it"),
        ({"strings": ["ACGTACGTACGT", "ACGTACGTAC!T"]}, r"string 1: letter '!' is not in the alphabet dna"),
        ({"others": ["ACG"]}, r"other string 0 has 3 letters"),
        ({"alphabet": "protien"}, r"alphabet 'protien' is not known, did you mean 'protein'\?"),
        ({"strands": "bth"}, r"strands is 'bth', did you mean 'both'\?; give 'both' or 'one'"),
        ({"alphabet": "protein", "strands": "both"}, r"strands is 'both', and only DNA has two"),
        ({"algorithm": "dence"}, r"algorithm 'dence' is not known, did you mean 'dense'\?; give auto, dense"),
        ({"short": "drop"}, r"short is 'drop'; give 'error' or 'zero'"),
        ({"threads": 0}, r"threads is 0; give 1 or more"),
        ({"memory": 1000}, r"a kernel of 2 x 2 strings needs .* kB of memory, more than 1.0 kB; give fewer strings"),
        ({"memory": float("nan")}, r"memory is nan; give a number of bytes above 0"),
        ({"memory": "1G"}, r"memory is '1G'; give a number of bytes above 0"),
        ({"strings": "ACGTACGTACGT"}, r"the strings are a str; give a list of texts"),
        ({"strings": [b"ACGTACGTACGT"]}, r"string 0 is a bytes; give a text"),
        ({"strings": None}, r"the strings are a NoneType; give a list of texts"),
        ({"strings": ["ACGTACGTACGT", "NNNNACGNNNNN"]}, r"string 1 has no window of g = 10 letters with k = 6 known"),
        ({"g": 6.0}, r"g is 6.0; give a whole number"),
        ({"k": "6"}, r"k is '6'; give a whole number"),
        ({"k": True}, r"k is True; give a whole number"),
        ({"threads": 1.5}, r"threads is 1.5; give a whole number"),
        ({"alphabet": None}, r"alphabet None is not known; give dna"),
        ({"strands": None}, r"strands is None, did you mean 'one'\?; give 'both' or 'one'"),
        (
            {"alphabet": "01", "strings": ["0101012"]},
            r"string 0: letter '2' is not in the alphabet; give letters of 01$",
        ),
        ({"strings": random_strings(3, 20, 20, 20)}, r"the strings have an alphabet of 20 letters, and dna has 4"),
    ],
)
def test_bad_input_is_one_line(change: dict[str, object], message: str) -> None:
    given_ = {"strings": ["ACGTACGTACGTAC", "ACGTACGTACGT"], **change}
    with pytest.raises(UserError, match="^" + message) as raised:
        gapped_kmer_kernel(**given_)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)


def test_progress_ends_when_all_parts_are_done(algorithm: str) -> None:
    seen: list[tuple[int, int]] = []
    gapped_kmer_kernel(
        random_strings(300, 4, 20, 25), g=4, k=2, algorithm=algorithm, progress=lambda *done: seen.append(done)
    )
    totals = {total for _, total in seen}
    assert len(totals) == 1
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == totals.pop()


def test_no_strings_give_an_empty_kernel(algorithm: str) -> None:
    assert gapped_kmer_kernel([], algorithm=algorithm).shape == (0, 0)
    assert gapped_kmer_kernel([], ["ACGTACGTACGT"], algorithm=algorithm).shape == (0, 1)


@pytest.fixture
def unloaded() -> Iterator[Callable[[], None]]:
    """Let this process forget the functions in C, before and after a test."""
    bitsliced.library.cache_clear()
    yield bitsliced.library.cache_clear
    bitsliced.library.cache_clear()


def test_without_a_compiler_there_is_a_warning_and_lists_of_strings(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path, unloaded: Callable[[], None]
) -> None:
    strings = random_strings(20, 4, 20, 30)
    expected = gapped_kmer_kernel(strings)
    unloaded()
    monkeypatch.setenv("CC", "false")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        assert (gapped_kmer_kernel(strings) == expected).all()
    assert "bitsliced.c could not be compiled or loaded" in caplog.text
    with pytest.raises(UserError, match=r"^algorithm is 'bitsliced', and its C could not be compiled; give auto"):
        gapped_kmer_kernel(strings, algorithm="bitsliced")


@pytest.mark.parametrize("flags", [(), ("-mavx2",)])
def test_narrower_vectors_count_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unloaded: Callable[[], None], flags: tuple[str, ...]
) -> None:
    if find_compiler() is None or (flags and "avx2" not in Path("/proc/cpuinfo").read_text()):
        pytest.skip("no C compiler, or a CPU without AVX2")
    strings = random_strings(140, 4, 10, 30)
    expected = gapped_kmer_kernel(strings, algorithm="postings")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("chromattend.compiled.FLAGS", ("-O1", "-shared", "-fPIC", *flags))
    assert (gapped_kmer_kernel(strings, algorithm="bitsliced") == expected).all()


def test_the_transformer_is_a_step_of_a_pipeline() -> None:
    generator = np.random.default_rng(1)
    strings = ["".join(generator.choice(list("ACGT"), 30)) for _ in range(40)]
    labels = np.arange(40) % 2
    strings = [
        text[:10] + "CACGTGAC" + text[18:] if label else text for text, label in zip(strings, labels, strict=True)
    ]
    kernel = GappedKmerKernel(g=8, k=6, threads=2)
    assert clone(kernel).set_params(k=5).get_params() == {**kernel.get_params(), "k": 5}
    model = make_pipeline(kernel, SVC(kernel="precomputed")).fit(strings[:30], labels[:30])
    assert model.score(strings[30:], labels[30:]) > 0.8
    assert (kernel.transform(strings[30:]) == gapped_kmer_kernel(strings[30:], strings[:30], g=8, k=6)).all()
    assert np.allclose(kernel.fit_transform(strings), kernel.transform(strings), rtol=0, atol=1e-12)


def test_the_example_of_the_transformer_runs() -> None:
    results = doctest.testmod(exact)
    assert results.attempted > 3
    assert results.failed == 0
