"""Analyses of several epigenomes: the pan-epigenome model, transfer, and differential expression."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import MARKS, synthetic_dataset

from chromattend.chromatin.across import join_epigenomes, labels_elsewhere, transfer_aucs
from chromattend.chromatin.differential import correlations, differential_table, pair_dataset, predict_change
from chromattend.chromatin.figures import plot_differential, plot_transfer
from chromattend.errors import UserError
from chromattend.evaluate import predict
from chromattend.figures import save
from chromattend.models import load_model
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train, train_to_files

QUICK = TrainingOptions(max_epochs=3, learning_rate=0.01, batch_size=32, warmup=0, accelerator="cpu")


def epigenomes(number: int = 2, **options: object) -> dict[str, xr.Dataset]:
    """Build datasets of the same genes; each is twice as deep as the previous one."""
    datasets = {}
    for k in range(number):
        dataset = synthetic_dataset(seed=k + 1, epigenome=f"E{k}", **options)  # type: ignore[arg-type]
        datasets[f"E{k}"] = dataset.assign(counts=dataset["counts"] * 2**k, depth=dataset["depth"] * 2**k)
    return datasets


def test_epigenomes_are_joined_without_their_test_genes() -> None:
    datasets = epigenomes()
    joined = join_epigenomes(datasets.items())
    assert set(joined["split"].values) == {"train", "valid"}
    assert joined.sizes["gene"] == 2 * 480
    assert joined["epigenome"].values.tolist() == ["E0"] * 480 + ["E1"] * 480
    np.testing.assert_array_equal(joined["counts"][480:], datasets["E1"]["counts"][:480])
    np.testing.assert_allclose(joined["depth"][[0, -1]], [datasets[name]["depth"].values for name in ("E0", "E1")])


def test_epigenomes_of_other_marks_are_not_joined() -> None:
    datasets = {"E0": synthetic_dataset(), "E1": synthetic_dataset(marks=MARKS[::-1])}
    with pytest.raises(UserError, match="E1: its marks or bins differ from the other epigenomes"):
        join_epigenomes(datasets.items())


def test_the_pan_epigenome_model_learns_and_distinguishes_epigenomes(tmp_path: Path) -> None:
    datasets = epigenomes()
    # In the second epigenome the marks have the opposite meaning, which only the context shows.
    datasets["E1"]["label"].values[:] = 1 - datasets["E1"]["label"].values
    model, _ = train(
        "pan_epigenome", join_epigenomes(datasets.items()), {}, TrainingOptions(**(vars(QUICK) | {"max_epochs": 12}))
    )
    assert model.input_spec.epigenomes == ["E0", "E1"]
    model.save(tmp_path / "model.ckpt")
    loaded = load_model(tmp_path / "model.ckpt")
    for dataset in datasets.values():
        table = predict(loaded, dataset).query("split == 'test'")
        assert ((table["score"] > 0.5) == table["label"]).mean() > 0.9
    # An unknown epigenome is scored, too.
    stranger = datasets["E0"].assign_attrs(epigenome="E9")
    assert predict(loaded, stranger)["score"].between(0, 1).all()
    assert loaded.input_spec.context(stranger).tolist() == [0] * 640  # type: ignore[union-attr]


def test_labels_elsewhere_by_hand() -> None:
    labels = pd.DataFrame(
        {"A": [1, 1, 0, 0], "B": [1, 0, 0, 1], "C": [1, 1, 0, np.nan]}, index=["g1", "g2", "g3", "g4"]
    )
    table = labels_elsewhere(labels).set_index("epigenome")
    # Shares of the other epigenomes: for A 1, .5, 0, 1 against 1, 1, 0, 0; for B 1, 1, 0, 0 against 1, 0, 0, 1;
    # for C 1, .5, 0 against 1, 1, 0, without the gene that C lacks.
    assert table["auc"].to_dict() == pytest.approx({"A": (1 + 0.5 + 1 + 0) / 4, "B": 0.5, "C": 1.0})
    assert table["n"].to_dict() == {"A": 4, "B": 4, "C": 3}


def test_transfer_measures_the_test_genes_of_every_epigenome() -> None:
    datasets = epigenomes(3)
    model, _ = train("logistic_regression", datasets["E0"])
    table = transfer_aucs(model, datasets.items())
    assert table["tested_on"].tolist() == ["E0", "E1", "E2"]
    assert table["n"].tolist() == [160] * 3
    # The same marks have the same meaning at any depth.
    assert (table["auc"] > 0.95).all()
    flipped = {"E9": datasets["E1"].assign(label=1 - datasets["E1"]["label"])}
    assert transfer_aucs(model, flipped.items())["auc"].item() == pytest.approx(1 - table["auc"][1])


@pytest.mark.parametrize("number", [2, 56])
def test_a_transfer_matrix_is_drawn(tmp_path: Path, number: int) -> None:
    names = [f"E{k}" for k in range(number)]
    table = pd.DataFrame([(a, b, 0.8 + k / 1e4) for k, a in enumerate(names) for b in names])
    table.columns = pd.Index(["trained_on", "tested_on", "auc"])
    figure = plot_transfer(table, "deepchrome", {name: ["Group", "#336699"] for name in names})
    save(figure, tmp_path / "transfer.svg")
    text = (tmp_path / "transfer.svg").read_text()
    assert text.count(">E1</text>") == 2
    assert "Trained on" in text


def test_the_target_is_the_log_fold_change_of_the_second_over_the_first() -> None:
    first, second = epigenomes().values()
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
    first, second = (dataset.isel(gene=[0, 1, 1, 2]) for dataset in epigenomes().values())
    first["rpkm"].values[:], second["rpkm"].values[:] = [0, 0, 1, 0], [0, 1, 0, 0]
    assert pair_dataset(first, second)["target"].values.tolist() == [0, 1, -1, 0]


def test_pairs_that_do_not_fit_are_refused() -> None:
    first, second = epigenomes().values()
    with pytest.raises(UserError, match="E0, E1: have no gene in common"):
        pair_dataset(first, second.assign_coords(gene=[f"x{k}" for k in range(640)]))
    with pytest.raises(UserError, match="E0, E1: have different splits"):
        pair_dataset(first, second.assign(split=("gene", second["split"].values[::-1])))


def change_dataset() -> xr.Dataset:
    """Build a pair in which the change of expression follows the change of one mark around the TSS."""
    first, second = epigenomes(effect=2.0).values()
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
