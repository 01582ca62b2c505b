"""A linear SVM of sparse features, fitted where they lie in memory: no copy of the matrix is made."""

import math
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from chromattend.errors import UserError

LOSSES = ("squared_hinge", "hinge")


@dataclass(frozen=True)
class LinearMachine:
    """A fitted linear SVM; see `fit_linear_svm`.

    Attributes:
        coef: weight of each column, float64, shape (column,).
        intercept: constant of the score.
        classes: the two labels; scores above 0 speak for the second one.
        duals: dual variable of each row, float64, shape (row,): 0 for rows that are not support vectors or were left
            out, never negative. `coef` is the sum of rows times their dual variable, less those of the first class.
        epochs: passes over the rows.
        converged: whether the tolerance was reached.
        objective: the loss that was minimised, see `fit_linear_svm`.
        gap: how far `objective` is above its smallest possible value at most (the duality gap).
    """

    coef: np.ndarray
    intercept: float
    classes: np.ndarray
    duals: np.ndarray
    epochs: int
    converged: bool
    objective: float
    gap: float

    def decision_function(self, features: sparse.csr_matrix) -> np.ndarray:
        """Return the score of each row, float64, shape (row,), without a copy of the features.

        Raises:
            UserError: the features are not a CSR matrix of floats, or have another number of columns.
        """
        _check_matrix(features)
        if features.shape[1] != len(self.coef):
            raise UserError(
                f"features have {features.shape[1]:,} columns, and the SVM was fitted to {len(self.coef):,}; "
                "give features with the same arguments"
            )
        return _scores(*_parts(features), np.arange(features.shape[0]), np.append(self.coef, self.intercept))


def fit_linear_svm(
    features: sparse.csr_matrix,
    labels: np.ndarray,
    C: float = 1.0,
    *,
    rows: np.ndarray | slice | None = None,
    loss: str = "squared_hinge",
    class_weight: str | None = None,
    warm: LinearMachine | None = None,
    seed: int = 1,
    tolerance: float = 1e-2,
    most_epochs: int = 1000,
) -> LinearMachine:
    """Fit a linear SVM by dual coordinate descent (Hsieh, Chang, Lin, Keerthi and Sundararajan, ICML 2008).

    It minimises |w|^2 / 2 + b^2 / 2 + sum_i C_i max(0, 1 - y_i (w x_i + b))^p with p = 2 (squared hinge) or 1 (hinge),
    where y_i is -1 or 1, and C_i is C times the weight of the class. The intercept b is the weight of one more column
    that is 1 everywhere, so it is penalised like the others. This is the problem of scikit-learn's `LinearSVC`, but
    the memory is that of one float64 per column and a few numbers per row, beside the features themselves.

    Each epoch visits the rows in a random order. Rows at a bound whose gradient is beyond the largest one of the epoch
    before are left out until the others meet the tolerance; then all rows are visited again.

    Example:
        >>> features = sparse.csr_matrix(np.array([[1, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]]))
        >>> machine = fit_linear_svm(features, [0, 0, 1, 1], C=1)
        >>> machine.decision_function(features).round(1).tolist()
        [-0.8, -0.2, 0.8, 0.2]

        A fit can start from one with another C:

        >>> for C in (0.1, 1, 10):
        ...     machine = fit_linear_svm(features, [0, 0, 1, 1], C, warm=machine)

    Args:
        features: CSR matrix of float32 or float64, shape (row, column), without repeated entries, such as those of
            `GappedKmerFeatures`. Rows may be empty.
        labels: two different values, shape (row,).
        C: penalty of errors, above 0.
        rows: the rows to fit, as numbers, booleans or a slice; None takes all. Like `features[rows]`, without a copy.
        loss: "squared_hinge" or "hinge".
        class_weight: "balanced" divides C by the class's share of the rows and by 2; None gives both classes C.
        warm: an SVM of the same rows and labels with another C, whose dual variables this fit starts from. It saves
            epochs if C is about the same, and changes the result only within the tolerance.
        seed: seed of the orders.
        tolerance: largest difference of two projected gradients at the end, in units of the score.
        most_epochs: epochs after which the fit ends with a `ConvergenceWarning`.

    Raises:
        UserError: an argument is not valid, features are not a CSR matrix of finite floats, or the fitted rows do not
            have two labels.
    """
    _check_arguments(C, loss, class_weight, tolerance, most_epochs)
    _check_matrix(features)
    number, columns = features.shape
    # Of any type that can be compared: numbers, booleans or words.
    labels = np.asarray(labels)
    if labels.shape != (number,):
        raise UserError(
            f"labels have the shape {labels.shape}, and features have {number:,} rows; give one label a row"
        )
    fitted = np.arange(number) if rows is None else np.arange(number)[rows]
    if len(np.unique(fitted)) < len(fitted):
        raise UserError("rows has a number twice; give each row once")
    classes = np.unique(labels[fitted])
    if len(classes) != 2:
        raise UserError(f"the fitted rows have {len(classes)} different labels; give rows of 2 classes")
    matrix = _parts(features)
    squares = _squares(matrix[0], matrix[2])
    bad = np.flatnonzero(~np.isfinite(squares[fitted]))
    if len(bad):
        raise UserError(
            f"row {fitted[bad[0]]} of the features has a value that is not finite, or too large; remove the row"
        )
    positive = labels == classes[1]
    counts = np.bincount(positive[fitted], minlength=2)
    penalties = C * (len(fitted) / (2 * counts) if class_weight == "balanced" else np.ones(2))
    # The squared loss is the one without an upper bound of the dual variables, but with a ridge on them.
    squared = loss == "squared_hinge"
    bounds, ridges = (np.full(2, np.inf), 1 / (2 * penalties)) if squared else (penalties, np.zeros(2))
    duals = np.zeros(number)
    weights = np.zeros(columns + 1)
    if warm is not None:
        if warm.duals.shape != duals.shape or warm.coef.shape != (columns,):
            raise UserError(
                f"warm was fitted to {len(warm.duals):,} rows of {len(warm.coef):,} columns, and features have "
                f"{number:,} of {columns:,}; give an SVM of the same features"
            )
        duals[fitted] = np.minimum(warm.duals[fitted], bounds[positive[fitted].astype(np.int8)])
        _add_rows(*matrix, fitted, positive, duals, weights)
    problem = _Problem(*matrix, positive, squares, bounds, ridges)
    epochs, converged = _descend(problem, fitted, duals, weights, seed, tolerance, most_epochs)
    margins = np.where(positive[fitted], 1, -1) * _scores(*matrix, fitted, weights)
    losses = np.maximum(0, 1 - margins) ** (2 if squared else 1)
    side = positive[fitted].astype(np.int8)
    half = float(weights @ weights) / 2
    objective = half + float(penalties[side] @ losses)
    dual = float(duals.sum()) - half - float(ridges[side] @ duals[fitted] ** 2) / 2
    gap = max(0.0, objective - dual)
    if not converged:
        warnings.warn(
            f"the SVM with C = {C:g} has not reached the tolerance {tolerance:g} in {epochs:,} epochs, and its "
            f"objective may be {gap / objective:.1%} too large; give more epochs, or a smaller C",
            ConvergenceWarning,
            stacklevel=2,
        )
    return LinearMachine(weights[:-1], float(weights[-1]), classes, duals, epochs, converged, objective, gap)


