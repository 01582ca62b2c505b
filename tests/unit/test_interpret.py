"""Explanations of simple functions with known results, and sum rules of explanations on every network."""

import copy
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from builders import MARKS, MODELS, NETWORKS, SMALL, quick, synthetic_dataset
from scipy import stats
from torch import Tensor, nn

from chromattend.chromatin.across import join_epigenomes
from chromattend.chromatin.attention import attention_maps, select_genes
from chromattend.chromatin.explain import WEIGHTS, ExplainOptions, explain, sample_genes
from chromattend.chromatin.explanation_figures import mean_maps
from chromattend.chromatin.genes import find_genes
from chromattend.chromatin.importance import importance_table, influential_marks, mark_effects
from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.chromatin.pages.epigenome import Validation
from chromattend.chromatin.tables import beta_table
from chromattend.chromatin.validation import correlate_maps, unvalidated, validate, validation_table
from chromattend.errors import UserError
from chromattend.interpret import METHODS, methods_of
from chromattend.interpret.attribution import Explained, attribute, randomised
from chromattend.interpret.class_optimization import class_optima, optimise_input
from chromattend.interpret.faithfulness import (
    SHARES,
    SIMILAR,
    area,
    faithfulness_curves,
    faithfulness_table,
    has_learned,
    order_of,
    similarity,
)
from chromattend.interpret.integrated_gradients import MOST, integrated_gradients
from chromattend.models.network import Network
from chromattend.models.registry import REGISTRY
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train

ATTENTIVE = [name for name in MODELS if REGISTRY[name].attention]
PUBLISHED = pd.DataFrame(
    [("E003", "deepchrome", "saliency", "H3K4me3", "H3K27ac", 0.1822)],
    columns=["epigenome", "model", "method", "mark", "validation_mark", "pearson"],
)


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic_dataset()


def network(name: str, dataset: xr.Dataset, seed: int = 0, replicates: int = 1) -> Network:
    """A network with random weights, larger than initial weights, so that it is far from linear."""
    torch.manual_seed(seed)
    model = Network(ChromatinInputs.of(name, dataset, "depth"), SMALL.get(name, {}), replicates)
    model.transform.fit(torch.from_numpy(model.input_spec.signal(dataset)))
    for parameter in model.parameters():
        parameter.data *= 2
    return model.eval()


def prepared(model: Network, dataset: xr.Dataset, genes: int = 12) -> tuple[Explained, Tensor, Tensor]:
    signal = torch.from_numpy(model.input_spec.signal(dataset))[:genes]
    with torch.no_grad():
        return Explained(model), model.transform(signal), model.transform(torch.zeros_like(signal[:1]))


class Additive(nn.Module):
    """A weighted sum of all positions, a model whose explanations are known."""

    def __init__(self, bins: int = 20, marks: int = 5, seed: int = 0) -> None:
        super().__init__()
        self.weight = torch.randn(bins, marks, generator=torch.Generator().manual_seed(seed))

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs * self.weight).sum(dim=(1, 2)) + 0.3


