"""Noise that happens to a sample, as changes of whole reads, and what each kind changes in calls and explanations."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator

from chromattend.robustness.subject import CountModel, Explanation
from chromattend.statistics import auc_interval, pearson_by_row, share_interval

# Number of the heaviest positions that are compared.
TOP = 10
# A generator and counts of all examples, shape (example, position, channel), to other counts of the same shape.
Change = Callable[[Generator, np.ndarray], np.ndarray]
# Counts and the share of reads they are of, to alpha, shape (example, position, channel), and beta, shape (example,
# channel), or None for a network without attention over channels.
Attend = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray | None]]
COLUMNS = (
    *("condition", "kind", "mark", "value", "draws", "reads", "auc", "auc_low", "auc_high", "accuracy", "share_on"),
    *("changed", "changed_low", "changed_high", "alpha_r", "alpha_r_low", "alpha_top", "beta_top"),
    *("attribution_r", "attribution_r_low"),
)


@dataclass(frozen=True)
class Condition:
    """Something that can happen to the reads of a sample.

    Attributes:
        text: name in tables and figures.
        kind: what happens, see `conditions`.
        changes: functions that do it to counts; several for one that has versions, such as both directions of a shift.
        random: whether a change differs from draw to draw.
        mark: mark that it happens to; empty for all marks.
        value: how much of it happens, or None.
        kept: share of the sample's depth that a model is told, see `CountModel.probability`.
    """

    text: str
    kind: str
    changes: tuple[Change, ...]
    random: bool = False
    mark: str = ""
    value: float | None = None
    kept: float = 1.0

    def draws(self, counts: np.ndarray, repeats: int, seed: int) -> np.ndarray:
        """Return changed counts, shape (draw, example, position, channel): of each version, `repeats` if it is random.

        The random numbers depend on the seed and on the condition's text only, so that conditions can be added without
        other draws of the rest.
        """
        generator = np.random.default_rng([seed, zlib.crc32(self.text.encode())])
        versions = [change for change in self.changes for _ in range(repeats if self.random else 1)]
        return np.stack([change(generator, counts).astype(counts.dtype) for change in versions])


def conditions(settings: Mapping[str, Any], marks: Sequence[str], bin_size: int) -> list[Condition]:
    """Return the conditions of the settings, the undisturbed sample first.

    Kinds: `none`; `redraw`, each count is a Poisson draw with the count as mean, as if the same library was sequenced
    once more; `keep`, a share of the reads is kept at random, and models divide by the depth of the smaller sample;
    `keep_old_depth`, the same, but models divide by the old depth; `duplicates`, see `duplicate`; `shift`, the windows
    are around a wrong TSS, in both directions, see `shift`; `strand`, the windows are reversed; `cross_talk`, see
    `replace`; `efficiency`, see `weaken`; `absent`, a mark has no reads.

    Args:
        settings: the section `robustness.noise` of the configuration, with its defaults.
        marks: marks in the order of the counts.
        bin_size: width of a bin (bp).
    """
    listed = [
        Condition("no noise", "none", (lambda generator, counts: counts,)),
        Condition("reads drawn again", "redraw", (lambda generator, counts: generator.poisson(counts),), random=True),
    ]
    for share in settings["keep"]:
        text, thinned = f"{_percent(share)} of the reads", (_thinning(share),)
        listed.append(Condition(text, "keep", thinned, random=True, value=share, kept=share))
    for share in settings["keep"]:
        text = f"{_percent(share)} of the reads, old depth"
        listed.append(Condition(text, "keep_old_depth", (_thinning(share),), random=True, value=share))
    for share in settings["duplicates"]:
        text = f"{_percent(share)} duplicates"
        listed.append(Condition(text, "duplicates", (_duplication(share),), random=True, value=share))
    for distance in settings["shift"]:
        number = distance // bin_size
        both = (_shifting(number), _shifting(-number))
        listed.append(Condition(f"TSS off by {distance} bp", "shift", both, value=distance))
    if settings["strand"]:
        listed.append(Condition("strand reversed", "strand", (lambda generator, counts: counts[:, ::-1],)))
    for mark, other, share in settings["cross_talk"]:
        text = f"{mark} antibody with {_percent(share)} {other}"
        change = _replacing(marks.index(mark), marks.index(other), share)
        listed.append(Condition(text, "cross_talk", (change,), random=True, mark=mark, value=share))
    for factor in settings["efficiency"]:
        for number, mark in enumerate(marks):
            text, change = f"{mark} at {_percent(factor)} efficiency", _weakening(number, factor)
            listed.append(Condition(text, "efficiency", (change,), random=True, mark=mark, value=factor))
    for number, mark in enumerate(marks if settings["absent"] else ()):
        listed.append(Condition(f"{mark} absent", "absent", (_removal(number),), mark=mark))
    return listed


def duplicate(generator: Generator, counts: np.ndarray, share: float) -> np.ndarray:
    """Return counts in which a share of the reads are copies of others, such as those of PCR.

    Each read stays with probability 1 - share; each lost one is replaced with a copy of a random read that stays, of
    the same mark and any example. The number of reads of a mark does not change.
    """
    kept = generator.binomial(counts, 1 - share)
    for channel in range(counts.shape[2]):
        lost = int(counts[..., channel].sum() - kept[..., channel].sum())
        kept[..., channel] += _drawn(generator, lost, kept[..., channel])
    return kept


def shift(counts: np.ndarray, positions: int) -> np.ndarray:
    """Return the counts of windows that start a number of positions later, or earlier if it is negative.

    Counts beyond the old window are unknown: they are the mirror image of those within it, which have the level and the
    noise of the place. Repeating the last position would repeat the noise of one position, and zeros would be an edge.
    """
    width = abs(positions)
    before, after = (0, width) if positions > 0 else (width, 0)
    padded = np.pad(counts, ((0, 0), (before, after), (0, 0)), mode="symmetric")
    return padded[:, after : after + counts.shape[1]]


def replace(generator: Generator, counts: np.ndarray, channel: int, other: int, share: float) -> np.ndarray:
    """Return counts in which a share of a mark's reads are where those of another mark are.

    Each read of the mark stays with probability 1 - share. Each lost one is replaced with a read at the place of a
    random read of the other mark, of any example, so that the number of reads does not change.
    """
    changed = counts.copy()
    own = generator.binomial(counts[..., channel], 1 - share)
    lost = int(counts[..., channel].sum() - own.sum())
    changed[..., channel] = own + _drawn(generator, lost, counts[..., other])
    return changed


def weaken(generator: Generator, counts: np.ndarray, channel: int, factor: float) -> np.ndarray:
    """Return counts in which a mark's enrichment has fallen by a factor.

    The background of the mark is the median of its counts over all examples and positions. Each read above it stays
    with probability `factor`; each lost one is replaced with a read at a random position of a random example, so that
    the number of reads does not change.
    """
    changed, own = counts.copy(), counts[..., channel]
    above = np.maximum(own - int(np.median(own)), 0)
    lost = above - generator.binomial(above, factor)
    changed[..., channel] = own - lost + _drawn(generator, int(lost.sum()), np.ones(own.shape))
    return changed


def _drawn(generator: Generator, reads: int, profile: np.ndarray) -> np.ndarray:
    """Return a number of reads at random places, each with the probability of a profile; none if it is empty."""
    total = profile.sum(dtype=np.float64)
    if total == 0:
        return np.zeros(profile.shape, dtype=np.int64)
    return generator.multinomial(reads, (profile / total).ravel()).reshape(profile.shape)


def _thinning(share: float) -> Change:
    return lambda generator, counts: generator.binomial(counts, share)


def _duplication(share: float) -> Change:
    return lambda generator, counts: duplicate(generator, counts, share)


def _shifting(positions: int) -> Change:
    return lambda generator, counts: shift(counts, positions)


def _replacing(channel: int, other: int, share: float) -> Change:
    return lambda generator, counts: replace(generator, counts, channel, other, share)


def _weakening(channel: int, factor: float) -> Change:
    return lambda generator, counts: weaken(generator, counts, channel, factor)


def _removal(channel: int) -> Change:
    return lambda generator, counts: np.where(np.arange(counts.shape[2]) == channel, 0, counts)


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def noise_table(
    model: CountModel,
    counts: np.ndarray,
    labels: np.ndarray,
    settings: Mapping[str, Any],
    marks: Sequence[str],
    bin_size: int,
    attend: Attend | None = None,
    attribute: Explanation | None = None,
    seed: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Measure what each condition changes in the calls and explanations of a model.

    Args:
        model: the model under test.
        counts: counts of the examples, int, shape (example, position, channel).
        labels: 0 or 1, shape (example,).
        settings, marks, bin_size: see `conditions`.
        attend: attention, for a network that has it.
        attribute: an attribution, for a network.
        seed: seed of all draws.
        report: called with the number of finished conditions and their total.

    Returns:
        A row per condition, and one of kind `seed` for a model of several replicates, which compares each replicate
        with all of them together. Columns, each a mean over the draws: condition, kind, mark, value; draws; reads (mean
        number of reads per example by which counts differ); auc with its interval (95 %, DeLong); accuracy and share_on
        of the calls; changed, the share of calls that differ from the undisturbed ones, with Wilson's interval (95 %)
        of a share of as many examples, as draws of one example are not independent; alpha_r and alpha_r_low, the median
        and the 10th percentile over examples and channels of Pearson's r of alpha with the undisturbed alpha, position
        by position, of the condition's mark or of all marks; alpha_top, the share of the 10 heaviest positions that
        stay; beta_top, the share of examples whose heaviest channel stays; attribution_r and attribution_r_low, as for
        alpha, but over all positions and channels of an example at once. Columns that do not apply are empty.
    """
    listed = conditions(settings, marks, bin_size)
    undisturbed = model.scores(counts)
    calls = undisturbed.joint > model.threshold
    attention = None if attend is None else attend(counts, 1.0)
    attribution = None if attribute is None else attribute(counts, 1.0)
    rows = []
    for number, condition in enumerate(listed, start=1):
        drawn = condition.draws(counts, settings["repeats"], seed)
        # A model that sees plain counts is not told the depth, so that both conditions of a share are one to it.
        kept = condition.kept if model.divides_by_depth else 1.0
        shape, joined = drawn.shape[:2], drawn.reshape(-1, *counts.shape[1:])
        row = {"condition": condition.text, "kind": condition.kind, "mark": condition.mark, "value": condition.value}
        row["draws"], row["reads"] = len(drawn), float(np.abs(drawn - counts).sum(axis=(2, 3)).mean())
        row |= _of_calls(model.probability(joined, kept).reshape(shape), calls, labels, model.threshold)
        if condition.kind == "none":
            row |= {"changed_low": None, "changed_high": None}  # nothing was tried
        if attend is not None and attention is not None:
            chosen = slice(None) if not condition.mark else [marks.index(condition.mark)]
            row |= _of_attention(attention, attend(joined, kept), shape, chosen)
        if attribute is not None and attribution is not None:
            maps = attribute(joined, kept).reshape(*shape, -1)
            row |= _of_correlation("attribution", pearson_by_row(attribution.reshape(len(counts), -1), maps))
        rows.append(row)
        if report:
            report(number, len(listed))
    if len(undisturbed.replicates) > 1:
        draws = len(undisturbed.replicates)
        row = {"condition": "another seed", "kind": "seed", "mark": "", "draws": draws, "reads": 0.0}
        rows.append(row | _of_calls(undisturbed.replicates, calls, labels, model.threshold))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _of_calls(scores: np.ndarray, calls: np.ndarray, labels: np.ndarray, threshold: float) -> dict[str, Any]:
    """Compare probabilities, shape (draw, example), with the undisturbed calls and the labels."""
    now = scores > threshold
    changed = float((now != calls).mean())
    low, high = share_interval(changed, len(calls))
    row = {"accuracy": float((now == (labels == 1)).mean()), "share_on": float(now.mean())}
    row |= {"changed": changed, "changed_low": low, "changed_high": high}
    if 0 < labels.sum() < len(labels):
        row |= zip(
            ("auc", "auc_low", "auc_high"),
            np.mean([auc_interval(labels, of_draw) for of_draw in scores], axis=0).tolist(),
            strict=True,
        )
    return row


