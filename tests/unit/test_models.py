"""The models by themselves: sizes, shapes, and agreement with the papers' equations in numpy."""

import inspect
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from chromattend.chromatin.models.attentivechrome import AttentiveChrome
from chromattend.chromatin.models.deepchrome import DeepChrome
from chromattend.models.baseline import BestBins, LogCounts, MarkTotals, OneBin, Setting
from chromattend.models.network import Standardise
from chromattend.models.registry import REGISTRY

Weights = dict[str, np.ndarray]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Keep torch from waiting for busy processors."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def signal(genes: int, bins: int, marks: int) -> torch.Tensor:
    return torch.randn(genes, bins, marks, generator=torch.Generator().manual_seed(3))


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def weights(network: nn.Module) -> Weights:
    return {name: value.double().numpy() for name, value in network.state_dict().items()}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def softmax(x: np.ndarray) -> np.ndarray:
    return np.exp(x) / np.exp(x).sum()


def lstm(x: np.ndarray, w: Weights, name: str, group: int, direction: int) -> np.ndarray:
    """Run one direction of an LSTM over x, shape (step, feature): states, shape (step, unit)."""
    input_weight, state_weight, input_bias, state_bias = (
        w[f"{name}.{part}"][group, direction] for part in ("input_weight", "state_weight", "input_bias", "state_bias")
    )
    state = cell = np.zeros(state_weight.shape[1])
    states = []
    for step in x:
        gates = input_weight @ step + input_bias + state_weight @ state + state_bias
        into, forget, candidate, out = np.split(gates, 4)
        cell = sigmoid(forget) * cell + sigmoid(into) * np.tanh(candidate)
        state = sigmoid(out) * np.tanh(cell)
        states.append(state)
    return np.array(states)


def bidirectional(x: np.ndarray, w: Weights, name: str, group: int = 0) -> np.ndarray:
    return np.hstack([lstm(x, w, name, group, 0), lstm(x[::-1], w, name, group, 1)[::-1]])


def attentivechrome(x: np.ndarray, w: Weights) -> tuple[float, np.ndarray, np.ndarray]:
    """Logit, alpha (bin, mark) and beta (mark) of one gene, shape (bin, mark)."""
    alphas, embeddings = [], []
    for mark in range(x.shape[1]):
        h = bidirectional(x[:, [mark]], w, "bin_lstms", mark)
        alpha = softmax(h @ w["bin_attention.context"][mark])
        alphas.append(alpha)
        embeddings.append(sum(a * state for a, state in zip(alpha, h, strict=True)))
    s = bidirectional(np.array(embeddings), w, "mark_lstm")
    beta = softmax(s @ w["mark_attention.context.weight"][0])
    v = sum(b * state for b, state in zip(beta, s, strict=True))
    return float(w["output.weight"][0] @ v + w["output.bias"][0]), np.array(alphas).T, beta


def deepchrome(x: np.ndarray, w: Weights, pool: int = 5) -> np.ndarray:
    """Log-probabilities of OFF and ON of one gene, shape (bin, mark)."""
    kernel, bias = w["convolution.weight"], w["convolution.bias"]
    width = kernel.shape[2]
    windows = [x[start : start + width].T for start in range(len(x) - width + 1)]
    maps = np.array([[max(0, np.sum(k * window) + b) for window in windows] for k, b in zip(kernel, bias, strict=True)])
    pooled = [[max(row[start : start + pool]) for start in range(0, len(row) - pool + 1, pool)] for row in maps]
    hidden = np.array(pooled).ravel()
    for layer in ("perceptron.0", "perceptron.2"):
        hidden = np.maximum(0, w[f"{layer}.weight"] @ hidden + w[f"{layer}.bias"])
    return np.log(softmax(w["output.weight"] @ hidden + w["output.bias"]))


def test_deepchrome_has_as_many_parameters_as_the_authors() -> None:
    convolution = 50 * 5 * 10 + 50
    pooled = (100 - 10 + 1) // 5
    perceptron = (50 * pooled * 625 + 625) + (625 * 125 + 125)
    assert convolution + perceptron + (125 * 2 + 2) == 644_177
    assert parameters(DeepChrome(5, 100)) == 644_177


def test_attentivechrome_has_as_many_parameters_as_the_authors() -> None:
    per_mark = lstm_size(1, 32) + 64
    assert 5 * per_mark + lstm_size(64, 16) + 32 + (32 + 1) == 55_681
    assert parameters(AttentiveChrome(5, 100)) == 55_681


@pytest.mark.parametrize(("bins", "marks"), [(100, 5), (37, 2), (14, 1)])
def test_attentivechrome_agrees_with_the_equations_of_the_paper(bins: int, marks: int) -> None:
    torch.manual_seed(5)
    network = AttentiveChrome(marks, bins).eval()
    x = signal(3, bins, marks)
    with torch.inference_mode():
        attention = network.attend(x)
        assert torch.equal(network(x), attention.logit)
    for gene in range(3):
        logit, alpha, beta = attentivechrome(x[gene].double().numpy(), weights(network))
        assert attention.logit[gene].item() == pytest.approx(logit, abs=1e-5)
        np.testing.assert_allclose(attention.alpha[gene], alpha, atol=1e-5)
        np.testing.assert_allclose(attention.beta[gene], beta, atol=1e-5)