def random_inputs(genes: int = 8, seed: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(genes, 20, 5, generator=generator), torch.full((1, 20, 5), -0.2)


# Sum rules


@pytest.mark.parametrize("replicates", [1, 2])
@pytest.mark.parametrize("name", ATTENTIVE)
def test_attention_sums_to_one(name: str, replicates: int, dataset: xr.Dataset) -> None:
    maps = attention_maps(network(name, dataset, replicates=replicates), dataset)
    assert maps["alpha"].dims == ("gene", "mark", "bin")
    assert maps["alpha"].shape == (640, 5, 20)
    assert maps["alpha"].sum("bin").values == pytest.approx(1, abs=1e-5)
    assert (maps["alpha"] >= 0).all()
    assert ("beta" in maps) == (REGISTRY[name].attention == "alpha_beta")
    if "beta" in maps:
        assert maps["beta"].sum("mark").values == pytest.approx(1, abs=1e-5)
    assert maps["mark"].values.tolist() == MARKS
    assert maps["bin"].values.tolist() == dataset["bin"].values.tolist()


def test_attention_has_the_scores_of_the_same_network(dataset: xr.Dataset) -> None:
    model = network("attentivechrome", dataset, replicates=2)
    maps = attention_maps(model, dataset)
    assert maps["score"].values == pytest.approx(model.score(dataset), abs=1e-6)


def test_a_pan_epigenome_network_attends_by_epigenome() -> None:
    first, second = (synthetic_dataset(epigenome=name, seed=seed) for name, seed in (("A", 1), ("B", 2)))
    options = TrainingOptions(max_epochs=1, accelerator="cpu", warmup=0)
    model, _ = train("pan_epigenome", join_epigenomes([("A", first), ("B", second)]), {}, options)
    as_a, as_b = (attention_maps(model, first.assign_attrs(epigenome=name)) for name in "AB")
    assert as_a["alpha"].equals(as_b["alpha"])
    assert not np.allclose(as_a["beta"], as_b["beta"])


COMPLETE = [(name, method) for name in NETWORKS for method in methods_of(name) if METHODS[method].complete]


@pytest.mark.parametrize(("name", "method"), COMPLETE)
def test_weights_add_up_to_the_change_of_the_logit(name: str, method: str, dataset: xr.Dataset) -> None:
    explained, inputs, reference = prepared(network(name, dataset, seed=1), dataset)
    with torch.no_grad():
        change = explained(inputs) - explained(reference)
    assert change.abs().max() > 0.05
    weights = attribute(explained, inputs, reference, method)
    assert weights.sum(dim=(1, 2)).numpy() == pytest.approx(change.numpy(), abs=1e-3)


class Switching(Additive):
    """A sum, and 5 more within a small part of the line, where another sum of the positions crosses half of its way."""

    def __init__(self, inputs: Tensor, reference: Tensor, switch: Callable[[Tensor], Tensor], seed: int = 3) -> None:
        super().__init__()
        self.direction = torch.rand(self.weight.shape, generator=torch.Generator().manual_seed(seed))
        self.switch = switch
        self.start, self.end = ((self.direction * ends).sum(dim=(1, 2)) for ends in (reference, inputs))

    def forward(self, inputs: Tensor) -> Tensor:
        way = ((inputs * self.direction).sum(dim=(1, 2)) - self.start) / (self.end[0] - self.start)
        return super().forward(inputs) + 5 * self.switch(way - 0.3)


@pytest.mark.parametrize("steepness", [1e2, 1e8, 1e12])
def test_a_steep_slope_is_shared_as_its_gradient(steepness: float) -> None:
    inputs, reference = random_inputs(1)
    model = Switching(inputs, reference, lambda way: torch.sigmoid(steepness * way))
    weights = integrated_gradients(model, inputs, reference)
    # The steep part is a function of one sum, so its terms share the 5.
    switched = model.direction * (inputs - reference)
    expected = (inputs - reference) * model.weight + 5 * switched / switched.sum()
    assert weights.numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    assert weights.sum().item() == pytest.approx(expected.sum().item(), abs=1e-3)


def test_two_slopes_that_float32_cannot_tell_apart_are_told_apart() -> None:
    inputs, reference = random_inputs(1)

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up = Switching(inputs, reference, lambda way: torch.sigmoid(1e10 * way))
            self.down = Switching(inputs, reference, lambda way: torch.sigmoid(1e10 * (way - 2e-8)), seed=4)

        def forward(self, values: Tensor) -> Tensor:
            return self.up(values) - self.down(values) / 2

    model = Both()
    weights = integrated_gradients(model, inputs, reference)
    up, down = (part.direction * (inputs - reference) for part in (model.up, model.down))
    expected = (inputs - reference) * model.up.weight / 2 + 5 * up / up.sum() - 2.5 * down / down.sum()
    assert weights.numpy() == pytest.approx(expected.numpy(), abs=1e-3)


def test_a_jump_without_a_gradient_is_shared_by_the_difference_to_the_reference() -> None:
    inputs, reference = random_inputs(1)
    model = Switching(inputs, reference, lambda way: (way > 0).double())
    weights = integrated_gradients(model, inputs, reference)
    difference = inputs - reference
    expected = difference * model.weight + 5 * difference.abs() / difference.abs().sum()
    assert weights.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_a_change_back_is_shared_with_its_sign() -> None:
    inputs, reference = random_inputs(1)
    model = Switching(inputs, reference, lambda way: torch.sigmoid(-1e30 * way))
    weights = integrated_gradients(model, inputs, reference)
    change = (model(inputs) - model(reference)).item()
    assert change < 0
    assert weights.sum().item() == pytest.approx(change, abs=1e-3)


def test_rectified_units_are_integrated_from_their_kinks() -> None:
    inputs, reference = random_inputs(4)
    directions = torch.randn(30, 20, 5, generator=torch.Generator().manual_seed(4)).abs()

    def units(values: Tensor) -> Tensor:
        return torch.einsum("gbm,ubm->gu", values, directions.to(values.dtype))

    thresholds = units(reference)[0] + torch.linspace(0.05, 0.95, 30) * (units(inputs[:1]) - units(reference))[0]

    class Rectified(nn.Module):
        def forward(self, values: Tensor) -> Tensor:
            return torch.relu(units(values) - thresholds).sum(dim=1)

    weights = integrated_gradients(Rectified(), inputs, reference)
    way = units(inputs) - units(reference)
    active = 1 - ((thresholds - units(reference)) / way).clamp(0, 1)
    expected = torch.einsum("gu,ubm->gbm", active, directions) * (inputs - reference)
    assert weights.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def test_a_gene_with_kinks_without_end_is_complete_after_a_bounded_number_of_gradients() -> None:
    inputs, reference = random_inputs(1)

    class Wave(Additive):
        evaluations = 0

        def forward(self, values: Tensor) -> Tensor:
            self.evaluations += len(values)
            total = super().forward(values)
            return total + torch.sin(1e6 * total)

    model = Wave()
    weights = integrated_gradients(model, inputs, reference)
    exact = model(inputs.double()) - model(reference.double())
    assert weights.sum().item() == pytest.approx(exact.item(), abs=1e-3)
    assert model.evaluations < 3 * MOST


def test_integrated_gradients_of_an_lstm_are_a_riemann_sum_in_float64(dataset: xr.Dataset) -> None:
    few = dataset.isel(bin=slice(4, 12), mark=[0, 3])
    torch.manual_seed(1)
    model = Network(ChromatinInputs.of("lstm_alpha", few, "depth"), {"bin_units": 3}, 1)
    for parameter in model.parameters():
        parameter.data *= 8
    explained, inputs, reference = prepared(model.eval(), few, genes=1)
    weights = integrated_gradients(explained, inputs, reference)
    steps, exact, line = 20_000, copy.deepcopy(explained).double(), (inputs - reference).double()
    riemann, steepest = torch.zeros_like(line), 0.0
    for at in ((torch.arange(steps, dtype=torch.float64) + 0.5) / steps).split(2000):
        points = (reference.double() + at[:, None, None] * line).requires_grad_()
        terms = torch.autograd.grad(exact(points).sum(), points)[0] * line
        riemann += terms.sum(dim=0) / steps
        steepest = max(steepest, terms.sum(dim=(1, 2)).abs().max().item())
    change = (exact(inputs.double()) - exact(reference.double())).item()
    # So steep that equal steps as wide as the first pieces would miss the slope.
    assert steepest > 1000 * abs(change) > 100
    assert riemann.sum().item() == pytest.approx(change, abs=1e-6)
    assert weights.numpy() == pytest.approx(riemann.float().numpy(), abs=1e-3)
    assert weights.sum().item() == pytest.approx(change, abs=1e-3)


# Methods


@pytest.mark.parametrize("method", ["input_x_gradient", "integrated_gradients", "occlusion"])
def test_methods_give_the_terms_of_a_sum(method: str) -> None:
    inputs, reference = random_inputs()
    model = Additive()
    terms = (inputs - reference) * model.weight
    weights = attribute(model, inputs, reference, method, window=1)
    assert weights.numpy() == pytest.approx(terms.numpy(), abs=1e-5)


def test_occlusion_shares_what_a_window_adds_among_its_bins() -> None:
    inputs, reference = random_inputs()
    model = Additive()
    terms = ((inputs - reference) * model.weight).unfold(1, 5, 5).mean(dim=-1)
    weights = attribute(model, inputs, reference, "occlusion", window=5)
    assert weights[:, ::5].numpy() == pytest.approx(terms.numpy(), abs=1e-5)
    assert torch.equal(weights[:, ::5], weights[:, 4::5])
    # Windows of 7, 7 and 6 bins: each window's whole effect is shared.
    weights = attribute(model, inputs, reference, "occlusion", window=7)
    whole = ((inputs - reference) * model.weight).sum(dim=1)
    assert weights.sum(dim=1).numpy() == pytest.approx(whole.numpy(), abs=1e-4)


def test_saliency_is_the_size_of_the_gradient() -> None:
    inputs, reference = random_inputs()
    model = Additive()
    weights = attribute(model, inputs, reference, "saliency")
    assert weights.numpy() == pytest.approx(np.broadcast_to(model.weight.abs().numpy(), weights.shape), abs=1e-6)


def test_guided_backpropagation_keeps_what_raises_rectified_units() -> None:
    class Rectified(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.relu = nn.ReLU()

        def forward(self, inputs: Tensor) -> Tensor:
            units = self.relu(inputs[:, 0])
            return units[:, 0] - units[:, 1]

    inputs, reference = torch.full((1, 1, 2), 1.0), torch.zeros(1, 1, 2)
    assert attribute(Rectified(), inputs, reference, "guided_backprop").flatten().tolist() == [1.0, 0.0]
    # Deconvolution looks at the gradient alone, not at the unit's input.
    assert attribute(Rectified(), -inputs, reference, "deconvolution").flatten().tolist() == [1.0, 0.0]
    assert attribute(Rectified(), -inputs, reference, "guided_backprop").flatten().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_method_of_a_network_gives_finite_weights_that_are_not_all_alike(name: str, dataset: xr.Dataset) -> None:
    explained, inputs, reference = prepared(network(name, dataset, replicates=2), dataset, genes=6)
    for method in methods_of(name):
        weights = attribute(explained, inputs, reference, method)
        assert weights.shape == inputs.shape, method
        assert torch.isfinite(weights).all(), method
        assert weights.std() > 0, method
        assert not weights.requires_grad


def test_methods_depend_on_the_layers_of_a_network() -> None:
    assert "alpha" not in methods_of("deepchrome")
    assert "deeplift" in methods_of("deepchrome")
    assert methods_of("attentivechrome") == [
        "alpha", "saliency", "input_x_gradient", "integrated_gradients", "occlusion",
    ]  # fmt: skip
    assert methods_of("cnn_alpha_beta", ["deconvolution", "alpha", "deeplift"]) == ["alpha", "deconvolution"]
    assert methods_of("random_forest") == []


def test_an_unknown_method_is_named() -> None:
    with pytest.raises(UserError, match="grad_cam: is not a method; choose one of alpha, saliency"):
        attribute(Additive(), *random_inputs(), "grad_cam")


def test_an_untrained_network_is_a_new_network_and_changes_nothing_else(dataset: xr.Dataset) -> None:
    model = network("deepchrome", dataset)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    other = randomised(model, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert other.transform is model.transform
    assert not torch.equal(other.replicates[0].output.weight, model.replicates[0].output.weight)
    again = randomised(model, seed=3)
    assert torch.equal(other.replicates[0].output.weight, again.replicates[0].output.weight)
    second = randomised(model, seed=3, number=2)
    assert not torch.equal(other.replicates[0].output.weight, second.replicates[0].output.weight)


def test_an_untrained_network_does_not_have_the_initial_weights_of_the_same_seed(dataset: xr.Dataset) -> None:
    model = quick("deepchrome", dataset, max_epochs=1, learning_rate=1e-12, seed=1)[0]
    first, untrained = (
        subject.replicates[0].convolution.weight.detach().flatten() for subject in (model, randomised(model, 1))
    )
    assert abs(float(torch.corrcoef(torch.stack([first, untrained]))[0, 1])) < 0.2


# Class optimisation


def test_class_optimisation_of_a_linear_model_is_its_closed_form() -> None:
    weight = Additive(seed=4).weight * 0.02
    upper = torch.full((20, 5), 1.5)
    for penalty in (0.009, 0.05):
        (optimum,) = optimise_input(lambda x: (x * weight).sum(dim=(1, 2)), upper, penalty=penalty)
        # d/dX (w X - lambda X^2) = 0 at X = w / (2 lambda), within the bounds.
        expected = (weight / (2 * penalty)).clamp(0, 1.5)
        assert ((expected > 0) & (expected < 1.5)).any()
        assert (expected == 1.5).any() == (penalty == 0.009)
        assert optimum.numpy() == pytest.approx(expected.numpy(), abs=1e-3)


def test_optima_of_both_classes_stay_within_the_data() -> None:
    model, (_, reference) = Additive(seed=5), random_inputs()
    highest = torch.tensor([0.0, 0.5, 1.0, 2.0, -0.2])
    optima = class_optima(model, reference, highest, penalty=0.009, starts=3, steps=100)
    assert optima.shape == (2, 20, 5)
    assert (optima >= 0).all()
    assert (optima <= highest - reference[0] + 1e-6).all()
    on, off = optima
    room = (highest - reference[0]) > 0
    assert (on[(model.weight > 0.1) & room] > 0).all()
    assert (off[(model.weight < -0.1) & room] > 0).all()
    assert on[model.weight < -0.1].max() < 1e-3
    assert off[model.weight > 0.1].max() < 1e-3


def test_influential_marks_have_more_active_bins_than_the_mean() -> None:
    optima = np.zeros((2, 3, 10))
    optima[0, 0, :6], optima[0, 1, :2], optima[0, 2] = 4, 1.2, 0.9  # a quarter of 4 is 1
    optima[1, 2, 3] = 0.1
    table = influential_marks(
        xr.DataArray(optima, dims=("state", "mark", "bin"), coords={"state": ["ON", "OFF"], "mark": ["a", "b", "c"]})
    )
    assert table["active_bins"].tolist() == [6, 2, 0, 0, 0, 1]
    assert table["influential"].tolist() == [1, 0, 0, 0, 0, 1]


# Faithfulness


def test_the_terms_of_a_sum_are_the_most_faithful_order() -> None:
    model, (inputs, reference) = Additive(), random_inputs(40)
    exact = (inputs - reference) * model.weight
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(exact.shape, generator=generator)
    curves = faithfulness_curves(model, inputs, reference, {"occlusion": exact, "input_x_gradient": noise})
    with torch.no_grad():
        change = (model(inputs) - model(reference)) * model(inputs).sign()
    for measure in ("deletion", "insertion"):
        changes = curves["occlusion", measure]
        assert changes.shape == (40, len(SHARES))
        assert changes[:, 0] == pytest.approx(0, abs=1e-5)
        assert changes[:, -1] == pytest.approx(change.numpy(), abs=1e-4)
        assert (area(changes) > area(curves["random", measure])).all()
        assert (area(changes) >= area(curves["input_x_gradient", measure])).all()
    similarities = {"occlusion": 0.1, "input_x_gradient": 0.0}
    table = faithfulness_table(curves, similarities, {"occlusion": 0.04}, learned=True)
    table = table.set_index(["method", "measure"])
    assert table.loc["occlusion", "trustworthy"].tolist() == [1, 1]
    assert table.loc["input_x_gradient", "trustworthy"].tolist() == [0, 0]
    assert table.loc[("occlusion", "deletion"), "incomplete"] == 0.04
    assert np.isnan(table.loc[("input_x_gradient", "deletion"), "incomplete"])


@pytest.mark.parametrize(
    ("similar", "incomplete", "learned", "trusted"),
    [
        (0.5, 0.05, True, 1),
        (0.51, 0.0, True, 0),
        (float("nan"), 0.0, True, 0),
        (0.5, 0.051, True, 0),
        (0.5, 0.0, False, 0),
    ],
)
def test_trust_needs_a_low_similarity_and_complete_sums_and_a_network_that_has_learned(
    similar: float, incomplete: float, learned: bool, trusted: int
) -> None:
    model, (inputs, reference) = Additive(), random_inputs(40)
    curves = faithfulness_curves(model, inputs, reference, {"occlusion": (inputs - reference) * model.weight})
    table = faithfulness_table(curves, {"occlusion": similar}, {"occlusion": incomplete}, learned=learned)
    assert table["trustworthy"].tolist() == [trusted] * 2
    assert table["learned"].tolist() == [int(learned)] * 2


def test_a_constant_logit_is_not_explained() -> None:
    inputs, reference = random_inputs(40)
    curves = faithfulness_curves(lambda x: torch.full((len(x),), 0.7), inputs, reference, {"occlusion": inputs})
    assert faithfulness_table(curves, {"occlusion": 0.0}, {}, learned=True)["trustworthy"].tolist() == [0, 0]


def test_a_network_has_learned_if_its_probabilities_beat_the_share_of_on_genes() -> None:
    label = np.repeat([0, 1], [60, 40])
    base_rate = np.full(100, np.log(0.4 / 0.6))
    assert not has_learned(base_rate, label)
    # The Brier score of p for ON and 1 - p for OFF is (1 - p)^2, and that of the base rate is 0.24.
    for probability, learned in ((0.53, False), (0.54, True)):
        assert has_learned(np.where(label == 1, 1, -1) * np.log(probability / (1 - probability)), label) == learned
    assert not has_learned(np.where(label == 1, -3.0, 3.0), label)
    assert not has_learned(np.full(10, 5.0), np.ones(10))


@pytest.mark.parametrize("name", ["attentivechrome", "deepchrome"])
def test_no_explanation_of_a_network_with_its_initial_weights_is_trusted(name: str, dataset: xr.Dataset) -> None:
    options = ExplainOptions(["input_x_gradient", "occlusion"], genes=40, starts=1, optimiser_steps=1)
    model = quick(name, dataset, max_epochs=1, learning_rate=1e-12)[0]
    assert isinstance(model, Network)
    # Only its own probabilities tell, and a calibration, which can make them fair, hides nothing.
    model.kept_epochs = []
    model.calibration.copy_(torch.tensor([20.0, 0.0]))
    initial = explain(model, dataset, options).faithfulness
    assert ((initial["low"] > 0) & (initial["similarity"] < SIMILAR)).any()  # so without `learned` it would be trusted
    assert not initial["learned"].any()
    assert not initial["trustworthy"].any()


def test_explanations_of_a_trained_network_are_trusted(dataset: xr.Dataset) -> None:
    options = ExplainOptions(["input_x_gradient", "occlusion"], genes=40, starts=1, optimiser_steps=1)
    model = quick("deepchrome", dataset, max_epochs=3)[0]
    assert isinstance(model, Network)
    assert min(model.kept_epochs) > 0
    trained = explain(model, dataset, options).faithfulness
    assert trained["learned"].all()
    assert trained["trustworthy"].all()
    # The same weights are not trusted as those of a first epoch.
    model.kept_epochs = [0]
    first = explain(model, dataset, options).faithfulness
    assert not first["learned"].any()
    assert not first["trustworthy"].any()


def test_signed_weights_are_read_in_the_direction_of_the_answer() -> None:
    weights = torch.tensor([[[-3.0], [1.0], [2.0]], [[-3.0], [1.0], [2.0]]])
    direction = torch.tensor([1.0, -1.0])
    assert order_of(weights, direction, signed=True).tolist() == [[2, 1, 0], [0, 1, 2]]
    assert order_of(weights.abs(), direction, signed=False).tolist() == [[0, 2, 1], [0, 2, 1]]


def test_similarity_is_the_mean_rank_correlation() -> None:
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 5, 6, 3))
    expected = np.mean([stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)])
    assert similarity(first, second) == pytest.approx(expected)
    assert similarity(first, 3 * first + 1) == pytest.approx(1)
    assert np.isnan(similarity(np.ones((2, 3, 3)), second[:2, :3]))


