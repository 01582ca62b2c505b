"""Analyses of several epigenomes: the pan-epigenome model and transfer."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from builders import MARKS, deepening_epigenomes, synthetic_dataset

from chromattend.chromatin.across import join_epigenomes, labels_elsewhere, transfer_aucs
from chromattend.chromatin.figures import plot_transfer
from chromattend.errors import UserError
from chromattend.evaluate import predict
from chromattend.figures import save
from chromattend.models import load_model
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train

QUICK = TrainingOptions(max_epochs=3, learning_rate=0.01, batch_size=32, warmup=0, accelerator="cpu")


def test_epigenomes_are_joined_without_their_test_genes() -> None:
    datasets = deepening_epigenomes()
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
    datasets = deepening_epigenomes()
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
    datasets = deepening_epigenomes(3)
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
