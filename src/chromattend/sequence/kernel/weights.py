"""Explanations of a support vector machine on gapped k-mers: weights of positions, of substitutions and of variants."""

import itertools
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from chromattend.errors import UserError
from chromattend.sequence.alphabets import Alphabet
from chromattend.sequence.kernel.exact import gapped_kmer_kernel, self_kernel
from chromattend.sequence.kernel.gapped_kmers import GappedKmers, number_window
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.windows import check_sizes

# Gapped k-mers up to which a machine has a table with the weight of each: 400 MB.
LARGEST = 50_000_000
# Steps that listing gapped k-mers without a table may take: about a minute.
LONGEST_LISTING = 10_000_000_000
# Windows of support strings that a window is compared with at once: their numbers of matches stay in the cache.
_BLOCK = 4096
# Strings whose kernel with the support strings is in memory at once.
_ROWS = 1000


@dataclass(frozen=True, eq=False)
class GappedKmerWeights:
    """What a support vector machine on gapped k-mers learned, in the form that explains its decisions.

    The decision on a string x is S(x) / sqrt(N(x)) + intercept. S(x) is a sum over all gapped k-mers of x, N(x) the
    square of the length of its vector of counts. Both are sums over windows, so that each of these is exact:

    - `decision`: the machine's decision value.
    - `positions`: the weight of every position. A gapped k-mer shares its weight equally among its k positions, so a
      pair of windows with m matches gives each matched position C(m, k) / m, times the coefficient. This is gkmexplain
      (Shrikumar, Prakash and Kundaje, Bioinformatics 35:i173, 2019), exact for this kernel; the
      weights of a string and the intercept sum to its decision.
    - `mutagenesis`: the change of the decision by every substitution, with the change of N.
    - `delta`: the difference of the decisions on two alleles. deltaSVM (Lee et al., Nature Genetics 47:955, 2015) sums
      the weights of contiguous k-mers around a variant instead and leaves N out, so it is proportional to S alone.

    A string without a known gapped k-mer, such as one shorter than g, has N = 0; its decision is the intercept.

    Where all gapped k-mers fit into a table, their weights are looked up; elsewhere the windows of a string are
    compared with those of the support strings. Both routes give the same numbers.

    Attributes:
        g: letters of a window.
        k: compared positions of a window.
        letters: letters of the alphabet.
        strands: `one`, or `both`: the gapped k-mers of the other strand of DNA count too.
        intercept: decision on a string without gapped k-mers.
        numbering: the numbers of gapped k-mers in `table`, or None.
        table: the weight of each gapped k-mer, float64, shape (number,), or None. If all gapped k-mers have a number of
            their own, the weight is that of an occurrence on either strand.
        support: support strings, those of the other strand included, or None if there is a table.
        coefficients: dual coefficient of each support string over the root of its kernel with itself, or None.
    """

    g: int
    k: int
    letters: int
    strands: str
    intercept: float
    numbering: GappedKmers | None = None
    table: np.ndarray | None = None
    support: Strings | None = None
    coefficients: np.ndarray | None = None

    @classmethod
    def of_support(
        cls,
        strings: Strings,
        coefficients: np.ndarray,
        intercept: float,
        *,
        g: int,
        k: int,
        strands: str,
        largest: int = LARGEST,
    ) -> "GappedKmerWeights":
        """Take the support strings of a machine on the normalised kernel.

        Args:
            strings: the support strings.
            coefficients: signed dual coefficients, each over sqrt(K(s, s)) of its string, shape (string,). The kernel
                K(s, s) is that of `strands`.
            intercept: the machine's intercept.
            g, k: see the class.
            strands: `one`, or `both` if the kernel is K(s, t) + K(s, reverse complement of t).
            largest: number of gapped k-mers up to which a table is made, of 8 bytes each.

        Raises:
            UserError: g, k or strands are not valid.
        """
        g, k = check_sizes(g, k)
        _check_strands(strands, strings.size)
        coefficients = np.asarray(coefficients, np.float64)
        if coefficients.shape != (len(strings),) or not np.isfinite(coefficients).all():
            raise ValueError(f"coefficients {coefficients.shape} need one finite number for each of {len(strings)}")
        if strands == "both":
            strings, coefficients = _joined(strings, strings.reverse_complement()), np.tile(coefficients, 2)
        parts = (g, k, strings.size, strands, float(intercept))
        if math.comb(g, k) * strings.size**k > largest:
            return cls(*parts, support=strings, coefficients=coefficients)
        numbering = GappedKmers.of(g, k, strings.size)
        table = np.zeros(numbering.size)
        _add_support(strings.letters, strings.bounds, coefficients, numbering.choices, g, strings.size, table)
        return cls(*parts, numbering, table)

    @classmethod
    def of_features(
        cls, coefficients: np.ndarray, intercept: float, numbering: GappedKmers, *, strands: str
    ) -> "GappedKmerWeights":
        """Take a linear machine on counts of gapped k-mers, see `chromattend.sequence.kernel.features`.

        Args:
            coefficients: coefficient of every column, for counts scaled to unit length, shape (numbering.columns,).
            intercept: the machine's intercept.
            numbering: the numbering of the features.
            strands: `one`, or `both` if the counts of both strands are added.

        Raises:
            UserError: strands are not valid.
        """
        _check_strands(strands, numbering.letters)
        coefficients = np.asarray(coefficients, np.float64).ravel()
        if coefficients.shape != (numbering.columns,):
            raise ValueError(
                f"coefficients {coefficients.shape} need one number for each of {numbering.columns} columns"
            )
        table = numbering.weights(coefficients)
        if _is_whole(numbering) and strands == "both":
            # Counts of both strands, c + c', have the squared length 2 N.
            table = (table + _other_strand(table, numbering)) / math.sqrt(2)
        return cls(numbering.g, numbering.k, numbering.letters, strands, float(intercept), numbering, table)

    def decision(self, strings: Strings, *, threads: int = 1) -> np.ndarray:
        """Return the decision on every string, float64, shape (string,).

        Args:
            strings: the strings.
            threads: threads to use.

        Raises:
            UserError: a string is so long that its counts could be above 2 ** 53.
        """
        self._check(strings)
        if self.support is None:
            scores = _sums(self._gains(strings, own=True, threads=threads)[0], strings.bounds) / self.k
        else:
            scores = np.zeros(len(strings))
            for start in range(0, len(strings), _ROWS):
                rows = np.arange(start, min(start + _ROWS, len(strings)))
                kernel = gapped_kmer_kernel(
                    strings.take(rows),
                    self.support,
                    g=self.g,
                    k=self.k,
                    alphabet=_alphabet(self.letters),
                    strands="one",  # the support strings have both
                    normalise=False,
                    short="zero",
                    threads=threads,
                )
                scores[rows] = kernel @ self.coefficients
        return scores * _inverse_root(self._norms(strings)) + self.intercept

    def positions(self, strings: Strings, *, threads: int = 1) -> list[np.ndarray]:
        """Return the weight of every position of each string, float64, shape (position,).

        The sum over the positions is decision - intercept. An unknown letter has the weight 0.

        Args, Raises: see `decision`.
        """
        self._check(strings)
        weights = self._gains(strings, own=True, threads=threads)[0] / self.k
        return _split(weights * np.repeat(_inverse_root(self._norms(strings)), strings.lengths), strings.bounds)

    def mutagenesis(self, strings: Strings, *, threads: int = 1) -> list[np.ndarray]:
        """Return the change of the decision by every substitution, float64, shape (position, letter) for each string.

        The string's own letter has 0. At an unknown letter, the change is that of learning its letter.

        Args, Raises: see `decision`.
        """
        self._check(strings)
        gains = self._gains(strings, own=False, threads=threads).T
        own = strings.letters.astype(np.int64)
        of_own = np.where(own < 0, 0.0, gains[np.arange(len(own)), own])
        scores = np.repeat(_sums(of_own, strings.bounds) / self.k, strings.lengths)
        norms = self._norms(strings)
        roots = _inverse_root(np.repeat(norms, strings.lengths)[:, None] + self._norm_changes(strings))
        before = np.repeat(_inverse_root(norms), strings.lengths) * scores
        changes = (scores[:, None] + gains - of_own[:, None]) * roots - before[:, None]
        known = own >= 0
        changes[known, own[known]] = 0
        return _split(changes, strings.bounds)

    def delta(self, reference: Strings, alternative: Strings, *, threads: int = 1) -> np.ndarray:
        """Return decision(alternative) - decision(reference) of pairs of strings, float64, shape (pair,).

        Args:
            reference, alternative: the alleles, pair by pair; the two of a pair may differ in length.
            threads: threads to use.

        Raises:
            UserError: see `decision`.
        """
        if len(reference) != len(alternative):
            raise ValueError(f"{len(reference)} reference alleles do not fit {len(alternative)} alternative ones")
        return self.decision(alternative, threads=threads) - self.decision(reference, threads=threads)

    @property
    def unlisted(self) -> str:
        """Why single gapped k-mers have no listed weights, as a plain sentence; empty if `patterns` lists them."""
        if self.numbering is not None and self.numbering.bits is not None:
            return "Several gapped k-mers share a weight, because their numbers are hashed."
        if self.support is not None:
            windows, codes = int(self.support.windows(self.g).sum()), self.letters**self.k
            if codes > LARGEST or math.comb(self.g, self.k) * (windows + codes) > LONGEST_LISTING:
                return f"Listing all gapped {self.k}-mers of windows of {self.g} letters would take too long."
        return ""

    def patterns(self) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Yield the weights of gapped k-mers without the gaps at their ends.

        Choices of positions that differ by a shift only are one pattern, and their weights are added. So the weight is
        what one occurrence within a string adds to S, on either strand if both count.

        Yields:
            Positions of the letters, the first one 0, and the weight of every code, float64, shape (letters ** k,);
            see `GappedKmers` for codes.

        Raises:
            ValueError: they are not listed, see `unlisted`.
        """
        if self.unlisted:
            raise ValueError(self.unlisted)
        choices, codes = self._choices, self.letters**self.k
        shapes: dict[tuple[int, ...], list[int]] = {}
        for row, choice in enumerate(choices):
            shapes.setdefault(tuple((choice - choice[0]).tolist()), []).append(row)
        for shape, rows in shapes.items():
            if self.table is not None:
                summed = self.table.reshape(len(choices), codes)[rows].sum(axis=0)
                if self._both_read:
                    summed += self._mirror_of(shape, shapes)
            else:
                assert self.support is not None
                summed = np.zeros(codes * len(rows))
                args = (self.support.letters, self.support.bounds, self.coefficients, choices[rows])
                _add_support(*args, self.g, self.letters, summed)
                summed = summed.reshape(len(rows), codes).sum(axis=0)
            yield shape, summed

    def _mirror_of(self, shape: tuple[int, ...], shapes: dict[tuple[int, ...], list[int]]) -> np.ndarray:
        """Return the weights of the other strand's patterns, shape (letters ** k,); 0 if the sample has none."""
        assert self.table is not None
        codes = self.letters**self.k
        rows = shapes.get(tuple(shape[-1] - place for place in reversed(shape)), [])
        return self.table.reshape(-1, codes)[rows].sum(axis=0)[_other_codes(self.k, self.letters)]

    @property
    def _choices(self) -> np.ndarray:
        if self.numbering is not None:
            return self.numbering.choices
        return np.array(list(itertools.combinations(range(self.g), self.k)), dtype=np.int32)

    @cached_property
    def _both_read(self) -> bool:
        """Whether both strands of a string are read, because the table does not hold the other strand's weights."""
        return self.strands == "both" and self.numbering is not None and not _is_whole(self.numbering)

    def _check(self, strings: Strings) -> None:
        if strings.size != self.letters:
            raise ValueError(f"strings of {strings.size} letters do not fit a machine of {self.letters} letters")

    def _gains(self, strings: Strings, own: bool, threads: int) -> np.ndarray:
        """Return k times the weight that each letter has, or would have, at each position, without N.

        It is the sum of the weights of all gapped k-mers with that letter at that position, which depend on the other
        letters of the string but not on the position's own letter.

        Args:
            strings: the strings.
            own: only for the string's own letters, at index 0.
            threads: threads to use.

        Returns:
            float64, shape (1 or letter, position of all strings).
        """
        gains = self._gains_of_strand(strings, own, threads)
        if self._both_read:
            other = self._gains_of_strand(strings.reverse_complement(), own, threads)[:, _mirrored(strings.bounds)]
            gains += other if own else other[::-1]
        return gains

    def _gains_of_strand(self, strings: Strings, own: bool, threads: int) -> np.ndarray:
        gains = np.zeros((1 if own else self.letters, len(strings.letters)))
        lower = _choose(self.g, self.k - 1).astype(np.float64)

        def add(bounds: np.ndarray) -> None:
            if self.support is not None:
                support = (self.support.letters, self._window_coefficients)
                _window_gains(strings.letters, bounds, *support, self.g, self.k, lower, own, gains)
                return
            assert self.numbering is not None
            if self.numbering.bits is None:
                choices = self.numbering.choices
                _table_gains(strings.letters, bounds, choices, self.g, self.letters, self.table, own, gains)
            else:
                _hashed_gains(strings.letters, bounds, self.table, own, gains, *self.numbering.compiled)

        # Every part writes to the positions of its own strings.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(add, _parts(strings.bounds, threads)))
        return gains

    @cached_property
    def _window_coefficients(self) -> np.ndarray:
        """The coefficient at the start of each window of the support strings, 0 where none starts."""
        assert self.support is not None
        assert self.coefficients is not None
        coefficients = np.repeat(self.coefficients, self.support.lengths)
        left = np.repeat(self.support.bounds[1:], self.support.lengths) - np.arange(len(coefficients))
        return np.where(left >= self.g, coefficients, 0.0)

    @property
    def _counted(self) -> bool:
        """Whether N is counted from features, and not the kernel of a string with itself."""
        return self.numbering is not None and not _is_whole(self.numbering)

    def _norms(self, strings: Strings) -> np.ndarray:
        """Return N of each string, shape (string,)."""
        if self._counted:
            norms = np.zeros(len(strings), np.int64)
            self._count(strings, norms, np.zeros((0, 0), np.int64))
            return norms
        alphabet = _alphabet(self.letters) if self.strands == "one" else "dna"
        return self_kernel(strings, g=self.g, k=self.k, alphabet=alphabet, strands=self.strands)

    def _norm_changes(self, strings: Strings) -> np.ndarray:
        """Return the change of N by each substitution, int64, shape (position of all strings, letter)."""
        changes = np.zeros((len(strings.letters), self.letters), np.int64)
        if self._counted:
            self._count(strings, np.zeros(len(strings), np.int64), changes)
            return changes
        tables = (self.g, self.k, _choose(self.g, self.k - 1))
        _self_changes(strings.letters, _different(strings.letters), strings.bounds, False, *tables, changes)
        if self.strands == "both":
            other = _different(strings.reverse_complement().letters)
            _self_changes(strings.letters, other, strings.bounds, True, *tables, changes)
        own = strings.letters.astype(np.int64)
        changes -= np.where(own < 0, 0, changes[np.arange(len(own)), own])[:, None]
        return changes

    def _count(self, strings: Strings, norms: np.ndarray, changes: np.ndarray) -> None:
        """Fill N of each string, and its changes if there is room, from counts of gapped k-mers by their numbers."""
        assert self.numbering is not None
        strands = [strings.letters]
        if self.strands == "both":
            strands.append(strings.reverse_complement().letters)
        counts = np.zeros(self.numbering.columns, np.int64)
        _count_norms(np.stack(strands), strings.bounds, counts, norms, changes, *self.numbering.compiled)