class _Problem(NamedTuple):
    """What is fitted.

    Attributes:
        pointers, columns, values: the features, see `_parts`.
        positive: whether each row has the second label.
        squares: squared length of each row.
        bounds, ridges: largest dual variable, and what is added to the squared length, of the first and second class.
    """

    pointers: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    positive: np.ndarray
    squares: np.ndarray
    bounds: np.ndarray
    ridges: np.ndarray


def _check_arguments(C: float, loss: str, class_weight: str | None, tolerance: float, most_epochs: int) -> None:
    if not (math.isfinite(C) and C > 0):
        raise UserError(f"C is {C}; give a number above 0")
    if loss not in LOSSES:
        raise UserError(f"loss is {loss!r}; give {' or '.join(map(repr, LOSSES))}")
    if class_weight not in ("balanced", None):
        raise UserError(f"class_weight is {class_weight!r}; give 'balanced' or None")
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise UserError(f"tolerance is {tolerance}; give a number above 0, such as 0.01")
    if most_epochs < 1:
        raise UserError(f"most_epochs is {most_epochs}; give 1 or more")


def _check_matrix(features: sparse.csr_matrix) -> None:
    """Check what compiled loops rely on."""
    if not (sparse.issparse(features) and features.format == "csr"):
        raise UserError(f"features are {type(features).__name__}; give a scipy.sparse.csr_matrix")
    if features.dtype not in (np.float32, np.float64):
        raise UserError(f"features are {features.dtype}; give float32 or float64")
    if not features.has_canonical_format:
        raise UserError("features have repeated or unsorted entries in a row; call features.sum_duplicates() first")
    # Columns are in order, so the last one of each row is its largest.
    ends = features.indptr[1:][np.diff(features.indptr) > 0] - 1
    starts = features.indptr[:-1][np.diff(features.indptr) > 0]
    if features.indices[ends].max(initial=0) >= features.shape[1] or features.indices[starts].min(initial=0) < 0:
        raise UserError(f"features have an entry outside their {features.shape[1]:,} columns; build the matrix again")


