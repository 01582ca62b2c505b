"""Soft attention over positions, and what an attentive network tells of it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Attention(NamedTuple):
    """What an attentive network says of some genes.

    Attributes:
        logit: the network's output, shape (gene,).
        alpha: weight of each bin, shape (gene, bin, mark), or (gene, bin, 1) where the network attends to all marks
            at once; sums to 1 over the bins.
        beta: weight of each mark, shape (gene, mark), sums to 1 over the marks; None where there is no such level.
    """

    logit: Tensor
    alpha: Tensor
    beta: Tensor | None


class SoftAttention(nn.Module):
    """Weights positions by softmax(W h) and sums their states (AttentiveChrome, equations 3 and 5)."""

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
    """The same for many marks at once, each with a context vector of its own (AttentiveChrome, equation 3)."""

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
        # Dropout draws its numbers in the order of memory, which is to be the same for one network and for many.
        return weights.permute(1, 2, 0), embeddings.transpose(0, 1).contiguous()


def _attend(states: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights, shape (..., position), and weighted sums, shape (..., units).

    Args:
        states: shape (..., position, units).
        context: shape (..., units), of as many dimensions or none but the last.
    """
    if states.is_cuda:
        weights = torch.softmax((states @ context.unsqueeze(-1)).squeeze(-1), dim=-1)
        return weights, (weights.unsqueeze(-2) @ states).squeeze(-2)
    # A CPU is slow in a product with a matrix of one column or row, and slower in its gradient; to a GPU it is the
    # product of all states, which is to be written and read again, that costs.
    weights = torch.softmax((states * context.unsqueeze(-2)).sum(dim=-1), dim=-1)
    return weights, (weights.unsqueeze(-1) * states).sum(dim=-2)
