"""Integrated gradients by adaptive quadrature (Sundararajan et al., ICML 2017, equation 1)."""

import torch
from captum import attr
from torch import Tensor, nn

from chromattend.models.network import SCORING_BATCH

# Of the pieces that integrated gradients begins with: 1/512 of the line is left of 1/4.
HALVINGS = 7
# Of the quadrature in a piece. Where eight do not do there is a kink, which no number of them resolves but halving.
POINTS, POINTS_OF_HALVES = 8, 4


def integrated_gradients(
    explained: nn.Module, inputs: Tensor, baseline: Tensor, *, tolerance: float = 1e-3, pieces: int = 4
) -> Tensor:
    """Integrate gradients along the line from the baseline until the weights of each gene add up to the logit's change.

    Rectified networks have many kinks along the line, which equal steps resolve slowly. So the line is cut into pieces,
    each is integrated by Gauss-Legendre quadrature, and those whose weights miss their part of the change are halved:
    the integral over a line is the sum of those over its pieces.

    Args:
        explained: gives a value per example of inputs.
        inputs: shape (gene, bin, mark).
        baseline: shape (1, bin, mark).
        tolerance: how far a gene's sum may be from f(inputs) - f(baseline).
        pieces: of equal length to begin with.

    Returns:
        Weights, shape (gene, bin, mark). Trained LSTMs can jump between two states, where there is no gradient to
        integrate: the change in a piece with a jump is missing in the sum.
    """
    method = attr.IntegratedGradients(explained)
    line = (inputs - baseline).detach()
    total, spent = torch.zeros_like(line), torch.zeros(len(line))
    gene = torch.arange(len(inputs)).repeat_interleave(pieces)
    start, width = torch.arange(pieces).repeat(len(inputs)) / pieces, 1 / pieces
    for halvings in range(HALVINGS + 1):
        weights, missing = [], []
        for part, low in zip(gene.split(SCORING_BATCH), start.split(SCORING_BATCH), strict=True):
            low_end, high_end = (baseline + at[:, None, None] * line[part] for at in (low, low + width))
            found = method.attribute(
                high_end,
                low_end,
                n_steps=POINTS if halvings == 0 else POINTS_OF_HALVES,
                internal_batch_size=len(part),
                return_convergence_delta=True,
            )
            weights.append(found[0].float())
            missing.append(found[1].float())
        pieces_weights, delta = torch.cat(weights), torch.cat(missing)
        # Errors of pieces have either sign: the sum of n is about sqrt(n) times as large as one. Twice that may fill
        # what is left of a gene's tolerance; so squared errors are what is spent.
        number = torch.zeros(len(line)).index_add_(0, gene, torch.ones(len(gene)))
        allowed = ((tolerance / 2) ** 2 - spent).clamp_min(1e-12) / number.clamp_min(1)
        done = delta**2 <= allowed[gene]
        if halvings == HALVINGS:
            # A kink misses a part of the change in its piece, a jump all of it.
            done = delta.abs() <= (pieces_weights.sum(dim=(1, 2)) - delta).abs() / 2
        total.index_add_(0, gene[done], pieces_weights[done])
        spent.index_add_(0, gene[done], delta[done] ** 2)
        if done.all():
            break
        width /= 2
        gene = gene[~done].repeat_interleave(2)
        start = torch.stack([start[~done], start[~done] + width], dim=1).flatten()
    return total