def _parts(features: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where rows begin, always int64 so that fewer versions are compiled, columns and values of all entries."""
    return features.indptr.astype(np.int64), features.indices, features.data


def _descend(
    problem: _Problem,
    fitted: np.ndarray,
    duals: np.ndarray,
    weights: np.ndarray,
    seed: int,
    tolerance: float,
    most_epochs: int,
) -> tuple[int, bool]:
    """Change dual variables and weights until the projected gradients of all rows agree within the tolerance.

    Args:
        problem: what is fitted.
        fitted: the rows.
        duals, weights: where to start; receive the result.

    Returns:
        Number of epochs, and whether the tolerance was reached.
    """
    rng = np.random.default_rng(seed)
    visited, order = len(fitted), fitted.copy()
    low, high = -math.inf, math.inf
    for epoch in range(1, most_epochs + 1):
        rng.shuffle(order[:visited])
        whole = visited == len(fitted) and low == -math.inf and high == math.inf
        visited, least, most = _visit(*problem, order[:visited], duals, weights, low, high)
        if most - least <= tolerance:
            if whole:
                return epoch, True
            visited, order = len(fitted), fitted.copy()
            low, high = -math.inf, math.inf
        else:
            low = least if least < 0 else -math.inf
            high = most if most > 0 else math.inf
    return most_epochs, False


@njit(cache=True, nogil=True)
def _squares(pointers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the squared length of each row with the constant column, float64, shape (row,)."""
    squares = np.ones(len(pointers) - 1)
    for row in range(len(squares)):
        for entry in range(pointers[row], pointers[row + 1]):
            squares[row] += np.float64(values[entry]) ** 2
    return squares


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _score(pointers: np.ndarray, columns: np.ndarray, values: np.ndarray, row: int, weights: np.ndarray) -> float:
    """Return the product of a row and the weights; the last weight is that of the constant column."""
    # Slices and sums in any order let the processor work on several entries at once.
    own = columns[pointers[row] : pointers[row + 1]]
    counts = values[pointers[row] : pointers[row + 1]]
    score = 0.0
    for entry in range(len(own)):
        score += counts[entry] * weights[own[entry]]
    return score + weights[-1]


@njit(cache=True, nogil=True)
def _add_row(
    pointers: np.ndarray, columns: np.ndarray, values: np.ndarray, row: int, step: float, weights: np.ndarray
) -> None:
    """Add a row times a number to the weights."""
    own = columns[pointers[row] : pointers[row + 1]]
    counts = values[pointers[row] : pointers[row + 1]]
    for entry in range(len(own)):
        weights[own[entry]] += step * counts[entry]
    weights[-1] += step


@njit(cache=True, nogil=True)
def _scores(
    pointers: np.ndarray, columns: np.ndarray, values: np.ndarray, rows: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    scores = np.empty(len(rows))
    for place in range(len(rows)):
        scores[place] = _score(pointers, columns, values, rows[place], weights)
    return scores


@njit(cache=True, nogil=True)
def _add_rows(
    pointers: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    rows: np.ndarray,
    positive: np.ndarray,
    duals: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Add the support vectors to the weights."""
    for row in rows:
        if duals[row] > 0:
            _add_row(pointers, columns, values, row, duals[row] if positive[row] else -duals[row], weights)


@njit(cache=True, nogil=True)
def _visit(
    pointers: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    positive: np.ndarray,
    squares: np.ndarray,
    bounds: np.ndarray,
    ridges: np.ndarray,
    order: np.ndarray,
    duals: np.ndarray,
    weights: np.ndarray,
    low: float,
    high: float,
) -> tuple[int, float, float]:
    """Minimise the dual problem along the dual variable of one row after the other.

    Args:
        pointers, columns, values, positive, squares, bounds, ridges: see `_Problem`.
        order: the rows to visit; those that stay for the next epoch are moved to its beginning.
        duals, weights: are changed.
        low, high: rows at their upper bound with a gradient below `low`, or at 0 with one above `high`, are left out.

    Returns:
        Number of rows that stay, smallest and largest projected gradient.
    """
    kept, least, most = 0, np.inf, -np.inf
    for row in order:
        sign, side = (1.0, 1) if positive[row] else (-1.0, 0)
        dual, bound, ridge = duals[row], bounds[side], ridges[side]
        gradient = sign * _score(pointers, columns, values, row, weights) - 1 + ridge * dual
        projected = gradient
        if dual == 0:
            if gradient > high:
                continue
            projected = min(gradient, 0.0)
        elif dual == bound:
            if gradient < low:
                continue
            projected = max(gradient, 0.0)
        order[kept] = row
        kept += 1
        least, most = min(least, projected), max(most, projected)
        if projected != 0:
            duals[row] = min(max(dual - gradient / (squares[row] + ridge), 0.0), bound)
            _add_row(pointers, columns, values, row, sign * (duals[row] - dual), weights)
    return kept, least, most
