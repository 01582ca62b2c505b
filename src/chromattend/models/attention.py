"""Soft attention over positions, and what an attentive network tells of it."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Attention(NamedTuple):
    """What an attentive network says of some genes.

    Attributes:
        logit: the network's output, shape (gene,).
        alpha: weight of each bin, shape (gene, mark, bin), or (gene, 1, bin) where the network attends to all marks
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
        weights = torch.softmax(self.context(states).squeeze(-1), dim=1)
        return weights, torch.einsum("gp,gpu->gu", weights, states)
