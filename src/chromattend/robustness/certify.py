"""Certificates: a number of reads that provably cannot turn the vote over thinned copies of a sample."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import scipy
from numpy.random import Generator

from chromattend.robustness.subject import CountModel, call_names

# Copies that choose the class; the others bound its votes.
CHOOSING = 100
# Examples that are thinned together, and counts of their copies that are in memory at once.
_EXAMPLES, _IN_MEMORY = 32, 2_000_000


def certify(
    model: CountModel,
    counts: np.ndarray,
    keep: float = 0.02,
    samples: int = 1000,
    confidence: float = 0.999,
    seed: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Certify how many reads may be added to or removed from each example before the vote can turn.

    The classifier that is certified is the vote: keep each read with probability p, divide by p times the depth, call,
    and take the class that has more than half of the calls.

    Claim: if x and x' differ by k reads, added or removed, the votes of each class for them differ by at most
    1 - (1 - p)^k. Proof: thin both together, so that a read in both is kept in both or in neither. If none of the k
    other reads is kept, which has the probability (1 - p)^k, the two thinned samples are equal, and so are their calls.
    So if the votes of a class are at least q, the class still has more than half of them after k edits if
    q - 1 + (1 - p)^k > 1/2, which is k < ln(3/2 - q) / ln(1 - p). The largest possible k is about ln(2) / p.

    As in randomised smoothing (Cohen, Rosenfeld, Kolter, ICML 2019, section 3.2.2), the first copies choose the class,
    and the others give the bound q of its votes (Clopper and Pearson, Biometrika 26:404, 1934), so each certificate
    holds with the confidence, over the draws of its copies.

    Moving a read is two edits. A read that was counted in two examples or positions is two edits, too: it would be one
    only if reads were thinned before they are counted. The depth of the sample is held fixed.

    Args:
        model: the model under test.
        counts: int, from 0, shape (example, position, channel).
        keep: p, above 0, below 1.
        samples: number of copies, above 100, the number of those that choose the class.
        confidence: confidence of each certificate; not of all of them together.
        seed: seed of the copies.
        report: called with the number of finished examples and their total.

    Returns:
        Columns call (of the sample as it is, ON or OFF), voted (call of the vote), votes (share of the copies that
        have it), votes_low (its bound q), and certified_reads, the largest certified k, an integer from 0, which is
        missing if the bound is not above 1/2: then the vote abstains.
    """
    generator = np.random.default_rng(seed)
    first, rest = (np.zeros(len(counts), dtype=np.int64) for _ in range(2))
    for start in range(0, len(counts), _EXAMPLES):
        part = slice(start, start + _EXAMPLES)
        for total, copies in ((first, CHOOSING), (rest, samples - CHOOSING)):
            total[part] = _votes(model, counts[part], keep, copies, generator)
        if report:
            report(min(start + _EXAMPLES, len(counts)), len(counts))
    number = samples - CHOOSING
    voted_on = 2 * first > CHOOSING
    votes = np.where(voted_on, rest, number - rest)
    low = votes_bound(votes, number, confidence)
    calls = model.calls(counts)
    return pd.DataFrame(
        {
            "call": call_names(calls),
            "voted": call_names(voted_on),
            "votes": votes / number,
            "votes_low": low,
            "certified_reads": certified_reads(low, keep),
        }
    )


def votes_bound(votes: np.ndarray, copies: int, confidence: float) -> np.ndarray:
    """Return the lower bound of Clopper and Pearson, one-sided, of the share of copies that vote for a class."""
    with np.errstate(invalid="ignore"):
        bound: Any = scipy.stats.beta.ppf(1 - confidence, votes, copies - votes + 1)
    return np.where(votes > 0, bound, 0.0)


def certified_reads(votes: np.ndarray, keep: float) -> pd.arrays.IntegerArray:
    """Return the most reads that cannot turn a vote, see `certify`.

    Args:
        votes: share of the votes of the class, or its lower bound, shape (example,).
        keep: probability with which each read is kept.

    Returns:
        Integers from 0; missing where the class has not more than half of the votes.
    """
    abstains = votes <= 0.5
    exact = np.log(1.5 - np.where(abstains, 1.0, votes)) / np.log1p(-keep)
    # Below the limit, not at it, where the vote could be a tie.
    most = np.maximum(np.ceil(exact) - 1, 0).astype(np.int64)
    return pd.arrays.IntegerArray(most, abstains)


def thinned_copies(counts: np.ndarray, keep: float, copies: int, generator: Generator) -> np.ndarray:
    """Return copies of counts in which each read is kept with a probability, int, shape (copy, *counts.shape).

    The gaps between kept reads, in the order of all reads of all copies, are geometric: only kept reads are drawn.
    """
    entries = np.repeat(np.arange(counts.size), counts.ravel())
    reads = len(entries) * copies
    places = np.zeros(0, dtype=np.int64)
    last = -1
    while last < reads and reads:
        expected = (reads - last) * keep
        gaps = generator.geometric(keep, int(expected + 4 * np.sqrt(expected)) + 10)
        places = np.concatenate([places, last + np.cumsum(gaps)])
        last = int(places[-1])
    places = places[places < reads]
    copy, read = np.divmod(places, max(len(entries), 1))
    kept = np.bincount(copy * counts.size + entries[read], minlength=copies * counts.size)
    return kept.reshape(copies, *counts.shape)


def _votes(model: CountModel, counts: np.ndarray, keep: float, copies: int, generator: Generator) -> np.ndarray:
    """Return how many thinned copies are called positive, shape (example,)."""
    votes, most = np.zeros(len(counts), dtype=np.int64), max(1, _IN_MEMORY // counts.size)
    for start in range(0, copies, most):
        thinned = thinned_copies(counts, keep, min(most, copies - start), generator)
        calls = model.calls(thinned.reshape(-1, *counts.shape[1:]), keep)
        votes += calls.reshape(-1, len(counts)).sum(axis=0)
    return votes