# Importance


def test_marks_of_a_sum_do_not_interact_but_marks_of_a_product_do() -> None:
    inputs, reference = random_inputs()
    reference = torch.zeros_like(reference)
    model = Additive()
    effects = mark_effects(model, inputs, reference)
    own = (inputs * model.weight).sum(dim=1).numpy()
    assert np.diagonal(effects, axis1=1, axis2=2) == pytest.approx(own, abs=1e-4)
    interactions = effects[:, ~np.eye(5, dtype=bool)]
    assert interactions == pytest.approx(0, abs=1e-4)

    def product(x: Tensor) -> Tensor:
        total = x.sum(dim=1)
        return total[:, 0] * total[:, 1]

    effects = mark_effects(product, inputs, reference)
    expected = (inputs.sum(dim=1)[:, 0] * inputs.sum(dim=1)[:, 1]).numpy()
    for first, second in ((0, 0), (1, 1), (0, 1), (1, 0)):
        assert effects[:, first, second] == pytest.approx(expected, rel=1e-4)
    assert effects[:, 2:, 2:] == pytest.approx(0, abs=1e-4)


def test_importance_is_averaged_by_prediction() -> None:
    effects = xr.DataArray(
        [[[1.0, 0.5], [0.5, 2.0]], [[-3.0, 0.1], [0.1, 4.0]]],
        dims=("gene", "mark", "other"),
        coords={"mark": ["a", "b"], "other": ["a", "b"]},
    )
    beta = xr.DataArray([[0.9, 0.1], [0.3, 0.7]], dims=("gene", "mark"), coords={"mark": ["a", "b"]})
    table = importance_table(effects, xr.DataArray([0.8, 0.2], dims="gene"), beta).set_index(["mark", "other"])
    assert table.loc[("a", "a")].tolist() == [1.0, -3.0, 2.0, 0.9, 0.3]
    assert table.loc[("b", "a"), ["effect_on", "effect_off"]].tolist() == [0.5, 0.1]
    assert np.isnan(table.loc[("b", "a"), "beta_on"])
    none = importance_table(effects, xr.DataArray([0.2, 0.2], dims="gene"), None)
    assert none["effect_on"].isna().all()


