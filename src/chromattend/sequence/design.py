"""Sequences that a network considers the most typical of binding: the published way, and by single substitutions."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from chromattend.interpret.attribution import Explained
from chromattend.interpret.class_optimization import optimise_input
from chromattend.models.network import Network, in_batches
from chromattend.sequence.alphabets import UNKNOWN
from chromattend.sequence.attribution import gradients
from chromattend.sequence.machine import KernelMachine

# Lambda and number of steps of the authors' code.
PENALTY, ITERATIONS = 0.009, 1000
STARTS, PROMISING, STEPS = 8, 10, 60


@dataclass(frozen=True)
class Design:
    """Class optima of a network; scores are logits.

    Attributes:
        published: optimum X as in the paper, from 0 to 1, float32, shape (position, letter); it needs gradients, and
            with its scores is NaN for a gapped k-mer SVM.
        score_published: logit of X, which is not a sequence.
        score_published_one_hot: logit of the sequence with the largest letter of X at each position.
        letters: sequence designed by substitutions, int8, shape (position,); -1 where it has kept an unknown letter of
            the sequence that it began as, such as padding.
        score: its logit.
        start: what the best design began as: `training` or `random`.
        score_random: logit of the best design that began as a random sequence.
        substitutions: number of its substitutions.
        highest_training: highest logit of a training sequence.
    """

    published: np.ndarray
    score_published: float
    score_published_one_hot: float
    letters: np.ndarray
    score: float
    start: str
    score_random: float
    substitutions: int
    highest_training: float

    @property
    def above_training(self) -> bool:
        """Whether the design scores above every training sequence."""
        return self.score > self.highest_training

    @property
    def published_above_training(self) -> bool:
        """Whether the published optimum, as a sequence, scores above every training sequence."""
        return self.score_published_one_hot > self.highest_training


def optimise_class(
    network: Network, training: Tensor, scores: np.ndarray | None = None, *, seed: int = 1, iterations: int = ITERATIONS
) -> Design:
    """Design a bound sequence in both ways and compare it with the training sequences.

    Args:
        network: a trained network.
        training: one-hot letters of all training sequences, shape (sequence, position, letter).
        scores: their logits, shape (sequence,); computed if not given.
        seed: seed of the random starts.
        iterations: steps of the published way.
    """
    explained = Explained(network)
    if scores is None:
        with torch.inference_mode():
            scores = in_batches(explained, training).numpy()
    published, soft, hard = torch.full(training.shape[1:], torch.nan), np.nan, np.nan
    if not isinstance(network, KernelMachine):
        published = published_optimum(network, *training.shape[1:], seed=seed, iterations=iterations)
        hardened = functional.one_hot(published.argmax(dim=1), published.shape[1]).float()
        with torch.inference_mode():
            soft, hard = explained(torch.stack([published, hardened])).tolist()
    best = np.argsort(-scores, kind="stable")[: STARTS // 2]
    frequencies = training.sum(dim=(0, 1)).numpy()
    starts = random_letters(STARTS - len(best), training.shape[1], frequencies, seed)
    from_training = torch.where(training[best].sum(dim=2) > 0, training[best].argmax(dim=2), UNKNOWN)
    designs, reached, changed = substitute(network, torch.cat([from_training, starts]))
    chosen, origin = int(reached.argmax()), len(from_training)
    return Design(
        published=published.numpy(),
        score_published=soft,
        score_published_one_hot=hard,
        letters=designs[chosen].to(torch.int8).numpy(),
        score=float(reached[chosen]),
        start="training" if chosen < origin else "random",
        score_random=float(reached[origin:].max()),
        substitutions=int(changed[chosen]),
        highest_training=float(scores.max()),
    )


def published_optimum(
    network: Network, positions: int, letters: int, *, seed: int = 1, iterations: int = ITERATIONS
) -> Tensor:
    """Return argmax_X S(X) - 0.009 ||X||^2 with X from 0 to 1 (Lanchantin et al., PSB 2017, section 3.3).

    One start only: in the mean of several, a motif would appear once at the place of each. The optimiser is that of
    `optimise_input`.

    Returns:
        X, shape (position, letter). It is neither a sequence nor a matrix of probabilities: its rows do not sum to 1.
    """
    upper = torch.ones(positions, letters)
    (optimum,) = optimise_input(Explained(network), upper, penalty=PENALTY, starts=1, steps=iterations, seed=seed)
    return optimum


def random_letters(sequences: int, positions: int, frequencies: np.ndarray, seed: int) -> Tensor:
    """Return random sequences with given letter frequencies or counts, int64, shape (sequence, position)."""
    share = np.asarray(frequencies, dtype=np.float64)
    drawn = np.random.default_rng(seed).choice(len(share), size=(sequences, positions), p=share / share.sum())
    return torch.from_numpy(drawn)


def substitute(
    network: Network, letters: Tensor, *, promising: int = PROMISING, steps: int = STEPS
) -> tuple[Tensor, Tensor, Tensor]:
    """Raise the logit of sequences by single substitutions until none raises it any more.

    Each step takes the best of the substitutions that the gradient promises most of. Where none of these is better than
    the sequence, the next four times as many are tried, and so on to the last, so that an end before the last step is a
    local optimum.

    Args:
        network: a trained network.
        letters: sequences to begin with, int64, shape (start, position); -1 for an unknown letter, which can stay so.
        promising: number of substitutions tried first in each step.
        steps: largest number of substitutions.

    Returns:
        letters: the sequences reached, shape (start, position).
        scores: their logits, shape (start,).
        substitutions: number of substitutions of each, shape (start,).
    """
    explained = Explained(network)
    size = network.input_spec.shape[1]
    current = letters.clone()
    scores = _scores(explained, current, size)
    taken = torch.zeros(len(letters), dtype=torch.int64)
    active = torch.arange(len(letters))
    for _ in range(steps):
        signal = _one_hot(current[active], size)
        gain = _gain(network, signal)
        # The letter that is there already is never tried.
        order = gain.masked_fill(signal > 0, -torch.inf).flatten(1).argsort(dim=1, descending=True)
        order = order[:, : signal[0].numel() - signal.shape[1]]
        better = torch.zeros(len(active), dtype=torch.bool)
        low, width = 0, promising
        while low < order.shape[1] and not better.all():
            rest = ~better
            better[rest] = _try(explained, current, scores, active[rest], order[rest, low : low + width], size)
            low, width = low + width, 4 * width
        active = active[better]
        taken[active] += 1
        if not len(active):
            break
    return current, scores, taken


def _gain(network: Network, signal: Tensor) -> Tensor:
    """Return the gain of every letter at every position: of first order, or exact for a gapped k-mer SVM."""
    if isinstance(network, KernelMachine):
        return network.mutagenesis(signal)
    gradient = gradients(Explained(network), signal)
    return gradient - (gradient * signal).sum(dim=2, keepdim=True)


def _try(explained: Explained, current: Tensor, scores: Tensor, rows: Tensor, order: Tensor, size: int) -> Tensor:
    """Make the best of some substitutions of each row, in place, if it raises the logit; return which rows it did."""
    candidates = current[rows].repeat_interleave(order.shape[1], dim=0)
    flat = order.flatten()
    candidates[torch.arange(len(flat)), flat // size] = flat % size
    best, which = _scores(explained, candidates, size).unflatten(0, (len(rows), -1)).max(dim=1)
    # A gain within the rounding of float32 would let two sequences alternate.
    better = best > scores[rows] + 1e-5 * (1 + scores[rows].abs())
    chosen = candidates.unflatten(0, (len(rows), -1))[torch.arange(len(rows)), which]
    current[rows[better]], scores[rows[better]] = chosen[better], best[better]
    return better


@torch.no_grad()
def _scores(explained: Explained, letters: Tensor, size: int) -> Tensor:
    return in_batches(lambda part: explained(_one_hot(part, size)), letters)


def _one_hot(letters: Tensor, size: int) -> Tensor:
    """Return one-hot letters, float32, shape (sequence, position, letter), zeros for unknown ones."""
    return functional.one_hot(letters + 1, size + 1)[..., 1:].float()