def _check_strands(strands: str, letters: int) -> None:
    if strands not in ("one", "both"):
        raise UserError(f"strands: {strands!r} is not known; give one or both")
    if strands == "both" and letters != 4:
        raise UserError(f"strands: both needs the four letters of DNA, not {letters}; give one")


def _alphabet(letters: int) -> Alphabet:
    """Return an alphabet for strings that are numbers already: only its size is read."""
    return Alphabet("numbers", "?" * letters, "", "")


def _parts(bounds: np.ndarray, number: int) -> list[np.ndarray]:
    """Cut the bounds of strings into those of parts with about as many letters."""
    cuts = np.searchsorted(bounds, np.linspace(0, bounds[-1], number + 1))
    cuts[0], cuts[-1] = 0, len(bounds) - 1
    return [bounds[first : last + 1] for first, last in itertools.pairwise(cuts.tolist()) if last > first]


def _is_whole(numbering: GappedKmers) -> bool:
    """Return whether every gapped k-mer has its own number."""
    return numbering.bits is None and len(numbering.choices) == math.comb(numbering.g, numbering.k)


def _joined(one: Strings, other: Strings) -> Strings:
    bounds = np.concatenate([one.bounds, one.bounds[-1] + other.bounds[1:]])
    return Strings(np.concatenate([one.letters, other.letters]), bounds, one.size)


