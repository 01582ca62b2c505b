"""Baselines: logistic regressions on counts of k-mers, with and without gaps."""

import itertools

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from chromattend.models.baseline import Setting

# Sequences whose k-mers are listed at once: 100 MB for 21 masks of sequences of 101 letters.
_CHUNK = 4000


class KmerCounts(TransformerMixin, BaseEstimator):
    """log(1 + count) of gapped k-mers in one-hot sequences, flattened to (sequence, position * letter).

    A k-mer has k letters within a window, the first and the last position included, so that every k-mer has one mask.
    If the window equals k, k-mers have no gaps. A k-mer and its reverse complement are one feature if both strands are
    read, which takes four letters. A window with an unknown letter at a position of the mask is not counted.
    """

    def __init__(self, letters: int = 4, k: int = 6, window: int = 6, strands: str = "both") -> None:
        """Take letters of the alphabet, letters of a k-mer, longest window, and strands: `one`, or `both` for DNA."""
        self.letters, self.k, self.window, self.strands = letters, k, window, strands

    def fit(self, X: np.ndarray, y: np.ndarray | None = None) -> "KmerCounts":
        """Learn nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> sparse.csr_matrix:
        """Return the logarithms, float32, shape (sequence, mask * letters ** k); half of the columns can be empty."""
        chunks = (X[start : start + _CHUNK] for start in range(0, len(X), _CHUNK))
        return sparse.vstack([self._counted(chunk) for chunk in chunks], format="csr")

    @property
    def masks(self) -> list[tuple[int, ...]]:
        """Positions of the letters of each k-mer in its window, from 0."""
        if self.k == 1:
            return [(0,)]
        return [
            (0, *inner, last)
            for last in range(self.k - 1, self.window)
            for inner in itertools.combinations(range(1, last), self.k - 2)
        ]

    def _counted(self, X: np.ndarray) -> sparse.csr_matrix:
        signal = X.reshape(len(X), -1, self.letters)
        letters = np.where(signal.any(axis=2), signal.argmax(axis=2), -1).astype(np.int32)
        size = self.letters**self.k
        columns, numbers = [], {mask: number for number, mask in enumerate(self.masks)}
        for mask, number in numbers.items():
            windows = max(letters.shape[1] - mask[-1], 0)
            kmer = [letters[:, place : place + windows] for place in mask]
            column = _code(kmer, self.letters) + number * size
            if self.strands == "both" and self.letters == 4:
                # The reverse complement is read from the other end, through the mirrored mask. Of the two columns, the
                # first is counted.
                mirrored = numbers[tuple(mask[-1] - place for place in reversed(mask))]
                other = _code([3 - letter for letter in reversed(kmer)], 4) + mirrored * size
                column = np.minimum(column, other)
            columns.append(np.where(np.min(kmer, axis=0) < 0, -1, column))
        joined = np.concatenate(columns, axis=1)
        known = joined >= 0
        ends = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
        shape = (len(X), len(numbers) * size)
        counts = sparse.csr_matrix((np.ones(ends[-1], np.float32), joined[known], ends), shape=shape)
        counts.sum_duplicates()
        return counts.log1p()


def _code(kmer: list[np.ndarray], letters: int) -> np.ndarray:
    """Return k-mers as numbers in base `letters`, of one array of letters for each place."""
    code = np.zeros_like(kmer[0])
    for letter in kmer:
        code = code * letters + letter
    return code


def kmer_logistic(setting: Setting, *, k: int = 6, C: float = 0.03, strands: str = "both") -> Pipeline:
    """Build an L2-penalised logistic regression on counts of k-mers, see `KmerCounts`."""
    return _logistic(setting, k, k, C, strands)


def gapped_kmer_logistic(
    setting: Setting, *, window: int = 8, k: int = 6, C: float = 0.003, strands: str = "both"
) -> Pipeline:
    """Build an L2-penalised logistic regression on counts of gapped k-mers, see `KmerCounts`.

    Gapped k-mers are the features of gkm-SVM (Ghandi et al., PLoS Computational Biology 10:e1003711, 2014).

    Raises:
        ValueError: the window is shorter than the k-mer.
    """
    if window < k:
        raise ValueError(f"window {window} is shorter than k {k}")
    return _logistic(setting, k, window, C, strands)


def _logistic(setting: Setting, k: int, window: int, C: float, strands: str) -> Pipeline:
    classifier = LogisticRegression(C=C, max_iter=500, class_weight=setting.class_weight, random_state=setting.seed)
    return setting.pipeline(KmerCounts(setting.channels, k, window, strands), classifier)
