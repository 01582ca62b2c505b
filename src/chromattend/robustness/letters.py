"""The fewest letters that turn a prediction of a model of one-hot sequences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from chromattend.models.network import in_batches

# One-hot sequences, shape (sequence, position, letter), to logits, shape (sequence,); differentiable.
Logit = Callable[[Tensor], Tensor]
# Sequences searched at once.
_BATCH = 64


@dataclass(frozen=True)
class Edited:
    """Sequences with the fewest changed letters that a search has seen turn the prediction.

    Attributes:
        inputs: edited one-hot sequences; unchanged where no edit within the budget turned the prediction.
        changes: number of changed letters, int64, shape (sequence,); -1 where none was seen.
    """

    inputs: Tensor
    changes: Tensor


def fewest_letters(score: Logit, inputs: Tensor, budget: int, threshold: float = 0.0, shortlist: int = 512) -> Edited:
    """Look for the fewest substitutions that turn each prediction.

    Greedy: all substitutions of one letter are scored by the model or, of long sequences, those that the gradient lists
    as promising most. The best one is made, until the prediction turns. Then substitutions that turned out needless are
    taken back, from the one that matters least. The number is an upper bound: fewer letters may exist that turn the
    prediction, and the greedy search need not see them. Every edited sequence was scored as it is returned.

    Args:
        score: the model, in evaluation mode.
        inputs: one-hot sequences, float32, shape (sequence, position, letter). A position without a letter, which is
            padding or an unknown letter, is never changed.
        budget: most letters to change.
        threshold: logit above which a prediction is positive.
        shortlist: substitutions that are scored in each step. Where a network is sure, its gradient says little: with
            32 of the 303 of 101 bases, 5 of 6 negatives that do turn were not turned.
    """
    if not len(inputs):
        return Edited(inputs, torch.zeros(0, dtype=torch.int64))
    parts = [_search(score, part, budget, threshold, shortlist) for part in inputs.split(_BATCH)]
    return Edited(torch.cat([part.inputs for part in parts]), torch.cat([part.changes for part in parts]))


def letters_table(
    score: Logit,
    inputs: Tensor,
    names: Sequence[str],
    labels: np.ndarray,
    letters: str,
    budget: int,
    threshold: float = 0.0,
) -> pd.DataFrame:
    """Return the fewest letters that turn each right prediction.

    Args:
        score: the model, in evaluation mode.
        inputs: one-hot sequences, float32, shape (sequence, position, letter).
        names: name of each sequence.
        labels: 0 or 1, shape (sequence,).
        letters: the letters of the alphabet, in the order of the last axis, and after them what is written for a
            position without a letter, such as `ACGTN`.
        budget: most letters to change.
        threshold: logit above which a prediction is positive.

    Returns:
        One row per sequence: sequence, label, score (probability), call (0 or 1), right, length (letters from the first
        to the last known one), changes, edited (the letters after the changes, without padding) and substitutions (such
        as `A12G,C40T`, counted from 1 at the first letter). The last three are empty where the call is wrong or no edit
        within the budget turned it.
    """
    with torch.no_grad():
        logits = in_batches(score, inputs)
    calls = (logits > threshold).numpy()
    right = calls == (np.asarray(labels) == 1)
    edited = fewest_letters(score, inputs[torch.from_numpy(right)], budget, threshold)
    numbers = _numbers(inputs)
    known = numbers >= 0
    first = known.argmax(axis=1)
    after = np.where(known.any(axis=1), known.shape[1] - known[:, ::-1].argmax(axis=1), 0)
    alphabet = np.array(list(letters))
    table = pd.DataFrame(
        {
            "sequence": list(names),
            "label": labels,
            "score": torch.sigmoid(logits.double()).numpy(),
            "call": calls.astype(int),
            "right": right,
            "length": after - first,
            "changes": pd.array([None] * len(numbers), dtype="Int64"),
            "edited": None,
            "substitutions": None,
        }
    )
    changed = _numbers(edited.inputs)
    for place, row in enumerate(np.flatnonzero(right)):
        if edited.changes[place] < 0:
            continue
        window = slice(first[row], after[row])
        old, new = numbers[row, window], changed[place, window]
        table.loc[row, "changes"] = int(edited.changes[place])
        table.loc[row, "edited"] = "".join(alphabet[new])
        table.loc[row, "substitutions"] = ",".join(
            f"{alphabet[old[at]]}{at + 1}{alphabet[new[at]]}" for at in np.flatnonzero(old != new)
        )
    return table


def _numbers(inputs: Tensor) -> np.ndarray:
    """Return the number of each letter, -1 where a position has none, shape (sequence, position)."""
    return torch.where(inputs.sum(dim=2) > 0, inputs.argmax(dim=2), -1).numpy()


def _search(score: Logit, inputs: Tensor, budget: int, threshold: float, shortlist: int) -> Edited:
    current = inputs.clone()
    with torch.no_grad():
        positive = in_batches(score, inputs) > threshold
    turned = torch.zeros(len(inputs), dtype=torch.bool)
    for _ in range(budget):
        rows = torch.nonzero(~turned).squeeze(1)
        if not len(rows):
            break
        # Letters that are changed already are left: going back is the part of `_prune`.
        free = (current[rows] == inputs[rows]).all(dim=2) & (inputs[rows].sum(dim=2) > 0)
        movable = free.any(dim=1)
        rows, free = rows[movable], free[movable]
        if not len(rows):
            break
        direction = torch.where(positive[rows], -1.0, 1.0)
        current[rows], best = _best_substitution(score, current[rows], free, direction, shortlist)
        turned[rows] = (best > threshold) != positive[rows]
    rows = torch.nonzero(turned).squeeze(1)
    current[~turned] = inputs[~turned]
    changes = torch.full((len(inputs),), -1, dtype=torch.int64)
    if len(rows):
        current[rows] = _prune(score, inputs[rows], current[rows], positive[rows], threshold)
        # Another batch may round a logit to the other side of the threshold.
        with torch.no_grad():
            holds = (in_batches(score, current[rows]) > threshold) != positive[rows]
        current[rows[~holds]], rows = inputs[rows[~holds]], rows[holds]
        changes[rows] = (current[rows] != inputs[rows]).any(dim=2).sum(dim=1)
    return Edited(current, changes)


def _best_substitution(
    score: Logit, current: Tensor, free: Tensor, direction: Tensor, shortlist: int
) -> tuple[Tensor, Tensor]:
    """Return sequences after the best substitution of one letter, and their logits.

    Args:
        score: the model.
        current: shape (sequence, position, letter).
        free: positions that may change, bool, shape (sequence, position), at least one in each sequence.
        direction: 1 to raise the logit, -1 to lower it, shape (sequence,).
        shortlist: substitutions to score.
    """
    number, _, letters = current.shape
    gradients = []
    for part in current.split(_BATCH):
        leaf = part.clone().requires_grad_(True)
        with torch.enable_grad():
            gradients.append(torch.autograd.grad(score(leaf).sum(), leaf)[0])
    gradient = torch.cat(gradients) * direction[:, None, None]
    # What the logit gains to first order if a letter takes the place of the present one.
    gain = gradient - (gradient * current).sum(dim=2, keepdim=True)
    gain = gain.masked_fill((current > 0) | ~free[:, :, None], -torch.inf).flatten(1)
    width = min(shortlist, gain.shape[1])
    gains, places = gain.topk(width, dim=1)
    sequence = torch.arange(number)[:, None].expand(-1, width)
    candidates = current[:, None].repeat(1, width, 1, 1)
    slot = torch.arange(width)[None].expand(number, -1)
    position, letter = places // letters, places % letters
    candidates[sequence, slot, position] = 0
    candidates[sequence, slot, position, letter] = 1
    with torch.no_grad():
        logits = in_batches(score, candidates.flatten(0, 1)).unflatten(0, (number, width))
    # Places that may not change only fill up the list.
    reached = (logits * direction[:, None]).masked_fill(gains == -torch.inf, -torch.inf)
    choice = reached.argmax(dim=1)
    every = torch.arange(number)
    return candidates[every, choice], logits[every, choice]


def _prune(score: Logit, inputs: Tensor, current: Tensor, positive: Tensor, threshold: float) -> Tensor:
    """Take back substitutions, one at a time, as long as the prediction stays turned."""
    current = current.clone()
    for row in range(len(current)):
        while True:
            places = torch.nonzero((current[row] != inputs[row]).any(dim=1)).squeeze(1)
            if len(places) < 2:
                break
            candidates = current[row].repeat(len(places), 1, 1)
            candidates[torch.arange(len(places)), places] = inputs[row, places]
            with torch.no_grad():
                logits = in_batches(score, candidates)
            beyond = torch.where(positive[row], threshold - logits, logits - threshold)
            choice = int(beyond.argmax())
            if (logits[choice] > threshold) == positive[row]:
                break
            current[row] = candidates[choice]
    return current
