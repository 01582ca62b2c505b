"""LSTM-alpha: attention over the bins of each mark, but not over marks (Singh et al., NIPS 2017)."""

from torch import Tensor, nn

from chromattend.models.attention import Attention, MarkwiseAttention
from chromattend.recurrence import BidirectionalLSTM


class LSTMAlpha(nn.Module):
    """A bidirectional LSTM with attention for each mark; the marks' embeddings are concatenated (section 3, table 2).

    The network equals AttentiveChrome up to the embeddings m of the marks (equations 1 to 3), which are then
    concatenated for a linear layer. The authors' Torch7 code calls this network hierarchical attention and gives it two
    outputs and a dropout of 0.5 on the LSTM's states; the PyTorch release does not have it. Here there is one logit,
    and dropout acts on the embeddings.
    """

    def __init__(self, marks: int, bins: int, *, bin_units: int = 32, dropout: float = 0.3) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the network itself takes any number.
            bin_units: LSTM units per direction.
            dropout: share of the embeddings dropped in training.
        """
        super().__init__()
        self.bin_lstms = BidirectionalLSTM(marks, 1, bin_units)
        self.bin_attention = MarkwiseAttention(marks, 2 * bin_units)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(marks * 2 * bin_units, 1)

    def attend(self, signal: Tensor) -> Attention:
        """Return logits and the weights of the bins of signal with shape (gene, bin, mark)."""
        alpha, embeddings = self.bin_attention(self.bin_lstms(signal.permute(2, 0, 1).unsqueeze(-1)))
        return Attention(self.output(self.dropout(embeddings.flatten(1))).squeeze(-1), alpha, None)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