@pytest.mark.parametrize(("bins", "marks"), [(100, 5), (37, 2), (14, 1)])
def test_deepchrome_agrees_with_the_layers_of_the_paper(bins: int, marks: int) -> None:
    torch.manual_seed(5)
    network = DeepChrome(marks, bins).eval()
    x = signal(3, bins, marks)
    with torch.inference_mode():
        logits = network(x)
    for gene in range(3):
        off, on = deepchrome(x[gene].double().numpy(), weights(network))
        assert logits[gene].item() == pytest.approx(on - off, abs=1e-5)
        # The loss on the difference is the negative log-likelihood of the two outputs.
        loss = nn.functional.binary_cross_entropy_with_logits(logits[gene], torch.tensor(1.0))
        assert loss.item() == pytest.approx(-on, abs=1e-5)


NETWORKS = [name for name, spec in REGISTRY.items() if spec.kind == "network" and spec.scope == "epigenome"]
ATTENTIVE = [name for name in NETWORKS if hasattr(REGISTRY[name].load(), "attend")]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("bins", "marks"), [(100, 5), (40, 1), (23, 8)])
def test_networks_take_any_number_of_bins_and_marks(name: str, bins: int, marks: int) -> None:
    network = REGISTRY[name].load()(marks, bins)
    logits = network(signal(4, bins, marks))
    assert logits.shape == (4,)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_attentive_networks_are_the_papers() -> None:
    assert ATTENTIVE == ["cnn_attn", "cnn_alpha_beta", "lstm_attn", "lstm_alpha", "attentivechrome"]


@pytest.mark.parametrize("name", ATTENTIVE)
def test_every_attention_sums_to_one_and_belongs_to_the_logit(name: str) -> None:
    network = REGISTRY[name].load()(5, 30).eval()
    x = 10 * signal(6, 30, 5)
    attention = network.attend(x)
    assert torch.equal(network(x), attention.logit)
    assert attention.alpha.shape == (6, 30, 1 if name.endswith("_attn") else 5)
    torch.testing.assert_close(attention.alpha.sum(dim=1), torch.ones(6, attention.alpha.shape[2]))
    assert not torch.allclose(attention.alpha[0], attention.alpha[1])
    if name in ("cnn_alpha_beta", "attentivechrome"):
        assert attention.beta.shape == (6, 5)
        torch.testing.assert_close(attention.beta.sum(dim=1), torch.ones(6))
    else:
        assert attention.beta is None


def lstm_size(features: int, units: int) -> int:
    """Parameters of a bidirectional LSTM: per direction four gates, each with both weights and two biases."""
    return 2 * 4 * (units * features + units * units + 2 * units)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("mlp", (500 * 125 + 125) + (125 * 50 + 50) + (50 + 1)),
        ("lstm", lstm_size(5, 32) + (64 + 1)),
        ("lstm_attn", lstm_size(5, 32) + 64 + (64 + 1)),
        ("lstm_alpha", 5 * (lstm_size(1, 32) + 64) + (5 * 64 + 1)),
        ("attentivechrome", 5 * (lstm_size(1, 32) + 64) + lstm_size(64, 16) + 32 + (32 + 1)),
        ("cnn_attn", (50 * 5 * 11 + 50) + 50 + (50 + 1)),
        ("cnn_alpha_beta", 5 * (50 * 11 + 50) + 5 * 50 + (32 * 50 * 3 + 32) + 32 + (32 + 1)),
    ],
)
def test_networks_have_the_parameters_of_their_layers(name: str, size: int) -> None:
    assert parameters(REGISTRY[name].load()(5, 100)) == size


def test_lstm_alpha_concatenates_the_attended_marks() -> None:
    torch.manual_seed(5)
    network, x = REGISTRY["lstm_alpha"].load()(3, 12).eval(), signal(2, 12, 3)
    w = weights(network)
    with torch.inference_mode():
        attention = network.attend(x)
    for gene in range(2):
        embeddings = []
        for mark in range(3):
            h = bidirectional(x[gene, :, [mark]].double().numpy(), w, "bin_lstms", mark)
            alpha = softmax(h @ w["bin_attention.context"][mark])
            np.testing.assert_allclose(attention.alpha[gene, :, mark], alpha, atol=1e-5)
            embeddings.append(alpha @ h)
        logit = w["output.weight"][0] @ np.concatenate(embeddings) + w["output.bias"][0]
        assert attention.logit[gene].item() == pytest.approx(logit, abs=1e-5)


def test_lstm_classifies_the_last_state_of_each_direction() -> None:
    torch.manual_seed(5)
    network, x = REGISTRY["lstm"].load()(3, 12).eval(), signal(2, 12, 3)
    w = weights(network)
    with torch.inference_mode():
        logits = network(x)
    for gene in range(2):
        states = bidirectional(x[gene].double().numpy(), w, "lstm")
        last = np.concatenate([states[-1, :32], states[0, 32:]])
        assert logits[gene].item() == pytest.approx(w["output.weight"][0] @ last + w["output.bias"][0], abs=1e-5)


