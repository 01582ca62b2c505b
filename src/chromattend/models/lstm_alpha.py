"""LSTM-alpha: attention over the bins of each mark, none over marks (Singh et al., NIPS 2017)."""

import torch
from torch import Tensor, nn

from chromattend.models.attention import Attention, SoftAttention


class LSTMAlpha(nn.Module):
    """Per mark a bidirectional LSTM with attention; the marks' embeddings are concatenated (section 3, table 2).

    As AttentiveChrome up to the embeddings m of the marks (equations 1 to 3), which then go side by side into a
    linear layer. The authors' Torch7 code has this network under the name of hierarchical attention, with two
    outputs and dropout of 0.5 on the LSTM's states; the PyTorch release lacks it. Here there is one logit, and
    dropout acts on the embeddings.
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
        self.bin_lstms = nn.ModuleList(
            nn.LSTM(1, bin_units, batch_first=True, bidirectional=True) for _ in range(marks)
        )
        self.bin_attention = nn.ModuleList(SoftAttention(2 * bin_units) for _ in range(marks))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(marks * 2 * bin_units, 1)

    def attend(self, signal: Tensor) -> Attention:
        """Return logits and the weights of the bins of signal with shape (gene, bin, mark)."""
        alphas, embeddings = [], []
        for mark, (lstm, attention) in enumerate(zip(self.bin_lstms, self.bin_attention, strict=True)):
            states, _ = lstm(signal[:, :, mark : mark + 1])
            alpha, embedding = attention(states)
            alphas.append(alpha)
            embeddings.append(embedding)
        logit = self.output(self.dropout(torch.cat(embeddings, dim=1))).squeeze(-1)
        return Attention(logit, torch.stack(alphas, dim=1), None)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
