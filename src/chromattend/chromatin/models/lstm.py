"""LSTM: the recurrent baseline of the AttentiveChrome paper (Singh et al., NIPS 2017, table 2)."""

import torch
from torch import Tensor, nn

from chromattend.recurrence import BidirectionalLSTM


class LSTM(nn.Module):
    """A bidirectional LSTM that reads all marks of a bin at once; the last state of each direction is classified.

    Sizes follow the authors' Torch7 code (32 units per direction); its dropout of 0.5 on the states is available as an
    option.
    """

    def __init__(self, marks: int, bins: int, *, units: int = 32, dropout: float = 0.3) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the network itself takes any number.
            units: LSTM units per direction.
            dropout: share of the last states dropped in training.
        """
        super().__init__()
        self.lstm = BidirectionalLSTM(1, marks, units)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * units, 1)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        forward, backward = self.lstm(signal[None])[0].chunk(2, dim=2)
        return self.output(self.dropout(torch.cat([forward[:, -1], backward[:, 0]], dim=1))).squeeze(-1)
