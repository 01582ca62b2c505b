"""CNN-RNN: a convolution, then the recurrent network (Lanchantin, Singh, Wang and Qi, PSB 2017, section 2.3)."""

from torch import Tensor, nn

from chromattend.sequence.models.rnn import PooledLSTM
from chromattend.sequence.models.strands import RecurrentNetwork


class CNNRNN(RecurrentNetwork):
    """One convolution with rectified units, padded so that each position keeps its features, and the RNN on these.

    Sizes are those of the authors' code, whose pooling is the mean; 46,338 parameters.
    """

    def __init__(
        self,
        letters: int,
        length: int,
        *,
        channels: int = 128,
        kernel: int = 9,
        units: int = 32,
        pool: str = "max",
        dropout: float = 0.3,
        strands: str = "both",
    ) -> None:
        """Build the layers.

        Args:
            letters: number of letters of the alphabet.
            length: number of positions; the network itself reads any number.
            channels: number of maps of the convolution.
            kernel: width of the convolution (positions), odd.
            units: LSTM units per direction.
            pool: `mean` over positions, as in the paper, or `max`.
            dropout: share of states dropped in training; 0.5 in the paper.
            strands: see `SequenceNetwork`.

        Raises:
            ValueError: the sequences are shorter than the kernel, or the pooling or the strands are not defined.
        """
        super().__init__(letters, length, kernel, strands)
        self.convolution = nn.Conv1d(letters, channels, kernel, padding="same")
        self.activation = nn.ReLU()
        self.recurrence = PooledLSTM(channels, units, pool, dropout)

    def convolve(self, signal: Tensor) -> Tensor:
        """Return features, shape (sequence, position, channel), of signal, shape (sequence, position, letter)."""
        return self.activation(self.convolution(signal.transpose(1, 2))).transpose(1, 2)

    def recur(self, features: Tensor) -> Tensor:
        """Return logits, shape (sequence,), of features, shape (sequence, position, channel), of any length."""
        return self.recurrence(features)
