"""What attacks share: the classifier, the bounds of its inputs, what to achieve, and what came out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.robustness.attacks.registry import ATTACKS, checked_options

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
        channels: axis of the colours of images, which are one pixel; None if each entry counts by itself.
    """

    score: Score
    inputs: Tensor
    labels: Tensor
    targets: Tensor | None = None
    low: float = 0.0
    high: float = 1.0
    channels: int | None = None

    def part(self, examples: slice) -> "Problem":
        """Return the problem of some of the examples."""
        targets = None if self.targets is None else self.targets[examples]
        return replace(self, inputs=self.inputs[examples], labels=self.labels[examples], targets=targets)


@dataclass(frozen=True)
class Attacked:
    """What an attack made.

    Attributes:
        inputs: changed inputs within the bounds, shape (example, ...); unchanged where the attack found nothing.
        finished: whether the attack ended by itself before its time ran out, bool, shape (example,).
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

    def of_batch(self, first: int, size: int, total: int) -> "Clock":
        """Return a clock with the same limit that reports steps of a batch as a number of finished examples.

        Args:
            first: examples before the batch.
            size: examples of the batch.
            total: all examples.
        """
        clock = Clock(self.limit, lambda done, steps: self.tick(first + size * done // steps, total))
        clock.started = self.started
        return clock


class Attack(Protocol):
    """An attack: a function of the problem, a clock and its options, see the registry."""

    def __call__(self, problem: Problem, clock: Clock, **options: Any) -> Tensor:
        """Return changed inputs within the bounds, shape (example, ...).

        Inputs without a result are returned unchanged or, by attacks that follow one path, as far as they came. An
        attack that draws random numbers takes them from torch's generator, which `run_attack` seeds. When
        `clock.expired`, it returns what it has.
        """


def two_classes(logit: Callable[[Tensor], Tensor]) -> Score:
    """Return the classifier of two classes whose logits are 0 and the given logit of the second class."""

    def score(inputs: Tensor) -> Tensor:
        positive = logit(inputs)
        return torch.stack([torch.zeros_like(positive), positive], dim=1)

    return score


def gradient(score: Score, inputs: Tensor, loss: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Return the logits, and the gradient of a loss, which is a sum over examples, with respect to the inputs.

    Returns:
        Logits, shape (example, class), and the gradient, shape (example, ...), both detached.
    """
    inputs = inputs.detach().requires_grad_(True)
    with torch.enable_grad():
        logits = score(inputs)
        (slope,) = torch.autograd.grad(loss(logits), inputs)
    return logits.detach(), slope


def spread(values: Tensor, inputs: Tensor) -> Tensor:
    """Return one value per example in a shape that broadcasts against inputs of shape (example, ...)."""
    return values.view(-1, *[1] * (inputs.ndim - 1))


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
        UserError: the classifier has no gradient, the inputs break the bounds, a class does not exist, the attack
            cannot do what is asked, or an option does not exist or has an impossible value.
    """
    check_problem(name, problem)
    chosen = checked_options(name, options or {})
    clock = Clock(seconds, report)
    total = len(problem.inputs)
    changed = problem.inputs.clone()
    finished = torch.zeros(total, dtype=torch.bool)
    attack = ATTACKS[name].load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for first in range(0, total, batch):
            if clock.expired:
                break
            part = slice(first, min(first + batch, total))
            of_batch = clock.of_batch(first, part.stop - first, total)
            changed[part] = attack(problem.part(part), of_batch, **chosen).detach()
            finished[part] = not clock.expired
            clock.tick(part.stop, total)
    return Attacked(changed, finished, clock.seconds)


def check_problem(name: str, problem: Problem) -> None:
    """Raise a `UserError` if an attack could not run on a problem, see `run_attack`."""
    spec = ATTACKS[name]
    inputs, low, high = problem.inputs, problem.low, problem.high
    if not low < high:
        raise UserError(f"{name}: bounds from {low:g} to {high:g} hold no interval; give low below high")
    if not len(inputs):
        raise UserError(f"{name}: has no inputs to change; give at least one")
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
    if not bool(torch.isfinite(logits).all()):
        raise UserError(f"{name}: the model's scores are not finite; check its weights")
    classes = logits.shape[1]
    for what, values in (("label", problem.labels), ("target", problem.targets)):
        if values is None:
            continue
        if values.shape != (len(inputs),):
            raise UserError(f"{name}: has {len(values)} {what}s for {len(inputs)} inputs; give one per input")
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
