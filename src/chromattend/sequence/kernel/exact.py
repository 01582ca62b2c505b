"""The exact gapped k-mer kernel: checks, choice of the algorithm, normalisation, and a transformer of scikit-learn."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
from numba import njit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from chromattend.errors import UserError, did_you_mean, listed
from chromattend.sequence.alphabets import ALPHABETS, Alphabet
from chromattend.sequence.kernel import bitsliced, dense, postings
from chromattend.sequence.kernel.problem import Problem
from chromattend.sequence.kernel.strings import Strings, alphabet_of, check_windows
from chromattend.sequence.windows import check_sizes, whole

ALGORITHMS: dict[str, ModuleType] = {"dense": dense, "bitsliced": bitsliced, "postings": postings}
STRANDS = ("", "one", "both")
# Side of the squares in which a kernel is mirrored and normalised: two of them fit into a CPU's second cache.
SIDE = 128


def gapped_kmer_kernel(
    strings: Sequence[str] | Strings,
    others: Sequence[str] | Strings | None = None,
    *,
    g: int = 10,
    k: int = 6,
    alphabet: str | Alphabet = "dna",
    strands: str = "",
    normalise: bool = True,
    short: str = "error",
    algorithm: str = "auto",
    threads: int = 1,
    memory: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the gapped k-mer kernel of strings (Ghandi et al., PLoS Comput. Biol. 10:e1003711, 2014), exactly.

    K(s, t) is the number of pairs of a window of g letters of s and one of t, each counted once per choice of k
    positions at which they agree: the sum of C(matches, k). An unknown letter matches nothing. With both strands it is
    K(s, t) + K(s, reverse complement of t). Normalised, it is K(s, t) / sqrt(K(s, s) K(t, t)); a string whose K(s, s)
    is 0 has zeros, on the diagonal too.

    Args:
        strings: the strings of the rows.
        others: the strings of the columns; None for those of the rows.
        g: letters of a window, from 1 to 31.
        k: positions that are compared, from 1 to g.
        alphabet: `dna`, `rna`, `protein`, the letters themselves, such as `01`, or an alphabet.
        strands: `both` or `one`; by default both for DNA, one for others.
        normalise: divide by the geometric mean of K(s, s) and K(t, t).
        short: what happens with strings shorter than g: `error`, or `zero`, which gives them zeros.
        algorithm: `dense`, `bitsliced`, `postings`, or `auto` for the one that is expected to be fastest.
        threads: threads to use.
        memory: bytes that may be used; None for what the system has available.
        progress: called with the numbers of finished parts and of all parts.

    Returns:
        float64, shape (string, other string). Without `normalise` the values are exact integers.

    Raises:
        UserError: an argument is not valid, a string has a letter outside the alphabet or is shorter than g, the kernel
            needs more memory than `memory`, or a count could be above 2 ** 53.
    """
    g, k = check_sizes(g, k)
    rows, columns = read_strings(strings, alphabet), None if others is None else read_strings(others, alphabet)
    both = both_strands(strands, alphabet)
    if short not in ("error", "zero"):
        raise UserError(f"short is {short!r}; give 'error' or 'zero'")
    check_threads(threads)
    if short == "error":
        check_windows(rows, g, k)
        if columns is not None:
            check_windows(columns, g, k, "other string")
    problem = Problem.of(rows, columns, g, k, both=both)
    count = _choose(problem, algorithm, threads)
    check_memory(problem, count.work_bytes(problem, threads), memory)
    kernel = np.zeros(problem.shape)
    if problem.row_windows and problem.column_windows:
        count.count(problem, kernel, threads, progress or _ignore)
    if problem.square:
        own = [np.diagonal(kernel).copy()] * 2
    elif normalise:
        own = [_self_counts(each, g, k, both) for each in (rows, problem.columns)]
    if normalise:
        roots = [np.sqrt(each) for each in own]
        scales = [np.divide(1, root, out=np.zeros(len(root)), where=root > 0) for root in roots]
        scale_kernel(kernel, *scales)
    if problem.square:
        mirror(kernel)
        if normalise:
            np.fill_diagonal(kernel, own[0] > 0)
    return kernel


