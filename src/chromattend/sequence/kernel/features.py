"""Gapped k-mers as explicit features for a linear model of many strings, and how far a kernel is from the exact one."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin

from chromattend.errors import UserError
from chromattend.sequence.alphabets import Alphabet
from chromattend.sequence.kernel.exact import both_strands, check_threads, gapped_kmer_kernel, read_strings
from chromattend.sequence.kernel.gapped_kmers import GappedKmers, number_window
from chromattend.sequence.kernel.strings import Strings, check_windows
from chromattend.sequence.windows import whole

# Most entries of the rows that one thread counts at once: 32 MB.
_CHUNK = 4_000_000
# Most entries of the result: liblinear takes 32-bit numbers of entries only.
_MOST_ENTRIES = 2**31 - 1
# A power of two times this number has another highest six bits for each power (de Bruijn sequence).
_DE_BRUIJN = 0x03F79D71B4CB0A89
_BIT_OF = np.zeros(64, np.int64)
_BIT_OF[[(_DE_BRUIJN << bit) % 2**64 >> 58 for bit in range(64)]] = range(64)


class GappedKmerFeatures(TransformerMixin, BaseEstimator):
    """Counts of gapped k-mers as columns, of all or a sample of the choices of positions, hashed or not.

    A linear model of these columns is an SVM with the gapped k-mer kernel, in time and memory that grow with the
    number of strings and not with its square. The dot product of two rows is the kernel of `gapped_kmer_kernel`, up
    to the rounding of float32, if `choices` and `bits` are None; otherwise see `GappedKmers` for the hash and
    `kernel_error` for the difference. With hashing alone its standard deviation is about 2 ** (-bits / 2) after
    normalisation, from nothing but collisions.

    With both strands, a string has the gapped k-mers of its two strands, and the dot product is twice the kernel
    without normalisation, and the same with it.

    Example:
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.svm import LinearSVC
        >>> strings = ["ACGTTGCATCACGTGACC", "GGTCACGTGATTACAGGC", "TTTTAAACCCATATTGCA", "CATGCCCAAATATATTCG"]
        >>> model = make_pipeline(GappedKmerFeatures(g=8, k=6, bits=16), LinearSVC())
        >>> model.fit(strings, [1, 1, 0, 0]).predict(["AAGTCACGTGACTT", "CCAAATATTTGGGG"]).tolist()
        [1, 0]
    """

    def __init__(
        self,
        *,
        g: int = 10,
        k: int = 6,
        alphabet: str | Alphabet = "dna",
        strands: str = "",
        choices: int | None = 30,
        bits: int | None = 18,
        seed: int = 1,
        normalise: bool = True,
        short: str = "error",
        threads: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Keep the arguments.

        Args:
            g, k, alphabet, strands, short: see `gapped_kmer_kernel`.
            choices: number of choices of positions in the sample; None, or at least C(g, k), takes all.
            bits: the gapped k-mers are hashed to 2 ** bits columns; None gives each its own column.
            seed: seed of the sample of choices.
            normalise: scale rows to unit length.
            threads: threads that divide the strings.
            progress: called with the numbers of finished strings and of all strings.
        """
        self.g = g
        self.k = k
        self.alphabet = alphabet
        self.strands = strands
        self.choices = choices
        self.bits = bits
        self.seed = seed
        self.normalise = normalise
        self.short = short
        self.threads = threads
        self.progress = progress

    @property
    def gapped_kmers(self) -> GappedKmers:
        """The numbering of gapped k-mers that the columns belong to.

        Raises:
            UserError: an argument is not valid, see `GappedKmers.of`.
        """
        letters = read_strings([], self.alphabet).size
        return GappedKmers.of(self.g, self.k, letters, choices=self.choices, bits=self.bits, seed=self.seed)

    def fit(self, strings: Sequence[str] | Strings, labels: object = None) -> "GappedKmerFeatures":
        """Learn nothing; check the arguments.

        Raises:
            UserError: an argument is not valid.
        """
        self._arguments()
        return self

    def transform(self, strings: Sequence[str] | Strings) -> sparse.csr_matrix:
        """Count the gapped k-mers of strings.

        Returns:
            float32, shape (string, column), with 32-bit indices in ascending order. Rows of strings without a known
            gapped k-mer are empty.

        Raises:
            UserError: an argument is not valid, a string has a letter outside the alphabet or is shorter than g, or
                there could be 2 ** 31 entries or more.
        """
        gapped_kmers, both = self._arguments()
        gapped_kmers.check_columns()
        rows = read_strings(strings, self.alphabet)
        if self.short == "error":
            check_windows(rows, self.g, self.k)
        strands = np.stack([rows.letters, rows.reverse_complement().letters] if both else [rows.letters])
        counted = rows.windows(self.g) * len(gapped_kmers.choices) * len(strands)
        columns = gapped_kmers.columns
        most = np.concatenate([[0], np.cumsum(np.minimum(counted, columns))])
        if most[-1] > _MOST_ENTRIES or counted.max(initial=0) > _MOST_ENTRIES:
            raise UserError(
                f"{len(rows):,} strings have up to {most[-1]:,} entries with choices = {len(gapped_kmers.choices)}, "
                f"more than {_MOST_ENTRIES:,}; give a smaller number of choices, or fewer strings"
            )
        # Room for the most entries is reserved at once and not used before it is filled, so that no entry is there
        # twice when the parts are joined.
        ends = np.zeros(len(rows) + 1, np.int32)
        indices, values = np.empty(most[-1], np.int32), np.empty(most[-1], np.float32)
        edges = np.unique(np.searchsorted(most, np.arange(0, most[-1] + _CHUNK, _CHUNK)).clip(max=len(rows)))
        parts = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
        done = 0
        with ThreadPoolExecutor(self.threads) as pool:
            jobs = {}
            for begin, end in parts:
                room = slice(most[begin], most[end])
                arguments = (*gapped_kmers.compiled, columns, self.normalise, ends[begin + 1 : end + 1])
                job = pool.submit(
                    _count_rows, strands, rows.bounds[begin : end + 1], *arguments, indices[room], values[room]
                )
                jobs[job] = end - begin
            for job in as_completed(jobs):
                job.result()
                done += jobs[job]
                if self.progress is not None:
                    self.progress(done, len(rows))
        filled = 0
        for begin, end in parts:
            entries, start = int(ends[end]), int(most[begin])
            for array in (indices, values):
                array[filled : filled + entries] = array[start : start + entries]
            ends[begin + 1 : end + 1] += filled
            filled += entries
        ends[edges[-1] + 1 :] = filled
        return sparse.csr_matrix((values[:filled], indices[:filled], ends), shape=(len(rows), columns), copy=False)

    def kernel(self, strings: Sequence[str] | Strings) -> np.ndarray:
        """Return the dot products of the rows of strings, float64, shape (string, string).

        Raises:
            UserError: see `transform`.
        """
        rows = self.transform(strings).astype(np.float64)
        return (rows @ rows.T).toarray()

    def __sklearn_tags__(self) -> object:
        """Return what scikit-learn asks: rows are strings, and `fit` is not needed."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _arguments(self) -> tuple[GappedKmers, bool]:
        """Return the numbering, and whether both strands are counted, after checks of all arguments."""
        if self.short not in ("error", "zero"):
            raise UserError(f"short is {self.short!r}; give 'error' or 'zero'")
        check_threads(self.threads)
        return self.gapped_kmers, both_strands(self.strands, self.alphabet)


@dataclass(frozen=True)
class KernelError:
    """How far a normalised kernel is from the exact one, over pairs of different strings.

    Attributes:
        strings: number of strings compared, all with each other.
        rms: root of the mean squared difference.
        largest: largest absolute difference.
        bias: mean difference, approximate minus exact.
        mean: mean of the exact kernel.
    """

    strings: int
    rms: float
    largest: float
    bias: float
    mean: float

    def __str__(self) -> str:
        """Return a sentence for a log."""
        return (
            f"over the pairs of {self.strings:,} strings the kernel differs from the exact one by {self.rms:.2g} (root "
            f"mean square) and at most {self.largest:.2g}; the mean of the exact one is {self.mean:.2g}"
        )


def kernel_error(
    kernel: Callable[[Strings], np.ndarray],
    strings: Sequence[str] | Strings,
    *,
    g: int,
    k: int,
    alphabet: str | Alphabet = "dna",
    strands: str = "",
    sample: int = 300,
    seed: int = 1,
    threads: int = 1,
) -> KernelError:
    """Compare an approximate kernel with the exact one on a random sample of strings.

    Example:
        >>> features = GappedKmerFeatures(g=8, k=6, choices=None, bits=20)
        >>> error = kernel_error(features.kernel, ["ACGTTGCATCACGTGACC", "GGTCACGTGATTACAGGC"], g=8, k=6)
        >>> error.largest < 0.01
        True

    Args:
        kernel: returns the approximate normalised kernel of strings, shape (string, string), such as
            `GappedKmerFeatures(...).kernel`, or `lambda strings: sampled_kernel(strings, ...)[0]`.
        strings: the strings to draw from; those shorter than g are left out.
        g, k, alphabet, strands, threads: see `gapped_kmer_kernel`.
        sample: most strings that are compared.
        seed: seed of the sample.

    Raises:
        UserError: fewer than two strings have a window, or see `gapped_kmer_kernel`.
    """
    if whole(sample, "sample") < 2:
        raise UserError(f"sample is {sample}; give 2 strings or more")
    all_strings = read_strings(strings, alphabet)
    rows = np.flatnonzero(all_strings.windows(g))
    if len(rows) < 2:
        raise UserError(f"{len(rows)} strings have a window of g = {g}, and 2 make a pair; give longer strings")
    if len(rows) > sample:
        rows = np.sort(np.random.default_rng(seed).choice(rows, sample, replace=False))
    drawn = all_strings.take(rows)
    exact = gapped_kmer_kernel(drawn, g=g, k=k, alphabet=alphabet, strands=strands, threads=threads)
    pairs = np.triu_indices(len(rows), 1)
    difference = kernel(drawn)[pairs] - exact[pairs]
    return KernelError(
        len(rows),
        math.sqrt(np.square(difference).mean()),
        float(np.abs(difference).max()),
        float(difference.mean()),
        float(exact[pairs].mean()),
    )


@njit(cache=True, nogil=True)
def _count_rows(
    strands: np.ndarray,
    bounds: np.ndarray,
    g: int,
    size: int,
    width: int,
    choices: np.ndarray,
    masks: np.ndarray,
    places: np.ndarray,
    keys: np.ndarray,
    bits: int,
    columns: int,
    normalise: bool,
    ends: np.ndarray,
    indices: np.ndarray,
    values: np.ndarray,
) -> None:
    """Count the gapped k-mers of strings; see `GappedKmers.compiled` for the arguments from `g` to `bits`.

    Args:
        strands: letters of one or both strands of all strings, int8, shape (strand, letter).
        bounds: where each string starts, and where the last one ends, int64, shape (string + 1,).
        columns: number of columns.
        normalise: scale rows to unit length.
        ends: receives the number of entries up to the end of each row, int32, shape (string,).
        indices: receives the columns of all entries, int32, with room for the most that there can be.
        values: receives the counts, float32.
    """
    words = np.empty(masks.shape[1], np.uint64)
    numbers = np.empty(len(choices), np.int64)
    counts = np.zeros(columns, np.int32)
    # A bit for each column of the row, and a bit for each 64 columns, so that entries come out in order without a sort.
    present = np.zeros(columns // 64 + 1, np.uint64)
    groups = np.zeros(len(present) // 64 + 1, np.uint64)
    one, low, magic, top = np.uint64(1), np.uint64(63), np.uint64(_DE_BRUIJN), np.uint64(58)
    end = 0
    for row in range(len(bounds) - 1):
        for strand in range(len(strands)):
            for start in range(bounds[row], bounds[row + 1] - g + 1):
                number_window(
                    strands[strand], start, g, size, width, choices, masks, places, keys, bits, words, numbers
                )
                for number in numbers:
                    if number < 0:
                        continue
                    if bits < 0:
                        column, change = number, 1
                    else:
                        column, change = number >> 1, int(1 - 2 * (number & 1))
                    counts[column] += change
                    place = column >> 6
                    present[place] |= one << (np.uint64(column) & low)
                    groups[place >> 6] |= one << (np.uint64(place) & low)
        begin, total = end, 0.0
        for group in range(len(groups)):
            while groups[group]:
                lowest = groups[group] & (~groups[group] + one)
                groups[group] ^= lowest
                place = group * 64 + _BIT_OF[(lowest * magic) >> top]
                left = present[place]
                present[place] = 0
                while left:
                    lowest = left & (~left + one)
                    left ^= lowest
                    column = place * 64 + _BIT_OF[(lowest * magic) >> top]
                    count = counts[column]
                    counts[column] = 0
                    if count:
                        indices[end] = column
                        values[end] = count
                        total += float(count) * float(count)
                        end += 1
        if normalise and total:
            values[begin:end] *= np.float32(1 / np.sqrt(total))
        ends[row] = end
