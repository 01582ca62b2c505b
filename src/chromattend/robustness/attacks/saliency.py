"""JSMA: few entries, set to a bound one pair at a time, that reach a class."""

import torch
from torch import Tensor
from torch.nn import functional

from chromattend.robustness.attacks.base import Clock, Problem, gradient


def jsma(problem: Problem, clock: Clock, *, theta: float, gamma: float) -> Tensor:
    """Set pairs of entries to a bound, each time the pair with the largest saliency, until the target is predicted.

    Papernot et al., EuroS&P 2016, algorithm 3 and equation 8, on the softmax. With a and b the sums of the pair's
    gradients of the target's probability and of the sum of all others, a pair has the saliency |a * b| if a has the
    sign of theta and b the other sign. Probabilities add up to 1, so b = -a and the saliency is a squared: the best
    pair are the two entries with the largest gradients in the direction of theta. No other pair needs to be looked at.

    Args:
        problem: see `Problem`; it has targets.
        clock: time and progress.
        theta: 1 to set entries to the upper bound, -1 to the lower one.
        gamma: largest share of the entries that may change, above 0 and at most 1.

    Returns:
        Inputs within the bounds, shape (example, ...), whether or not the target was reached.
    """
    assert problem.targets is not None
    targets = problem.targets
    bound = problem.high if theta > 0 else problem.low
    changed = problem.inputs.clone()
    rounds = int(changed[0].numel() * gamma / 2)
    active = torch.arange(len(changed))
    for done in range(rounds + 1):
        wanted = targets[active]

        def loss(logits: Tensor, wanted: Tensor = wanted) -> Tensor:
            # The gradient of log p orders entries as that of p does, and is not rounded to 0 where p is small. With
            # products of gradients of p in single precision, as published, MNIST's success is .79 in place of .92.
            return -functional.cross_entropy(logits, wanted, reduction="sum")

        logits, slope = gradient(problem.score, changed[active], loss)
        slope = (slope if theta > 0 else -slope).flatten(1)
        # An entry that is at the bound already cannot be changed further.
        slope[changed[active].flatten(1) == bound] = -torch.inf
        best = slope.topk(min(2, slope.shape[1]), dim=1)
        goes_on = (logits.argmax(dim=1) != wanted) & (best.values.sum(dim=1) > 0)
        active = active[goes_on]
        if not len(active) or done == rounds or clock.expired:
            break
        flat = changed.flatten(1)
        flat[active[:, None], best.indices[goes_on]] = bound
        changed = flat.view_as(changed)
        clock.tick(done + 1, rounds)
    return changed
