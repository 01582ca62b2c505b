"""Explanations of trained models where it is known what decides: one mark, in one stretch of 500 bp."""

import functools

import numpy as np
import pytest
import torch
import xarray as xr
from builders import MARKS, auc, synthetic_dataset
from sklearn.metrics import roc_auc_score

from chromattend.chromatin.explain import ExplainOptions, explain
from chromattend.interpret.attribution import Explained, attribute, randomised
from chromattend.models.network import Network
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train

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
def stretch(mark: str, start: int) -> tuple[xr.Dataset, Network]:
    """Such genes, and AttentiveChrome trained on them from five starts."""
    dataset = stretch_dataset(mark, start)
    # From the paper's small initial weights attention stays more often on the bins themselves.
    options = TrainingOptions(
        max_epochs=30, learning_rate=0.01, patience=10, initial_range=0.1, accelerator="cpu", seeds=5
    )
    model, _ = train("attentivechrome", dataset, {}, options)
    assert isinstance(model, Network)
    assert auc(model, dataset, "test") > 0.99
    return dataset, model


def on_genes(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.isel(gene=np.flatnonzero((dataset["split"].values == "test") & (dataset["label"].values == 1)))


def test_attention_of_most_starts_lies_on_the_stretch_that_decides() -> None:
    # Not of each: an LSTM can carry what it has seen to another bin, and attend there.
    enrichment, marks = [], []
    for mark, start in PLACES:
        dataset, model = stretch(mark, start)
        model.requires_grad_(False)
        test = dataset.isel(gene=np.flatnonzero(dataset["split"].values == "test"))
        inputs = model.transform(torch.from_numpy(model.input_spec.signal(on_genes(dataset))))
        each = model.scores(test).replicates
        for replicate, scores in zip(model.replicates, each, strict=True):
            if roc_auc_score(test["label"], scores) > 0.99:
                found = replicate.attend(inputs)  # type: ignore[operator]
                alpha = found.alpha.mean(dim=0)[:, MARKS.index(mark)]
                enrichment.append(float(alpha[start : start + WIDTH].mean() / alpha.mean()))
                marks.append(MARKS[int(found.beta.mean(dim=0).argmax())] == mark)
    print([f"{value:.2f}" for value in enrichment], marks)
    assert len(enrichment) >= 8
    assert np.median(enrichment) > 2
    assert np.mean(marks) > 0.5


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
@pytest.mark.parametrize(("mark", "start"), PLACES)
def test_attributions_lie_on_the_stretch_that_decides(mark: str, start: int, method: str) -> None:
    dataset, model = stretch(mark, start)
    inputs = model.transform(torch.from_numpy(model.input_spec.signal(on_genes(dataset))))
    baseline = model.transform(torch.zeros(1, 40, 5))
    mean = attribute(Explained(model), inputs.detach(), baseline.detach(), method).mean(dim=0)
    place = int(mean.argmax())
    assert MARKS[place % 5] == mark
    assert start <= place // 5 < start + WIDTH


def test_explanations_depend_on_what_was_learned() -> None:
    dataset, model = stretch(*PLACES[0])
    found = explain(model, dataset, ExplainOptions(["integrated_gradients", "occlusion"], genes=40, starts=1))
    assert (found.faithfulness["low"] > 0).all()
    # Integrated gradients are 0 where there are no reads, whatever was learned, which alone makes maps alike.
    assert found.faithfulness.set_index("method").loc["occlusion", "trustworthy"].all()
    importance = found.importance.set_index(["mark", "other"])["importance"]
    assert importance.idxmax() == ("H3K4me3", "H3K4me3")
    driving = found.influence.query("state == 'ON' and influential == 1")["mark"].tolist()
    assert "H3K4me3" in driving


def test_a_network_without_training_does_not_find_the_stretch() -> None:
    dataset, model = stretch(*PLACES[0])
    inputs = model.transform(torch.from_numpy(model.input_spec.signal(on_genes(dataset)))).detach()
    baseline = model.transform(torch.zeros(1, 40, 5)).detach()
    trained, untrained = (
        attribute(Explained(network), inputs, baseline, "integrated_gradients")
        for network in (model, randomised(model))
    )
    share = untrained[:, 5:10, MARKS.index("H3K4me3")].abs().sum() / untrained.abs().sum()
    assert share < 0.2
    assert trained[:, 5:10, MARKS.index("H3K4me3")].abs().sum() / trained.abs().sum() > 0.5
