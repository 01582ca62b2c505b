"""Temporal outputs: the logit of a sequence as it grows (Lanchantin et al., PSB 2017, section 3.2)."""

from typing import Any

import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.interpret.attribution import Explained
from chromattend.models.network import Network, in_batches
from chromattend.sequence.views import PREFIX, TEMPORAL_KINDS, WHOLE

# Sequences whose parts are scored at once.
_ROWS = 64


def temporal_kinds(network: Network) -> list[str]:
    """Return the kinds of temporal outputs that a network has: `whole` is for recurrent networks only."""
    recurrent = all(hasattr(replicate, "recur") for replicate in network.replicates)
    return [WHOLE, PREFIX] if recurrent else [PREFIX]


@torch.no_grad()
def temporal_outputs(network: Network, signal: Tensor, kind: str = WHOLE) -> tuple[Tensor, Tensor]:
    """Return the logit of the beginnings and of the ends of sequences.

    Both end at the logit of the whole sequence: `forward` at its last position and `backward` at its first. There the
    network computes what it does for the whole sequence, only in another batch, so that the two logits agree to the
    rounding of float32 (1e-6 of the largest logit).

    A network that reads both strands scores the same letters on both: the beginning of the sequence as given and the
    end of its reverse complement.

    Args:
        network: a trained network; the logit is the calibrated mean over its replicates.
        signal: one-hot letters, shape (sequence, position, letter).
        kind: `whole`, as the authors did: the convolution sees the whole sequence, and the recurrent part the first or
            last positions of its features. `prefix`: the network sees only the first or last letters, cut off from the
            rest; for every network that reads shorter sequences.

    Returns:
        forward: logit of the letters up to and including each position.
        backward: logit of the letters from each position to the end.
        Both are float32, shape (sequence, position), and NaN where the part is shorter than the network can read.

    Raises:
        UserError: the kind is unknown, or the network has no recurrent part.
    """
    if kind not in temporal_kinds(network):
        known = ", ".join(TEMPORAL_KINDS)
        raise UserError(
            f"{network.input_spec.model}: has no temporal outputs of the kind {kind!r}; choose one of {known}, and "
            f"{WHOLE} for recurrent networks only"
        )
    explained = Explained(network)
    parts = [_of_kind(explained, rows, kind) for rows in signal.split(_ROWS)]
    forward, backward = (torch.cat(each) for each in zip(*parts, strict=True))
    return forward, backward


def _of_kind(explained: Explained, signal: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    positions, replicates = signal.shape[1], list(explained.network.replicates)
    grown = [_features_grown(each, signal) if kind == WHOLE else _letters_grown(each, signal) for each in replicates]
    mean = explained.network.calibrated(torch.stack(grown).mean(dim=0))
    # Along the last axis is the length of the part, from 1. The shortest end begins at the last position.
    assert mean.shape[2] == positions
    return mean[0], mean[1].flip(1)


def _letters_grown(replicate: Any, signal: Tensor) -> Tensor:
    """Return the outputs of a replicate for beginnings and ends of each length, shape (2, sequence, length)."""
    sequences, positions, _ = signal.shape
    outputs = signal.new_full((2, sequences, positions), torch.nan)
    for length in range(replicate.least, positions + 1):
        both = torch.cat([signal[:, :length], signal[:, positions - length :]])
        outputs[:, :, length - 1] = in_batches(replicate, both).unflatten(0, (2, -1))
    return outputs


def _features_grown(replicate: Any, signal: Tensor) -> Tensor:
    """As `_letters_grown`, for beginnings and ends of the features of the whole sequence."""
    positions, strands = signal.shape[1], 2 if replicate.strands == "both" else 1
    read = torch.cat([signal, signal.flip(1, 2)]) if strands == 2 else signal
    features = in_batches(replicate.convolve, read)
    outputs = signal.new_empty(2, len(signal), positions)
    for length in range(1, positions + 1):
        both = torch.cat([features[:, :length], features[:, positions - length :]])
        starts, ends = replicate.recur(both).unflatten(0, (2, strands, -1))
        # The first letters of the sequence are the last of its reverse complement.
        outputs[0, :, length - 1] = torch.stack([starts[0], ends[-1]]).mean(dim=0) if strands == 2 else starts[0]
        outputs[1, :, length - 1] = torch.stack([ends[0], starts[-1]]).mean(dim=0) if strands == 2 else ends[0]
    return outputs
