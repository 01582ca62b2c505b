"""LSTM-Attn: one LSTM over all marks with one attention over bins (Singh et al., NIPS 2017)."""

from torch import Tensor, nn

from chromattend.models.attention import Attention, SoftAttention
from chromattend.recurrence import BidirectionalLSTM


class LSTMAttn(nn.Module):
    """A bidirectional LSTM that reads all marks of a bin at once, and attention over bins (section 4, table 2).

    The authors' Torch7 code has this network, but sets the size of its output layer to 1, which does not fit its
    states; here the attended state (2 * units) goes into the linear layer, as the paper describes.
    """

    def __init__(self, marks: int, bins: int, *, units: int = 32, dropout: float = 0.3) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the network itself takes any number.
            units: LSTM units per direction.
            dropout: share of the attended state dropped in training.
        """
        super().__init__()
        self.lstm = BidirectionalLSTM(1, marks, units)
        self.attention = SoftAttention(2 * units)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * units, 1)

    def attend(self, signal: Tensor) -> Attention:
        """Return logits and the weights of the bins, shared by all marks, of signal with shape (gene, bin, mark)."""
        states = self.lstm(signal[None])[0]
        alpha, gene = self.attention(states)
        return Attention(self.output(self.dropout(gene)).squeeze(-1), alpha.unsqueeze(-1), None)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
