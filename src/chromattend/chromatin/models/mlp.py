"""MLP: the multilayer perceptron that the authors' code includes with its networks."""

from torch import Tensor, nn


class MLP(nn.Module):
    """Two hidden layers on all bins of all marks.

    Neither paper reports it. The authors' Torch7 code has 125 and 50 units, a dropout of 0.5 before the first ReLU, and
    two outputs; here there is one logit.
    """

    def __init__(self, marks: int, bins: int, *, hidden1: int = 125, hidden2: int = 50, dropout: float = 0.5) -> None:
        """Build the layers.

        Args:
            marks: number of histone marks.
            bins: number of bins.
            hidden1, hidden2: units of the hidden layers.
            dropout: share of the first layer's units dropped in training.
        """
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(bins * marks, hidden1),
            nn.Dropout(dropout),
            nn.ReLU(),
            nn.Linear(hidden1, hidden2),
            nn.ReLU(),
            nn.Linear(hidden2, 1),
        )

    def forward(self, signal: Tensor) -> Tensor:
        """Return the logit of ON, shape (gene,), of signal with shape (gene, bin, mark)."""
        return self.layers(signal).squeeze(-1)