# Validation


def test_correlations_are_between_the_means() -> None:
    rng = np.random.default_rng(1)
    weights, coverage = rng.random((50, 30)), rng.random((50, 30))
    coverage[:, 10:15] += weights[:, 10:15] + 1
    weights[:, 11:16] += 1
    correlation = correlate_maps(weights, coverage)
    mean, target = weights.mean(axis=0), coverage.mean(axis=0)
    assert correlation["genes"] == 50
    assert correlation["pearson"] == pytest.approx(stats.pearsonr(mean, target).statistic)
    assert correlation["spearman"] == pytest.approx(stats.spearmanr(mean, target).statistic)
    assert correlation["pearson_low"] < correlation["pearson"] < correlation["pearson_high"]
    each = [stats.pearsonr(a, b).statistic for a, b in zip(weights, coverage, strict=True)]
    assert correlation["gene_pearson"] == pytest.approx(np.median(each))
    # 0.95 of all samples of 50 have their median between the 18th and the 33rd value (binomial).
    assert [correlation["gene_pearson_low"], correlation["gene_pearson_high"]] == pytest.approx(
        [sorted(each)[17], sorted(each)[32]]
    )
    assert correlation["note"] is None
    shifts = [abs(stats.pearsonr(np.roll(mean, shift), target).statistic) for shift in range(30)]
    assert correlation["shift_p"] == pytest.approx(np.mean(np.array(shifts) >= abs(correlation["pearson"]) - 1e-9))
    assert correlation == correlate_maps(weights, coverage)
    # Tiny weights correlate as large ones do.
    assert correlate_maps(weights * 1e-6, coverage)["pearson"] == pytest.approx(correlation["pearson"])


