"""Differential expression: pairs of epigenomes, and models of their log fold change."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import MARKS, deepening_epigenomes

from chromattend.chromatin.differential import correlations, differential_table, pair_dataset, predict_change
from chromattend.chromatin.figures import plot_differential
from chromattend.errors import UserError
from chromattend.figures import save
from chromattend.models import load_model
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train_to_files

QUICK = TrainingOptions(max_epochs=3, learning_rate=0.01, batch_size=32, warmup=0, accelerator="cpu")


def test_the_target_is_the_log_fold_change_of_the_second_over_the_first() -> None:
    first, second = deepening_epigenomes().values()
    first["rpkm"].values[:3], second["rpkm"].values[:3] = [0, 3, 7], [7, 3, 0]
    # Another order and one gene fewer: genes are matched by their ids.
    pair = pair_dataset(first, second.isel(gene=[2, 1, 0, *range(4, 640)]))
    assert pair["gene"].values[:4].tolist() == first["gene"].values[[0, 1, 2, 4]].tolist()
    assert pair["target"].values[:3].tolist() == [3, 0, -3]
    assert pair["mark"].values.tolist() == [f"A:{mark}" for mark in MARKS] + [f"B:{mark}" for mark in MARKS]
    np.testing.assert_array_equal(pair["counts"][3, :, :5], first["counts"][4])
    np.testing.assert_array_equal(pair["counts"][3, :, 5:], second["counts"][4])
    np.testing.assert_array_equal(pair["depth"], [*first["depth"], *second["depth"]])


def test_duplicated_genes_are_matched_in_order() -> None:
    first, second = (dataset.isel(gene=[0, 1, 1, 2]) for dataset in deepening_epigenomes().values())
    first["rpkm"].values[:], second["rpkm"].values[:] = [0, 0, 1, 0], [0, 1, 0, 0]
    assert pair_dataset(first, second)["target"].values.tolist() == [0, 1, -1, 0]


def test_pairs_that_do_not_fit_are_refused() -> None:
    first, second = deepening_epigenomes().values()
    with pytest.raises(UserError, match="E0, E1: have no gene in common"):
        pair_dataset(first, second.assign_coords(gene=[f"x{k}" for k in range(640)]))
    with pytest.raises(UserError, match="E0, E1: have different splits"):
        pair_dataset(first, second.assign(split=("gene", second["split"].values[::-1])))


def change_dataset() -> xr.Dataset:
    """Build a pair in which the change of expression follows the change of one mark around the TSS."""
    first, second = deepening_epigenomes(effect=2.0).values()
    counts = [dataset["counts"].values[:, 5:15, 3].sum(axis=1) for dataset in (first, second)]
    noise = np.random.default_rng(1).normal(0, 0.3, 640)
    first["rpkm"].values[:] = 10
    second["rpkm"].values[:] = 11 * 2 ** (np.log2((counts[1] / 2 + 1) / (counts[0] + 1)) + noise) - 1
    return pair_dataset(first, second)


@pytest.mark.parametrize("name", ["linear_regression", "deepdiff"])
def test_models_learn_the_change_of_expression(name: str, tmp_path: Path) -> None:
    pair = change_dataset()
    options = vars(QUICK) | {"max_epochs": 12}
    options.pop("accelerator")
    checkpoint, history = tmp_path / "model.ckpt", tmp_path / "history.csv"
    (model,) = train_to_files(name, [pair], {}, options, [checkpoint], [history], accelerator="cpu")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["history.csv", "model.ckpt"]
    assert pd.read_csv(history)["valid_r"].max() > 0.6
    table = predict_change(load_model(checkpoint), pair)
    assert list(table) == ["gene", "symbol", "split", "target", "prediction"]
    pd.testing.assert_frame_equal(table, predict_change(model, pair))
    assert correlations(table)["test"]["pearson"] > 0.6


def test_correlations_by_hand() -> None:
    table = pd.DataFrame({"split": "test", "target": [1.0, 2, 3, 4, 5], "prediction": [1.0, 3, 2, 5, 4]})
    correlation = correlations(table)["test"]
    assert correlation["pearson"] == pytest.approx(0.8)
    assert correlation["spearman"] == pytest.approx(0.8)
    width = 1.959964 / np.sqrt(5 - 3)  # Fisher: the error of artanh(r) is 1 / sqrt(n - 3)
    assert correlation["pearson_low"] == pytest.approx(np.tanh(np.arctanh(0.8) - width))
    assert correlation["pearson_high"] == pytest.approx(np.tanh(np.arctanh(0.8) + width))
    assert correlation["n"] == 5
    constant = correlations(table.assign(prediction=1.0))["test"]
    assert constant == {"pearson": None, "pearson_low": None, "pearson_high": None, "spearman": None, "n": 5}


def test_differential_results_are_drawn(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    predictions = {
        (pair, model): pd.DataFrame({"split": "test", "target": rng.normal(size=50), "prediction": rng.normal(size=50)})
        for pair in ("A-vs-B", "A-vs-C")
        for model in ("linear_regression", "deepdiff")
    }
    table = differential_table({key: correlations(rows) for key, rows in predictions.items()})
    assert len(table) == 4
    save(plot_differential(table, predictions), tmp_path / "differential.svg")
    assert f"r {table['pearson'][0]:.3f}" in (tmp_path / "differential.svg").read_text()
