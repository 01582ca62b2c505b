"""Explanations of trained models where it is known what decides: one mark, in one stretch of 500 bp."""

import functools

import numpy as np
import pytest
import torch
import xarray as xr
from builders import MARKS, auc, synthetic_dataset

from chromattend.interpret.attention import attention_maps
from chromattend.interpret.attribution import Explained, attribute, randomised
from chromattend.interpret.explain import ExplainOptions, explain
from chromattend.interpret.faithfulness import similarity
from chromattend.models.network import Network
from chromattend.protocols import TrainingOptions
from chromattend.training import train

WIDTH = 5  # bins of 100 bp
# mark and first bin of the stretch
PLACES = [("H3K4me3", 5), ("H3K27me3", 20), ("H3K36me3", 30)]


def stretch_dataset(mark: str, start: int) -> xr.Dataset:
    """Genes whose label depends on one mark in one stretch."""
    dataset = synthetic_dataset(sizes={"train": 400, "valid": 200, "test": 100}, bins=40, effect=0, seed=start)
    rng = np.random.default_rng(start)
    cells = dataset["counts"].values[:, start : start + WIDTH, MARKS.index(mark)]
    cells += rng.poisson(4.0 * dataset["label"].values[:, None], cells.shape).astype(cells.dtype)
    return dataset


@functools.cache
def stretch(mark: str, start: int, seeds: int = 3) -> tuple[xr.Dataset, Network]:
    """Such genes, and an AttentiveChrome trained on them."""
    dataset = stretch_dataset(mark, start)
    # From the paper's small initial weights attention stays more often on the bins themselves: an LSTM can also carry
    # what it has seen to another bin, and attend there. What one start does by chance, three do not.
    options = TrainingOptions(
        max_epochs=30, learning_rate=0.01, patience=10, initial_range=0.1, accelerator="cpu", seeds=seeds
    )
    model, _ = train("attentivechrome", dataset, {}, options)
    assert isinstance(model, Network)
    assert auc(model, dataset, "test") > 0.99
    return dataset, model


def on_genes(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.isel(gene=np.flatnonzero((dataset["split"].values == "test") & (dataset["label"].values == 1)))


@pytest.mark.parametrize(("mark", "start"), PLACES)
def test_attention_is_higher_on_the_stretch_that_decides(mark: str, start: int) -> None:
    dataset, model = stretch(mark, start)
    maps = attention_maps(model, on_genes(dataset))
    alpha = maps["alpha"].sel(mark=mark).mean("gene").values
    # Not always the peak: at a single bin beside the stretch, or at an end, there can be more.
    assert alpha[start : start + WIDTH].mean() > 1.2 * alpha.mean()
    assert str(maps["mark"].values[int(maps["beta"].mean("gene").values.argmax())]) == mark


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
@pytest.mark.parametrize(("mark", "start"), PLACES)
def test_attributions_lie_on_the_stretch_that_decides(mark: str, start: int, method: str) -> None:
    dataset, model = stretch(mark, start)
    inputs = model.transform(torch.from_numpy(model.contract.signal(on_genes(dataset))))
    baseline = model.transform(torch.zeros(1, 40, 5))
    mean = attribute(Explained(model), inputs.detach(), baseline.detach(), method).mean(dim=0)
    place = int(mean.argmax())
    assert MARKS[place % 5] == mark
    assert start <= place // 5 < start + WIDTH


def test_explanations_depend_on_what_was_learned() -> None:
    dataset, model = stretch(*PLACES[0], seeds=1)
    found = explain(model, dataset, ExplainOptions(["integrated_gradients", "occlusion"], genes=40, starts=1))
    assert found.faithfulness["trustworthy"].all()
    importance = found.importance.set_index(["mark", "other"])["importance"]
    assert importance.idxmax() == ("H3K4me3", "H3K4me3")
    driving = found.influence.query("state == 'ON' and influential == 1")["mark"].tolist()
    assert "H3K4me3" in driving


def test_a_network_without_training_does_not_find_the_stretch() -> None:
    dataset, model = stretch(*PLACES[0], seeds=1)
    inputs = model.transform(torch.from_numpy(model.contract.signal(on_genes(dataset)))).detach()
    baseline = model.transform(torch.zeros(1, 40, 5)).detach()
    trained, untrained = (
        attribute(Explained(network), inputs, baseline, "integrated_gradients")
        for network in (model, randomised(model))
    )
    assert abs(similarity(trained.numpy(), untrained.numpy())) < 0.5
    share = untrained[:, 5:10, MARKS.index("H3K4me3")].abs().sum() / untrained.abs().sum()
    assert share < 0.2
    assert trained[:, 5:10, MARKS.index("H3K4me3")].abs().sum() / trained.abs().sum() > 0.5