@pytest.mark.parametrize(
    ("weights", "note"),
    [
        (np.full((4, 10), 0.1, np.float32), "no r: the mean weights are the same in all bins"),
        (np.ones((0, 10)), "no r: fewer than 3 genes"),
        (np.eye(2, 10), "no r: fewer than 3 genes"),
        (np.ones((3, 2)), "no r: fewer than 3 bins"),
    ],
)
def test_without_a_correlation_a_note_says_why(weights: np.ndarray, note: str) -> None:
    correlation = correlate_maps(weights, np.random.default_rng(1).random(weights.shape))
    assert (correlation.pop("genes"), correlation.pop("note")) == (len(weights), note)
    assert np.isnan(list(correlation.values())).all()


def test_without_an_interval_a_note_says_why() -> None:
    rng = np.random.default_rng(1)
    maps = np.sin(np.arange(20)) + rng.normal(size=(50, 20))
    for genes, noise, note in ((50, 1, None), (49, 1, "fewer than 50 genes"), (50, 9, "reliability below 0.8")):
        correlation = correlate_maps(maps[:genes], maps[:genes] + noise * rng.normal(size=(genes, 20)))
        assert correlation["note"] == (note and f"no interval of r: {note}")
        assert np.isnan(correlation["pearson_low"]) == (note is not None)
        assert not np.isnan(correlation["pearson"])
    flat = correlate_maps(maps, np.ones_like(maps))
    assert flat["note"] == "no r: the mean coverage is the same in all bins"


