"""A GPU gives the results of a CPU, with captured graphs and after interruptions: tests for a machine with a GPU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from builders import NETWORKS, Killed, epigenomes, kill_at, separate

from chromattend import recurrence
from chromattend.models.network import Network
from chromattend.recurrence import BidirectionalLSTM, operators
from chromattend.training.module import NetworkTraining
from chromattend.training.protocols import TrainingOptions
from chromattend.training.stack import Stack
from chromattend.training.train import train_together

# The last batch of an epoch is smaller, so its shape differs from the captured one.
TRAINING: dict[str, Any] = {"max_epochs": 4, "patience": None, "learning_rate": 0.003, "batch_size": 48}


@pytest.fixture(autouse=True, scope="session")
def device() -> str:
    if not torch.cuda.is_available():
        pytest.fail("this machine has no GPU that PyTorch can use")
    return "cuda"


def trained(
    name: str,
    folder: Path | None = None,
    datasets: list[xr.Dataset] | None = None,
    model_options: dict[str, Any] | None = None,
    **options: Any,
) -> list[Network]:
    given = TrainingOptions(**{"accelerator": "gpu"} | TRAINING | options)
    networks = train_together(name, datasets or epigenomes(name), model_options or {}, given, folder)
    return [network for network, _ in networks]  # type: ignore[misc]


def scores(networks: list[Network], datasets: list[xr.Dataset] | None = None) -> list[np.ndarray]:
    datasets = datasets or epigenomes(networks[0].input_spec.model)
    return [network.score(dataset) for network, dataset in zip(networks, datasets, strict=True)]


def same_bits(first: list[Network], second: list[Network]) -> bool:
    pairs = [(one.state_dict(), other.state_dict()) for one, other in zip(first, second, strict=True)]
    return all(torch.equal(one[name], other[name]) for one, other in pairs for name in one)


@pytest.mark.parametrize(
    ("groups", "genes", "steps", "features", "units"),
    [(280, 32, 100, 1, 32), (56, 33, 5, 64, 16), (3, 7, 20, 4, 5), (1, 600, 40, 1, 32), (2, 40, 9, 30, 32)],
)
def test_the_kernels_agree_with_the_recurrence_in_float64(
    groups: int, genes: int, steps: int, features: int, units: int
) -> None:
    torch.manual_seed(4)
    lstm = BidirectionalLSTM(groups, features, units).cuda()
    inputs = torch.randn(groups, genes, steps, features, device="cuda", requires_grad=True)
    weight = torch.randn(groups, genes, steps, 2 * units, device="cuda") / genes
    assert recurrence._implementation(inputs, lstm.state_weight).__name__.endswith("kernels")
    results = []
    for precision in (torch.float32, torch.float64):
        module = lstm.to(precision)
        given = inputs.detach().to(precision).requires_grad_()
        states = module(given)
        results.append(
            [states, *torch.autograd.grad((states * weight.to(precision)).sum(), [given, *lstm.parameters()])]
        )
    for ours, exact in zip(*results, strict=True):
        torch.testing.assert_close(ours, exact.float(), rtol=1e-4, atol=1e-5 * max(1.0, float(exact.abs().max())))


def test_the_kernels_agree_with_torchs_lstm() -> None:
    ours = BidirectionalLSTM(1, 3, 24)
    # On a CPU, because torch's LSTM on a GPU computes float32 in TF32.
    (theirs,) = separate(ours)
    inputs = torch.randn(1, 50, 30, 3)
    torch.testing.assert_close(ours.cuda()(inputs.cuda())[0].cpu(), theirs(inputs[0])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*NETWORKS, "pan_epigenome"])
def test_a_network_learns_the_same_as_on_a_cpu(name: str) -> None:
    # Random numbers differ between kinds of devices. Adam would divide rounding errors of small gradients by these
    # gradients.
    options = {"dropout": 0.0} | ({"unknown": 0.0} if name == "pan_epigenome" else {})
    settings: dict[str, Any] = {"model_options": options, "optimizer": "sgd", "learning_rate": 0.1}
    on_gpu, on_cpu = (scores(trained(name, accelerator=accelerator, **settings)) for accelerator in ("gpu", "cpu"))
    for ours, expected in zip(on_gpu, on_cpu, strict=True):
        assert ours == pytest.approx(expected, abs=1e-3)


def test_captured_steps_give_the_same_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    captured = trained("attentivechrome")
    monkeypatch.setattr(Stack, "capture", lambda *_: None)
    assert same_bits(captured, trained("attentivechrome"))


def test_the_operators_learn_the_same_as_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = scores(trained("attentivechrome"))
    monkeypatch.setattr(recurrence, "_implementation", lambda *_: operators)
    for ours, by_kernels in zip(scores(trained("attentivechrome")), expected, strict=True):
        assert ours == pytest.approx(by_kernels, abs=1e-3)


@pytest.mark.parametrize("name", ["deepchrome", "attentivechrome"])
def test_a_training_that_was_killed_ends_with_the_same_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = trained(name)
    with monkeypatch.context() as patch:
        kill_at(patch, NetworkTraining, "training_step", 18)
        with pytest.raises(Killed):
            trained(name, tmp_path)
    assert same_bits(unbroken, trained(name, tmp_path))


@pytest.mark.parametrize("name", ["deepchrome", "attentivechrome"])
def test_a_network_learns_the_same_with_others_as_alone(name: str) -> None:
    for together, dataset in zip(scores(trained(name)), epigenomes(name), strict=True):
        alone = trained(name, datasets=[dataset])
        assert together == pytest.approx(scores(alone, [dataset])[0], abs=1e-3)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_lower_precisions_learn(precision: str) -> None:
    exact, lower = (scores(trained("attentivechrome", precision=p)) for p in ("32-true", precision))
    assert lower[2] == pytest.approx(exact[2], abs=0.2)