def self_kernel(
    strings: Sequence[str] | Strings, *, g: int, k: int, alphabet: str | Alphabet = "dna", strands: str = ""
) -> np.ndarray:
    """Return the kernel of every string with itself, without the kernel of all pairs.

    Args:
        strings, g, k, alphabet, strands: see `gapped_kmer_kernel`; a string shorter than g has 0.

    Returns:
        K(s, s), float64, shape (string,).

    Raises:
        UserError: an argument is not valid, a string has a letter outside the alphabet, or a count could be above
            2 ** 53.
    """
    g, k = check_sizes(g, k)
    read = read_strings(strings, alphabet)
    both = both_strands(strands, alphabet)
    Problem.of(read, None, g, k, both=both)
    return _self_counts(read, g, k, both)


class GappedKmerKernel(TransformerMixin, BaseEstimator):
    """The gapped k-mer kernel as a step of a pipeline of scikit-learn, before a model with a precomputed kernel.

    Example:
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.svm import SVC
        >>> strings = ["ACGTTGCATCACGTGACC", "GGTCACGTGATTACAGGC", "TTTTAAACCCATATTGCA", "CATGCCCAAATATATTCG"]
        >>> model = make_pipeline(GappedKmerKernel(g=8, k=6), SVC(kernel="precomputed"))
        >>> model.fit(strings, [1, 1, 0, 0]).predict(["AAGTCACGTGACTT", "CCAAATATTTGGGG"]).tolist()
        [1, 0]

    Attributes:
        strings_: the strings given to `fit`, to which `transform` compares others.
    """

    def __init__(
        self,
        *,
        g: int = 10,
        k: int = 6,
        alphabet: str | Alphabet = "dna",
        strands: str = "",
        short: str = "error",
        algorithm: str = "auto",
        threads: int = 1,
        memory: float | None = None,
    ) -> None:
        """Keep the arguments of `gapped_kmer_kernel`."""
        self.g = g
        self.k = k
        self.alphabet = alphabet
        self.strands = strands
        self.short = short
        self.algorithm = algorithm
        self.threads = threads
        self.memory = memory

    def fit(self, strings: Sequence[str] | Strings, labels: object = None) -> "GappedKmerKernel":
        """Keep the strings that others are compared to.

        Args:
            strings: the strings.
            labels: ignored.

        Raises:
            UserError: g or k is not valid, a string has a letter outside the alphabet, or is shorter than g.
        """
        check_sizes(self.g, self.k)
        self.strings_ = read_strings(strings, self.alphabet)
        if self.short == "error":
            check_windows(self.strings_, self.g, self.k)
        return self

    def fit_transform(self, strings: Sequence[str] | Strings, labels: object = None, **_: object) -> np.ndarray:
        """Return the kernel of the strings with each other, in half the time of `fit` and `transform`."""
        return self._kernel(self.fit(strings).strings_, None)

    def transform(self, strings: Sequence[str] | Strings) -> np.ndarray:
        """Return the normalised kernel with the strings of `fit`, float64, shape (string, fitted string).

        Raises:
            UserError: see `gapped_kmer_kernel`.
        """
        check_is_fitted(self)
        return self._kernel(strings, self.strings_)

    def _kernel(self, strings: Sequence[str] | Strings, others: Strings | None) -> np.ndarray:
        return gapped_kmer_kernel(strings, others, **self.get_params())


def read_strings(strings: Sequence[str] | Strings, alphabet: str | Alphabet) -> Strings:
    """Return strings as numbers.

    Raises:
        UserError: a letter or the alphabet is not known, or numbers belong to an alphabet of another size.
    """
    known = alphabet if isinstance(alphabet, Alphabet) else alphabet_of(alphabet)
    if not isinstance(strings, Strings):
        return Strings.of_texts(strings, known)
    if strings.size != len(known):
        raise UserError(
            f"the strings have an alphabet of {strings.size} letters, and {known.name} has {len(known)}; give their "
            "own alphabet"
        )
    return strings


def both_strands(strands: str, alphabet: str | Alphabet) -> bool:
    """Return whether both strands are counted.

    Raises:
        UserError: `strands` is not known, or "both" without DNA.
    """
    dna = alphabet in ("dna", ALPHABETS["dna"])
    if strands not in STRANDS:
        raise UserError(f"strands is {strands!r}{did_you_mean(str(strands), STRANDS[1:])}; give 'both' or 'one'")
    if strands == "both" and not dna:
        raise UserError("strands is 'both', and only DNA has two; give strands = 'one', or the alphabet dna")
    return dna if strands == "" else strands == "both"


