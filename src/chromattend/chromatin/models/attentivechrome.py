"""AttentiveChrome, LSTM-alpha,beta: attention over bins and over marks (Singh et al., NIPS 2017)."""

import torch
from torch import Tensor, nn

from chromattend.models.attention import Attention, MarkwiseAttention, SoftAttention
from chromattend.recurrence import BidirectionalLSTM


class AttentiveChrome(nn.Module):
    """Two levels of bidirectional LSTM with attention (section 3, equations 1 to 6).

    For each mark, an LSTM reads the bins; its states h_t are weighted by alpha = softmax_t(W_b h_t) into the mark's
    embedding m. An LSTM then reads the marks; its states s_j are weighted by beta = softmax_j(W_s s_j) into the
    gene's embedding v. A linear layer gives the logit. 55,681 parameters for 5 marks.

    Paper and released PyTorch code agree on these sizes. The paper has a softmax over two classes, the code a sigmoid
    of one logit; this class follows the code. The code's dropout of 0.5 is set between LSTM layers, but there is only
    one layer, so it has no effect. Here dropout acts on the embeddings m and v; 0 gives the code's network.
    """

    def __init__(
        self,
        marks: int,
        bins: int,
        context_units: int = 0,
        *,
        bin_units: int = 32,
        mark_units: int = 16,
        dropout: float = 0.3,
    ) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the network itself takes any number.
            context_units: size of a vector that is read with every mark's embedding; 0 for none.
            bin_units: LSTM units per direction over the bins.
            mark_units: LSTM units per direction over the marks.
            dropout: share of the embeddings m and v dropped in training.
        """
        super().__init__()
        self.bin_lstms = BidirectionalLSTM(marks, 1, bin_units)
        self.bin_attention = MarkwiseAttention(marks, 2 * bin_units)
        self.mark_lstm = BidirectionalLSTM(1, 2 * bin_units + context_units, mark_units)
        self.mark_attention = SoftAttention(2 * mark_units)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * mark_units, 1)

    def attend(self, signal: Tensor, context: Tensor | None = None) -> Attention:
        """Return logits and both levels of attention.

        Args:
            signal: shape (gene, bin, mark).
            context: shape (gene, context_units), of a network that has some.
        """
        alpha, embeddings = self.bin_attention(self.bin_lstms(signal.permute(2, 0, 1).unsqueeze(-1)))
        marks = self.dropout(embeddings)
        if context is not None:
            marks = torch.cat([marks, context.unsqueeze(1).expand(-1, marks.shape[1], -1)], dim=2)
        states = self.mark_lstm(marks[None])[0]
        beta, gene = self.mark_attention(states)
        return Attention(self.output(self.dropout(gene)).squeeze(-1), alpha, beta)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
