"""The gapped k-mer SVM: a support vector machine on the gapped k-mer kernel of sequences."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

from chromattend.models.baseline import ExampleError, Setting
from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.kernel import gapped_kmer_kernel, self_kernel
from chromattend.sequence.kernel.features import GappedKmerFeatures, kernel_error
from chromattend.sequence.kernel.linear_svm import LinearMachine, fit_linear_svm
from chromattend.sequence.kernel.strings import Strings
from chromattend.sequence.kernel.weights import GappedKmerWeights
from chromattend.sequence.windows import PENALTIES, pairs

logger = logging.getLogger(__name__)

# Most passes over explicit features.
EPOCHS = 200
# Training sequences that pairs of g and k are compared on: the best pair hardly depends on their number, and the time
# grows with its square.
COMPARED = 4000
# Rows of the kernel between new sequences and the support vectors that are in memory at once.
_ROWS = 2000
# Bits of the hash of explicit features; most choices of positions, and most entries of the table of features, which
# lower the number of choices for large sets: 100 million take a gigabyte.
BITS, CHOICES, ENTRIES = 20, 50, 100_000_000


class GkmSVM(ClassifierMixin, BaseEstimator):
    """A support vector classifier on the normalised gapped k-mer kernel (Ghandi et al., PLoS Comput Biol 10:e1003711).

    Its inputs are rows of letters as numbers, -1 for unknown ones, which also pad the rows at both ends; shape
    (sequence, position). Up to `exact_up_to` training sequences, the kernel is exact; beyond, a linear classifier
    learns from explicit hashed gapped k-mers of a random sample of choices of positions. A sequence whose kernel with
    itself is 0, since it has less than k known letters in every window, has the intercept as its score.

    Attributes:
        g_, k_, C_: chosen parameters; of equals the first tried: the shortest window, the smallest C.
        n_: number of training sequences.
        support_, bounds_: letters of the support vectors, see `Strings`; without explicit features.
        rows_: numbers of the support vectors among the training sequences.
        dual_: their dual coefficients times their labels, -1 or 1.
        coefficients_: the same, divided by the root of their kernel with themselves.
        coef_: weights of the explicit features, shape (feature,); only with them.
        choices_: number of choices of positions of the explicit features; only with them.
        error_: how far the explicit features' kernel is from the exact one; only with them.
        intercept_: constant of the score.
        candidates_: what was tried, in order: g, k, C, n (training sequences) and valid_auc.
    """

    def __init__(
        self,
        alphabet: str = "dna",
        g: Sequence[int] = (),
        k: Sequence[int] = (),
        C: Sequence[float] = (),
        strands: str = "both",
        exact_up_to: int = 15000,
        class_weight: str | None = None,
        seed: int = 1,
        threads: int = 1,
    ) -> None:
        """Take the name of the alphabet, and what is tried; empty lists have defaults, see `pairs`."""
        self.alphabet, self.g, self.k, self.C = alphabet, g, k, C
        self.strands, self.exact_up_to = strands, exact_up_to
        self.class_weight, self.seed, self.threads = class_weight, seed, threads

    def fit_and_choose(self, X: np.ndarray, y: np.ndarray, X_valid: np.ndarray, y_valid: np.ndarray) -> "GkmSVM":
        """Fit the classifier with the g, k and C of the highest AUC on validation sequences.

        Pairs of g and k are compared on at most `COMPARED` training sequences, each with every C; with the best pair,
        every C is compared again on all of them. With explicit features, C rises until two in a row are worse.

        Args:
            X, y: letters, shape (sequence, position), and labels 0 or 1 of the training sequences.
            X_valid, y_valid: those of the validation sequences.

        Raises:
            ExampleError: a training sequence is shorter than every g.
        """
        learn, valid = self._strings(X), self._strings(X_valid)
        shortest = int(learn.lengths.min())
        fitting = [pair for pair in pairs(self.letters, self.g, self.k) if pair[0] <= shortest]
        if not fitting:
            least = min(g for g, _ in pairs(self.letters, self.g, self.k))
            raise ExampleError(
                int(learn.lengths.argmin()),
                f"has {shortest} letters, less than the shortest window, g = {least}; remove it, or set a "
                "smaller sequence.model_options.gkm_svm.g",
            )
        if len(fitting) < len(pairs(self.letters, self.g, self.k)):
            logger.info(
                "gkm_svm: windows longer than the shortest training sequence, %d letters, are not tried", shortest
            )
        exact, few = len(learn) <= self.exact_up_to, self._few(y)
        if not exact:
            logger.info(
                "gkm_svm: %d training sequences are more than exact_up_to, %d: the SVM learns from explicit features",
                *(len(learn), self.exact_up_to),
            )
        self.candidates_: list[dict[str, float]] = []
        tried: list[_Fitted] = []
        if len(fitting) > 1 or (exact and len(few) == len(learn)):
            part = learn.take(few)
            for g, k in fitting:
                tried += self._try(part, y[few], valid, y_valid, g, k, exact=True)
        if not exact or len(few) < len(learn):
            pair = max(tried, key=lambda one: one.auc) if tried else None
            g, k = (pair.g, pair.k) if pair else fitting[0]
            tried = self._try(learn, y, valid, y_valid, g, k, exact=exact)
        # The first of equals: the shortest window, the strongest penalty.
        best = max(tried, key=lambda one: one.auc)
        self.g_, self.k_, self.C_, self.intercept_ = best.g, best.k, best.C, best.intercept
        if exact:
            support = learn.take(best.rows)
            norms = np.sqrt(self_kernel(support, **self._options(best.g, best.k)))
            self.support_, self.bounds_, self.rows_ = support.letters, support.bounds, best.rows
            self.dual_ = best.weights
            self.coefficients_ = np.divide(best.weights, norms, out=np.zeros(len(norms)), where=norms > 0)
        else:
            self.coef_ = best.weights
        self.classes_, self.n_ = np.array([0, 1]), len(learn)
        self.n_features_in_ = X.shape[1]
        return self

    def _few(self, y: np.ndarray) -> np.ndarray:
        """Return the rows of at most `COMPARED` training sequences, with the same share of each class."""
        if len(y) <= COMPARED:
            return np.arange(len(y))
        rng = np.random.default_rng(self.seed)
        parts = [rng.permutation(np.flatnonzero(y == label)) for label in (0, 1)]
        return np.sort(np.concatenate([part[: max(1, round(COMPARED * len(part) / len(y)))] for part in parts]))

    def _try(
        self, learn: Strings, y: np.ndarray, valid: Strings, y_valid: np.ndarray, g: int, k: int, *, exact: bool
    ) -> list["_Fitted"]:
        """Fit a classifier for every C."""
        tried = []
        if exact:
            options = self._options(g, k) | {"threads": self.threads, "short": "zero"}
            kernel, others = gapped_kmer_kernel(learn, **options), gapped_kmer_kernel(valid, learn, **options)
        else:
            strands = 2 if self.strands == "both" else 1
            self.choices_ = max(1, min(CHOICES, ENTRIES // (strands * int(learn.windows(g).sum()))))
            features = self._features(g, k)
            self.error_ = str(kernel_error(features.kernel, learn, **self._options(g, k), seed=self.seed))
            logger.info(
                "gkm_svm: %d choices of positions, hashed to %d bits: %s",
                len(features.gapped_kmers.choices),
                BITS,
                self.error_,
            )
            kernel, others = features.transform(learn), features.transform(valid)
        linear: LinearMachine | None = None
        for C in sorted(self.C or PENALTIES):
            if exact:
                svm = SVC(C=C, kernel="precomputed", class_weight=self.class_weight, cache_size=1000)
                svm.fit(kernel, y)
                rows, weights, intercept = svm.support_.astype(np.int64), svm.dual_coef_[0], float(svm.intercept_[0])
                scores = svm.decision_function(others)
            else:
                linear = fit_linear_svm(
                    kernel, y, C, class_weight=self.class_weight, warm=linear, seed=self.seed, most_epochs=EPOCHS
                )
                rows, weights, intercept = np.empty(0, np.int64), linear.coef.astype(np.float32), linear.intercept
                scores = linear.decision_function(others)
            auc = float(roc_auc_score(y_valid, scores))
            logger.info("gkm_svm: g %d, k %d, C %g, %d sequences: validation AUC %.4f", g, k, C, len(learn), auc)
            self.candidates_.append({"g": g, "k": k, "C": C, "n": len(learn), "valid_auc": auc})
            tried.append(_Fitted(auc, g, k, C, rows, weights, intercept))
            # The larger C, the longer a linear SVM takes: it ends at the second C in a row that is worse than the best.
            if not exact and max(one.auc for one in tried) > max(one.auc for one in tried[-2:]):
                break
        return tried

    @property
    def letters(self) -> int:
        """Number of letters of the alphabet."""
        return len(ALPHABETS[self.alphabet])

    def _options(self, g: int, k: int) -> dict[str, Any]:
        """Return the arguments of the kernel, whatever the strings."""
        return {"g": g, "k": k, "alphabet": self.alphabet, "strands": self.strands}

    def _strings(self, X: np.ndarray) -> Strings:
        return Strings.of_rows(X.astype(np.int8, copy=False), self.letters)

    def _features(self, g: int, k: int) -> GappedKmerFeatures:
        sample: dict[str, Any] = {"choices": self.choices_, "bits": BITS, "seed": self.seed}
        return GappedKmerFeatures(**self._options(g, k), **sample, threads=self.threads, short="zero")

    @property
    def chosen(self) -> dict[str, float]:
        """The chosen parameters, and the number of training sequences."""
        return {"g": self.g_, "k": self.k_, "C": self.C_, "n": self.n_}

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of the kernel that the classifier learned from."""
        return self._options(self.g_, self.k_)

    @property
    def exact(self) -> bool:
        """Whether the classifier learned from the exact kernel."""
        return hasattr(self, "coefficients_")

    @property
    def support(self) -> Strings:
        """The support vectors."""
        return Strings(self.support_, self.bounds_, self.letters)

    def weights(self) -> GappedKmerWeights:
        """Return the weights of gapped k-mers, which explain scores."""
        if self.exact:
            return GappedKmerWeights.of_support(
                self.support, self.coefficients_, self.intercept_, g=self.g_, k=self.k_, strands=self.strands
            )
        kmers = self._features(self.g_, self.k_).gapped_kmers
        return GappedKmerWeights.of_features(self.coef_, self.intercept_, kmers, strands=self.strands)

    def permuted(self, order: np.ndarray) -> "GkmSVM":
        """Return a classifier with the same coefficients in another order, as a control that has learned nothing.

        Args:
            order: permutation of the support vectors, or of the explicit features.
        """
        other = clone(self)
        vars(other).update(vars(self))
        if self.exact:
            other.dual_ = self.dual_[order]
            other.coefficients_ = self.coefficients_ / self.dual_ * other.dual_
        else:
            other.coef_ = self.coef_[order]
        return other

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return the distance from the decision boundary, float64, shape (sequence,)."""
        strings = self._strings(X)
        if not self.exact:
            return self._features(self.g_, self.k_).transform(strings) @ self.coef_ + self.intercept_
        support = self.support
        scores = np.empty(len(strings))
        for start in range(0, len(strings), _ROWS):
            block = slice(start, start + _ROWS)
            rows = strings.take(np.arange(len(strings))[block])
            own = self_kernel(rows, **self.options)
            kernel = gapped_kmer_kernel(
                rows, support, normalise=False, short="zero", threads=self.threads, **self.options
            )
            scores[block] = kernel @ self.coefficients_ / np.sqrt(np.where(own > 0, own, 1)) + self.intercept_
        return scores


@dataclass(frozen=True)
class _Fitted:
    """A fitted classifier: its validation AUC, parameters, support vectors and coefficients or weights."""

    auc: float
    g: int
    k: int
    C: float
    rows: np.ndarray
    weights: np.ndarray
    intercept: float


def gkm_svm(
    setting: Setting,
    *,
    g: Sequence[int] = (),
    k: Sequence[int] = (),
    C: Sequence[float] = (),
    exact_up_to: int = 15000,
    strands: str = "both",
) -> GkmSVM:
    """Build a gapped k-mer SVM, see `GkmSVM`."""
    return GkmSVM(
        alphabet=setting.sizes["alphabet"],
        g=tuple(g),
        k=tuple(k),
        C=tuple(C),
        strands=strands,
        exact_up_to=exact_up_to,
        class_weight=setting.class_weight,
        seed=setting.seed,
        threads=setting.threads,
    )
