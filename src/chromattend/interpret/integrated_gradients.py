"""Integrated gradients by adaptive quadrature (Sundararajan et al., ICML 2017, equation 1)."""

import torch
from captum import attr
from torch import Tensor, nn

from chromattend.models.network import SCORING_BATCH

# Most halvings of an initial piece: a piece of 1/4 of the line is halved down to 1/512.
HALVINGS = 7
# Quadrature points in a piece. If eight are too few, there is a kink, which only halving resolves, not more points.
POINTS, POINTS_OF_HALVES = 8, 4


def integrated_gradients(
    explained: nn.Module, inputs: Tensor, reference: Tensor, *, tolerance: float = 1e-3, pieces: int = 4
) -> Tensor:
    """Integrate gradients along the line from the reference until the weights of each gene sum to the logit's change.

    Rectified networks have many kinks along the line, which equal steps resolve slowly. So the line is cut into pieces,
    each piece is integrated by Gauss-Legendre quadrature, and pieces whose weights miss their part of the change are
    halved: the integral over the line is the sum over its pieces.

    Args:
        explained: network f, with one output per example.
        inputs: shape (gene, bin, mark).
        reference: shape (1, bin, mark).
        tolerance: largest difference between a gene's sum and f(inputs) - f(reference).
        pieces: number of initial pieces, of equal length.

    Returns:
        Weights, shape (gene, bin, mark). Trained LSTMs can jump between two states, where there is no gradient to
        integrate: the sum then lacks the change in the piece with the jump.
    """
    method = attr.IntegratedGradients(explained)
    line = (inputs - reference).detach()
    total, spent = torch.zeros_like(line), torch.zeros(len(line))
    gene = torch.arange(len(inputs)).repeat_interleave(pieces)
    start, width = torch.arange(pieces).repeat(len(inputs)) / pieces, 1 / pieces
    for halvings in range(HALVINGS + 1):
        weights, missing = [], []
        for part, low in zip(gene.split(SCORING_BATCH), start.split(SCORING_BATCH), strict=True):
            low_end, high_end = (reference + at[:, None, None] * line[part] for at in (low, low + width))
            attributions, error = method.attribute(
                high_end,
                low_end,
                n_steps=POINTS if halvings == 0 else POINTS_OF_HALVES,
                internal_batch_size=len(part),
                return_convergence_delta=True,
            )
            weights.append(attributions.float())
            missing.append(error.float())
        pieces_weights, delta = torch.cat(weights), torch.cat(missing)
        # Errors of pieces have either sign, so the sum of n errors is about sqrt(n) times one error. Twice that sum may
        # use up the rest of a gene's tolerance; so the tolerance is spent in squared errors.
        number = torch.zeros(len(line)).index_add_(0, gene, torch.ones(len(gene)))
        allowed = ((tolerance / 2) ** 2 - spent).clamp_min(1e-12) / number.clamp_min(1)
        done = delta**2 <= allowed[gene]
        if halvings == HALVINGS:
            # At a kink the weights miss part of the change in the piece, at a jump all of it.
            done = delta.abs() <= (pieces_weights.sum(dim=(1, 2)) - delta).abs() / 2
        total.index_add_(0, gene[done], pieces_weights[done])
        spent.index_add_(0, gene[done], delta[done] ** 2)
        if done.all():
            break
        width /= 2
        gene = gene[~done].repeat_interleave(2)
        start = torch.stack([start[~done], start[~done] + width], dim=1).flatten()
    return total
