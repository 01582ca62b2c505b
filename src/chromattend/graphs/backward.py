"""Backward maps: approximate inverses of correlation matrices, also where there are fewer samples than variables."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack, solve_triangular
from scipy.sparse.linalg import eigsh

from chromattend.errors import UserError

# What is left of the least eigenvalue, at the least, so that the inverse has entries of at most 100.
MARGIN = 0.01
# Above this number of variables, matrices are inverted in single precision: half the memory and time.
MOST_DOUBLE = 2000
BISECTIONS = 10


@dataclass(frozen=True)
class BackwardMap:
    """The approximate inverse of a correlation matrix, and how it came about.

    Attributes:
        precision: the inverse, symmetric, shape (p, p); float32 above 2000 variables, else float64.
        threshold: v of the threshold map; 0 for the ridge map.
        least_eigenvalue: the smallest eigenvalue of the matrix that was inverted.
        nonzero: share of the entries off the diagonal that are not 0 in the matrix that was inverted.
        raised: whether v had to be larger than c sqrt(log p / n) for a positive definite matrix.
    """

    precision: np.ndarray
    threshold: float
    least_eigenvalue: float
    nonzero: float
    raised: bool


def soft_threshold(values: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """Return sign(x) max(|x| - limit, 0); values within the limit become exactly 0."""
    return values - np.clip(values, -limit, limit)


def threshold_map(correlation: np.ndarray, samples: int, c: float = 0.75) -> BackwardMap:
    """Invert a correlation matrix after a soft threshold.

    The map is T_v(R)^-1, with T_v(R)_jj = 1 + v and T_v(R)_jk = sign(R_jk) max(|R_jk| - v, 0) (Wang, Sekhon and Qi,
    JEEK, ICML 2018, supplement 11.2). v is c sqrt(log p / n), the rate of their theorems; if T_v - 0.01 I is then not
    positive definite, v is raised by bisection until it is. 1 + v instead of 1 keeps small v usable.

    Args:
        correlation: symmetric, diagonal 1, shape (p, p).
        samples: n, the number of samples that it comes from.
        c: factor of the rate, above 0.

    Raises:
        UserError: c is not above 0.
    """
    if not c > 0:
        raise UserError(f"backward: c is {c:g}; give a number above 0, such as 0.75")
    kind = _kind(correlation)
    correlation = correlation.astype(kind, copy=False)
    low = c * float(np.sqrt(np.log(len(correlation)) / samples))
    v, raised = low, False
    if not _is_definite(_threshold(correlation, v)):
        # Without entries off the diagonal, T_v is positive definite.
        high, raised = float(np.abs(correlation - np.eye(len(correlation), dtype=kind)).max()), True
        for _ in range(BISECTIONS):
            v = (low + high) / 2
            low, high = (low, v) if _is_definite(_threshold(correlation, v)) else (v, high)
        v = high
    return _inverted(_threshold(correlation, v), v, raised)


def ridge_map(correlation: np.ndarray, a: float) -> BackwardMap:
    """Invert (1 - a) R + a I, a correlation matrix shrunk towards independence.

    Args:
        correlation: R, symmetric, diagonal 1, positive semidefinite, shape (p, p).
        a: strength, above 0 and below 1.

    Raises:
        UserError: a is not between 0 and 1.
    """
    _check_ridge(a)
    matrix = correlation.astype(_kind(correlation)) * (1 - a)
    matrix.flat[:: len(matrix) + 1] += a
    return _inverted(matrix, 0.0, False)


class RidgeFactor:
    """The ridge map of `ridge_map`, kept as one matrix of the size of the samples instead of (p, p).

    With Z'Z = R and the Cholesky factor L of a / (1 - a) I + ZZ', the inverse of (1 - a) R + a I is (I - U'U) / a, with
    U = L^-1 Z (Woodbury's identity). Every entry is a dot product of two columns.

    Attributes:
        a: strength of the ridge.
        diagonal: the diagonal of the inverse, shape (p,).
        columns: U divided by sqrt(1 - the squared length of its column), shape (n, p): the partial correlation of j and
            k is the dot product of columns j and k.
        least_eigenvalue: a, which bounds the eigenvalues of (1 - a) R + a I from below. With at most as many samples as
            variables, it is the smallest of them.
    """

    def __init__(self, scores: np.ndarray, a: float) -> None:
        """Factorise.

        Args:
            scores: Z of `covariance.scores`, shape (n, p); columns have their type, float32 or float64.
            a: strength, above 0 and below 1.

        Raises:
            UserError: a is not between 0 and 1.
        """
        _check_ridge(a)
        double = scores.astype(np.float64, copy=False)
        gram = double @ double.T
        gram.flat[:: len(gram) + 1] += a / (1 - a)
        columns = solve_triangular(np.linalg.cholesky(gram), double, lower=True)
        rest = 1 - np.einsum("np,np->p", columns, columns)
        columns /= np.sqrt(rest)
        self.a = a
        self.least_eigenvalue = a
        self.diagonal = rest / a
        self.columns = columns.astype(scores.dtype, copy=False)

    def block(self, rows: slice | np.ndarray, columns: slice | np.ndarray) -> np.ndarray:
        """Return partial correlations of the chosen rows and columns, with a diagonal of 0."""
        values = self.columns[:, rows].T @ self.columns[:, columns]
        numbers = np.arange(self.columns.shape[1])
        values[numbers[rows][:, None] == numbers[columns]] = 0
        return values


def _check_ridge(a: float) -> None:
    if not 0 < a < 1:
        raise UserError(f"backward: ridge is {a:g}; give a number above 0 and below 1, such as 0.1")


def _kind(correlation: np.ndarray) -> type[np.floating]:
    return np.float32 if len(correlation) > MOST_DOUBLE else np.float64


def _threshold(correlation: np.ndarray, v: float) -> np.ndarray:
    """Return T_v."""
    matrix = soft_threshold(correlation, v)
    matrix.flat[:: len(matrix) + 1] = 1 + v
    return matrix


def _is_definite(matrix: np.ndarray) -> bool:
    """Return whether all eigenvalues are above the margin; the matrix is overwritten."""
    matrix.flat[:: len(matrix) + 1] -= MARGIN
    return _factorise(matrix)[1] == 0


def _factorise(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the Cholesky factor in place of a symmetric matrix, and LAPACK's info: 0 for success."""
    potrf = lapack.spotrf if matrix.dtype == np.float32 else lapack.dpotrf
    # Transposed, a symmetric matrix is in LAPACK's order and not copied.
    factor, info = potrf(matrix.T, lower=True, overwrite_a=True, clean=False)
    return factor, info


def _inverted(matrix: np.ndarray, v: float, raised: bool) -> BackwardMap:
    """Return the map that inverts a positive definite matrix, which is overwritten."""
    size = len(matrix)
    nonzero = (np.count_nonzero(matrix) - size) / max(size * (size - 1), 1)
    factor, info = _factorise(matrix)
    if info:
        raise UserError("backward: the correlation matrix is not positive semidefinite; give a map of kind threshold")
    potri = lapack.spotri if factor.dtype == np.float32 else lapack.dpotri
    precision = potri(factor, lower=True, overwrite_c=True)[0].T
    _mirror(precision)
    return BackwardMap(precision, v, 1 / _largest_eigenvalue(precision), nonzero, raised)


def _mirror(matrix: np.ndarray, side: int = 512) -> None:
    """Copy the upper triangle to the lower one, in blocks, without a second matrix."""
    for start in range(0, len(matrix), side):
        rows = slice(start, start + side)
        block = matrix[rows, rows]
        block[:] = np.triu(block) + np.triu(block, 1).T
        matrix[start + side :, rows] = matrix[rows, start + side :].T


def _largest_eigenvalue(matrix: np.ndarray) -> float:
    if len(matrix) < 3:
        return float(np.linalg.eigvalsh(matrix)[-1])
    start = np.random.default_rng(1).normal(size=len(matrix)).astype(matrix.dtype)
    return float(eigsh(matrix, k=1, which="LA", tol=1e-4, v0=start, return_eigenvectors=False)[0])
