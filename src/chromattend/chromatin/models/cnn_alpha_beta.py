"""CNN-alpha,beta: AttentiveChrome with convolutions in place of its LSTMs (Singh et al., NIPS 2017)."""

import torch
from torch import Tensor, nn

from chromattend.models.attention import Attention, SoftAttention


class CNNAlphaBeta(nn.Module):
    """Two levels of convolution with attention: over the bins of each mark, and over the marks (section 4, table 2).

    Neither paper nor code gives its sizes. The convolution over the bins has 50 maps, as in DeepChrome, and an odd
    width, 11; the convolution over the marks has 32 maps, as many as AttentiveChrome has states there, and a width of
    3. Both are padded with zeros.
    """

    def __init__(
        self,
        marks: int,
        bins: int,
        *,
        bin_channels: int = 50,
        bin_kernel: int = 11,
        mark_channels: int = 32,
        mark_kernel: int = 3,
        dropout: float = 0.3,
    ) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the network itself takes any number.
            bin_channels, bin_kernel: maps of the convolution over the bins of a mark, and its width (bins).
            mark_channels, mark_kernel: maps of the convolution over the marks, and its width (marks).
            dropout: share of the marks' and the gene's embeddings dropped in training.
        """
        super().__init__()
        # One group per mark: the convolutions of marks are independent, like the LSTMs of AttentiveChrome.
        self.bin_convolution = nn.Conv1d(marks, marks * bin_channels, bin_kernel, padding="same", groups=marks)
        self.bin_activation = nn.ReLU()
        self.bin_attention = nn.ModuleList(SoftAttention(bin_channels) for _ in range(marks))
        self.mark_convolution = nn.Conv1d(bin_channels, mark_channels, mark_kernel, padding="same")
        self.mark_activation = nn.ReLU()
        self.mark_attention = SoftAttention(mark_channels)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(mark_channels, 1)

    def attend(self, signal: Tensor) -> Attention:
        """Return logits and both levels of attention of signal with shape (gene, bin, mark)."""
        maps = self.bin_activation(self.bin_convolution(signal.transpose(1, 2)))
        states = maps.unflatten(1, (len(self.bin_attention), -1)).transpose(2, 3)
        attended = [attention(states[:, mark]) for mark, attention in enumerate(self.bin_attention)]
        weights, sums = zip(*attended, strict=True)
        alpha, embeddings = torch.stack(weights, dim=-1), torch.stack(sums, dim=1)
        maps = self.mark_activation(self.mark_convolution(self.dropout(embeddings).transpose(1, 2)))
        mark_states = maps.transpose(1, 2)
        beta, gene = self.mark_attention(mark_states)
        return Attention(self.output(self.dropout(gene)).squeeze(-1), alpha, beta)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