def validation_signal(dataset: xr.Dataset, values: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"counts": (("gene", "bin"), values)}, {"gene": dataset["gene"].values, "bin": dataset["bin"]})


@pytest.fixture(scope="module")
def explanation(dataset: xr.Dataset) -> xr.Dataset:
    model = quick("deepchrome", dataset)[0]
    options = ExplainOptions(list(METHODS), genes=40, starts=2, optimiser_steps=20)
    return explain(model, dataset, options).maps


def test_maps_are_compared_over_the_genes_that_are_predicted_on(dataset: xr.Dataset, explanation: xr.Dataset) -> None:
    # A validation mark that is H3K4me3 itself: the control correlates to 1.
    k4me3 = dataset["counts"].sel(mark="H3K4me3").transpose("gene", "bin").values
    shuffled = np.random.default_rng(2).permutation(dataset.sizes["gene"])
    signal = validation_signal(dataset, k4me3).isel(gene=shuffled)
    table = validate(explanation, dataset, signal).set_index(["method", "weights", "mark"])
    row = table.loc[("signal", "none", "H3K4me3")]
    assert row["genes"] == (explanation["score"].values > 0.5).sum()
    assert row["pearson"] == pytest.approx(1)
    assert row["gene_pearson"] == pytest.approx(1)
    assert set(table.index.get_level_values("weights")) == {"none", *WEIGHTS}
    assert len(table) == 5 * (1 + len(WEIGHTS) * 8)  # 7 methods and class optimisation
    assert table.loc[("integrated_gradients", "trained", "H3K4me3"), "pearson"] > 0.8
    of_true = validate(explanation, dataset, signal, genes="true_on")
    assert of_true["genes"].iloc[0] == explanation["label"].values.sum()
    absolute = validate(explanation, dataset, signal, absolute=True).set_index(["method", "weights", "mark"])
    changed = (absolute["pearson"] - table["pearson"]).abs() > 1e-9
    assert {method for method, _, _ in table.index[changed]} == {
        name for name in explanation.data_vars if name in METHODS and METHODS[name].signed
    }


