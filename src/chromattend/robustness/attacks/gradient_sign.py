"""Attacks by the sign of the gradient: FGSM, and BIM, which repeats it."""

from typing import Any

from torch import Tensor
from torch.nn import functional

from chromattend.robustness.attacks.base import Clock, Problem, gradient


def fgsm(problem: Problem, clock: Clock, *, epsilon: float) -> Tensor:
    """Change every entry by epsilon, up or down as the sign of the loss's gradient (FGSM).

    Goodfellow, Shlens, Szegedy, ICLR 2015, section 4; with targets, downhill on the loss of the target.

    Args:
        problem: see `Problem`.
        clock: time and progress; one step is not interrupted.
        epsilon: change of each entry, in units of the inputs.

    Returns:
        Inputs within the bounds, shape (example, ...), whether or not the class changed.
    """
    return (problem.inputs + epsilon * _direction(problem, problem.inputs)).clamp(problem.low, problem.high)


def bim(problem: Problem, clock: Clock, *, epsilon: float, step: float, iterations: int) -> Tensor:
    """Repeat FGSM with small steps and stay within epsilon of the input (BIM).

    Kurakin, Goodfellow, Bengio, ICLR workshop 2017, section 2.2.

    Args:
        problem: see `Problem`.
        clock: time and progress.
        epsilon: largest change of an entry, in units of the inputs.
        step: change of each entry per step, in units of the inputs.
        iterations: number of steps.

    Returns:
        Inputs within the bounds, shape (example, ...), whether or not the class changed.
    """
    least = (problem.inputs - epsilon).clamp(min=problem.low)
    most = (problem.inputs + epsilon).clamp(max=problem.high)
    changed = problem.inputs
    for iteration in range(iterations):
        if clock.expired:
            break
        changed = (changed + step * _direction(problem, changed)).clamp(least, most)
        clock.tick(iteration + 1, iterations)
    return changed


def _direction(problem: Problem, inputs: Tensor) -> Tensor:
    """Return the sign of the change that leaves the true class or, with targets, approaches the target."""

    def loss(logits: Tensor) -> Tensor:
        wanted: Any = problem.labels if problem.targets is None else problem.targets
        return functional.cross_entropy(logits, wanted, reduction="sum")

    _, slope = gradient(problem.score, inputs, loss)
    return slope.sign() if problem.targets is None else -slope.sign()
