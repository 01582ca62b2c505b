"""What attacks share: the classifier, the bounds of its inputs, what to achieve, and what came out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.robustness.attacks.registry import ATTACKS

# Inputs, shape (example, ...), to the logits of all classes, shape (example, class); differentiable.
Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Problem:
    """Inputs to change, and the class that each of them is to leave or to reach.

    Attributes:
        score: the classifier; a model of two classes with one logit z has the logits (0, z), see `two_classes`.
        inputs: float32, shape (example, ...), within the bounds.
        labels: true class, int64, shape (example,).
        targets: class to reach, int64, shape (example,); None to leave the true class for any other.
        low, high: smallest and largest allowed value.
    """

    score: Score
    inputs: Tensor
    labels: Tensor
    targets: Tensor | None = None
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class Attacked:
    """What an attack made.

    Attributes:
        inputs: changed inputs within the bounds, shape (example, ...); unchanged where the attack found nothing.
        finished: whether the attack has used all its iterations, or ended by itself, bool, shape (example,); not if its
            time ran out before.
        seconds: time that it took.
    """

    inputs: Tensor
    finished: Tensor
    seconds: float


class Clock:
    """Time and progress of an attack.

    Attributes:
        report: called with the number of finished steps and their total, at most about once a second.
    """

    def __init__(self, seconds: float | None = None, report: Callable[[int, int], None] | None = None) -> None:
        """Start, with a limit (s) after which attacks return what they have found; None for no limit."""
        self.started = time.monotonic()
        self.limit = seconds
        self.report = report
        self._reported = self.started

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self.started

    @property
    def expired(self) -> bool:
        """Whether the limit is reached."""
        return self.limit is not None and self.seconds >= self.limit

    def tick(self, done: int, total: int) -> None:
        """Report progress, if a second has passed since the last report or all is done."""
        now = time.monotonic()
        if self.report and (now - self._reported >= 1 or done == total):
            self._reported = now
            self.report(done, total)


class Attack(Protocol):
    """An attack: a function of the problem, a clock and its options, see the registry."""

    def __call__(self, problem: Problem, clock: Clock, **options: Any) -> Tensor:
        """Return changed inputs within the bounds, shape (example, ...).

        Where nothing is found, inputs are returned unchanged. An attack that draws random numbers takes them from
        torch's generator, which `run_attack` seeds. When `clock.expired`, it returns what it has found.
        """


def two_classes(logit: Callable[[Tensor], Tensor]) -> Score:
    """Return the classifier of two classes whose logits are 0 and the given logit of the second class."""

    def score(inputs: Tensor) -> Tensor:
        positive = logit(inputs)
        return torch.stack([torch.zeros_like(positive), positive], dim=1)

    return score


def run_attack(
    name: str,
    problem: Problem,
    *,
    options: dict[str, Any] | None = None,
    seed: int = 1,
    seconds: float | None = None,
    batch: int = 100,
    report: Callable[[int, int], None] | None = None,
) -> Attacked:
    """Attack inputs in batches.

    Args:
        name: name in the registry.
        problem: classifier, inputs and what to achieve.
        options: options that differ from the registry's defaults.
        seed: seed of torch's random numbers.
        seconds: limit (s) after which the attack returns what it has found; inputs of later batches stay unchanged.
        batch: inputs that are attacked at once.
        report: called with the numbers of finished inputs and of all inputs.

    Raises:
        UserError: the classifier has no gradient, the inputs break the bounds, a class does not exist, or the attack
            cannot do what is asked.
    """
    spec = ATTACKS[name]
    check_problem(name, problem)
    torch.manual_seed(seed)
    clock = Clock(seconds, report)
    total = len(problem.inputs)
    changed = problem.inputs.clone()
    finished = torch.zeros(total, dtype=torch.bool)
    attack = spec.load()
    for first in range(0, total, batch):
        if clock.expired:
            break
        part = slice(first, first + batch)
        targets = None if problem.targets is None else problem.targets[part]
        one = Problem(problem.score, problem.inputs[part], problem.labels[part], targets, problem.low, problem.high)
        changed[part] = attack(one, clock, **(dict(spec.options) | (options or {}))).detach()
        finished[part] = not clock.expired
        clock.tick(min(first + batch, total), total)
    return Attacked(changed, finished, clock.seconds)


def check_problem(name: str, problem: Problem) -> None:
    """Raise a `UserError` if an attack could not run on a problem, see `run_attack`."""
    spec = ATTACKS[name]
    inputs, low, high = problem.inputs, problem.low, problem.high
    if not low < high:
        raise UserError(f"{name}: bounds from {low:g} to {high:g} hold no interval; give low below high")
    if not bool(torch.isfinite(inputs).all()):
        raise UserError(f"{name}: an input is not finite; remove missing and infinite values")
    smallest, largest = float(inputs.min()), float(inputs.max())
    if smallest < low or largest > high:
        raise UserError(
            f"{name}: inputs from {smallest:g} to {largest:g} are outside the bounds from {low:g} to {high:g}; scale "
            "the inputs, or give their bounds"
        )
    if problem.targets is None and not spec.untargeted:
        raise UserError(f"{name}: aims at a class; give targets, such as the next class")
    if problem.targets is not None and not spec.targeted:
        raise UserError(f"{name}: cannot aim at a class; leave the targets out")
    first = inputs[:1].clone().requires_grad_(True)
    with torch.enable_grad():
        logits = problem.score(first)
    if not logits.requires_grad:
        raise UserError(
            f"{name}: needs gradients, but the model's scores have none with respect to its inputs; attack a network, "
            "or take the coordinate search for other models"
        )
    classes = logits.shape[1]
    for what, values in (("label", problem.labels), ("target", problem.targets)):
        if values is None:
            continue
        wrong = values[(values < 0) | (values >= classes)]
        if len(wrong):
            raise UserError(
                f"{name}: {what} class {int(wrong[0])} does not exist; the model has the classes 0 to {classes - 1}"
            )
    if problem.targets is not None and bool((same := problem.targets == problem.labels).any()):
        row = int(torch.nonzero(same)[0])
        raise UserError(
            f"{name}: input {row} has its own class {int(problem.labels[row])} as target; give another class"
        )