def test_attention_is_averaged_over_all_test_genes_if_it_is_there(dataset: xr.Dataset) -> None:
    model = network("cnn_alpha_beta", dataset)
    explained = attention_maps(model, sample_genes(dataset, 140, seed=1)).drop_vars("beta")
    alpha = explained["alpha"].expand_dims(weights=["trained", "random_1"])
    optimum = alpha.mean("gene").expand_dims(state=["ON"])
    maps = explained.assign(alpha=alpha, optimum=optimum, saliency=alpha**2)
    # Attention of all parts of the split, with marks in another order.
    attention = attention_maps(model, dataset).isel(mark=slice(None, None, -1))
    coverage = dataset["counts"].sel(mark="H3K4me3").transpose("gene", "bin").values
    signal = validation_signal(dataset, coverage)
    of_explained = validate(maps, dataset, signal, genes="true_on")
    table = validate(maps, dataset, signal, attention, genes="true_on")
    on = (attention["label"].values == 1) & (attention["split"].values == "test")
    assert maps["label"].sum() < on.sum() < attention["label"].sum()
    trained = (table["method"] == "alpha") & (table["weights"] == "trained")
    assert (table.loc[trained, "genes"] == on.sum()).all()
    alpha = attention["alpha"].sel(mark="H3K9me3").transpose("gene", "bin").values[on]
    expected = np.corrcoef(alpha.mean(axis=0), coverage[on].mean(axis=0))[0, 1]
    assert table.loc[trained & (table["mark"] == "H3K9me3"), "pearson"].item() == pytest.approx(expected)
    others = table["weights"] != "attended"
    rest = of_explained.loc[~trained[: len(of_explained)]]
    pd.testing.assert_frame_equal(table[others & ~trained].reset_index(drop=True), rest.reset_index(drop=True))
    # The reads of the attended genes are the fair comparison.
    reads = table[~others].set_index("mark")
    assert (reads["method"] == "signal").all()
    assert (reads["genes"] == on.sum()).all()
    assert reads.loc["H3K4me3", "pearson"] == pytest.approx(1)
    # No correlation lies outside its own interval.
    for name in ("pearson", "gene_pearson"):
        inside = table.dropna(subset=f"{name}_low")
        assert len(inside) > len(table) / 3
        assert inside[name].between(inside[f"{name}_low"], inside[f"{name}_high"]).all()


def test_the_table_has_published_values_and_names_what_was_skipped(
    dataset: xr.Dataset, explanation: xr.Dataset
) -> None:
    signal = validation_signal(dataset, dataset["counts"].sel(mark="H3K4me1").values)
    table = validation_table("E003", "H3K27ac", {"deepchrome": validate(explanation, dataset, signal)}, PUBLISHED)
    published = table[table["published"].notna()]
    assert published[["method", "weights", "mark", "published"]].to_numpy().tolist() == [
        ["saliency", "trained", "H3K4me3", 0.1822]
    ]
    other = validation_table("E003", "H3K9ac", {"deepchrome": validate(explanation, dataset, signal)}, PUBLISHED)
    assert other["published"].isna().all()
    assert set(other["validation_mark"]) == {"H3K9ac"}
    skipped = unvalidated("E024", "H3K27ac")
    assert skipped.columns.tolist() == table.columns.tolist()
    assert skipped.loc[0, ["epigenome", "note"]].tolist() == ["E024", "no H3K27ac in the sample sheet"]
    assert np.isnan(skipped.loc[0, "pearson"])
    assert pd.concat([table, skipped])["genes"].dtype == "Int64"
    assert unvalidated("E024", None).loc[0, "note"] == "no validation mark in the configuration"


def test_a_page_compares_each_method_with_the_untrained_networks(dataset: xr.Dataset, explanation: xr.Dataset) -> None:
    signal = validation_signal(dataset, dataset["counts"].sel(mark="H3K4me3").values)
    table = validation_table("E003", "H3K27ac", {"deepchrome": validate(explanation, dataset, signal)}, PUBLISHED)
    shown = Validation("H3K4me3", "H3K27ac", table)
    assert shown.note is None
    assert all(row["reads"] == pytest.approx(1) for row in shown.rows)
    assert shown.rows[0]["genes"] == (explanation["score"].values > 0.5).sum()
    assert [row["title"] for row in shown.rows][-1] == "Class optimisation"
    saliency = shown.rows[0]
    expected = table[(table["method"] == "saliency") & (table["mark"] == "H3K4me3")].set_index("weights")["pearson"]
    assert saliency["pearson"] == expected["trained"]
    assert saliency["untrained"] == pytest.approx(expected[WEIGHTS[1:]].mean())
    assert saliency["untrained_genes"] == saliency["genes"]
    assert Validation("H3K4me3", "H3K27ac", unvalidated("E024", "H3K27ac")).note == "no H3K27ac in the sample sheet"


# Genes and models


def gene_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "gene": ["ENSG00000196092", "ENSG00000102145", "ENSG00000000003", "ENSG00000000003", "ENSG00000000005"],
            "symbol": ["PAX5", "GATA1", "TSPAN6", "OTHER", "GATA2"],
        }
    )