def test_options_change_the_layers() -> None:
    network = DeepChrome(2, 30, channels=7, kernel=3, pool=4, hidden1=11, hidden2=5, dropout=0.25)
    assert [tuple(weight.shape) for weight in network.parameters() if weight.ndim > 1] == [
        (7, 2, 3),
        (11, 7 * 7),
        (5, 11),
        (2, 5),
    ]
    assert network.dropout.p == 0.25
    assert AttentiveChrome(2, 30, bin_units=6, mark_units=3).mark_lstm.input_weight.shape == (1, 2, 12, 12)


@pytest.mark.parametrize("name", NETWORKS)
def test_dropout_acts_in_training_only(name: str) -> None:
    network, x = REGISTRY[name].load()(5, 100), signal(4, 100, 5)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize(("bins", "kernel", "pool"), [(13, 10, 5), (5, 10, 5), (20, 10, 12)])
def test_deepchrome_refuses_too_few_bins(bins: int, kernel: int, pool: int) -> None:
    with pytest.raises(ValueError, match=f"{bins} bins are too few for kernel {kernel} and pool {pool}"):
        DeepChrome(5, bins, kernel=kernel, pool=pool)


def test_counts_are_standardised_by_mark() -> None:
    counts = torch.poisson(torch.tensor([0.5, 4.0, 90.0]).expand(50, 20, 3), torch.Generator().manual_seed(1))
    transform = Standardise(3)
    assert torch.equal(transform(counts), torch.log1p(counts))
    transform.fit(counts)
    standardised = transform(counts)
    torch.testing.assert_close(standardised.mean(dim=(0, 1)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(standardised.std(dim=(0, 1)), torch.ones(3), atol=1e-5, rtol=0)


def test_raw_counts_are_unchanged() -> None:
    counts = torch.poisson(torch.full((5, 4, 2), 3.0), torch.Generator().manual_seed(1))
    transform = Standardise(2, raw=True)
    transform.fit(counts)
    assert torch.equal(transform(counts), counts)


def test_a_mark_without_reads_stays_finite() -> None:
    counts = torch.zeros(10, 5, 2)
    counts[:, :, 1] = 3
    transform = Standardise(2)
    transform.fit(counts)
    assert torch.equal(transform(counts), torch.zeros(10, 5, 2))


def test_baselines_use_log_counts_unless_raw_counts_are_configured() -> None:
    counts = np.array([[0, 1, 9]], dtype=np.float32)
    np.testing.assert_array_equal(LogCounts().fit(counts).transform(counts), np.log1p(counts))
    assert isinstance(Setting(1, 3).pipeline("passthrough")[0], LogCounts)
    assert Setting(1, 3, log=False).pipeline("passthrough").steps == [("passthrough", "passthrough")]


def test_features_of_baselines_are_bin_by_bin_and_mark_by_mark() -> None:
    signal = np.arange(12).reshape(2, 3, 2)  # gene, bin, mark
    features = signal.reshape(2, -1)
    np.testing.assert_array_equal(MarkTotals(2).fit(features).transform(features), signal.sum(axis=1))
    for bin_ in range(3):
        np.testing.assert_array_equal(OneBin(2, bin_).fit(features).transform(features), signal[:, bin_])


def test_the_best_bin_of_a_mark_correlates_most_with_the_label() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 2, 200)
    signal = rng.normal(size=(200, 6, 3))
    signal[:, 4, 0] += 2 * label
    signal[:, 1, 1] -= 2 * label  # a repressor counts as much
    signal[:, 2, 1] += label
    signal[:, 3, 2] = 7  # constant: no correlation, and no division by zero
    signal[:, 5, 2] += label
    best = BestBins(3).fit(signal.reshape(200, -1), label)
    assert best.bins_.tolist() == [4, 1, 5]
    np.testing.assert_array_equal(
        best.transform(signal.reshape(200, -1)), np.stack([signal[:, 4, 0], signal[:, 1, 1], signal[:, 5, 2]], axis=1)
    )


@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.items() if spec.scope == "epigenome"])
def test_defaults_of_a_model_agree_with_the_configuration(name: str, repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/config.schema.yaml").read_text())
    configured = schema["properties"]["model_options"]["properties"].get(name, {"properties": {}})["properties"]
    signature = inspect.signature(REGISTRY[name].load()).parameters.values()
    options = {item.name: item.default for item in signature if item.kind is item.KEYWORD_ONLY}
    assert options.keys() == configured.keys()
    for key, part in configured.items():
        if part["default"] is not None:
            assert options[key] == part["default"], key
        else:  # depends on the protocol: the model has the default of the default protocol
            assert f"({options[key]}, paper " in part["description"], key


def test_titles_and_names_are_unique() -> None:
    assert [spec.name for spec in REGISTRY.values()] == list(REGISTRY)
    assert len({spec.title for spec in REGISTRY.values()}) == len(REGISTRY)
    assert {spec.kind for spec in REGISTRY.values()} == {"network", "baseline"}
