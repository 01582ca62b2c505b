"""What every model can learn, and what it cannot."""

from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import MODELS, NETWORKS, auc, of_part, quick, scores_of, synthetic_dataset

from chromattend.statistics import auc_interval
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train


@pytest.mark.parametrize("name", MODELS)
def test_no_model_learns_shuffled_labels(name: str) -> None:
    # With this many test genes, the AUC of chance has a standard deviation of 0.018.
    dataset = synthetic_dataset(sizes={"train": 320, "valid": 160, "test": 1000})
    shuffled = dataset.copy(deep=True)
    order = np.random.default_rng(5).permutation(dataset.sizes["gene"])
    for variable in ("label", "rpkm"):
        shuffled[variable].values[:] = dataset[variable].values[order]
    test_auc = auc(quick(name, shuffled, max_epochs=2)[0], shuffled, "test")
    assert abs(test_auc - 0.5) < 0.1, test_auc  # worst of 5 seeds 0.034


# Models with enough features to learn random labels by heart.
BY_HEART = [name for name in MODELS if name not in ("linear_regression", "svc_best_bin", "random_forest_best_bins")]
EAGER: dict[str, dict[str, Any]] = {
    "logistic_regression": {"C": 10.0},
    "linear_svc": {"C": 1.0},
    "svc": {"C": 10.0},
    "random_forest": {"n_estimators": 50, "min_samples_leaf": 1},
    "random_forest_best_bins": {"n_estimators": 50, "min_samples_leaf": 1},
}


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_fit_fifty_genes_perfectly(name: str) -> None:
    sizes = {"train": 50, "valid": 50, "test": 50}
    genes = synthetic_dataset(sizes=sizes, bins=16, effect=0 if name in BY_HEART else 6)
    # The valid part is a copy of the train part, so that the best epoch is the best fit.
    for variable in ("counts", "label", "rpkm"):
        genes[variable].values[50:100] = genes[variable].values[:50]
    options = EAGER.get(name, {"dropout": 0.0} if name in NETWORKS else {})
    training = TrainingOptions(
        max_epochs=300, patience=110, batch_size=50, learning_rate=0.01, warmup=0, weight_decay=0, accelerator="cpu"
    )
    model, history = train(name, genes, options, training)
    # The longest wait for a better epoch, over all networks and 5 seeds, was 52 epochs.
    assert auc(model, genes, "train") == pytest.approx(1.0, abs=1e-12), history["valid_auc"].tolist()


def order_dataset(seed: int) -> xr.Dataset:
    """Genes whose label depends only on the order of two peaks of one mark."""
    dataset = synthetic_dataset(sizes={"train": 400, "valid": 200, "test": 200}, effect=0, seed=seed)
    rng = np.random.default_rng(seed)
    counts, label = dataset["counts"].values, dataset["label"].values
    start = rng.integers(0, 12, len(label))
    for gene in range(len(label)):
        high, low = (start[gene], start[gene] + 4) if label[gene] else (start[gene] + 4, start[gene])
        counts[gene, high : high + 2, 3] += 20
        counts[gene, low : low + 2, 3] += 6
    return dataset


def test_attentivechrome_uses_the_order_of_the_bins() -> None:
    ordered = order_dataset(seed=3)
    model = quick("attentivechrome", ordered, max_epochs=8, learning_rate=0.01)[0]
    # The worst of 12 runs on three instruction sets: 1.0 here, and 0.43 on bins in another order.
    assert auc(model, ordered, "test") > 0.95
    # It cannot use the same values in another order of bins; sums, which ignore order, never predict the label.
    mixed = ordered.copy(deep=True)
    order = np.random.default_rng(1).permutation(20)
    mixed["counts"].values[:] = ordered["counts"].values[:, order]
    assert auc(model, mixed, "test") < 0.75
    test = of_part(ordered, "test")
    _, low, high = auc_interval(test["label"].values, scores_of(quick("linear_regression", ordered)[0], test), 0.999)
    assert low < 0.5 < high
