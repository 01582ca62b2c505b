"""Several models against the same edits: transfer, and two networks at once."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.models.network import Network
from chromattend.robustness.subject import CountModel
from chromattend.robustness.together import EditedGenes, attack_together, transfer


class FirstEntry(nn.Module):
    """The first bin of one mark, less 2.5."""

    def __init__(self, mark: int) -> None:
        super().__init__()
        self.mark = mark

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs[:, 0, self.mark] - 2.5


def model_of(mark: int) -> CountModel:
    """Return a model that calls ON from 3 reads of a mark in the first bin."""
    network = Network(ChromatinInputs("mlp", ["K4", "K27"], [0, 100], "raw"), {}, 0)
    network.replicates = nn.ModuleList([FirstEntry(mark)])
    return CountModel(f"mark{mark}", network.eval(), np.ones((1, 1, 2), dtype=np.float32))


def windows(*first_bins: tuple[int, int]) -> np.ndarray:
    counts = np.zeros((len(first_bins), 2, 2), dtype=int)
    counts[:, 0] = first_bins
    return counts


def test_transfer_counts_right_calls_of_the_other_model() -> None:
    models = {"first": model_of(0), "second": model_of(1)}
    counts = windows((5, 5), (5, 5), (5, 5), (5, 0), (0, 0), (0, 0))
    labels = np.array([1, 1, 1, 1, 0, 0])
    changed = windows((2, 5), (2, 2), (5, 5), (2, 0), (3, 3), (3, 0))
    edited = {("reads", "first"): EditedGenes(changed, np.array([True, True, False, True, True, True]))}
    table = transfer(models, edited, counts, labels)
    assert table.columns.tolist() == ["threat", "from_model", "to_model", "genes", "fooled", "low", "high"]
    # The second model called the fourth gene wrong before; the third was not turned. Left: 4 genes, of them 2 fooled.
    assert table.iloc[0, :5].tolist() == ["reads", "first", "second", 4, 0.5]
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([0.1500, 0.8500], abs=1e-4)
    none = transfer(models, {("reads", "second"): EditedGenes(counts, np.zeros(6, dtype=bool))}, counts, labels)
    assert none["genes"].tolist() == [0]
    assert np.isnan(none.loc[0, "fooled"])


def test_both_networks_are_turned_by_the_sum_of_their_edits() -> None:
    first, second = model_of(0), model_of(1)
    counts = windows((5, 4), (1, 2), (5, 0), (9, 9))
    labels = np.array([1, 0, 1, 1])
    table, edited = attack_together([first, second], [first], counts, labels, 5, 2, np.array([8, 8]))
    # 5 -> 2 and 4 -> 2 are five reads; 1 -> 3 and 2 -> 3 are three; the third gene is called wrong by the second
    # model; the fourth would need fourteen.
    assert edited["reads"].turned.tolist() == [True, True, False, False]
    assert edited["reads"].counts[:, 0].tolist() == [[2, 2], [3, 3], [5, 0], [9, 9]]
    assert edited["entries"].turned.tolist() == [True, True, False, True]
    table = table.set_index(["threat", "direction"])
    assert table["models"].unique().tolist() == ["mark0 + mark1"]
    reads = table.loc["reads"]
    assert reads["genes"].tolist() == [2, 1, 3]
    assert reads["turned"].tolist() == [0.5, 1.0, 0.75]
    assert reads["median"].tolist() == [5.0, 3.0, 3.0]
    assert reads["p90"].isna().tolist() == [True, False, True]
    assert reads["others_fooled"].tolist() == [1.0, 1.0, 1.0]
    assert table.loc["entries", "median"].tolist() == [2.0, 2.0, 2.0]


def test_others_without_right_calls_have_no_share() -> None:
    first, second = model_of(0), model_of(1)
    wrong = replace(first, threshold=1 - 1e-6)
    table, _ = attack_together([first, second], [wrong], windows((5, 4)), np.array([1]), 9, 2, np.array([8, 8]))
    assert table["others_fooled"].isna().all()
    assert table["turned"].dropna().tolist() == [1.0] * 4
    assert torch.is_grad_enabled()
