"""What the networks of sequences share: the strands of DNA."""

import torch
from torch import Tensor, nn

STRANDS = ("one", "both")


class SequenceNetwork(nn.Module):
    """A network that reads one strand or both; its class implements `read`, the logit of a strand as given.

    The reverse complement of one-hot letters is the signal with positions and letters reversed, because the letters of
    DNA and RNA are ordered so that the complement of each is at the mirrored place (A C G T). With both strands, each
    sequence is read on a random strand in training, and a score is the mean of the logits of the two strands.
    """

    def __init__(self, letters: int, length: int, least: int, strands: str) -> None:
        """Check the sizes.

        Args:
            letters: number of letters of the alphabet.
            length: number of positions.
            least: smallest number of positions that the layers can read.
            strands: `one`, or `both` for an alphabet of four letters.

        Raises:
            ValueError: the sequences are too short, or the strands are not defined.
        """
        super().__init__()
        if length < least:
            raise ValueError(f"sequences of length {length} are too short, the layers need at least {least} letters")
        if strands not in STRANDS:
            raise ValueError(f"strands '{strands}' is none of {', '.join(STRANDS)}")
        if strands == "both" and letters != 4:
            raise ValueError(f"an alphabet of {letters} letters has one strand, so strands must be 'one'")
        self.least, self.strands = least, strands

    def read(self, signal: Tensor) -> Tensor:
        """Return logits of sequences as given, shape (sequence,), of shape (sequence, position, letter)."""
        raise NotImplementedError

    def forward(self, signal: Tensor) -> Tensor:
        """Return logits, shape (sequence,), of one-hot letters, shape (sequence, position, letter)."""
        if self.strands == "one":
            return self.read(signal)
        reverse = signal.flip(1, 2)
        if self.training:
            flipped = torch.rand(len(signal), device=signal.device) < 0.5
            return self.read(torch.where(flipped[:, None, None], reverse, signal))
        # The strands of a sequence are neighbours in one batch: DeepLIFT cannot follow a layer that is called twice,
        # and takes the first half of every batch for the sequences and the second half for their references.
        strands = torch.stack([signal, reverse], dim=1).flatten(0, 1)
        return self.read(strands).unflatten(0, (-1, 2)).mean(dim=1)


class Apart(nn.Module):
    """The identity, between layers that DeepLIFT has rules for.

    Captum changes gradients where a layer's input is, so a layer whose output is the very input of the next one, or an
    input that another path shares, would be given a gradient without or with the other's change.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Return the values as another tensor, without a copy."""
        return values.view_as(values)


class RecurrentNetwork(SequenceNetwork):
    """A network whose last part is recurrent; its class implements `recur`, and `convolve` if it has a first part."""

    def convolve(self, signal: Tensor) -> Tensor:
        """Return features, shape (sequence, position, channel), of signal, shape (sequence, position, letter)."""
        return signal

    def recur(self, features: Tensor) -> Tensor:
        """Return logits, shape (sequence,), of features, shape (sequence, position, channel), of any length."""
        raise NotImplementedError

    def read(self, signal: Tensor) -> Tensor:
        """Return logits of sequences as given, shape (sequence,), of shape (sequence, position, letter)."""
        return self.recur(self.convolve(signal))
