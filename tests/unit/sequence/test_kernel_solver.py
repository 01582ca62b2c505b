"""The linear SVM of sparse features, beside scikit-learn's."""

import gzip
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from chromattend.errors import UserError
from chromattend.sequence.kernel.features import GappedKmerFeatures
from chromattend.sequence.kernel.linear_svm import LinearMachine, fit_linear_svm
from chromattend.sequence.kernel.strings import Strings


def random_problem(seed: int = 0, rows: int = 120, columns: int = 60, noise: float = 1.0) -> tuple[Any, np.ndarray]:
    """Return sparse features with one empty row, and labels that depend on them, of unequal classes."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(size=(rows, columns)) * (rng.random((rows, columns)) < 0.2)
    labels = np.where(dense @ rng.normal(size=columns) + noise * rng.normal(size=rows) > 0.8, "on", "off")
    dense[rows // 2] = 0
    return sparse.csr_matrix(dense, dtype=np.float32), labels


def objective(
    features: Any, labels: np.ndarray, coef: np.ndarray, intercept: float, C: float, power: int, balanced: bool
) -> float:
    """Compute the loss from its formula."""
    positive = labels == np.unique(labels)[1]
    margins = np.where(positive, 1, -1) * (features.astype(float) @ coef + intercept)
    share = np.where(positive, positive.mean(), 1 - positive.mean())
    penalty = C / (2 * share) if balanced else np.full(len(labels), C)
    return (coef @ coef + intercept**2) / 2 + float(penalty @ np.maximum(0, 1 - margins) ** power)


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
@pytest.mark.parametrize("class_weight", ["balanced", None])
@pytest.mark.parametrize(("C", "noise"), [(0.01, 1.0), (1.0, 1.0), (1.0, 0.0), (30.0, 0.0)])
def test_agrees_with_liblinear(loss: str, class_weight: str | None, C: float, noise: float) -> None:
    features, labels = random_problem(noise=noise)
    machine = fit_linear_svm(
        features, labels, C, loss=loss, class_weight=class_weight, tolerance=1e-9, most_epochs=10**5
    )
    other = LinearSVC(C=C, loss=loss, class_weight=class_weight, tol=1e-8, max_iter=10**6, dual=True)
    other.fit(features.astype(float), labels)
    power, balanced = {"squared_hinge": 2, "hinge": 1}[loss], class_weight is not None
    own = objective(features, labels, machine.coef, machine.intercept, C, power, balanced)
    theirs = objective(features, labels, other.coef_[0], other.intercept_[0], C, power, balanced)
    assert machine.converged
    assert own == pytest.approx(theirs, rel=1e-6)
    assert machine.objective == pytest.approx(own, rel=1e-9)
    assert 0 <= machine.gap <= 1e-5 * own
    assert machine.classes.tolist() == ["off", "on"]
    assert machine.intercept == pytest.approx(other.intercept_[0], abs=1e-3)
    np.testing.assert_allclose(machine.decision_function(features), other.decision_function(features), atol=1e-3)


def test_separable_rows() -> None:
    features = sparse.csr_matrix(np.array([[1.0, 0], [0.8, 0.6], [0, 1], [0.6, 0.8]]))  # float64
    labels = np.array([0, 0, 1, 1])
    machine = fit_linear_svm(features, labels, 100.0, loss="hinge", tolerance=1e-9)
    # By symmetry the intercept is 0; the pair in the middle has margins of 1 each.
    np.testing.assert_allclose(machine.coef, [-5, 5], atol=1e-5)
    assert machine.intercept == pytest.approx(0, abs=1e-5)
    assert np.flatnonzero(machine.duals).tolist() == [1, 3]
    assert machine.objective == pytest.approx(25)


def test_only_empty_rows() -> None:
    machine = fit_linear_svm(
        sparse.csr_matrix((3, 5), dtype=np.float32), [0, 1, 1], 1.0, loss="squared_hinge", tolerance=1e-9
    )
    # Least b with b^2 / 2 + (1 + b)^2 + 2 (1 - b)^2.
    assert machine.intercept == pytest.approx(2 / 7)
    assert machine.coef.tolist() == [0] * 5


def test_duals_give_weights() -> None:
    features, labels = random_problem(1)
    machine = fit_linear_svm(features, labels, 0.5, loss="hinge", tolerance=1e-6)
    signed = np.where(labels == "on", machine.duals, -machine.duals)
    np.testing.assert_allclose(features.T @ signed, machine.coef, atol=1e-9)
    assert signed.sum() == pytest.approx(machine.intercept)
    assert machine.duals.min() >= 0
    assert machine.duals.max() <= 0.5


def test_seed_decides() -> None:
    features, labels = random_problem(2)
    one, same, other = (fit_linear_svm(features, labels, tolerance=0.1, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.coef, same.coef)
    assert one.intercept == same.intercept
    assert not np.array_equal(one.coef, other.coef)


def test_features_stay_as_they_are() -> None:
    features, labels = random_problem(3)
    before = features.copy()
    fit_linear_svm(features, labels)
    assert (features != before).nnz == 0


@pytest.mark.parametrize("loss", ["squared_hinge", "hinge"])
def test_warm_path(loss: str) -> None:
    features, labels = random_problem(4, rows=300)
    options: dict[str, Any] = {"loss": loss, "tolerance": 1e-6, "most_epochs": 10**5}
    machine: LinearMachine | None = None
    for C in (0.01, 0.1, 1.0, 0.03):  # down at the end: dual variables above C are clipped
        machine = fit_linear_svm(features, labels, C, warm=machine, **options)
        cold = fit_linear_svm(features, labels, C, **options)
        assert machine.objective == pytest.approx(cold.objective, rel=1e-6)
        np.testing.assert_allclose(machine.coef, cold.coef, atol=1e-4)
    assert machine is not None
    again = fit_linear_svm(features, labels, 0.03, warm=machine, **options)
    assert again.epochs < cold.epochs / 2


@pytest.mark.parametrize("rows", [slice(0, 80), np.arange(80), np.arange(120) < 80])
def test_part_of_the_rows(rows: Any) -> None:
    features, labels = random_problem(5)
    part = fit_linear_svm(features, labels, rows=rows, class_weight="balanced", warm=fit_linear_svm(features, labels))
    copied = fit_linear_svm(features[:80], labels[:80], class_weight="balanced", warm=None, tolerance=1e-6)
    np.testing.assert_allclose(part.coef, copied.coef, atol=0.01)
    assert not part.duals[80:].any()


def test_says_when_epochs_run_out() -> None:
    features, labels = random_problem(6)
    with pytest.warns(ConvergenceWarning, match="not reached the tolerance 1e-09 in 2 epochs"):
        machine = fit_linear_svm(features, labels, 10.0, tolerance=1e-9, most_epochs=2)
    assert not machine.converged
    assert machine.epochs == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        best = fit_linear_svm(features, labels, 10.0, tolerance=1e-9, most_epochs=10**5)
    assert best.objective < machine.objective <= best.objective + machine.gap * (1 + 1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"C": 0.0}, "C is 0.0"),
        ({"C": np.nan}, "C is nan"),
        ({"loss": "log"}, "loss is 'log'"),
        ({"class_weight": "even"}, "class_weight is 'even'"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"most_epochs": 0}, "most_epochs is 0"),
        ({"labels": [0, 1, 2, 1]}, "3 different labels"),
        ({"labels": [1, 1, 1, 1]}, "1 different labels"),
        ({"labels": [0, 1]}, "4 rows"),
        ({"rows": [0, 1, 1]}, "number twice"),
        ({"features": np.eye(4)}, "csr_matrix"),
        ({"features": sparse.csc_matrix(np.eye(4))}, "csr_matrix"),
        ({"features": sparse.csr_matrix(np.eye(4, dtype=np.int32))}, "float32 or float64"),
        ({"features": sparse.csr_matrix(np.diag([1.0, np.nan, 1, 1]))}, "row 1 of the features"),
        ({"features": sparse.csr_matrix(np.diag([1.0, 1, -np.inf, 1]))}, "row 2 of the features"),
        ({"features": sparse.csr_matrix(([1.0, 1], [0, 0], [0, 2, 2, 2, 2]), shape=(4, 4))}, "sum_duplicates"),
        ({"warm": LinearMachine(np.ones(4), 0.0, np.arange(2), np.ones(3), 1, True, 1.0, 0.0)}, "fitted to 3 rows"),
    ],
)
def test_bad_arguments_are_one_line(change: dict[str, Any], words: str) -> None:
    arguments = {"features": sparse.csr_matrix(np.eye(4)), "labels": [0, 1, 0, 1]} | change
    with pytest.raises(UserError, match=words) as error:
        fit_linear_svm(**arguments)
    assert "\n" not in str(error.value)


def test_entries_outside_the_columns_are_refused() -> None:
    features = sparse.csr_matrix(np.eye(4))
    features.indices[3] = 7
    with pytest.raises(UserError, match="outside their 4 columns"):
        fit_linear_svm(features, [0, 1, 0, 1])
    machine = fit_linear_svm(sparse.csr_matrix(np.eye(4)), [0, 1, 0, 1])
    with pytest.raises(UserError, match="5 columns"):
        machine.decision_function(sparse.csr_matrix(np.eye(5)))


def test_real_sequences(real_sequences: Path) -> None:
    lines = gzip.decompress((real_sequences / "gkm/EP300.train.fasta.gz").read_bytes()).decode().split()
    labels = np.array([int(line[1:]) for line in lines[:400:2]] + [int(line[1:]) for line in lines[-400::2]])
    texts = lines[1:400:2] + lines[-399::2]
    features = GappedKmerFeatures(choices=5, bits=16).transform(Strings.of_texts(texts))
    for C in (0.1, 1.0):
        machine = fit_linear_svm(features, labels, C)
        other = LinearSVC(C=C, tol=1e-4).fit(features, labels)
        theirs = objective(features, labels, other.coef_[0], other.intercept_[0], C, 2, False)
        assert machine.objective == pytest.approx(theirs, rel=1e-3)
        np.testing.assert_allclose(machine.decision_function(features), other.decision_function(features), atol=0.01)
