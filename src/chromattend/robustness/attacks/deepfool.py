"""DeepFool: the nearest class boundary, by linear steps."""

import torch
from torch import Tensor

from chromattend.robustness.attacks.base import Clock, Problem, spread

# Added to each distance, as by the authors, so that a step from the boundary itself has a length.
LEAST_STEP = 1e-4


def deepfool(problem: Problem, clock: Clock, *, overshoot: float, iterations: int) -> Tensor:
    """Step to the nearest boundary of the linearised classifier until the class is another one (DeepFool).

    Moosavi-Dezfooli, Fawzi, Frossard, CVPR 2016, algorithm 2, with all classes. Inputs are clipped to the bounds after
    each step: clipped at the end only, many return to their class.

    Args:
        problem: see `Problem`; it has no targets.
        clock: time and progress.
        overshoot: share of the change by which it is prolonged to cross the boundary.
        iterations: most steps.

    Returns:
        Inputs within the bounds, shape (example, ...), whether or not the class changed.
    """
    total = torch.zeros_like(problem.inputs)
    changed = problem.inputs.clone()
    active = torch.arange(len(changed))
    for iteration in range(iterations):
        inputs = changed[active].requires_grad_(True)
        with torch.enable_grad():
            logits = problem.score(inputs)
        # An input of another class is done.
        goes_on = logits.detach().argmax(dim=1) == problem.labels[active]
        if not goes_on.any() or clock.expired:
            break
        own = problem.labels[active, None]
        nearest = logits.new_full((len(active),), torch.inf)
        step = torch.zeros_like(problem.inputs[active])
        ahead = logits.gather(1, own) - logits
        for other in range(logits.shape[1]):
            (slope,) = torch.autograd.grad(ahead[:, other].sum(), inputs, retain_graph=True)
            norm = slope.flatten(1).norm(dim=1)
            distance = ahead[:, other].detach() / norm
            length = (distance + LEAST_STEP) / norm
            # A class whose gradient vanishes cannot be approached.
            closer = (own[:, 0] != other) & length.isfinite() & (distance < nearest)
            nearest = torch.where(closer, distance, nearest)
            step = torch.where(spread(closer, slope), -slope * spread(length, slope), step)
        active, step = active[goes_on], step[goes_on]
        total[active] += step
        changed[active] = (problem.inputs[active] + (1 + overshoot) * total[active]).clamp(problem.low, problem.high)
        clock.tick(iteration + 1, iterations)
    return changed
