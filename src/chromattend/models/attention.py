"""Soft attention over positions, and the output of a network with attention."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Attention(NamedTuple):
    """Output of a network with attention for some genes.

    Attributes:
        logit: the network's output, shape (gene,).
        alpha: weight of each bin, shape (gene, bin, mark), or (gene, bin, 1) if the network attends to all marks at
            once; sums to 1 over the bins.
        beta: weight of each mark, shape (gene, mark), sums to 1 over the marks; None without attention over marks.
    """

    logit: Tensor
    alpha: Tensor
    beta: Tensor | None


class SoftAttention(nn.Module):
    """Attention that weights positions by softmax(W h) and sums their states (AttentiveChrome, equations 3 and 5)."""

    def __init__(self, units: int) -> None:
        """Start with a random context vector W, shape (1, units)."""
        super().__init__()
        self.context = nn.Linear(units, 1, bias=False)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights, shape (gene, position), and the weighted sum, shape (gene, units).

        Args:
            states: shape (gene, position, units).
        """
        return _attend(states, self.context.weight[0])


class MarkwiseAttention(nn.Module):
    """Soft attention for many marks at once, each with its own context vector (AttentiveChrome, equation 3)."""

    def __init__(self, marks: int, units: int) -> None:
        """Start with random context vectors, shape (mark, units), from the distribution of `SoftAttention`."""
        super().__init__()
        self.context = nn.Parameter(torch.empty(marks, units).uniform_(-(units**-0.5), units**-0.5))

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights, shape (gene, position, mark), and the weighted sums, shape (gene, mark, units).

        Args:
            states: shape (mark, gene, position, units).
        """
        weights, embeddings = _attend(states, self.context[:, None])
        # Dropout draws its numbers in memory order, which must be the same for one network and for many.
        return weights.permute(1, 2, 0), embeddings.transpose(0, 1).contiguous()


def _attend(states: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights, shape (..., position), and weighted sums, shape (..., units).

    Args:
        states: shape (..., position, units).
        context: shape (..., units), with the leading dimensions of `states` or without any.
    """
    if states.is_cuda:
        weights = torch.softmax((states @ context.unsqueeze(-1)).squeeze(-1), dim=-1)
        return weights, (weights.unsqueeze(-2) @ states).squeeze(-2)
    # On a CPU, products with a matrix of one column or row are slow, and their gradients slower. On a GPU, the
    # elementwise product costs memory traffic, because it is written and read again.
    weights = torch.softmax((states * context.unsqueeze(-2)).sum(dim=-1), dim=-1)
    return weights, (weights.unsqueeze(-1) * states).sum(dim=-2)
