"""Influence functions of the last layer, against trainings of the layer without each example."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from builders import SMALL, of_part, quick, synthetic_dataset
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from chromattend.chromatin.across import join_epigenomes
from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.errors import UserError
from chromattend.interpret.influence import (
    COLUMNS,
    Features,
    LastLayer,
    influence,
    influential,
    last_layer_features,
)
from chromattend.models.network import Network
from chromattend.models.registry import REGISTRY

CHROMATIN = [name for name, spec in REGISTRY.items() if spec.kind == "network" and spec.track == "chromatin"]


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic_dataset(sizes={"train": 160, "valid": 80, "test": 40}, effect=0.5)


@pytest.fixture(scope="module")
def trained(dataset: xr.Dataset) -> Network:
    model, _ = quick("deepchrome", dataset, seeds=2)
    assert isinstance(model, Network)
    assert float(model.calibration[0]) != 1  # so that a test without the slope would fail
    return model


def data_of(name: str, dataset: xr.Dataset) -> xr.Dataset:
    """A dataset of the form that a network takes: two epigenomes, or a regression of marks in pairs."""
    if name == "pan_epigenome":
        return join_epigenomes([("X", dataset), ("Y", dataset)])
    if name == "deepdiff":
        target = np.random.default_rng(1).normal(size=dataset.sizes["gene"]) + 2 * dataset["label"].values
        return dataset.isel(mark=slice(4)).assign(target=("gene", target))
    return dataset


def random_network(name: str, dataset: xr.Dataset, replicates: int = 2) -> Network:
    torch.manual_seed(0)
    model = Network(ChromatinInputs.of(name, dataset, "depth"), SMALL.get(name, {}), replicates)
    model.transform.fit(torch.from_numpy(model.input_spec.signal(dataset)))
    return model.eval()


def without_each(features: Features, target: np.ndarray, layer: LastLayer, values: np.ndarray) -> np.ndarray:
    """Outputs with each example minus those of a layer that was trained without it, shape (example, training one)."""
    columns = []
    for row in range(len(target)):
        rest = Features(np.delete(features.values, row, axis=0), layer.weights)
        other = LastLayer.fit(rest, np.delete(target, row), layer.penalty, classifies=layer.classifies)
        columns.append(layer.outputs(values) - other.outputs(values))
    return np.stack(columns, axis=1)


# The last layer of a network


@pytest.mark.parametrize("name", CHROMATIN)
def test_features_and_weights_give_the_outputs_of_every_network(name: str, dataset: xr.Dataset) -> None:
    data = data_of(name, dataset)
    model = random_network(name, data)
    arrays = [array[:150] for array in model.arrays(data)]
    with torch.no_grad():
        expected = model.outputs(*arrays).double().numpy()
    parts = last_layer_features(model, *arrays)
    assert len(parts) == 2
    for part, outputs in zip(parts, expected, strict=True):
        assert part.values[:, -1] == pytest.approx(1)
        assert part.values @ part.weights == pytest.approx(outputs, abs=1e-5)
        assert part.values[:, :-1].std(axis=0).max() > 0


class Ending(nn.Module):
    """A layer on the bins' means, with one of several last steps."""

    def __init__(self, ending: str) -> None:
        super().__init__()
        self.ending = ending
        self.first, self.last = nn.Linear(5, 4), nn.Linear(4, 1)

    def read(self, signal: Tensor) -> Tensor:
        return self.last(torch.tanh(self.first(signal.mean(dim=1)))).squeeze(-1)

    def forward(self, signal: Tensor) -> Tensor:
        reverse = signal.flip(1, 2)
        match self.ending:
            case "two calls":
                return (self.read(signal) + self.read(reverse)) / 2
            case "neighbours":
                both = torch.stack([signal, reverse], dim=1).flatten(0, 1)
                return self.read(both).unflatten(0, (-1, 2)).mean(dim=1)
            case "one after the other":
                return self.read(torch.cat([signal, reverse])).unflatten(0, (2, -1)).mean(dim=0)
            case "square":
                return self.read(signal).square()
            case _:
                return signal.sum(dim=(1, 2))


def ending(name: str, dataset: xr.Dataset) -> Network:
    model = random_network("mlp", dataset, 1)
    model.replicates = nn.ModuleList([Ending(name)])
    return model


