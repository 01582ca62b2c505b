"""CNN: the convolutional network of DeepMotif (Lanchantin, Singh, Wang and Qi, PSB 2017, section 2.1)."""

from torch import Tensor, nn

from chromattend.sequence.models.strands import Apart, SequenceNetwork

# Widths of the convolutions, and of the max-pooling after the first two.
WIDTHS = (9, 5, 3)
POOL = 2


class CNN(SequenceNetwork):
    """Three convolutions, each with rectified units and dropout, the first two with max-pooling; max over positions.

    Sizes are those of the authors' code. For 101 letters: 93 positions after the first convolution, 46 after its
    pooling, 42 and 21 after the second, 19 after the third; 136,322 parameters. The code has two outputs with a
    log-softmax. Both are kept; their difference is the logit of binding, so binary cross-entropy on it equals the
    code's negative log-likelihood.
    """

    def __init__(
        self, letters: int, length: int, *, channels: int = 128, dropout: float = 0.3, strands: str = "both"
    ) -> None:
        """Build the layers.

        Args:
            letters: number of letters of the alphabet.
            length: number of positions; the network also reads longer sequences and shorter ones down to `least`.
            channels: number of maps of each convolution.
            dropout: share of values dropped after each convolution in training; 0.5 in the paper.
            strands: see `SequenceNetwork`.

        Raises:
            ValueError: the sequences are too short, or the strands are not defined.
        """
        first, second, third = WIDTHS
        super().__init__(letters, length, POOL * (POOL * third + second - 1) + first - 1, strands)
        positions = ((length - first + 1) // POOL - second + 1) // POOL - third + 1
        self.layers = nn.Sequential(
            nn.Conv1d(letters, channels, first),
            nn.ReLU(),
            Apart(),
            nn.MaxPool1d(POOL),
            nn.Dropout(dropout),
            nn.Conv1d(channels, channels, second),
            nn.ReLU(),
            Apart(),
            nn.MaxPool1d(POOL),
            nn.Dropout(dropout),
            nn.Conv1d(channels, channels, third),
            nn.ReLU(),
            nn.Dropout(dropout),
            Apart(),
            # The maximum over all positions is a layer, for which DeepLIFT has a rule. It accepts fewer positions.
            nn.MaxPool1d(positions, ceil_mode=True),
        )
        self.output = nn.Linear(channels, 2)

    def read(self, signal: Tensor) -> Tensor:
        """Return logits of sequences as given, shape (sequence,), of shape (sequence, position, letter)."""
        # More than one position is left of sequences that are longer than those that the network was built for.
        unbound, bound = self.output(self.layers(signal.transpose(1, 2)).amax(dim=2)).unbind(dim=1)
        return bound - unbound
