"""The batched recurrence is torch's LSTM: values and gradients, in C, in torch's operators and in Triton's kernels."""

import importlib
import logging
from typing import Any

import pytest
import torch
from builders import LSTM_PARTS, separate
from torch import Tensor, nn

from chromattend import recurrence
from chromattend.compiled import find_compiler
from chromattend.recurrence import BidirectionalLSTM, compiled, operators, use_threads


@pytest.fixture(autouse=True, params=["C", "operators", "kernels"])
def implementation(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "C":
        if find_compiler() is None:
            pytest.skip("no C compiler: the recurrence in C is not tested")
        assert compiled.library() is not None, "the C compiler does not compile lstm.c"
    elif request.param == "operators":
        monkeypatch.setattr(compiled, "library", lambda: None)
    elif torch.cuda.is_available():
        pytest.skip("on this machine make test-gpu runs the kernels themselves")
    else:
        pytest.importorskip("triton", reason="Triton is for Linux only")
        kernels = importlib.import_module("chromattend.recurrence.kernels")

        def chosen(inputs: Tensor, state_weight: Tensor) -> Any:
            return kernels if inputs.dtype == torch.float32 and kernels.fits(inputs, state_weight) else operators

        monkeypatch.setattr(recurrence, "_implementation", chosen)
    return request.param


def gradient_of(lstms: list[nn.LSTM], part: str) -> Tensor:
    """Gradients of torch's LSTMs in the shape of ours."""
    return torch.stack(
        [
            torch.stack([getattr(lstm, f"{LSTM_PARTS[part]}_l0{suffix}").grad for suffix in ("", "_reverse")])
            for lstm in lstms
        ]
    )


@pytest.mark.parametrize(
    ("groups", "genes", "steps", "features", "units"),
    [(5, 16, 100, 1, 32), (1, 16, 5, 64, 16), (3, 7, 20, 4, 5), (2, 1, 1, 1, 1), (2, 41, 9, 19, 40), (1, 3, 4, 16, 16)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_gradients_are_those_of_torch(
    implementation: str, groups: int, genes: int, steps: int, features: int, units: int, dtype: torch.dtype
) -> None:
    if implementation == "kernels":
        if dtype == torch.float64:
            return  # which is the operators'
        steps = min(steps, 8)  # interpreted, a step takes long
    torch.manual_seed(4)
    ours = BidirectionalLSTM(groups, features, units).to(dtype)
    theirs = separate(ours)
    inputs = torch.randn(groups, genes, steps, features, dtype=dtype, requires_grad=True)
    same = inputs.detach().clone().requires_grad_()
    found = ours(inputs)
    expected = torch.stack([lstm(each)[0] for lstm, each in zip(theirs, same, strict=True)])
    tolerance = {"rtol": 1e-5, "atol": 1e-5 if dtype == torch.float32 else 1e-12}
    torch.testing.assert_close(found, expected, **tolerance)
    weight = torch.randn_like(found) / genes
    (found * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(inputs.grad, same.grad, **tolerance)
    for part in LSTM_PARTS:
        torch.testing.assert_close(getattr(ours, part).grad, gradient_of(theirs, part), **tolerance)


def test_any_number_of_threads_gives_the_same_bits(implementation: str, two_threads: None) -> None:
    if implementation == "kernels":
        return  # they know no threads
    torch.manual_seed(4)
    lstm, inputs = BidirectionalLSTM(3, 2, 8), torch.randn(3, 37, 30, 2, requires_grad=True)
    found = []
    for threads in (2, 1, 7):
        use_threads(threads)
        states = lstm(inputs)
        found.append([states, *torch.autograd.grad(states.square().sum(), [inputs, *lstm.parameters()])])
    for others in found[1:]:
        assert all(torch.equal(one, other) for one, other in zip(found[0], others, strict=True))


def test_models_together_give_what_each_gives() -> None:
    torch.manual_seed(4)
    lstms, inputs = [BidirectionalLSTM(2, 3, 8) for _ in range(3)], torch.randn(3, 2, 5, 7, 3)
    parameters, _ = torch.func.stack_module_state(lstms)
    expected = torch.stack([lstm(each) for lstm, each in zip(lstms, inputs, strict=True)])
    found = torch.vmap(lambda weights, each: torch.func.functional_call(lstms[0], weights, each))(parameters, inputs)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    weight = torch.randn_like(found)
    (found * weight).sum().backward()
    (expected * weight).sum().backward()
    for name, parameter in parameters.items():
        of_each = torch.stack([lstm.get_parameter(name).grad for lstm in lstms])
        torch.testing.assert_close(parameter.grad, of_each, rtol=1e-5, atol=1e-6)


def test_a_diverged_weight_is_seen_in_all_that_follows() -> None:
    lstm = BidirectionalLSTM(1, 1, 4)
    with torch.no_grad():
        lstm.state_weight[0, 0, 2, 1] = torch.nan
    assert lstm(torch.randn(1, 1, 6, 1))[0, 0, 2:, :4].isnan().all()


def test_without_gradients_the_values_are_the_same_bits() -> None:
    torch.manual_seed(4)
    lstm, inputs = BidirectionalLSTM(3, 2, 8), torch.randn(3, 5, 30, 2)
    with torch.inference_mode():
        found = lstm(inputs)
    assert torch.equal(found, lstm(inputs))


def test_gradients_of_the_inputs_need_none_of_the_weights() -> None:
    torch.manual_seed(4)
    lstm = BidirectionalLSTM(2, 3, 4)
    inputs = torch.randn(2, 5, 6, 3, requires_grad=True)
    (expected,) = torch.autograd.grad(lstm(inputs).square().sum(), inputs)
    lstm.requires_grad_(False)
    (found,) = torch.autograd.grad(lstm(inputs).square().sum(), inputs)
    assert torch.equal(found, expected)


def test_gradients_are_those_of_differences() -> None:
    torch.manual_seed(4)
    lstm = BidirectionalLSTM(1, 2, 3).double().requires_grad_(False)
    inputs = torch.randn(1, 2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lstm, inputs)


def test_weights_start_as_those_of_torch_do() -> None:
    lstm = BidirectionalLSTM(40, 10, 25)
    for parameter in lstm.parameters():
        assert 0.19 < parameter.abs().max().item() <= 0.2  # 1 / sqrt(units)
        assert abs(parameter.mean().item()) < 0.01


def test_without_triton_a_gpu_takes_the_operators(
    implementation: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if implementation != "operators":
        return

    def missing(name: str) -> Any:
        raise ImportError(f"No module named {name!r}")

    recurrence._kernels.cache_clear()
    monkeypatch.setattr(importlib, "import_module", missing)
    with caplog.at_level(logging.WARNING):
        assert recurrence._kernels() is None
    assert "take many times as long" in caplog.text
    recurrence._kernels.cache_clear()


def test_the_kernels_refuse_what_they_cannot_hold(implementation: str) -> None:
    if implementation != "kernels":
        return
    lstms = {(1, 32): True, (32, 32): True, (64, 16): True, (1, 33): False, (40, 32): False}
    for (features, units), fit in lstms.items():
        inputs, weight = torch.empty(1, 1, 1, features), torch.empty(1, 2, 4 * units, units)
        assert importlib.import_module("chromattend.recurrence.kernels").fits(inputs, weight) == fit
