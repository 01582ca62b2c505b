"""Attention that is changed within a factor while the call is kept."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.models.network import Network
from chromattend.robustness.explanation import COLUMNS, attack_explanation, pearson
from chromattend.robustness.subject import CountModel


class Total(nn.Module):
    """All reads, less 0.5 more than a number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs.sum(dim=(1, 2)) - self.number - 0.5


def model_of(number: int, bins: int) -> CountModel:
    network = Network(ChromatinInputs("mlp", ["K4"], list(range(0, 100 * bins, 100)), "raw"), {}, 0)
    network.replicates = nn.ModuleList([Total(number)])
    return CountModel("total", network.eval(), np.ones((1, 1, 1), dtype=np.float32))


def alpha(counts: Tensor) -> Tensor:
    return torch.softmax(torch.log1p(counts), dim=1)


def test_attention_changes_within_the_box_and_the_call_is_kept() -> None:
    counts = np.random.default_rng(1).poisson(20, (12, 10, 1))
    model = model_of(150, 10)
    table, edited = attack_explanation(model, alpha, counts, (1.1, 1.3))
    assert table.columns.tolist() == COLUMNS
    assert table["genes"].tolist() == [12, 12]
    assert table["kept"].tolist() == [1.0, 1.0]
    for row, (factor, changed) in zip(table.itertuples(), edited.items(), strict=True):
        assert changed.dtype == np.int32
        assert (changed <= counts * factor + 1e-9).all()
        assert (changed * factor >= counts - 1e-9).all()
        assert (model.calls(changed) == model.calls(counts)).all()
        weights = [alpha(torch.from_numpy(values.astype(np.float32))).numpy() for values in (changed, counts)]
        r = pearson(*weights)
        # Of float32.
        assert row.alpha_r == pytest.approx(np.median(r), abs=1e-6)
        assert row.alpha_r_low == pytest.approx(np.quantile(r, 0.1), abs=1e-6)
        assert row.reads == np.abs(changed - counts).sum(axis=(1, 2)).mean()
    # Random ends of the boxes give medians of 0.949 and 0.667.
    assert table["alpha_r"].tolist() == pytest.approx([0.942, 0.230], abs=0.02)


def test_a_call_at_its_threshold_is_not_turned() -> None:
    """Every read that is taken away would turn these calls."""
    counts = np.array([10, 14, 11, 13, 12, 12]).reshape(1, 6, 1)
    model = model_of(71, 6)
    assert model.calls(counts).tolist() == [True]
    table, edited = attack_explanation(model, alpha, counts, (1.2,))
    assert edited[1.2].sum() >= 72
    assert table["kept"].tolist() == [1.0]
    assert table["alpha_r"][0] < 1


def test_attention_that_does_not_vary_has_no_correlation() -> None:
    counts = np.full((2, 6, 1), 10)
    table, edited = attack_explanation(model_of(30, 6), lambda c: torch.full_like(c, 1 / 6) + 0 * c, counts, (1.2,))
    assert np.isnan(table["alpha_r"][0])
    assert (edited[1.2] == counts).all()
