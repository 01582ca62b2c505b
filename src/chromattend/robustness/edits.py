"""Threats: what may be done to the counts of an example, and what it costs."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

# Numbers of reads that are tried at once for models whose scores change only in jumps, such as forests.
AMOUNTS = (1, 4, 16, 64)


class Steps(NamedTuple):
    """Other values that each entry may get; entries are flattened, by position and then by channel.

    Attributes:
        values: shape (example, kind, entry).
        costs: what a value costs, or saves if it takes an edit back, shape (example, kind, entry); 0: not allowed.
    """

    values: np.ndarray
    costs: np.ndarray


class Edits(NamedTuple):
    """Edits of the same counts that can be made together, the one with the highest expected gain per cost first.

    Attributes:
        entries: the two entries that an edit changes, shape (example, edit, 2).
        changes: what is added to them, shape (example, edit, 2); 0 for the second entry if there is only one.
        costs: shape (example, edit); 0 for places without an edit.
        gains: by how much the value is expected to fall, shape (example, edit).
        kinds: number of the step on the axis `kind`, shape (example, edit).
    """

    entries: np.ndarray
    changes: np.ndarray
    costs: np.ndarray
    gains: np.ndarray
    kinds: np.ndarray

    def of(self, examples: np.ndarray) -> "Edits":
        """Return the edits of some examples."""
        return Edits(*(array[examples] for array in self))

    def ordered(self, order: np.ndarray) -> "Edits":
        """Return the edits of each example in another order, shape (example, edit)."""
        rows = np.arange(len(order))[:, None]
        return Edits(*(array[rows, order] for array in self))


class Threat(Protocol):
    """What may be done to counts, int64, shape (example, entry), and what it costs."""

    # Whether an edit is so small that several of them, made at once, are worth about the sum of what they are singly.
    small: ClassVar[bool]

    def cost(self, counts: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return the cost of the present counts, shape (example,)."""

    def steps(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return what each entry may become, away from its original value."""

    def returns(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return what each edited entry may become, towards its original value; the largest savings come first."""

    def edits(self, counts: np.ndarray, steps: Steps, effects: np.ndarray, most: int) -> Edits:
        """Return the most promising edits.

        Args:
            counts: shape (example, entry).
            steps: see `steps` and `returns`.
            effects: expected change of the value, shape (example, kind, entry).
            most: number of edits of an example.
        """


@dataclass(frozen=True)
class Reads:
    """Reads are added and removed; the cost is their number.

    Attributes:
        editable: whether an entry may be edited, bool, shape (entry,).
        amounts: numbers of reads that are added to or removed from an entry at once.
    """

    editable: np.ndarray
    amounts: tuple[int, ...] = (1,)
    small: ClassVar[bool] = True

    def cost(self, counts: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return the number of reads added and removed."""
        return np.abs(counts - original).sum(axis=1)

    def steps(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return each entry with more reads, with fewer, and without any.

        The logarithm falls faster for the last reads of an entry than for the first, so that removing one read promises
        less than each of them is worth if all are removed.
        """
        grow, shrink = counts >= original, counts <= original
        up = [np.where(grow, amount, 0) for amount in self.amounts]
        down = [np.where(shrink & (counts > amount), amount, 0) for amount in self.amounts]
        down.append(np.where(shrink, counts, 0))
        costs = np.stack([*up, *down], axis=1) * self.editable
        signs = np.repeat([1, -1], [len(up), len(down)])[:, None]
        return Steps(counts[:, None] + signs * costs, costs)

    def returns(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return each edited entry with all of its edits taken back, half of them, or one."""
        edited = np.abs(counts - original)
        savings = np.stack([edited, edited // 2, np.minimum(edited, 1)], axis=1)
        return Steps(counts[:, None] + np.sign(original - counts)[:, None] * savings, savings)

    def edits(self, counts: np.ndarray, steps: Steps, effects: np.ndarray, most: int) -> Edits:
        """Return the most promising edits, at most one per entry."""
        return _single(counts, steps, effects, most)


@dataclass(frozen=True)
class Entries:
    """Entries are set to 0 or to a ceiling; the cost is their number.

    Attributes:
        ceilings: shape (entry,).
    """

    ceilings: np.ndarray
    small: ClassVar[bool] = False

    def cost(self, counts: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return the number of entries that differ."""
        return (counts != original).sum(axis=1)

    def steps(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return 0 and, for entries below it, the ceiling; entries that are edited already keep their value."""
        values = np.stack([np.zeros_like(counts), np.broadcast_to(self.ceilings, counts.shape)], axis=1)
        allowed = np.stack([counts > 0, counts < self.ceilings], axis=1) & (counts == original)[:, None]
        return Steps(values, allowed.astype(np.int64))

    def returns(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return the original values of the edited entries."""
        return Steps(original[:, None], (counts != original)[:, None].astype(np.int64))

    def edits(self, counts: np.ndarray, steps: Steps, effects: np.ndarray, most: int) -> Edits:
        """Return the most promising edits, at most one per entry."""
        return _single(counts, steps, effects, most)


@dataclass(frozen=True)
class Moves:
    """Reads are moved to other positions of their channel; the cost is the number of reads moved.

    Attributes:
        channels: number of channels.
    """

    channels: int
    small: ClassVar[bool] = True

    def cost(self, counts: np.ndarray, original: np.ndarray) -> np.ndarray:
        """Return the number of reads moved: each is missing in one entry and added to another."""
        return np.abs(counts - original).sum(axis=1) // 2

    def steps(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return each entry with one read more, and with one less."""
        return _one_read(counts, counts >= original, (counts <= original) & (counts > 0))

    def returns(self, counts: np.ndarray, original: np.ndarray) -> Steps:
        """Return each edited entry with one read taken back."""
        return _one_read(counts, counts < original, counts > original)

    def edits(self, counts: np.ndarray, steps: Steps, effects: np.ndarray, most: int) -> Edits:
        """Return the most promising pairs: of each channel, the best addition with the best removal, and so on."""
        examples = len(counts)
        # Axes: example, kind, position, channel.
        gains = np.where(steps.costs > 0, -effects, -np.inf).reshape(examples, 2, -1, self.channels)
        order = np.argsort(-gains, axis=2, kind="stable")[:, :, :most]
        pairs = np.take_along_axis(gains, order, axis=2).sum(axis=1).reshape(examples, -1)
        entries = (order * self.channels + np.arange(self.channels)).reshape(examples, 2, -1)
        best = np.argsort(-pairs, axis=1, kind="stable")[:, :most]
        gains = np.take_along_axis(pairs, best, axis=1)
        costs = np.isfinite(gains).astype(np.int64)
        return Edits(
            np.take_along_axis(entries, best[:, None], axis=2).transpose(0, 2, 1),
            np.array([1, -1]) * costs[..., None],
            costs,
            gains,
            np.zeros_like(best),
        )


def _one_read(counts: np.ndarray, more: np.ndarray, fewer: np.ndarray) -> Steps:
    costs = np.stack([more, fewer], axis=1).astype(np.int64)
    return Steps(counts[:, None] + np.array([1, -1])[:, None] * costs, costs)


def _single(counts: np.ndarray, steps: Steps, effects: np.ndarray, most: int) -> Edits:
    """Return the most promising edits of single entries, each with the best of its kinds."""
    gains = np.where(steps.costs > 0, -effects, -np.inf)
    rates = gains / np.maximum(steps.costs, 1)
    kinds = rates.argmax(axis=1)
    best = np.argsort(-rates.max(axis=1), axis=1, kind="stable")[:, :most]
    rows, kinds = np.arange(len(counts))[:, None], np.take_along_axis(kinds, best, axis=1)
    costs = steps.costs[rows, kinds, best]
    changes = np.where(costs > 0, steps.values[rows, kinds, best] - counts[rows, best], 0)
    return Edits(
        np.stack([best, best], axis=2),
        np.stack([changes, np.zeros_like(changes)], axis=2),
        costs,
        gains[rows, kinds, best],
        kinds,
    )
