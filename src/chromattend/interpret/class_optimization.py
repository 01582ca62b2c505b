"""Class-based optimisation: the input that a network takes for the most typical gene of a class.

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
    """Return argmax_X sign S(X) - penalty ||X||^2 with X from 0 to its upper bound, the mean of some starts.

    The norm keeps X small where it says nothing of the class (the paper writes the term with a plus sign, of a
    negative lambda). Adam with a falling step takes the place of the authors' RMSprop, whose fixed step circles the
    optimum.

    Args:
        score: S, a value per example, of X with shape (example, bin, mark).
        upper: bound of each value, shape (bin, mark).
        signs: 1 for the highest S, -1 for the lowest; all are sought at once.
        penalty: lambda; DeepChrome's code has 0.009.
        starts: number of random starts, uniform within the bounds, the same for each sign.
        steps: of the optimiser.
        learning_rate: its first step, as a share of the highest bound.
        seed: of the starts.

    Returns:
        X, shape (sign, bin, mark).
    """
    generator = torch.Generator().manual_seed(seed)
    begin = torch.rand((starts, *upper.shape), generator=generator) * upper
    found = begin.repeat(len(signs), 1, 1).requires_grad_()
    sign = torch.tensor(signs).repeat_interleave(starts)
    scale = max(float(upper.max()), 1e-6)
    optimizer = torch.optim.Adam([found], lr=learning_rate * scale)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = (penalty * (found**2).sum(dim=(1, 2)) - sign * score(found)).sum()
        (found.grad,) = torch.autograd.grad(loss, found)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            found.clamp_(min=torch.zeros(()), max=upper)
    return found.detach().unflatten(0, (len(signs), starts)).mean(dim=1)


def class_optima(
    score: Callable[[Tensor], Tensor], baseline: Tensor, highest: Tensor, *, penalty: float, starts: int, steps: int
) -> Tensor:
    """Return the optima of both classes, as differences from the baseline, shape (state, bin, mark): ON, then OFF.

    Args:
        score: logit of ON of transformed signal, shape (gene, bin, mark).
        baseline: no reads, transformed, shape (1, bin, mark).
        highest: the highest transformed value of each mark in the data, shape (mark,).
        penalty, starts, steps: see `optimise_input`.
    """
    upper = (highest - baseline[0]).clamp_min(0)
    return optimise_input(
        lambda found: score(baseline + found),
        upper,
        tuple(STATES.values()),
        penalty=penalty,
        starts=starts,
        steps=steps,
    )