def _of_attention(
    undisturbed: tuple[np.ndarray, np.ndarray | None],
    disturbed: tuple[np.ndarray, np.ndarray | None],
    shape: tuple[int, int],
    channels: slice | list[int],
) -> dict[str, float]:
    """Compare the attention of all draws, of shape (draw, example) in one axis, with the undisturbed one."""
    before, after = (np.moveaxis(alpha[..., channels], 2, 1) for alpha in (undisturbed[0], disturbed[0]))
    after = after.reshape(*shape, *after.shape[1:])
    row = _of_correlation("alpha", pearson_by_row(before, after).reshape(len(after), -1))
    both = _heaviest(before) & _heaviest(after)
    row["alpha_top"] = float(both.sum(axis=-1).mean() / min(TOP, both.shape[-1]))
    if undisturbed[1] is not None and disturbed[1] is not None:
        heaviest = disturbed[1].argmax(axis=1).reshape(shape)
        row["beta_top"] = float((heaviest == undisturbed[1].argmax(axis=1)).mean())
    return row


def _heaviest(weights: np.ndarray) -> np.ndarray:
    """Return which entries are among the heaviest of the last axis, bool."""
    chosen = np.zeros(weights.shape, dtype=bool)
    order = np.argsort(-weights, axis=-1, kind="stable")
    np.put_along_axis(chosen, order[..., :TOP], True, axis=-1)
    return chosen


def _of_correlation(name: str, r: np.ndarray) -> dict[str, float]:
    """Return the median and the 10th percentile of r, shape (draw, ...), as means over the draws."""
    known = [of_draw[~np.isnan(of_draw)] for of_draw in r]
    quantiles = [np.quantile(values, (0.5, 0.1)) for values in known if len(values)]
    if not quantiles:
        return {}
    median, low = np.mean(quantiles, axis=0)
    return {f"{name}_r": float(median), f"{name}_r_low": float(low)}
