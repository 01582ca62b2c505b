"""DeepChrome: a convolutional network over the bins (Singh et al., Bioinformatics 32(17):i639, 2016)."""

from torch import Tensor, nn


class DeepChrome(nn.Module):
    """Convolution, max-pooling and a multilayer perceptron (section 3.2, figure 2).

    For 100 bins: 91 positions after the convolution, 18 after pooling, 900 features; 644,177 parameters. The
    paper has two outputs with a log-softmax. Both are kept; their difference is the logit of ON, so binary
    cross-entropy on it equals the paper's negative log-likelihood. Paper and Torch7 code agree on the layers. The
    code computes the pooled length as ceil((bins - kernel) / pool) and the pooling layer as a floor: both give 18 for
    100 bins, but they differ for other numbers of bins. This class follows the layer.
    """

    def __init__(
        self,
        marks: int,
        bins: int,
        *,
        channels: int = 50,
        kernel: int = 10,
        pool: int = 5,
        hidden1: int = 625,
        hidden2: int = 125,
        dropout: float = 0.7,
    ) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins.
            channels: number of maps of the convolution.
            kernel: width of the convolution (bins).
            pool: width of the max-pooling (positions).
            hidden1, hidden2: units of the linear layers.
            dropout: share of pooled features dropped in training; 0.5 in the paper.

        Raises:
            ValueError: there are too few bins for the kernel and pooling.
        """
        super().__init__()
        pooled = (bins - kernel + 1) // pool
        if pooled < 1:
            raise ValueError(f"{bins} bins are too few for kernel {kernel} and pool {pool}")
        self.convolution = nn.Conv1d(marks, channels, kernel)
        self.activation = nn.ReLU()
        self.pool = nn.MaxPool1d(pool)
        self.dropout = nn.Dropout(dropout)
        self.perceptron = nn.Sequential(
            nn.Linear(channels * pooled, hidden1), nn.ReLU(), nn.Linear(hidden1, hidden2), nn.ReLU()
        )
        self.output = nn.Linear(hidden2, 2)

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        maps = self.activation(self.convolution(signal.transpose(1, 2)))
        features = self.dropout(self.pool(maps).flatten(1))
        off, on = self.output(self.perceptron(features)).unbind(dim=1)
        return on - off
