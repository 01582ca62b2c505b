"""Tests of explanations: a network whose important letters are known, and one that knows nothing."""

import numpy as np
import pytest
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional

from chromattend.interpret import RANDOM
from chromattend.interpret.faithfulness import SHARES, curve_table
from chromattend.models.network import Network
from chromattend.sequence.attribution import attribute, mean_reference
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.simulate import background
from chromattend.sequence.trust import (
    GC,
    TRUST,
    deletion_curves,
    gc_around,
    permute_labels,
    plant,
    planted_share,
    trust,
    trust_table,
)

LENGTH = 60
MOTIF = np.array([2, 3, 1, 0, 1, 2, 3, 2, 0, 1])  # GTCACGTGAC


class Scan(torch.nn.Module):
    """The highest agreement with the motif, as a convolution would learn it."""

    strands = "one"

    def __init__(self) -> None:
        super().__init__()
        weight = functional.one_hot(torch.from_numpy(MOTIF), 4).float() - 0.25
        self.weight = torch.nn.Parameter(weight.T[None], requires_grad=False)

    def forward(self, signal: Tensor) -> Tensor:
        matches = functional.conv1d(signal.transpose(1, 2), self.weight)
        return 2 * (matches.amax(dim=(1, 2)) - 5)


def network() -> Network:
    model = Network(SequenceInputs("cnn", "dna", LENGTH), {"channels": 4})
    model.replicates = torch.nn.ModuleList([Scan()])
    return model.eval()


@pytest.fixture(scope="module")
def letters() -> tuple[np.ndarray, np.ndarray]:
    """Sequences with the motif at position 20, and without it; labels."""
    drawn = background(np.random.default_rng(1), 80, LENGTH)
    drawn[:40, 20:30] = MOTIF
    return drawn, np.repeat([1, 0], 40)


def signal_of(letters: np.ndarray) -> Tensor:
    return functional.one_hot(torch.from_numpy(letters.astype(np.int64)), 4).float()


def test_planted_motif(letters: tuple[np.ndarray, np.ndarray]) -> None:
    model, signal = network(), signal_of(letters[0][40:])
    planted = plant(model, signal, MOTIF)
    for row, start in enumerate(planted.starts):
        assert planted.signal[row, start : start + 10].argmax(dim=1).tolist() == MOTIF.tolist()
        rest = torch.ones(LENGTH, dtype=torch.bool)
        rest[start : start + 10] = False
        assert torch.equal(planted.signal[row, rest], signal[row, rest])
    assert len(set(planted.starts)) > 10
    assert planted.answered
    torch.testing.assert_close(torch.from_numpy(planted.gain).float(), model(planted.signal) - model(signal))
    reference = mean_reference(signal)
    assert planted_share(model, "corrected_gradient", reference, planted) == 1
    assert planted_share(model, "mutagenesis", reference, planted) == 1
    # A network that asks for another motif does not point to this one.
    other = network()
    other.replicates[0].weight.data = other.replicates[0].weight.flip(1)
    assert not plant(other, signal, MOTIF).answered
    assert planted_share(other, "corrected_gradient", reference, planted) < 0.5


def test_deletion_of_the_motif_removes_the_evidence(letters: tuple[np.ndarray, np.ndarray]) -> None:
    model, own = network(), letters[0][:40]
    known = torch.zeros(40, LENGTH)
    known[:, 20:30] = 1
    curves = deletion_curves(model, own, {"corrected_gradient": known, "saliency": 1 - known})
    at = int(np.searchsorted(SHARES, 0.2))  # 12 of 60 letters
    best, worst = (curves[view, "deletion"][:, at].mean() for view in ("corrected_gradient", "saliency"))
    chance = curves[RANDOM, "deletion"][:, at].mean()
    assert best > chance + 2 > worst + 2
    assert curves["corrected_gradient", "insertion"][:, at].mean() > curves[RANDOM, "insertion"][:, at].mean() + 2
    # At the end of every order, all letters are replaced.
    whole = curves["saliency", "deletion"][:, -1]
    np.testing.assert_allclose(curves["corrected_gradient", "deletion"][:, -1], whole, atol=1e-5)
    np.testing.assert_allclose(curves[GC, "deletion"][:, -1], whole, atol=1e-5)
    assert (curves[GC, "deletion"][:, 0] == 0).all()
    again = deletion_curves(model, own, {"corrected_gradient": known})
    np.testing.assert_array_equal(again[RANDOM, "deletion"], curves[RANDOM, "deletion"])


