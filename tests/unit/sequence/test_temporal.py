"""Temporal outputs: straight-line values, ends at the whole sequence's logit, and both strands."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from chromattend.errors import UserError
from chromattend.models.network import Network
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.temporal import temporal_kinds, temporal_outputs
from chromattend.sequence.views import PREFIX, WHOLE

LENGTH = 40
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"channels": 8},
    "rnn": {"units": 4},
    "cnn_rnn": {"channels": 8, "units": 4},
    "dilated": {"filters": 8, "channels": 8},
}
RECURRENT = ("rnn", "cnn_rnn")


def network(model: str, strands: str, replicates: int = 1) -> Network:
    torch.manual_seed(2)
    built = Network(SequenceInputs(model, "dna", LENGTH), SMALL[model] | {"strands": strands}, replicates)
    for parameter in built.parameters():
        parameter.data *= 2
    built.calibration.copy_(torch.tensor([1.5, -0.3]))
    return built.eval().requires_grad_(False)


def sequences(number: int) -> Tensor:
    letters = torch.randint(4, (number, LENGTH), generator=torch.Generator().manual_seed(4))
    return functional.one_hot(letters, 4).float()


@pytest.mark.parametrize("model", SMALL)
@pytest.mark.parametrize("strands", ["one", "both"])
def test_both_end_at_the_whole_sequence(model: str, strands: str) -> None:
    """At the full length, outputs are the network's own logit, to the rounding of float32."""
    net, signal = network(model, strands, replicates=2), sequences(3)
    logit = net(signal)
    for kind in temporal_kinds(net):
        forward, backward = temporal_outputs(net, signal, kind)
        assert forward.shape == backward.shape == (3, LENGTH)
        torch.testing.assert_close(forward[:, -1], logit, atol=2e-6, rtol=2e-6)
        torch.testing.assert_close(backward[:, 0], logit, atol=2e-6, rtol=2e-6)


@pytest.mark.parametrize("model", SMALL)
def test_parts_of_the_letters(model: str) -> None:
    """The network alone on the first or last letters; parts that it cannot read have no value."""
    net, signal = network(model, "both"), sequences(2)
    forward, backward = temporal_outputs(net, signal, PREFIX)
    least = net.replicates[0].least
    assert forward.isnan().sum(dim=1).tolist() == backward.isnan().sum(dim=1).tolist() == [least - 1] * 2
    for length in (least, 33):
        torch.testing.assert_close(forward[:, length - 1], net(signal[:, :length]), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(backward[:, LENGTH - length], net(signal[:, -length:]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("model", RECURRENT)
def test_parts_of_the_features(model: str) -> None:
    """The published way; on the other strand, the same letters are the other end."""
    net, signal = network(model, "both"), sequences(2)
    (replicate,) = net.replicates
    forward, backward = temporal_outputs(net, signal, WHOLE)
    own, other = replicate.convolve(signal), replicate.convolve(signal.flip(1, 2))
    for length in (1, 17):
        first = (replicate.recur(own[:, :length]) + replicate.recur(other[:, -length:])) / 2
        last = (replicate.recur(own[:, -length:]) + replicate.recur(other[:, :length])) / 2
        torch.testing.assert_close(forward[:, length - 1], net.calibrated(first), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(backward[:, LENGTH - length], net.calibrated(last), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [WHOLE, PREFIX])
def test_the_other_strand_mirrors_them(kind: str) -> None:
    net, signal = network("cnn_rnn", "both"), sequences(2)
    forward, backward = temporal_outputs(net, signal, kind)
    mirrored = temporal_outputs(net, signal.flip(1, 2), kind)
    torch.testing.assert_close(mirrored[0].flip(1), backward, atol=1e-5, rtol=1e-5, equal_nan=True)
    torch.testing.assert_close(mirrored[1].flip(1), forward, atol=1e-5, rtol=1e-5, equal_nan=True)


def test_only_recurrent_networks_have_the_published_kind() -> None:
    assert [temporal_kinds(network(model, "one")) for model in ("cnn", "rnn")] == [[PREFIX], [WHOLE, PREFIX]]
    with pytest.raises(UserError, match=r"cnn: has no temporal outputs of the kind 'whole'.*recurrent networks only"):
        temporal_outputs(network("cnn", "one"), sequences(1), WHOLE)