@pytest.mark.parametrize("name", ["two calls", "neighbours", "one after the other"])
def test_features_of_two_strands_are_their_mean(name: str, dataset: xr.Dataset) -> None:
    model = ending(name, dataset)
    (signal,) = model.arrays(dataset)
    (part,) = last_layer_features(model, signal)
    inputs = model.transform(signal)
    expected: Any = [torch.tanh(model.replicates[0].first(x.mean(dim=1))) for x in (inputs, inputs.flip(1, 2))]
    assert part.values[:, :-1] == pytest.approx(torch.stack(expected).mean(dim=0).detach().numpy(), abs=1e-6)
    with torch.no_grad():
        assert part.values @ part.weights == pytest.approx(model.outputs(signal)[0].numpy(), abs=1e-5)


@pytest.mark.parametrize(("name", "message"), [("square", "not a linear function"), ("none", "has no linear layer")])
def test_a_network_without_a_linear_end_is_refused(name: str, message: str, dataset: xr.Dataset) -> None:
    model = ending(name, dataset)
    with pytest.raises(UserError, match=message):
        last_layer_features(model, *model.arrays(dataset))


# The optimum and what leaving an example out does to it


def made(number: int = 80, size: int = 6, seed: int = 1) -> tuple[Features, np.ndarray]:
    rng = np.random.default_rng(seed)
    values = np.column_stack([rng.normal(size=(number, size)) * rng.uniform(0.5, 3, size), np.ones(number)])
    weights = rng.normal(size=size + 1) / 2
    labels = (rng.random(number) < 1 / (1 + np.exp(-values @ weights))).astype(float)
    return Features(values, weights), labels


@pytest.mark.parametrize("start", [1.0, -40.0])
def test_the_layer_is_the_penalised_logistic_regression(start: float) -> None:
    features, target = made()
    layer = LastLayer.fit(Features(features.values, start * features.weights), target, 2.0)
    reference = LogisticRegression(C=1 / 2.0, tol=1e-10, max_iter=10_000).fit(features.values[:, :-1], target)
    assert layer.weights[:-1] == pytest.approx(reference.coef_[0], abs=1e-5)
    assert layer.weights[-1] == pytest.approx(reference.intercept_[0], abs=1e-5)
    gradient = features.values.T @ (1 / (1 + np.exp(-layer.outputs(features.values))) - target)
    gradient[:-1] += 2.0 * layer.weights[:-1]
    assert np.abs(gradient).max() < 1e-7


def test_influence_is_what_training_without_the_example_changes() -> None:
    features, target = made()
    values = made(20, seed=2)[0].values
    layer = LastLayer.fit(features, target, 1.0)
    exact = without_each(features, target, layer, values)
    estimate = influence(layer, features.values, target, values)
    print(
        "r",
        np.corrcoef(exact.ravel(), estimate.ravel())[0, 1],
        "slope",
        np.vdot(exact, estimate) / np.vdot(exact, exact),
    )
    assert estimate.shape == (20, 80)
    assert np.corrcoef(exact.ravel(), estimate.ravel())[0, 1] > 0.99
    assert np.vdot(exact, estimate) / np.vdot(exact, exact) == pytest.approx(1, abs=0.05)
    # Without the leverage, influences are too small.
    plain = layer.whitened(values).T @ layer.whitened(features.values)
    plain *= target - 1 / (1 + np.exp(-layer.outputs(features.values)))
    assert np.abs(plain - exact).max() > 2 * np.abs(estimate - exact).max()


def test_influence_on_a_regression_is_exact() -> None:
    features, target = made(number=40)
    target = features.values @ features.weights + np.random.default_rng(3).normal(size=40)
    layer = LastLayer.fit(features, target, 0.5, classifies=False)
    exact = without_each(features, target, layer, features.values[:9])
    assert influence(layer, features.values, target, features.values[:9]) == pytest.approx(exact, abs=1e-10)


def test_separated_examples_have_finite_weights() -> None:
    values = np.column_stack([np.linspace(-2, 2, 30), np.ones(30)])
    layer = LastLayer.fit(Features(values, np.array([3.0, 0.0])), (values[:, 0] > 0).astype(float))
    # The penalty is the one whose outputs resemble the network's own, here 3 x.
    assert layer.weights[0] == pytest.approx(3, rel=0.5)


