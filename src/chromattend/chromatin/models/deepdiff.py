"""DeepDiff: expression change between two epigenomes (Sekhon et al., Bioinformatics 34(17):i891, 2018)."""

import torch
from torch import Tensor, nn

from chromattend.chromatin.models.attentivechrome import AttentiveChrome
from chromattend.models.attention import Attention


class DeepDiff(nn.Module):
    """AttentiveChrome on the marks of both epigenomes and on their differences (section 2.3, the Raw variant).

    The signal has the marks of the first epigenome, then the marks of the second; their differences, second minus
    first, are added as further marks, and the output is the log fold change. The paper's variants with auxiliary
    tasks and a Siamese loss are not implemented. The released code subtracts raw counts; here the inputs are subtracted
    as they are, raw or transformed.
    """

    def __init__(
        self, marks: int, bins: int, *, bin_units: int = 32, mark_units: int = 16, dropout: float = 0.3
    ) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks of both epigenomes together.
            bins: number of bins; the network itself takes any number.
            bin_units, mark_units, dropout: see AttentiveChrome.
        """
        super().__init__()
        self.network = AttentiveChrome(
            marks + marks // 2, bins, bin_units=bin_units, mark_units=mark_units, dropout=dropout
        )

    def attend(self, signal: Tensor) -> Attention:
        """Return predictions and both levels of attention over marks, marks and differences.

        Args:
            signal: shape (gene, bin, mark), the first epigenome's marks before the second's.
        """
        first, second = signal.chunk(2, dim=2)
        return self.network.attend(torch.cat([signal, second - first], dim=2))

    def forward(self, signal: Tensor) -> Tensor:
        """Return log fold changes, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.attend(signal).logit
