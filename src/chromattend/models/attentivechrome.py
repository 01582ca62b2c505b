"""AttentiveChrome, LSTM-alpha,beta: attention over bins and over marks (Singh et al., NIPS 2017)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Attention(NamedTuple):
    """What an attentive model says of some genes.

    Attributes:
        logit: of ON, shape (gene,).
        alpha: weight of each bin, shape (gene, mark, bin); sums to 1 over the bins.
        beta: weight of each mark, shape (gene, mark); sums to 1 over the marks.
    """

    logit: Tensor
    alpha: Tensor
    beta: Tensor


class AttentiveChrome(nn.Module):
    """Two levels of bidirectional LSTM with attention (section 3, equations 1 to 6).

    Per mark an LSTM over the bins, whose states h_t are weighted by alpha = softmax_t(W_b h_t) into the mark's
    embedding m; over the marks an LSTM, whose states s_j are weighted by beta = softmax_j(W_s s_j) into the
    gene's embedding v; a linear layer gives the logit. 55,681 parameters for 5 marks.
    """

    def __init__(self, marks: int, bins: int, *, bin_units: int = 32, mark_units: int = 16) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the model itself takes any number.
            bin_units: LSTM units per direction over the bins.
            mark_units: LSTM units per direction over the marks.
        """
        super().__init__()
        self.bin_lstms = nn.ModuleList(
            nn.LSTM(1, bin_units, batch_first=True, bidirectional=True) for _ in range(marks)
        )
        self.bin_attention = nn.ModuleList(nn.Linear(2 * bin_units, 1, bias=False) for _ in range(marks))
        self.mark_lstm = nn.LSTM(2 * bin_units, mark_units, batch_first=True, bidirectional=True)
        self.mark_attention = nn.Linear(2 * mark_units, 1, bias=False)
        self.output = nn.Linear(2 * mark_units, 1)

    def attend(self, signal: Tensor) -> Attention:
        """Return logits and both levels of attention of signal with shape (gene, bin, mark)."""
        alphas, embeddings = [], []
        for mark, (lstm, attention) in enumerate(zip(self.bin_lstms, self.bin_attention, strict=True)):
            states, _ = lstm(signal[:, :, mark : mark + 1])
            alpha = torch.softmax(attention(states).squeeze(-1), dim=1)
            alphas.append(alpha)
            embeddings.append(torch.einsum("gb,gbh->gh", alpha, states))
        states, _ = self.mark_lstm(torch.stack(embeddings, dim=1))
        beta = torch.softmax(self.mark_attention(states).squeeze(-1), dim=1)
        gene = torch.einsum("gm,gmh->gh", beta, states)
        return Attention(self.output(gene).squeeze(-1), torch.stack(alphas, dim=1), beta)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