def _different(letters: np.ndarray) -> np.ndarray:
    """Return letters whose unknown ones differ from unknown ones elsewhere, so that one comparison decides a match."""
    return np.where(letters < 0, np.int8(-2), letters)


def _choose(g: int, k: int) -> np.ndarray:
    """Return C(m, k) for m from 0 to g, int64, shape (g + 1,)."""
    return np.array([math.comb(m, k) for m in range(g + 1)], np.int64)


def _inverse_root(norms: np.ndarray) -> np.ndarray:
    """Return 1 / sqrt(N), or 0 where N is 0."""
    return np.divide(1.0, np.sqrt(norms), out=np.zeros(norms.shape), where=norms > 0)


def _sums(values: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return the sum of each string's values; `reduceat` would give a neighbour's value for an empty string."""
    rows = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
    return np.bincount(rows, weights=values, minlength=len(bounds) - 1)


def _split(values: np.ndarray, bounds: np.ndarray) -> list[np.ndarray]:
    return [values[start:end] for start, end in itertools.pairwise(bounds)]


def _mirrored(bounds: np.ndarray) -> np.ndarray:
    """Return the place of each position on the other strand of its string, shape (position of all strings,)."""
    return np.repeat(bounds[:-1] + bounds[1:] - 1, np.diff(bounds)) - np.arange(bounds[-1])


def _other_codes(k: int, letters: int) -> np.ndarray:
    """Return the code of the reverse complement of every code, shape (letters ** k,)."""
    codes = np.arange(letters**k).reshape((letters,) * k)
    return np.flip(codes.transpose()).ravel()


def _other_strand(table: np.ndarray, numbering: GappedKmers) -> np.ndarray:
    """Return the weight of the reverse complement of every gapped k-mer, shape (number,)."""
    place = {tuple(choice): row for row, choice in enumerate(numbering.choices.tolist())}
    rows = [place[tuple(choice)] for choice in (numbering.g - 1 - numbering.choices[:, ::-1]).tolist()]
    return table.reshape(len(rows), -1)[rows][:, _other_codes(numbering.k, numbering.letters)].ravel()


@njit(cache=True, nogil=True)
def _encode(known, unknown, chosen, start, windows, size, codes, missing):  # type: ignore[no-untyped-def]
    """Fill the codes of one choice of positions for the windows of a string, and their numbers of unknown letters."""
    codes[:windows] = 0
    missing[:windows] = 0
    for place in chosen:
        letter, lacks = known[start + place : start + place + windows], unknown[start + place :]
        for window in range(windows):
            codes[window] = codes[window] * np.int32(size) + letter[window]
            missing[window] += lacks[window]


@njit(cache=True, nogil=True)
def _add_support(letters, bounds, coefficients, choices, g, size, table):  # type: ignore[no-untyped-def]
    """Add the coefficient of a string to the weight of each of its gapped k-mers, table of shape (choice * code,)."""
    known = np.maximum(letters, 0).astype(np.int32)
    unknown = (letters < 0).astype(np.int32)
    codes, missing = np.empty((2, len(letters)), np.int32)
    block = size ** choices.shape[1]
    # Choice by choice: the weights of one choice stay in the processor's cache.
    for choice in range(len(choices)):
        own_table = table[choice * block : (choice + 1) * block]
        for row in range(len(bounds) - 1):
            windows = bounds[row + 1] - bounds[row] - g + 1
            if windows < 1:
                continue
            _encode(known, unknown, choices[choice], bounds[row], windows, size, codes, missing)
            for window in range(windows):
                if missing[window] == 0:
                    own_table[codes[window]] += coefficients[row]


@njit(cache=True, nogil=True)
def _table_gains(letters, bounds, choices, g, size, table, own, gains):  # type: ignore[no-untyped-def]
    """Add the weights in a table of all gapped k-mers that a string has, or would have by a substitution."""
    k = choices.shape[1]
    known = np.maximum(letters, 0).astype(np.int32)
    unknown = (letters < 0).astype(np.int32)
    longest = 0
    for row in range(len(bounds) - 1):
        longest = max(longest, bounds[row + 1] - bounds[row])
    codes, missing, without = np.empty((3, longest), np.int32)
    weights = np.empty(longest)
    # The innermost loops are over windows, which the compiler turns into vector instructions.
    for choice in range(len(choices)):
        own_table = table[choice * size**k : (choice + 1) * size**k]
        for row in range(len(bounds) - 1):
            start, windows = bounds[row], bounds[row + 1] - bounds[row] - g + 1
            if windows < 1:
                continue
            _encode(known, unknown, choices[choice], start, windows, size, codes, missing)
            if own:
                for window in range(windows):
                    weights[window] = own_table[codes[window]] if missing[window] == 0 else 0.0
                for place in choices[choice]:
                    gain = gains[0, start + place : start + place + windows]
                    for window in range(windows):
                        gain[window] += weights[window]
                continue
            value = size**k  # of one letter at the place
            for place in choices[choice]:
                value //= size
                letter, lacks = known[start + place : start + place + windows], unknown[start + place :]
                for window in range(windows):
                    without[window] = codes[window] - letter[window] * value
                for each in range(size):
                    gain = gains[each, start + place : start + place + windows]
                    for window in range(windows):
                        # With an unknown letter, only its own place makes a gapped k-mer.
                        if missing[window] == lacks[window]:
                            gain[window] += own_table[without[window] + each * value]


@njit(cache=True, nogil=True)
def _hashed_gains(  # type: ignore[no-untyped-def]
    letters, bounds, table, own, gains, g, size, width, choices, masks, places, keys, bits
):
    """Add what `_table_gains` adds, with the numbers of every substituted window; see `number_window`."""
    letters = letters.copy()
    words, numbers = np.empty(masks.shape[1], np.uint64), np.empty(len(choices), np.int64)
    rest = (g, size, width, choices, masks, places, keys, bits, words, numbers)
    for row in range(len(bounds) - 1):
        for start in range(bounds[row], bounds[row + 1] - g + 1):
            if own:
                number_window(letters, start, *rest)
                for choice in range(len(choices)):
                    if numbers[choice] >= 0:
                        for place in choices[choice]:
                            gains[0, start + place] += table[numbers[choice]]
                continue
            for offset in range(g):
                before = letters[start + offset]
                for letter in range(size):
                    letters[start + offset] = letter
                    number_window(letters, start, *rest)
                    for choice in range(len(choices)):
                        if numbers[choice] >= 0 and (places[choice] >> np.uint64(offset)) & np.uint64(1):
                            gains[letter, start + offset] += table[numbers[choice]]
                letters[start + offset] = before


@njit(cache=True, nogil=True)
def _window_gains(letters, bounds, others, coefficients, g, k, lower, own, gains):  # type: ignore[no-untyped-def]
    """Add what `_table_gains` adds, by comparing every window with every window of the support strings.

    At a position of a window, C(m, k - 1) of the gapped k-mers with its letter match, m counting the other positions.
    """
    matches = np.empty(_BLOCK, np.uint8)
    least = k if own else k - 1
    for row in range(len(bounds) - 1):
        for start in range(bounds[row], bounds[row + 1] - g + 1):
            for first in range(0, len(others) - g + 1, _BLOCK):
                windows = min(_BLOCK, len(others) - g + 1 - first)
                matches[:windows] = 0
                for offset in range(g):
                    letter = letters[start + offset]
                    if letter >= 0:
                        aligned = others[first + offset : first + offset + windows]
                        for window in range(windows):
                            matches[window] += np.uint8(aligned[window] == letter)
                for window in range(windows):
                    if matches[window] < least or coefficients[first + window] == 0:
                        continue
                    count, coefficient = np.int64(matches[window]), coefficients[first + window]
                    for offset in range(g):
                        letter = others[first + window + offset]
                        same = letter >= 0 and letters[start + offset] == letter
                        if own:
                            if same:
                                gains[0, start + offset] += coefficient * lower[count - 1]
                        elif letter >= 0:
                            gains[letter, start + offset] += coefficient * lower[count - same]


@njit(cache=True, nogil=True)
def _self_changes(letters, others, bounds, mirrored, g, k, lower, changes):  # type: ignore[no-untyped-def]
    """Add, for each position and letter, the part of a string's kernel with its other form that the letter makes.

    The other form is the string itself or, if mirrored, its other strand. Differences between letters are the changes.
    """
    for row in range(len(bounds) - 1):
        start, end = bounds[row], bounds[row + 1]
        windows = end - start - g + 1
        for shift in range(1 - windows, windows):
            first, second = start + max(0, -shift), start + max(0, shift)
            matches = 0
            for offset in range(g - 1):
                matches += letters[first + offset] == others[second + offset]
            for step in range(windows - abs(shift)):
                a, b = first + step, second + step
                matches += letters[a + g - 1] == others[b + g - 1]
                # A letter can make two matches.
                if matches >= k - 2:
                    for offset in range(g):
                        position = a + offset
                        letter = others[b + offset]
                        # The position's own place in the other form, counted from the second window.
                        place = (start + end - 1 - position if mirrored else position) - b
                        rest = matches - (letters[position] == letter)
                        if place == offset:
                            # It is compared with itself: always a match, or never one with its complement.
                            if not mirrored:
                                for each in range(changes.shape[1]):
                                    changes[position, each] += lower[rest]
                        elif place < 0 or place >= g:
                            # Only the first window has the position; so has the second one of the exchanged pair.
                            if letter >= 0:
                                changes[position, letter] += 2 * lower[rest]
                        else:
                            # Both windows have it, each against another letter.
                            partner = letters[a + place]
                            if mirrored and partner >= 0:
                                partner = changes.shape[1] - 1 - partner
                            if partner >= 0:
                                rest -= letters[position] == partner
                            if partner >= 0 and partner == letter:
                                changes[position, letter] += lower[rest] + lower[rest + 1]
                            else:
                                if letter >= 0:
                                    changes[position, letter] += lower[rest]
                                if partner >= 0:
                                    changes[position, partner] += lower[rest]
                matches -= letters[a] == others[b]


@njit(cache=True, nogil=True)
def _recount(letters, low, high, position, step, counts, numbering, room):  # type: ignore[no-untyped-def]
    """Add `step` to the counts of some gapped k-mers, and return the change of the sum of squared counts.

    Args:
        low, high: where the first window begins, and after the last one.
        position: only gapped k-mers that contain it are counted, or all with -1.
        step: 1 or -1.
        counts: count of each column.
        numbering: see `GappedKmers.compiled`.
        room: two arrays that `number_window` fills.
    """
    places, bits, numbers = numbering[5], numbering[7], room[1]
    change = 0
    for start in range(low, high):
        number_window(letters, start, *numbering, *room)
        for choice in range(len(numbers)):
            number = numbers[choice]
            if number < 0 or (position >= 0 and not (places[choice] >> np.uint64(position - start)) & np.uint64(1)):
                continue
            sign = step
            if bits >= 0:
                sign, number = step * (1 - 2 * (number & 1)), number >> 1
            change += sign * (2 * counts[number] + sign)
            counts[number] += sign
    return change


@njit(cache=True, nogil=True)
def _recount_strands(strands, start, end, position, step, counts, numbering, room):  # type: ignore[no-untyped-def]
    """Recount a string on its strands, at a position of the first one."""
    windows = end - numbering[0] + 1
    change = 0
    for strand in range(len(strands)):
        low, high, place = start, windows, position
        if position >= 0:
            place = position if strand == 0 else start + end - 1 - position
            low, high = max(low, place - numbering[0] + 1), min(high, place + 1)
        change += _recount(strands[strand], low, high, place, step, counts, numbering, room)
    return change


@njit(cache=True, nogil=True)
def _count_norms(  # type: ignore[no-untyped-def]
    strands, bounds, counts, norms, changes, g, size, width, choices, masks, places, keys, bits
):
    """Set N of each string by counting its gapped k-mers, and its change by each substitution if there is room."""
    strands = strands.copy()
    numbering = (g, size, width, choices, masks, places, keys, bits)
    room = (np.empty(masks.shape[1], np.uint64), np.empty(len(choices), np.int64))
    for row in range(len(bounds) - 1):
        start, end = bounds[row], bounds[row + 1]
        norms[row] = _recount_strands(strands, start, end, -1, 1, counts, numbering, room)
        for position in range(start, end if len(changes) else start):
            own = strands[0, position]
            removed = _recount_strands(strands, start, end, position, -1, counts, numbering, room)
            for letter in range(size):
                if letter != own:
                    _set_letter(strands, start + end - 1, position, letter, size)
                    added = _recount_strands(strands, start, end, position, 1, counts, numbering, room)
                    changes[position, letter] = removed + added
                    _recount_strands(strands, start, end, position, -1, counts, numbering, room)
            _set_letter(strands, start + end - 1, position, own, size)
            _recount_strands(strands, start, end, position, 1, counts, numbering, room)
        _recount_strands(strands, start, end, -1, -1, counts, numbering, room)  # back to zeros


@njit(cache=True, nogil=True)
def _set_letter(strands, ends, position, letter, size):  # type: ignore[no-untyped-def]
    """Set a letter of a string, and its complement on the other strand; `ends` is the first plus the last position."""
    strands[0, position] = letter
    if len(strands) > 1:
        strands[1, ends - position] = size - 1 - letter if letter >= 0 else letter