@pytest.mark.parametrize("name", ["PAX5", "pax5", "ENSG00000196092", "ENSG00000196092.7", " PAX5 "])
def test_genes_are_found_by_symbol_and_id(name: str) -> None:
    assert find_genes(gene_table(), [name])["gene"].tolist() == ["ENSG00000196092"]


def test_named_genes_are_unique_and_in_the_given_order() -> None:
    genes = find_genes(gene_table(), ["GATA1", "ENSG00000000003", "PAX5", "ENSG00000102145"])
    assert genes["symbol"].tolist() == ["GATA1", "TSPAN6", "PAX5"]
    assert find_genes(gene_table(), []).columns.tolist() == ["gene", "symbol"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("PAX55", "gene 'PAX55': is not among the 4 genes of the study, did you mean 'PAX5'?; correct or remove it"),
        ("ENSG00000196029", "did you mean 'ENSG00000196092'"),
        ("xyz", "gene 'xyz': is not among the 4 genes of the study; correct"),
    ],
)
def test_an_unknown_gene_is_named_with_its_nearest_match(name: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        find_genes(gene_table(), [name])
    assert message in str(error.value)


def test_a_symbol_of_several_genes_asks_for_an_id() -> None:
    table = gene_table().assign(symbol="SAME")
    with pytest.raises(UserError, match=r"is the symbol of ENSG00000196092, ENSG00000102145"):
        find_genes(table, ["same"])


def test_named_genes_have_their_attention_in_every_epigenome(dataset: xr.Dataset) -> None:
    model = network("attentivechrome", dataset)
    named = pd.DataFrame({"gene": [dataset["gene"].values[3], "ENSG_ELSEWHERE"], "symbol": ["GENE3", "X"]})
    chosen = select_genes(dataset, "test", named["gene"].tolist())
    assert chosen.sizes["gene"] == 161  # gene 3 is for training
    assert select_genes(dataset, "all").sizes["gene"] == 640
    maps = attention_maps(model, chosen)
    table = beta_table(
        {("E003", "attentivechrome"): maps, ("E003", "lstm_alpha"): maps.drop_vars("beta")}, {"E003": dataset}, named
    )
    assert table["mark"].tolist() == MARKS
    assert set(table["symbol"]) == {"GENE3"}
    assert table["beta"].sum() == pytest.approx(1)
    assert table["split"].iloc[0] == "train"
    assert table["rpkm"].iloc[0] == dataset["rpkm"].values[3]


def test_means_are_of_the_genes_predicted_on_and_off() -> None:
    alpha = xr.DataArray(np.arange(8.0).reshape(4, 1, 2), dims=("gene", "mark", "bin"))
    means = mean_maps(alpha, xr.DataArray([0.9, 0.6, 0.5, 0.1], dims="gene"))
    assert means.sel(state="ON").values.tolist() == [[1.0, 2.0]]
    assert means.sel(state="OFF").values.tolist() == [[5.0, 6.0]]
    assert np.isnan(mean_maps(alpha, xr.DataArray([0.9] * 4, dims="gene")).sel(state="OFF")).all()


def test_explained_genes_are_test_genes_and_the_same_for_all(dataset: xr.Dataset) -> None:
    first = sample_genes(dataset, 30, seed=1)
    assert set(first["split"].values) == {"test"}
    # Another epigenome, which lacks counts for one of these genes and for one other gene.
    lost = np.isin(dataset["gene"].values, [first["gene"].values[4], dataset["gene"].values[0]])
    second = sample_genes(dataset.isel(gene=~lost), 30, seed=1)
    assert len(set(first["gene"].values) & set(second["gene"].values)) == 29
    assert len(set(first["gene"].values) & set(sample_genes(dataset, 30, seed=2)["gene"].values)) < 20
    assert sample_genes(dataset, None, 1).sizes["gene"] == sample_genes(dataset, 1000, 1).sizes["gene"] == 160


def test_an_explanation_is_the_same_each_time(dataset: xr.Dataset) -> None:
    model = network("cnn_alpha_beta", dataset)
    options = ExplainOptions(list(METHODS), genes=12, starts=2, optimiser_steps=10)
    torch.manual_seed(1)
    first = explain(model, dataset, options)
    torch.manual_seed(2)
    second = explain(model, dataset, options)
    assert first.maps.identical(second.maps)
    assert first.faithfulness.equals(second.faithfulness)
    assert {"alpha", "beta", "optimum", "effect", "score", "occlusion"} <= set(first.maps.data_vars)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        call()
    return str(error.value)


def test_models_that_cannot_be_explained_say_why(dataset: xr.Dataset) -> None:
    options = ExplainOptions(["saliency"])
    forest = quick("random_forest", dataset)[0]
    assert "random_forest: is not a network" in refused(lambda: explain(forest, dataset, options))
    assert "deepchrome: has no attention; choose one of cnn_attn" in refused(
        lambda: attention_maps(network("deepchrome", dataset), dataset)
    )
    joined = join_epigenomes([("A", dataset)])
    pan = train("pan_epigenome", joined, {}, TrainingOptions(max_epochs=1, accelerator="cpu", warmup=0))[0]
    assert "takes the epigenome as a second input" in refused(lambda: explain(pan, dataset, options))
    other = dataset.sel(mark=MARKS[:3])
    assert "trained on marks" in refused(lambda: explain(network("deepchrome", dataset), other, options))
