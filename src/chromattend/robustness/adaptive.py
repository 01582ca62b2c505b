"""An attack by somebody who knows the detector, after He, Wei, Chen, Carlini, Song, WOOT 2017.

What a detector finds of attacks that were not made for it says little of those that are.
"""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from chromattend.robustness.attacks.base import Clock
from chromattend.robustness.squeeze import Squeezer

# Images to the logits of all classes, shape (image, class), and to the detector's score, shape (image,); both
# differentiable. See `chromattend.robustness.detect.watched`.
Look = Callable[[Tensor], tuple[Tensor, Tensor]]
# Images are saved with 8 bits, so only what survives the rounding counts.
_ROUND = Squeezer.parse("bits_8")
# Black and white would be at infinity of the tanh's argument.
_INSIDE = 1 - 1e-4
# The first constant, and by what it rises after a failure and falls after a success as long as there was only one of
# them.
_FIRST, _RISE, _FALL = 10.0, 10.0, 4.0
# Images changed at once.
_BATCH = 100


def adaptive(
    look: Look,
    images: Tensor,
    labels: Tensor,
    threshold: float,
    clock: Clock,
    *,
    rounds: int = 4,
    iterations: int = 300,
    learning_rate: float = 0.05,
) -> tuple[Tensor, pd.DataFrame]:
    """Look for images of another class that pass the detector, near the original ones.

    Minimises |x - x0|^2 + c ([z_y - max_i z_i + k]+ + [log(score / threshold)]+) by Adam over the argument of a tanh
    (Carlini, Wagner, S&P 2017, section V), z_y being the logit of the true class and z_i those of others. The margin k
    = log(2 / threshold) makes two classes as certain as the detector wants answers to be equal: they then differ from
    certain ones by the threshold. The logarithm has a gradient near the threshold, where the score itself is flat. The
    constant c of each image is searched for in rounds; a round goes on from where the last one ended. All of it acts on
    images rounded to 8 bits, with the gradient of the images before.

    Args:
        look: the classifier and the detector.
        images: images that are classified right, float32, shape (image, channel, height, width), from 0 to 1.
        labels: true classes, int64, shape (image,).
        threshold: score above which the detector flags an image.
        clock: limit of the time, after which what has been seen is returned, and progress.
        rounds: values of c to try.
        iterations: steps for each of them.
        learning_rate: of Adam.

    Returns:
        The changed images, rounded to 8 bits, and a table with one row per image: success (another class is likelier
        than the true one), undetected (success, and the score is at most the threshold), l2 and linf (distance from the
        original, NaN without success). If no image passed the detector, the nearest one of another class is returned;
        if there was none either, the original.
    """
    aim = max(threshold, 1e-6)  # a detector that no squeezer ever moved has the threshold 0
    total = rounds * iterations * math.ceil(len(images) / _BATCH)
    parts: list[Tensor] = []
    for some, classes in zip(images.split(_BATCH), labels.split(_BATCH), strict=True):
        search = _Search(some, classes)
        for number in range(rounds):
            search.start_round(learning_rate)
            for step in range(iterations):
                if clock.expired:
                    break
                search.step(look, threshold, aim)
                clock.tick((len(parts) * rounds + number) * iterations + step + 1, total)
            search.end_round()
        parts.append(search.best())
    changed = torch.cat(parts)
    return changed, _table(look, changed, images, labels, threshold)


class _Search:
    """The state of the search of some images."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels
        self.argument = torch.atanh((images * 2 - 1) * _INSIDE)
        # The nearest image of another class, and the nearest one of them that passes the detector.
        self.nearest = torch.stack([images, images])
        self.squares = torch.full((2, len(images)), torch.inf)
        self.constant = torch.full((len(images),), _FIRST)
        self.failed, self.passed = torch.zeros(len(images)), torch.full((len(images),), torch.inf)

    def start_round(self, learning_rate: float) -> None:
        self.argument = self.argument.detach().requires_grad_(True)
        self.optimiser = torch.optim.Adam([self.argument], lr=learning_rate)
        self.success = torch.zeros(len(self.images), dtype=torch.bool)

    def step(self, look: Look, threshold: float, aim: float) -> None:
        changed = _ROUND((torch.tanh(self.argument) / _INSIDE + 1) / 2)
        logits, score = look(changed)
        squares = ((changed - self.images) ** 2).flatten(1).sum(dim=1)
        own = logits.gather(1, self.labels[:, None]).squeeze(1)
        margin = own - logits.scatter(1, self.labels[:, None], -torch.inf).amax(dim=1)
        self._keep(changed.detach(), squares.detach(), margin.detach() < 0, score.detach() <= threshold)
        seen = torch.log(score / aim + 1e-12)
        loss = squares + self.constant * ((margin + math.log(2 / aim)).relu() + seen.relu())
        self.optimiser.zero_grad()
        loss.sum().backward()
        self.optimiser.step()

    def _keep(self, changed: Tensor, squares: Tensor, wrong: Tensor, passes: Tensor) -> None:
        self.success |= wrong & passes
        for kind, holds in enumerate((wrong, wrong & passes)):
            better = holds & (squares < self.squares[kind])
            self.squares[kind, better] = squares[better]
            self.nearest[kind, better] = changed[better]

    def end_round(self) -> None:
        """Set the next constants: between the largest one that failed and the smallest one that did not."""
        self.passed = torch.where(self.success, torch.minimum(self.passed, self.constant), self.passed)
        self.failed = torch.where(self.success, self.failed, torch.maximum(self.failed, self.constant))
        lower = torch.where(self.failed > 0, (self.failed * self.passed).sqrt(), self.passed / _FALL)
        self.constant = torch.where(self.passed < torch.inf, lower, self.failed * _RISE)

    def best(self) -> Tensor:
        """Return the nearest image that passes, of another class, or the original, as far as there is one."""
        passes = torch.isfinite(self.squares[1])
        return torch.where(passes[:, None, None, None], self.nearest[1], self.nearest[0])


def _table(look: Look, changed: Tensor, images: Tensor, labels: Tensor, threshold: float) -> pd.DataFrame:
    """Check what was returned, with the same classifier and detector, and measure it."""
    with torch.no_grad():
        answers = [look(part) for part in changed.split(_BATCH)]
    success = torch.cat([logits.argmax(dim=1) for logits, _ in answers]) != labels
    score = torch.cat([score for _, score in answers])
    difference = (changed - images).flatten(1).double()
    distances = {"l2": difference.norm(dim=1), "linf": difference.abs().amax(dim=1)}
    return pd.DataFrame(
        {"success": success.numpy(), "undetected": (success & (score <= threshold)).numpy()}
        | {name: np.where(success, values, np.nan) for name, values in distances.items()}
    )
