"""One AttentiveChrome for many epigenomes, with the epigenome as context."""

import torch
from torch import Tensor, nn

from chromattend.chromatin.models.attentivechrome import AttentiveChrome
from chromattend.models.attention import Attention


class PanEpigenome(nn.Module):
    """AttentiveChrome that reads each mark's embedding together with an embedding of the epigenome.

    A vector e, learned per epigenome, is appended to every mark's embedding m before the LSTM over the marks. The
    effect and weight of a mark can thus differ between epigenomes, while what is learned of its shape is shared. Number
    0 stands for an unseen epigenome: in training, a share of the genes is presented with it.
    """

    def __init__(
        self,
        marks: int,
        bins: int,
        *,
        epigenomes: int,
        bin_units: int = 32,
        mark_units: int = 16,
        context_units: int = 8,
        unknown: float = 0.1,
        dropout: float = 0.3,
    ) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins; the network itself takes any number.
            epigenomes: number of epigenomes to learn embeddings for.
            bin_units, mark_units: see AttentiveChrome.
            context_units: size of an epigenome's vector.
            unknown: share of the genes whose epigenome is hidden in training.
            dropout: see AttentiveChrome.
        """
        super().__init__()
        self.unknown = unknown
        self.epigenomes = nn.Embedding(epigenomes + 1, context_units)
        self.network = AttentiveChrome(
            marks, bins, bin_units=bin_units, mark_units=mark_units, context_units=context_units, dropout=dropout
        )

    def attend(self, signal: Tensor, epigenome: Tensor) -> Attention:
        """Return logits and both levels of attention.

        Args:
            signal: shape (gene, bin, mark).
            epigenome: number of each gene's epigenome, int64, shape (gene,).
        """
        if self.training:
            epigenome = epigenome.masked_fill(torch.rand(epigenome.shape, device=epigenome.device) < self.unknown, 0)
        return self.network.attend(signal, self.epigenomes(epigenome))

    def forward(self, signal: Tensor, epigenome: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal, epigenome).logit