# Training genes of a network


def test_the_influences_on_a_network_are_those_of_training_without_each_gene(
    trained: Network, dataset: xr.Dataset
) -> None:
    test, train = of_part(dataset, "test"), of_part(dataset, "train")
    table = influential(trained, dataset, test, number=4)
    assert [name for name in table if name in COLUMNS] == COLUMNS
    assert table["train_symbol"].str.replace("GENE", "").astype(int).tolist() == [
        int(gene.removeprefix("ENSG")) for gene in table["train_example"]
    ]
    exact = 0
    target = train["label"].values.astype(float)
    for learned, other in zip(
        last_layer_features(trained, *trained.arrays(train)),
        last_layer_features(trained, *trained.arrays(test)),
        strict=True,
    ):
        layer = LastLayer.fit(learned, target)
        exact = exact + without_each(learned, target, layer, other.values) / 2
    exact = float(trained.calibration[0]) * exact
    row = {gene: number for number, gene in enumerate(test["gene"].values)}
    column = {gene: number for number, gene in enumerate(train["gene"].values)}
    retrained = exact[table["example"].map(row), table["train_example"].map(column)]
    print("r", np.corrcoef(retrained, table["influence"])[0, 1], "agreement", table["agreement"][0])
    assert np.corrcoef(retrained, table["influence"])[0, 1] > 0.99
    assert np.vdot(retrained, table["influence"]) / np.vdot(retrained, retrained) == pytest.approx(1, abs=0.1)

    predicted = np.where(trained.score(test) > 0.5, 1, -1)[table["example"].map(row)]
    supports = table["effect"] == "supports"
    assert supports.tolist() == (table["influence"] * predicted > 0).tolist()
    assert table["label"].tolist() == train["label"].values[table["train_example"].map(column)].tolist()
    assert table["similarity"].abs().max() <= 1 + 1e-12
    for gene, rows in table.groupby("example", sort=False):
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        effects = rows["effect"].tolist()
        assert effects == sorted(effects, reverse=True)
        assert (rows.groupby("effect")["influence"].count() <= 4).all()
        sign = 1 if trained.score(test)[row[gene]] > 0.5 else -1
        strongest = train["gene"].values[np.argmax(sign * exact[row[gene]])]
        assert strongest in rows["train_example"].tolist()[:2]


@pytest.mark.parametrize("name", ["deepdiff", "pan_epigenome"])
def test_regressions_and_networks_with_a_context_have_influences(name: str, dataset: xr.Dataset) -> None:
    data = data_of(name, dataset)
    table = influential(random_network(name, data), data, of_part(data, "valid"), number=2)
    assert len(table) == 4 * (data["split"] == "valid").sum()
    assert np.isfinite(table["influence"]).all()
    assert set(table["effect"]) == {"supports", "opposes"}


def test_blocks_and_equal_examples_do_not_change_the_table(
    trained: Network, dataset: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = of_part(dataset, "test")
    whole = influential(trained, dataset, test)
    monkeypatch.setattr("chromattend.interpret.influence.BLOCK", 7)
    pieces = influential(trained, dataset, test)
    assert pieces.drop(columns=["influence", "similarity"]).equals(whole.drop(columns=["influence", "similarity"]))
    assert pieces["influence"].to_numpy() == pytest.approx(whole["influence"].to_numpy())


def test_a_layer_that_no_fit_resembles_is_reported(dataset: xr.Dataset, caplog: pytest.LogCaptureFixture) -> None:
    model = random_network("mlp", dataset, 1)  # random weights do not predict the label
    with caplog.at_level(logging.WARNING):
        table = influential(model, dataset, of_part(dataset, "test"))
    assert table["agreement"].nunique() == 1
    assert table["agreement"][0] < 0.9
    assert "say little of this network" in caplog.text


def test_a_dataset_without_training_genes_is_refused(trained: Network, dataset: xr.Dataset) -> None:
    test = of_part(dataset, "test")
    with pytest.raises(UserError, match="no gene is in the train part"):
        influential(trained, test, test)
    with pytest.raises(UserError, match="no gene to explain"):
        influential(trained, dataset, test.isel(gene=[]))
