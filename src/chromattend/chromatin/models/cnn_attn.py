"""CNN-Attn: a convolution over all marks with one attention over bins (Singh et al., NIPS 2017)."""

from torch import Tensor, nn

from chromattend.models.attention import Attention, SoftAttention


class CNNAttn(nn.Module):
    """LSTM-Attn with a convolution in place of the LSTM (section 4, table 2).

    Neither paper nor code gives its sizes. The convolution has 50 maps, as in DeepChrome, and an odd width, 11; it is
    padded with zeros so that every bin has its own state.
    """

    def __init__(self, marks: int, bins: int, *, channels: int = 50, kernel: int = 11, dropout: float = 0.3) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the network itself takes any number.
            channels: number of maps of the convolution.
            kernel: width of the convolution (bins).
            dropout: share of the attended state dropped in training.
        """
        super().__init__()
        self.convolution = nn.Conv1d(marks, channels, kernel, padding="same")
        self.activation = nn.ReLU()
        self.attention = SoftAttention(channels)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(channels, 1)

    def attend(self, signal: Tensor) -> Attention:
        """Return logits and the weights of the bins, shared by all marks, of signal with shape (gene, bin, mark)."""
        states = self.activation(self.convolution(signal.transpose(1, 2))).transpose(1, 2)
        alpha, gene = self.attention(states)
        return Attention(self.output(self.dropout(gene)).squeeze(-1), alpha.unsqueeze(-1), None)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
