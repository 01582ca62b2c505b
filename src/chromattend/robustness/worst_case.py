"""The worst case of a model of counts: the least change of the reads that turns its calls."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from chromattend.errors import UserError
from chromattend.robustness.edits import AMOUNTS, Entries, Moves, Reads, Threat
from chromattend.robustness.factors import scale
from chromattend.robustness.fewest import Edited, fewest
from chromattend.robustness.objective import Turn
from chromattend.robustness.subject import CountModel, call_names
from chromattend.statistics import share

logger = logging.getLogger(__name__)

# From a positive (ON) call to a negative one, and back.
DIRECTIONS = {True: "ON to OFF", False: "OFF to ON"}
BOTH = "both"


@dataclass(frozen=True)
class WorstCaseOptions:
    """Limits of the worst case, as in the section `worst_case` of the configuration.

    Attributes:
        reads: most reads that are added and removed, or moved.
        entries: most entries (position and channel) that are set to 0 or their channel's ceiling.
        factors: factors by which every entry may change, up or down, in ascending order.
        marks: whether to edit each channel alone, too.
        margin: how far (logit) beyond the threshold an edited example must be.
    """

    reads: int = 500
    entries: int = 40
    factors: Sequence[float] = (1.05, 1.1, 1.2, 1.5, 2.0)
    marks: bool = True
    margin: float = 0.0


@dataclass(frozen=True)
class WorstCase:
    """Worst case of a model, for the examples whose calls are right; the numbers of edits are upper bounds.

    Attributes:
        examples: one row per example: label, score (probability), call, right, window_reads, and, empty where the call
            is wrong or does not turn within the budget: reads, reads_share (of window_reads), moves (reads moved to
            other positions of their channel), entries, factor (the smallest tested one that turns the call) and
            reads_<channel> (edits of this channel alone). Moves, factor and reads_<channel> need gradients, and are
            empty for models without.
        edits: threat (reads, entries), direction, mark, genes (number turned), added, removed (mean reads of the genes
            turned).
        factors: factor, genes, turned (share), low, high (95 % interval); without rows for models without gradients.
        reads, entries: edited counts, int32, shape (example, position, channel); the original ones where the call does
            not turn.
        reads_turned, entries_turned: whether it turns, bool, shape (example,).
        scaled: factor -> edited counts of all examples, int32; the original ones where the call does not turn.
        searched: columns of `examples` that were searched for, such as reads.
    """

    examples: pd.DataFrame
    edits: pd.DataFrame
    factors: pd.DataFrame
    reads: np.ndarray
    entries: np.ndarray
    reads_turned: np.ndarray
    entries_turned: np.ndarray
    scaled: Mapping[float, np.ndarray]
    searched: tuple[str, ...]


def ceilings_of(counts: np.ndarray) -> np.ndarray:
    """Return the largest whole number that the worst case sets an entry of each channel to, shape (channel,).

    It is the 99.9 % quantile of the training examples, rounded up: within the range of the data, but not its extreme.

    Args:
        counts: of the training examples, shape (example, position, channel).
    """
    return np.ceil(np.quantile(counts, 0.999, axis=(0, 1))).astype(np.int64)


def worst_case(
    model: CountModel,
    counts: np.ndarray,
    labels: np.ndarray,
    options: WorstCaseOptions,
    ceilings: np.ndarray,
    channels: Sequence[str],
    report: Callable[[int, int], None] | None = None,
) -> WorstCase:
    """Search for the least change of the reads that turns each right call.

    Models with gradients are searched by them. Others are searched by their scores alone (reads and entries): every
    entry is tried with growing numbers of reads, since the scores of a forest seldom move for a single one.

    Args:
        model: the model.
        counts: whole numbers from 0, shape (example, position, channel).
        labels: 0 or 1, shape (example,).
        options: budgets.
        ceilings: see `ceilings_of`.
        channels: names of the channels.
        report: called with the numbers of finished and of all searches for an example.

    Raises:
        UserError: counts are not whole numbers from 0 up, or sizes do not fit.
    """
    counts = checked(model.name, counts, labels, ceilings, channels)
    calls = model.calls(counts)
    right = calls == (labels == 1)
    rows = np.flatnonzero(right)
    logger.info("%s: %d of %d calls are right", model.name, len(rows), len(counts))
    objective = Turn([model], calls[rows], options.margin)
    everywhere = np.ones(counts[0].size, dtype=bool)
    amounts = (1,) if model.differentiable else AMOUNTS
    threats: dict[str, tuple[Threat, int]] = {
        "reads": (Reads(everywhere, amounts), options.reads),
        "entries": (Entries(np.tile(ceilings, counts.shape[1])), options.entries),
    }
    if model.differentiable:
        threats["moves"] = (Moves(len(channels)), options.reads)
        if options.marks:
            names = np.tile(np.arange(len(channels)), counts.shape[1])
            threats |= {f"reads_{name}": (Reads(names == i), options.reads) for i, name in enumerate(channels)}
    total = len(rows) * len(threats)
    results: dict[str, Edited] = {}
    for number, (name, (threat, budget)) in enumerate(threats.items()):

        def progress(done: int, of: int, before: int = number) -> None:
            if report:
                report(before * of + done, total)

        results[name] = confirmed(
            [model], fewest(objective, threat, counts[rows], budget, progress), counts[rows], calls[rows]
        )
        logger.info(
            "%s, %s: %d of %d calls turn within %d", model.name, name, results[name].reached.sum(), len(rows), budget
        )
    # An edit of one mark, or of moves alone, is one of reads, too, and can need fewer than the greedy search of all.
    narrow = [result for name, result in results.items() if name not in ("reads", "entries")]
    results["reads"] = _fewer(results["reads"], narrow, counts[rows], options.reads)
    reads, entries = results["reads"], results["entries"]
    scaled, turned = _scaled(model, objective, counts, rows, calls, options.factors)
    table = pd.DataFrame(
        {
            "label": labels,
            "score": model.probability(counts),
            "call": call_names(calls),
            "right": right,
            "window_reads": counts.sum(axis=(1, 2)),
        }
    )
    searched = {name: _spread(result.costs, result.reached, rows, len(counts)) for name, result in results.items()}
    nothing = np.full(len(counts), np.nan)
    table["reads"] = searched["reads"]
    table["reads_share"] = table["reads"] / table["window_reads"]
    table["moves"] = searched.get("moves", nothing)
    table["entries"] = searched["entries"]
    table["factor"] = nothing
    for factor in reversed(turned):
        table.loc[rows[turned[factor]], "factor"] = factor
    if options.marks:
        for name in channels:
            table[f"reads_{name}"] = searched.get(f"reads_{name}", nothing)
    edits = {"reads": reads, "entries": entries}
    return WorstCase(
        table,
        edit_table(edits, counts[rows], calls[rows], channels),
        pd.DataFrame(
            [{"factor": factor, "genes": len(rows)} | share("turned", reached) for factor, reached in turned.items()],
            columns=["factor", "genes", "turned", "low", "high"],
        ),
        _among(counts, rows, reads.counts),
        _among(counts, rows, entries.counts),
        _among(np.zeros(len(counts), dtype=bool), rows, reads.reached),
        _among(np.zeros(len(counts), dtype=bool), rows, entries.reached),
        scaled,
        tuple(results),
    )


def _fewer(reads: Edited, others: Sequence[Edited], counts: np.ndarray, budget: int) -> Edited:
    """Return for each example the edit that adds and removes fewest reads, within the budget."""
    best, reached, costs = reads.counts.copy(), reads.reached.copy(), reads.costs.copy()
    for other in others:
        cost = np.abs(other.counts - counts).sum(axis=(1, 2))
        better = other.reached & (cost <= budget) & (~reached | (cost < costs))
        best[better], costs[better] = other.counts[better], cost[better]
        reached |= better
    return Edited(best, reached, costs)


def checked(
    name: str, counts: np.ndarray, labels: np.ndarray, ceilings: np.ndarray, channels: Sequence[str]
) -> np.ndarray:
    """Return counts as int64, after checking them.

    Raises:
        UserError: see `worst_case`.
    """
    whole = np.asarray(counts).astype(np.int64)
    if not ((whole == counts).all() and (whole >= 0).all()):
        raise UserError(f"{name}: counts are not whole numbers from 0, and only whole reads can be edited; give counts")
    if len(labels) != len(whole):
        raise UserError(f"{name}: {len(labels)} labels for {len(whole)} genes; give one label per gene")
    if not len(ceilings) == len(channels) == whole.shape[2]:
        raise UserError(
            f"{name}: {len(channels)} names and {len(ceilings)} ceilings for {whole.shape[2]} marks; give one per mark"
        )
    return whole


def confirmed(models: Sequence[CountModel], edited: Edited, original: np.ndarray, calls: np.ndarray) -> Edited:
    """Return edits as far as the models' calls confirm that they turn; others are undone.

    Args:
        models: models whose calls are to turn.
        edited: what the search ended with.
        original: counts before the edits.
        calls: calls before the edits, bool, shape (example,).
    """
    turned = edited.reached.copy()
    for model in models:
        turned &= model.calls(edited.counts) != calls
    return Edited(np.where(turned[:, None, None], edited.counts, original), turned, np.where(turned, edited.costs, 0))


def edit_table(
    edits: Mapping[str, Edited], original: np.ndarray, calls: np.ndarray, channels: Sequence[str]
) -> pd.DataFrame:
    """Return the mean edits by threat, direction and channel, see `WorstCase.edits`."""
    rows = []
    for threat, edited in edits.items():
        difference = edited.counts - original
        for on, direction in DIRECTIONS.items():
            turned = edited.reached & (calls == on)
            added, removed = (
                np.maximum(sign * difference[turned], 0).sum(axis=(0, 1)) / max(turned.sum(), 1) for sign in (1, -1)
            )
            for channel, name in enumerate(channels):
                mean = (added[channel], removed[channel]) if turned.any() else (np.nan, np.nan)
                rows.append((threat, direction, name, int(turned.sum()), *mean))
    return pd.DataFrame(rows, columns=["threat", "direction", "mark", "genes", "added", "removed"])


def summary(examples: pd.DataFrame, threats: Sequence[str]) -> pd.DataFrame:
    """Summarise the edits that turn right calls, by direction and, with equal weights of the directions, of both.

    Args:
        examples: see `WorstCase.examples`.
        threats: columns to summarise, see `WorstCase.searched`.

    Returns:
        threat, direction (also `both`), genes (with right calls), turned (share), low, high (95 % interval; empty for
        both), and the quantiles median, p10, p90 of the edits of all of these genes: empty where they exceed the
        budget.
    """
    right = examples[examples["right"]]
    rows = []
    for threat in threats:
        groups = [right.loc[right["call"] == ("ON" if on else "OFF"), threat] for on in DIRECTIONS]
        for direction, group in zip(DIRECTIONS.values(), groups, strict=True):
            rows.append({"threat": threat, "direction": direction} | edit_summary([group.to_numpy(dtype=float)]))
        values = [group.to_numpy(dtype=float) for group in groups if len(group)]
        rows.append({"threat": threat, "direction": BOTH} | edit_summary(values))
    return pd.DataFrame(rows)


def edit_summary(groups: Sequence[np.ndarray]) -> dict[str, float]:
    """Return number, share turned and quantiles of edits of groups of genes that weigh equally; NaN is not turned."""
    values = np.concatenate([np.zeros(0), *groups])
    weights = np.concatenate([np.zeros(0), *(np.full(len(group), 1 / max(len(group), 1)) for group in groups)])
    turned = ~np.isnan(values)
    result: dict[str, float] = {"genes": len(values)} | share("turned", turned)
    if len(groups) > 1:
        result |= {"turned": float((weights * turned).sum() / weights.sum()), "low": np.nan, "high": np.nan}
    values = np.where(turned, values, np.inf)
    for name, q in (("median", 0.5), ("p10", 0.1), ("p90", 0.9)):
        quantile = np.quantile(values, q, weights=weights, method="inverted_cdf") if len(values) else np.nan
        result[name] = float(quantile) if np.isfinite(quantile) else np.nan
    return result


def _scaled(
    model: CountModel,
    objective: Turn,
    counts: np.ndarray,
    rows: np.ndarray,
    calls: np.ndarray,
    factors: Sequence[float],
) -> tuple[dict[float, np.ndarray], dict[float, np.ndarray]]:
    """Return the edited counts of each factor, and which of the rows they turn."""
    if not model.differentiable:
        return {}, {}
    edited, turned = {}, {}
    for factor, changed, reached in zip(factors, *scale(objective, counts[rows], factors), strict=True):
        result = confirmed(
            [model], Edited(changed, reached, np.zeros(len(rows), dtype=np.int64)), counts[rows], calls[rows]
        )
        edited[factor], turned[factor] = _among(counts, rows, result.counts), result.reached
        logger.info("%s, factor %g: %d of %d calls turn", model.name, factor, result.reached.sum(), len(rows))
    return edited, turned


def _spread(costs: np.ndarray, reached: np.ndarray, rows: np.ndarray, total: int) -> np.ndarray:
    """Return costs of some rows as a column of all, empty where not reached."""
    column = np.full(total, np.nan)
    column[rows[reached]] = costs[reached]
    return column


def _among(everything: np.ndarray, rows: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return an array with some of its rows replaced; counts as int32."""
    result = everything.copy()
    result[rows] = part
    return result if result.dtype == bool else result.astype(np.int32)