def _choose(problem: Problem, algorithm: str, threads: int) -> ModuleType:
    """Return the algorithm of a name, or the one that is expected to be fastest.

    The constants are those of one thread. Bit-slicing is the only algorithm that gains from more: 1.7 to 1.9 times with
    two, where the others take as long as with one.
    """
    if algorithm == "auto":
        usable = [each for each in ALGORITHMS.values() if each is not bitsliced or bitsliced.library() is not None]
        return min(
            usable,
            key=lambda each: sum(np.multiply(each.SECONDS, each.work(problem))) / (threads if each is bitsliced else 1),
        )
    if algorithm not in ALGORITHMS:
        raise UserError(
            f"algorithm {algorithm!r} is not known{did_you_mean(str(algorithm), ALGORITHMS)}; give auto, "
            f"{listed(ALGORITHMS)}"
        )
    if algorithm == "bitsliced" and bitsliced.library() is None:
        raise UserError("algorithm is 'bitsliced', and its C could not be compiled; give auto or postings")
    return ALGORITHMS[algorithm]


def check_memory(problem: Problem, work: int, memory: float | None) -> None:
    """Check that a kernel and what its algorithm needs, in bytes, fit into memory.

    Raises:
        UserError: they need more than `memory`, or than the system can give if `memory` is None.
    """
    if memory is not None and not (isinstance(memory, int | float | np.number) and memory > 0):
        raise UserError(f"memory is {memory!r}; give a number of bytes above 0, or None for what is available")
    limit = _available() if memory is None else float(memory)
    needed = 8 * math.prod(problem.shape) + work
    if limit is not None and needed > limit:
        rows, columns = problem.shape
        raise UserError(
            f"a kernel of {rows:,} x {columns:,} strings needs {_bytes(needed)} of memory, more than "
            f"{_bytes(limit)}; give fewer strings, or use the explicit features of "
            "chromattend.sequence.kernel.features"
        )


def check_threads(threads: int) -> None:
    """Raise a `UserError` if the number of threads is not a whole number from 1."""
    if whole(threads, "threads") < 1:
        raise UserError(f"threads is {threads}; give 1 or more")


def _bytes(number: float) -> str:
    return f"{number / 1e9:,.2f} GB" if number >= 1e7 else f"{number / 1e3:,.1f} kB"


def _available() -> float | None:
    """Return the memory that the system can give, in bytes, or None if it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines)
    return 1024 * float(sizes["MemAvailable"].split()[0]) if "MemAvailable" in sizes else None


def scale_kernel(kernel: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    """Multiply rows and columns, in place and without an array of the kernel's size."""
    for begin in range(0, len(kernel), SIDE):
        part = kernel[begin : begin + SIDE]
        part *= rows[begin : begin + SIDE, None]
        part *= columns


def mirror(kernel: np.ndarray) -> None:
    """Copy the upper triangle to the lower one, square by square."""
    for row in range(0, len(kernel), SIDE):
        for column in range(row, len(kernel), SIDE):
            square = kernel[row : row + SIDE, column : column + SIDE]
            if column == row:
                square[:] = np.triu(square) + np.triu(square, 1).T
            else:
                kernel[column : column + SIDE, row : row + SIDE] = square.T


def _ignore(done: int, total: int) -> None:
    """Report to nobody."""


def _self_counts(strings: Strings, g: int, k: int, both: bool) -> np.ndarray:
    weights = np.array([math.comb(matches, k) for matches in range(g + 1)], np.int64)
    counts = _count_pairs(strings.letters, strings.letters, strings.bounds, g, weights)
    if both:
        counts += _count_pairs(strings.letters, strings.reverse_complement().letters, strings.bounds, g, weights)
    return counts.astype(np.float64)


@njit(cache=True, nogil=True)
def _count_pairs(
    letters: np.ndarray, others: np.ndarray, bounds: np.ndarray, g: int, weights: np.ndarray
) -> np.ndarray:
    """Return the kernel of each string with another one of the same length, window by window along every diagonal."""
    counts = np.zeros(len(bounds) - 1, np.int64)
    for string in range(len(counts)):
        start, length = bounds[string], bounds[string + 1] - bounds[string]
        total = 0
        for shift in range(g - length, length - g + 1):
            matches = 0
            first = start + max(0, -shift)
            last = start + min(length, length - shift)
            for place in range(first, last):
                matches += letters[place] >= 0 and letters[place] == others[place + shift]
                if place >= first + g:
                    left = place - g
                    matches -= letters[left] >= 0 and letters[left] == others[left + shift]
                if place >= first + g - 1:
                    total += weights[matches]
        counts[string] = total
    return counts
