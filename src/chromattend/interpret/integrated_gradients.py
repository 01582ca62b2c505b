"""Integrated gradients by adaptive quadrature (Sundararajan et al., ICML 2017, equation 1)."""

import copy
import logging

import numpy as np
import torch
from torch import Tensor, nn

from chromattend.models.network import SCORING_BATCH, in_batches

logger = logging.getLogger(__name__)

# Quadrature points in a piece. If eight are too few, there is a kink, which only halving resolves, not more points.
POINTS, POINTS_OF_HALVES = 8, 4
# Gradients take a quarter of the time in float32, which rounds a point by up to 6e-8: a thousandth of this width.
SINGLE = 2.0**-14
# Narrowest piece. Float64 rounds a point by 1e-16, and every layer rounds again, so that the values of the network in a
# narrower piece are in the order of their rounding.
NARROWEST = 2.0**-46
# Gradients after which the pieces of a gene are not halved again. A network with many kinks would need many times more,
# to change its weights by less than the tolerance.
MOST = 2048
# Least part of a jump that the gradients around it must show to tell how it is shared.
SEEN = 1e-3


class _Lines:
    """A network on the lines from the reference (at 0) to the inputs of each gene (at 1)."""

    def __init__(self, explained: nn.Module, inputs: Tensor, reference: Tensor) -> None:
        self.single = explained
        self.double = copy.deepcopy(explained).double().requires_grad_(False)
        self.reference = reference.detach().double()
        self.difference = inputs.detach().double() - self.reference

    def points(self, gene: Tensor, at: Tensor) -> Tensor:
        """Return points, shape (point, bin, mark), of genes at some places of their lines, both of shape (point,)."""
        return self.reference + at[:, None, None] * self.difference[gene]

    def values(self, gene: Tensor, at: Tensor) -> Tensor:
        """Return the logits at `points`, float64."""
        with torch.inference_mode():
            return in_batches(lambda *batch: self.double(self.points(*batch)), gene, at)

    def integrals(self, gene: Tensor, low: Tensor, width: float, points: int) -> Tensor:
        """Return the integrals of gradient times difference from `low` to `low + width`, shape (piece, bin, mark)."""
        nodes, shares = (torch.from_numpy(array) / 2 for array in np.polynomial.legendre.leggauss(points))
        network, dtype = (self.single, torch.float32) if width > SINGLE else (self.double, torch.float64)
        parts = []
        for of, start in zip(*(array.split(SCORING_BATCH // points) for array in (gene, low)), strict=True):
            at = start[:, None] + width * (nodes + 0.5)
            inputs = self.points(of.repeat_interleave(points), at.flatten()).to(dtype).requires_grad_()
            (gradient,) = torch.autograd.grad(network(inputs).sum(), inputs)
            mean = torch.einsum("p,gpbm->gbm", shares, gradient.double().unflatten(0, (-1, points)))
            parts.append(width * mean * self.difference[of])
        return torch.cat(parts)


def integrated_gradients(
    explained: nn.Module, inputs: Tensor, reference: Tensor, *, tolerance: float = 5e-4, pieces: int = 4
) -> Tensor:
    """Integrate gradients along the line from the reference until the weights of each gene sum to the logit's change.

    Rectified networks have many kinks along the line, and trained LSTMs can switch between two states within 1e-10 of
    it or less. Equal steps resolve neither. So the line is cut into pieces, each piece is integrated by Gauss-Legendre
    quadrature, and pieces whose weights miss their part of the change are halved: the integral over the line is the
    sum over its pieces.

    A piece that cannot be halved, because it is too narrow for float64 or its gene has used `MOST` gradients, gets the
    weights of its quadrature in proportion, so that they sum to the change in the piece. If these gradients do not show
    the change (their sum is below `SEEN` of it, or has the other sign), it is shared in proportion to the absolute
    difference between inputs and reference.

    Args:
        explained: network f, with one output per example.
        inputs: float32, shape (gene, bin, mark).
        reference: float32, shape (1, bin, mark).
        tolerance: difference between a gene's sum and f(inputs) - f(reference), with f in float64, that few genes
            exceed, and those by little (1.3 times at most among 253 genes of a trained AttentiveChrome).
        pieces: number of initial pieces, of equal length.

    Returns:
        Weights, float32, shape (gene, bin, mark).
    """
    lines, genes = _Lines(explained, inputs, reference), len(inputs)
    total = torch.zeros_like(lines.difference)
    spent, gradients, shared = total.new_zeros(genes), torch.zeros(genes, dtype=torch.int64), total.new_zeros(genes)
    gene = torch.arange(genes).repeat_interleave(pieces)
    low = (torch.arange(pieces, dtype=torch.float64) / pieces).repeat(genes)
    width, points = 1 / pieces, POINTS
    left, right = lines.values(gene, low), lines.values(gene, low + width)
    while True:
        weights, change = lines.integrals(gene, low, width, points), right - left
        missing = weights.sum(dim=(1, 2)) - change
        number = torch.bincount(gene, minlength=genes)
        gradients += points * number
        # Errors of pieces have either sign, so the sum of n errors is about sqrt(n) times one error. Twice that sum may
        # use up the rest of a gene's tolerance; so the tolerance is spent in squared errors.
        allowed = ((tolerance / 2) ** 2 - spent).clamp_min(1e-12) / number.clamp_min(1)
        done = missing**2 <= allowed[gene]
        last = ~done & ((width <= NARROWEST) | (gradients > MOST)[gene])
        weights[last] = _complete(weights[last], change[last], lines.difference[gene[last]])
        shared.index_add_(0, gene[last], missing[last].abs())
        spent.index_add_(0, gene[done], missing[done] ** 2)
        done |= last
        total.index_add_(0, gene[done], weights[done])
        if done.all():
            break
        gene, low, left, right = (array[~done] for array in (gene, low, left, right))
        width, points = width / 2, POINTS_OF_HALVES
        middle = lines.values(gene, low + width)
        gene = gene.repeat_interleave(2)
        low, left, right = (
            torch.stack(halves, dim=1).flatten() for halves in ((low, low + width), (left, middle), (middle, right))
        )
    logger.info(
        "integrated gradients: %.0f gradients per example (at most %d); the mean logit change shared at pieces that "
        "cannot be halved is %.2g",
        gradients.double().mean(),
        gradients.max(),
        shared.mean(),
    )
    return total.float()


def _complete(weights: Tensor, change: Tensor, difference: Tensor) -> Tensor:
    """Scale the weights of pieces to the change of the logit; see `integrated_gradients`.

    Args:
        weights: shape (piece, bin, mark).
        change: change of the logit in the piece, shape (piece,).
        difference: inputs minus reference, shape (piece, bin, mark).
    """
    seen = weights.sum(dim=(1, 2)) / change > SEEN
    weights = torch.where(seen[:, None, None], weights, difference.abs())
    return weights * (change / weights.sum(dim=(1, 2)))[:, None, None]
