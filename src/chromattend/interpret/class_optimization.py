"""Class optimisation: the input that a network considers the most typical gene of a class.

Simonyan et al., arXiv 1312.6034, section 2; DeepChrome, section 3.4.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STATES = {"ON": 1.0, "OFF": -1.0}


def optimise_input(
    score: Callable[[Tensor], Tensor],
    upper: Tensor,
    signs: Sequence[float] = (1.0,),
    *,
    penalty: float = 0.009,
    starts: int = 4,
    steps: int = 300,
    learning_rate: float = 0.1,
    seed: int = 1,
) -> Tensor:
    """Return argmax_X sign S(X) - penalty ||X||^2 with X from 0 to its upper bound, averaged over random starts.

    The norm keeps X small where it has no effect on the class (the paper writes the term with a plus sign and a
    negative lambda). Adam with a decreasing step replaces the authors' RMSprop, whose fixed step circles the optimum.

    Args:
        score: S, which returns a value per example for X with shape (example, bin, mark).
        upper: upper bound of each value, shape (bin, mark).
        signs: 1 to maximise S, -1 to minimise it; all are optimised at once.
        penalty: lambda; 0.009 in DeepChrome's code.
        starts: number of random starts, uniform within the bounds, the same for each sign.
        steps: number of optimiser steps.
        learning_rate: its first step, as a share of the highest bound.
        seed: seed of the starts.

    Returns:
        X, shape (sign, bin, mark).
    """
    generator = torch.Generator().manual_seed(seed)
    initial = torch.rand((starts, *upper.shape), generator=generator) * upper
    optimum = initial.repeat(len(signs), 1, 1).requires_grad_()
    sign = torch.tensor(signs).repeat_interleave(starts)
    scale = max(float(upper.max()), 1e-6)
    optimizer = torch.optim.Adam([optimum], lr=learning_rate * scale)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (penalty * (optimum**2).sum(dim=(1, 2)) - sign * score(optimum)).sum()
        (optimum.grad,) = torch.autograd.grad(loss, optimum)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            optimum.clamp_(min=torch.zeros(()), max=upper)
    return optimum.detach().unflatten(0, (len(signs), starts)).mean(dim=1)


def class_optima(
    score: Callable[[Tensor], Tensor], reference: Tensor, highest: Tensor, *, penalty: float, starts: int, steps: int
) -> Tensor:
    """Return the optima of ON and OFF, as differences from the reference, shape (state, bin, mark).

    Args:
        score: function that returns the logit of ON for transformed signal, shape (gene, bin, mark).
        reference: transformed signal without reads, shape (1, bin, mark).
        highest: the highest transformed value of each mark in the data, shape (mark,).
        penalty, starts, steps: see `optimise_input`.
    """
    upper = (highest - reference[0]).clamp_min(0)
    return optimise_input(
        lambda difference: score(reference + difference),
        upper,
        tuple(STATES.values()),
        penalty=penalty,
        starts=starts,
        steps=steps,
    )
