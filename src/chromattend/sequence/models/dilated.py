"""A convolutional network in today's manner: wide first filters, then dilated residual convolutions.

BPNet (Avsec et al., Nature Genetics 53:354, 2021) has this order of layers. It predicts profiles of base resolution;
this network predicts one class, so it pools early and can be small.
"""

import torch
from torch import Tensor, nn

from chromattend.sequence.models.strands import Apart, SequenceNetwork


class Residual(nn.Module):
    """x + dropout(relu(convolution(x))), with a dilated convolution of width 3; whole maps are dropped."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        """Build the layers."""
        super().__init__()
        self.convolution = nn.Conv1d(channels, channels, 3, padding="same", dilation=dilation)
        self.activation = nn.ReLU()
        self.dropout = nn.Dropout1d(dropout)

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape, (sequence, channel, position)."""
        return maps + self.dropout(self.activation(self.convolution(maps)))


class Dilated(SequenceNetwork):
    """Filters of the width of a motif, max-pooling, residual convolutions whose view doubles; maximum and mean.

    The maximum over positions asks whether there is a site, the mean how much the composition of the whole sequence
    resembles bound ones; both go to one linear layer.
    """

    def __init__(
        self,
        letters: int,
        length: int,
        *,
        filters: int = 128,
        kernel: int = 19,
        pool: int = 4,
        channels: int = 64,
        depth: int = 3,
        dropout: float = 0.2,
        strands: str = "both",
    ) -> None:
        """Build the layers.

        Args:
            letters: number of letters of the alphabet.
            length: number of positions; the network also reads others down to the kernel's width.
            filters: number of maps of the first convolution.
            kernel: its width (positions), odd.
            pool: width of the max-pooling (positions).
            channels: number of maps of the residual convolutions.
            depth: number of residual convolutions, dilated by 1, 2, 4 and so on.
            dropout: share of maps dropped in training, after the pooling and in each residual layer, and of values
                at the end.
            strands: see `SequenceNetwork`.

        Raises:
            ValueError: the sequences are shorter than the kernel, or the strands are not defined.
        """
        super().__init__(letters, length, max(kernel, pool), strands)
        positions = length // pool
        self.filters = nn.Sequential(
            nn.Conv1d(letters, filters, kernel, padding="same"),
            nn.ReLU(),
            Apart(),
            nn.MaxPool1d(pool),
            nn.Dropout1d(dropout),
        )
        self.mixing = nn.Conv1d(filters, channels, 1)
        self.tower = nn.Sequential(*(Residual(channels, 2**number, dropout) for number in range(depth)))
        # The maximum over all positions is a layer, for which DeepLIFT has a rule. It accepts fewer positions.
        self.highest = nn.Sequential(Apart(), nn.MaxPool1d(positions, ceil_mode=True))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * channels, 1)

    def read(self, signal: Tensor) -> Tensor:
        """Return logits of sequences as given, shape (sequence,), of shape (sequence, position, letter)."""
        maps = self.tower(self.mixing(self.filters(signal.transpose(1, 2))))
        # More than one position is left of sequences that are longer than those that the network was built for.
        pooled = torch.cat([self.highest(maps).amax(dim=2), maps.mean(dim=2)], dim=1)
        return self.output(self.dropout(pooled)).squeeze(-1)
