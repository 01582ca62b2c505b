"""RNN: the recurrent network of DeepMotif (Lanchantin, Singh, Wang and Qi, PSB 2017, section 2.2)."""

from torch import Tensor, nn

from chromattend.recurrence import BidirectionalLSTM
from chromattend.sequence.models.strands import RecurrentNetwork

POOLS = ("mean", "max")


class RNN(RecurrentNetwork):
    """A bidirectional LSTM over the letters; the states of each direction are pooled over positions and classified.

    Sizes are those of the authors' code, whose pooling is the mean; 9,858 parameters. The maximum lets a single site in
    a long sequence decide, and gives its gradient undiluted to the states that read it. As in `CNN`, the logit is the
    difference of two outputs. The code starts with normal weights and a forget bias of 1; this class has torch's start.
    """

    def __init__(
        self,
        letters: int,
        length: int,
        *,
        units: int = 32,
        pool: str = "max",
        dropout: float = 0.0,
        strands: str = "both",
    ) -> None:
        """Build the layers.

        Args:
            letters: number of letters of the alphabet.
            length: number of positions; the network itself reads any number.
            units: LSTM units per direction.
            pool: `mean` over positions, as in the paper, or `max`.
            dropout: share of states dropped in training; 0.5 in the paper.
            strands: see `SequenceNetwork`.

        Raises:
            ValueError: the pooling or the strands are not defined.
        """
        super().__init__(letters, length, 1, strands)
        self.recurrence = PooledLSTM(letters, units, pool, dropout)

    def recur(self, features: Tensor) -> Tensor:
        """Return logits, shape (sequence,), of features, shape (sequence, position, channel), of any length."""
        return self.recurrence(features)


class PooledLSTM(nn.Module):
    """A bidirectional LSTM, dropout, pooling over positions and the outputs: the RNN, and the end of the CNN-RNN."""

    def __init__(self, features: int, units: int, pool: str, dropout: float) -> None:
        """Build the layers, see `RNN`.

        Raises:
            ValueError: the pooling is not defined.
        """
        super().__init__()
        if pool not in POOLS:
            raise ValueError(f"pool '{pool}' is none of {', '.join(POOLS)}")
        self.pool = pool
        self.lstm = BidirectionalLSTM(1, features, units)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * units, 2)

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, shape (sequence,), of features, shape (sequence, position, channel)."""
        states = self.lstm(features[None])[0]
        # Dropout scales the values that it keeps: before a maximum, it would raise this in training only.
        pooled = self.dropout(states).mean(dim=1) if self.pool == "mean" else self.dropout(states.amax(dim=1))
        unbound, bound = self.output(pooled).unbind(dim=1)
        return bound - unbound