def test_gc_content_around_a_position() -> None:
    letters = np.zeros((1, 15), dtype=np.int8)
    letters[0, [3, 4]] = [1, 2]
    letters[0, 10] = -1
    content = gc_around(letters, window=5)[0]
    assert content[:8].tolist() == pytest.approx([0, 0.2, 0.4, 0.4, 0.4, 0.4, 0.2, 0])
    assert content[8:].tolist() == [0] * 7


def test_views_of_a_network_that_reads_the_motif(letters: tuple[np.ndarray, np.ndarray]) -> None:
    model, (own, label) = network(), letters
    reference = mean_reference(signal_of(own))
    views = ("corrected_gradient", "integrated_gradients")
    weights = {view: attribute(model, signal_of(own), view, reference) for view in views}
    table, curves = trust(model, own, label, weights, reference, motif=MOTIF)
    assert table.columns.tolist() == TRUST
    assert table[["view", "measure"]].values.tolist() == [[v, m] for v in views for m in ("deletion", "insertion")]
    assert (table["low"] > 0).all()
    assert (table["gc_low"] > 0).all()
    assert (table["planted"] > 0.95).all()
    assert (table["learned"] == 1).all()
    assert (table["trustworthy"] == 1).all()
    assert table["incomplete"].isna().tolist() == [True, True, False, False]
    assert set(curve_table(curves)["method"]) == {*views, RANDOM, GC}
    # Labels that have nothing to do with the motif: the network has learned nothing about them.
    unrelated, _ = trust(model, own, np.tile([0, 1], 40), weights, reference)
    assert not unrelated["learned"].any()
    assert not unrelated["trustworthy"].any()
    assert unrelated["planted"].isna().all()


def test_what_makes_a_view_untrustworthy() -> None:
    rng = np.random.default_rng(0)
    flat = np.zeros((30, len(SHARES)))
    rising = np.linspace(0, 3, len(SHARES)) + rng.normal(0, 0.1, flat.shape)
    curves = {("saliency", "deletion"): rising, (RANDOM, "deletion"): flat, (GC, "deletion"): flat}

    def trusted(
        similar: float = 0.1, missed: float = 0.0, near: float = 0.9, learned: bool = True, gc: np.ndarray = flat
    ) -> int:
        table = trust_table(
            {**curves, (GC, "deletion"): gc},
            {"saliency": similar},
            {"saliency": missed},
            {"saliency": near},
            learned=learned,
        )
        return int(table["trustworthy"].item())

    assert trusted() == 1
    assert trusted(near=np.nan, missed=np.nan) == 1
    assert [trusted(similar=0.6), trusted(missed=0.1), trusted(near=0.4), trusted(learned=False)] == [0] * 4
    assert trusted(similar=np.nan) == 0
    assert trusted(gc=rising + 1) == 0


def test_permuted_labels() -> None:
    split = np.repeat(["train", "valid", "test"], [60, 20, 20])
    label = np.tile([0, 1], 50).astype(np.int8)
    dataset = xr.Dataset(
        {
            "label": ("sequence", label),
            "split": ("sequence", split),
            "origin": ("sequence", np.where(label, "given", "shuffle")),
            "template": ("sequence", np.where(label, -1, 0).astype(np.int32)),
        }
    )
    permuted = permute_labels(dataset, seed=2)
    for part in ("train", "valid", "test"):
        rows = split == part
        assert permuted["label"].values[rows].sum() == label[rows].sum()
        assert (permuted["label"].values[rows] == label[rows]).all() == (part == "test")
    assert (permuted["template"] == -1).all()
    assert set(permuted["origin"].values) == {"given"}
    assert permuted["label"].dtype == label.dtype
    assert (dataset["label"].values == label).all()
    assert permute_labels(dataset, seed=2).identical(permuted)
    assert not permute_labels(dataset, seed=3).identical(permuted)
