"""A GPU computes what a CPU does, whatever was recorded or broken off: tests for a machine that has one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from builders import NETWORKS, synthetic_dataset
from torch import nn

from chromattend.models import recurrence
from chromattend.models.network import Network
from chromattend.models.recurrence import BidirectionalLSTM, operators
from chromattend.pan import join_epigenomes
from chromattend.protocols import TrainingOptions
from chromattend.training import train_together
from chromattend.training.networks import NetworkTraining
from chromattend.training.stack import Stack

# Batches that do not come out even, so that the last of an epoch is none of the recorded ones.
TRAINING: dict[str, Any] = {"max_epochs": 4, "patience": None, "learning_rate": 0.003, "batch_size": 48}


@pytest.fixture(autouse=True, scope="session")
def device() -> str:
    if not torch.cuda.is_available():
        pytest.fail("this machine has no GPU that PyTorch can use")
    return "cuda"


@pytest.fixture(scope="module")
def datasets() -> list[xr.Dataset]:
    return [
        synthetic_dataset(epigenome=name, effect=effect, seed=seed)
        for name, effect, seed in (("A", 0.3, 2), ("B", 0.0, 4), ("C", 1.0, 6))
    ]


def of_model(name: str, datasets: list[xr.Dataset]) -> list[xr.Dataset]:
    if name == "pan_epigenome":
        return [join_epigenomes([("X", dataset), ("Y", dataset)]) for dataset in datasets]
    return datasets


def trained(
    name: str,
    datasets: list[xr.Dataset],
    folder: Path | None = None,
    model_options: dict[str, Any] | None = None,
    **options: Any,
) -> list[Network]:
    given = TrainingOptions(**{"accelerator": "gpu"} | TRAINING | options)
    return [
        network for network, _ in train_together(name, of_model(name, datasets), model_options or {}, given, folder)
    ]  # type: ignore[misc]


def scores(networks: list[Network], datasets: list[xr.Dataset]) -> list[np.ndarray]:
    found = []
    for network, dataset in zip(networks, of_model(networks[0].contract.model, datasets), strict=True):
        contract = network.contract
        found.append(network.score(contract.signal(dataset), contract.context(dataset)))
    return found


def same_bits(first: list[Network], second: list[Network]) -> bool:
    pairs = [(one.state_dict(), other.state_dict()) for one, other in zip(first, second, strict=True)]
    return all(torch.equal(one[name], other[name]) for one, other in pairs for name in one)


@pytest.mark.parametrize(
    ("groups", "genes", "steps", "features", "units"),
    [(280, 32, 100, 1, 32), (56, 33, 5, 64, 16), (3, 7, 20, 4, 5), (1, 600, 40, 1, 32), (2, 40, 9, 30, 32)],
)
def test_the_kernels_are_the_recurrence_in_float64(
    groups: int, genes: int, steps: int, features: int, units: int
) -> None:
    torch.manual_seed(4)
    lstm = BidirectionalLSTM(groups, features, units).cuda()
    inputs = torch.randn(groups, genes, steps, features, device="cuda", requires_grad=True)
    weight = torch.randn(groups, genes, steps, 2 * units, device="cuda") / genes
    assert recurrence._implementation(inputs, lstm.state_weight).__name__.endswith("kernels")
    found = []
    for precision in (torch.float32, torch.float64):
        module = lstm.to(precision)
        given = inputs.detach().to(precision).requires_grad_()
        states = module(given)
        found.append([states, *torch.autograd.grad((states * weight.to(precision)).sum(), [given, *lstm.parameters()])])
    for ours, exact in zip(*found, strict=True):
        torch.testing.assert_close(ours, exact.float(), rtol=1e-4, atol=1e-5 * max(1.0, float(exact.abs().max())))


def test_the_kernels_are_torchs_lstm() -> None:
    ours = BidirectionalLSTM(1, 3, 24).cuda()
    # On a CPU: a GPU's own takes float32 for TF32.
    theirs = nn.LSTM(3, 24, batch_first=True, bidirectional=True)
    names = {"input_weight": "weight_ih", "state_weight": "weight_hh", "input_bias": "bias_ih", "state_bias": "bias_hh"}
    for name, other in names.items():
        for direction, suffix in enumerate(("", "_reverse")):
            getattr(theirs, f"{other}_l0{suffix}").data.copy_(getattr(ours, name)[0, direction])
    inputs = torch.randn(1, 50, 30, 3)
    torch.testing.assert_close(ours(inputs.cuda())[0].cpu(), theirs(inputs[0])[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [*NETWORKS, "pan_epigenome"])
def test_a_network_learns_what_it_learns_on_a_cpu(name: str, datasets: list[xr.Dataset]) -> None:
    # What is random in a step is drawn otherwise on every kind of device. Adam would divide rounding errors of small
    # gradients by these gradients.
    options = {"dropout": 0.0} | ({"unknown": 0.0} if name == "pan_epigenome" else {})
    settings: dict[str, Any] = {"model_options": options, "optimizer": "sgd", "learning_rate": 0.1}
    on_gpu, on_cpu = (
        scores(trained(name, datasets, accelerator=accelerator, **settings), datasets) for accelerator in ("gpu", "cpu")
    )
    for found, expected in zip(on_gpu, on_cpu, strict=True):
        assert found == pytest.approx(expected, abs=1e-3)


def test_recorded_steps_are_the_steps(datasets: list[xr.Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = trained("attentivechrome", datasets)
    monkeypatch.setattr(Stack, "record", lambda *_: None)
    assert same_bits(recorded, trained("attentivechrome", datasets))


def test_the_operators_learn_what_the_kernels_do(datasets: list[xr.Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = scores(trained("attentivechrome", datasets), datasets)
    monkeypatch.setattr(recurrence, "_implementation", lambda *_: operators)
    for found, by_kernels in zip(scores(trained("attentivechrome", datasets), datasets), expected, strict=True):
        assert found == pytest.approx(by_kernels, abs=1e-3)


@pytest.mark.parametrize("name", ["deepchrome", "attentivechrome"])
def test_a_training_that_was_killed_ends_with_the_same_weights(
    name: str, datasets: list[xr.Dataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = trained(name, datasets)
    step, calls = NetworkTraining.training_step, iter(range(10**6))

    def killed(*arguments: Any) -> Any:
        if next(calls) == 17:
            raise KeyError("killed")
        return step(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(NetworkTraining, "training_step", killed)
        with pytest.raises(KeyError):
            trained(name, datasets, tmp_path)
    assert same_bits(unbroken, trained(name, datasets, tmp_path))


@pytest.mark.parametrize("name", ["deepchrome", "attentivechrome"])
def test_a_network_learns_beside_others_what_it_learns_alone(name: str, datasets: list[xr.Dataset]) -> None:
    together = scores(trained(name, datasets), datasets)
    for found, dataset in zip(together, datasets, strict=True):
        assert found == pytest.approx(scores(trained(name, [dataset]), [dataset])[0], abs=1e-3)


@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_lower_precisions_learn(precision: str, datasets: list[xr.Dataset]) -> None:
    exact, lower = (scores(trained("attentivechrome", datasets, precision=p), datasets) for p in ("32-true", precision))
    assert lower[2] == pytest.approx(exact[2], abs=0.2)
