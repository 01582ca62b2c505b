"""Weights of letters by every view: known networks, sums, unknown letters, and which view fits which model."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.models.network import Network
from chromattend.models.registry import REGISTRY
from chromattend.sequence.attribution import (
    TOLERANCE,
    attribute,
    incomplete_share,
    mean_decrease,
    mean_reference,
    mutagenesis,
    observed,
)
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.views import VIEWS, views_of

LENGTH = 30
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"channels": 8},
    "rnn": {"units": 4},
    "cnn_rnn": {"channels": 8, "units": 4},
    "dilated": {"filters": 8, "channels": 8},
}


def network(model: str, replicates: int = 1, seed: int = 0, **options: Any) -> Network:
    """A network with random weights, larger than initial ones, so that it is far from linear."""
    torch.manual_seed(seed)
    built = Network(SequenceInputs(model, "dna", LENGTH), SMALL[model] | options, replicates)
    for parameter in built.parameters():
        parameter.data *= 1.5
    built.calibration.copy_(torch.tensor([1.5, -0.3]))
    return built.eval().requires_grad_(False)


def sequences(number: int, seed: int = 1) -> Tensor:
    """One-hot letters; the second half of the sequences has unknown letters at its ends."""
    letters = torch.randint(4, (number, LENGTH), generator=torch.Generator().manual_seed(seed))
    signal = torch.nn.functional.one_hot(letters, 4).float()
    signal[number // 2 :, :3] = 0
    signal[number // 2 :, -2:] = 0
    return signal


class Linear(torch.nn.Module):
    """A weighted sum of all letters, whose weights every view must return."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.randn(LENGTH, 4, generator=torch.Generator().manual_seed(5))

    def forward(self, signal: Tensor) -> Tensor:
        return (signal * self.weight).sum(dim=(1, 2)) + 0.7


def linear() -> tuple[Network, Tensor]:
    model = network("cnn")
    model.replicates = torch.nn.ModuleList([Linear()])
    model.calibration.copy_(torch.tensor([2.0, 1.0]))
    return model, 2 * model.replicates[0].weight


def test_weights_of_a_weighted_sum() -> None:
    """The logit's own weights are 2 w, since the calibration doubles the output."""
    model, weight = linear()
    signal = sequences(6)
    reference = mean_reference(signal)
    known = signal.sum(dim=2) > 0
    own = (weight * signal).sum(dim=2)
    others = torch.where(signal > 0, torch.nan, weight).nanmean(dim=2)
    expected = {
        "saliency": own.abs(),
        "gradient_x_input": own,
        "corrected_gradient": (own - weight.mean(dim=1)) * known,
        "deeplift": (own - (weight * reference[0]).sum(dim=1)) * known,
        "integrated_gradients": (own - (weight * reference[0]).sum(dim=1)) * known,
        "mutagenesis": (own - others) * known,
    }
    for view, weights in expected.items():
        actual = observed(attribute(model, signal, view, reference), signal)
        torch.testing.assert_close(actual, weights, atol=2e-5, rtol=1e-5, msg=view)
    torch.testing.assert_close(
        attribute(model, signal, "corrected_gradient", reference)[0], weight - weight.mean(dim=1, keepdim=True)
    )


@pytest.mark.parametrize("model", SMALL)
@pytest.mark.parametrize("strands", ["one", "both"])
def test_complete_views_add_up(model: str, strands: str) -> None:
    net, signal = network(model, replicates=2, strands=strands), sequences(4)
    net.calibration[0] = 10.0
    for reference in (mean_reference(signal), torch.zeros(1, LENGTH, 4)):
        for view in views_of(model, shape="weights"):
            weights = attribute(net, signal, view, reference)
            assert weights.shape == signal.shape
            assert weights.dtype == torch.float32
            if VIEWS[view].complete:
                known = signal.sum(dim=2, keepdim=True) > 0
                change = net(signal) - net(reference * known)
                torch.testing.assert_close(observed(weights, signal).sum(dim=1), change, atol=TOLERANCE, rtol=0)
                assert incomplete_share(net, signal, weights, reference) == 0
                assert incomplete_share(net, signal, weights + 0.01, reference) == 1


def test_both_strands_have_the_same_weights() -> None:
    net, signal = network("cnn_rnn"), sequences(4)
    reference = torch.full((1, LENGTH, 4), 0.25)
    for view in views_of("cnn_rnn", shape="weights"):
        forward = attribute(net, signal, view, reference)
        backward = attribute(net, signal.flip(1, 2), view, reference)
        torch.testing.assert_close(backward.flip(1, 2), forward, atol=1e-2 if VIEWS[view].complete else 1e-5, rtol=1e-4)


def test_mutagenesis_is_every_substitution() -> None:
    net, signal = network("dilated"), sequences(3)
    changes = mutagenesis(net, signal)
    for row in range(3):
        for position in (0, 17, LENGTH - 1):
            for letter in range(4):
                changed = signal[row : row + 1].clone()
                if changed[0, position].any():
                    changed[0, position] = torch.eye(4)[letter]
                expected = net(changed) - net(signal[row : row + 1])
                torch.testing.assert_close(changes[row, position, letter], expected[0], atol=1e-5, rtol=1e-4)
    weights = mean_decrease(changes, signal)
    torch.testing.assert_close(observed(weights, signal), -changes.sum(dim=2) / 3)
    assert not weights[signal == 0].any()


def test_many_sequences_are_as_few() -> None:
    """Batches of positions, and of sequences with the same unknown letters, are put together in order."""
    net, signal = network("cnn"), sequences(50)
    reference = mean_reference(signal)
    for view in ("mutagenesis", "deeplift"):
        every = attribute(net, signal, view, reference)
        rows = torch.tensor([3, 48])
        few = attribute(net, signal[rows], view, reference)
        torch.testing.assert_close(every[rows], few, atol=1e-5, rtol=1e-4, msg=view)


def test_reference_is_the_letter_frequencies() -> None:
    signal = sequences(10)
    reference = mean_reference(signal)
    letters = signal.argmax(dim=2)[signal.sum(dim=2) > 0]
    expected = np.bincount(letters.numpy(), minlength=4) / len(letters)
    np.testing.assert_allclose(reference[0, 11].numpy(), expected, rtol=1e-6)
    assert reference.shape == (1, LENGTH, 4)


def test_views_of_models() -> None:
    assert "deeplift" in views_of("cnn")
    assert "deeplift" in views_of("dilated")
    assert "deeplift" not in views_of("rnn")
    assert "deeplift" not in views_of("cnn_rnn")
    assert views_of("kmer_logistic") == []
    assert views_of("gkm_svm") == ["gapped_kmers", "mutagenesis"]
    assert views_of("deepchrome") == []
    assert views_of("cnn", ["temporal", "saliency"]) == ["saliency", "temporal"]
    for name in SMALL:
        assert set(views_of(name)) | {"deeplift", "gapped_kmers"} == set(VIEWS)
        assert REGISTRY[name].track == "sequence"


@pytest.mark.parametrize("view", ["temporal", "class_optimisation", "attention"])
def test_other_views_have_no_weights(view: str) -> None:
    with pytest.raises(UserError, match=f"{view}: is not a view with a weight for every letter"):
        attribute(network("cnn"), sequences(2), view, torch.zeros(1, LENGTH, 4))
