"""Several models against the same edits: what fools one of them, does it fool another, and what fools two at once?"""

import itertools
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from chromattend.robustness.edits import Entries, Reads, Threat
from chromattend.robustness.fewest import Edited, fewest
from chromattend.robustness.objective import Turn
from chromattend.robustness.study import JOINER
from chromattend.robustness.subject import CountModel
from chromattend.robustness.worst_case import BOTH, DIRECTIONS, checked, confirmed, edit_summary
from chromattend.statistics import share

logger = logging.getLogger(__name__)

# Columns of `attack_together`.
TOGETHER = ["models", "threat", "direction", "genes", "turned", "low", "high", "median", "p10", "p90", "others_fooled"]


class EditedGenes(NamedTuple):
    """Examples that were edited to fool a model, see `WorstCase`.

    Attributes:
        counts: edited counts, shape (example, position, channel).
        turned: whether they turn the model's call, bool, shape (example,).
    """

    counts: np.ndarray
    turned: np.ndarray


def transfer(
    models: Mapping[str, CountModel],
    edited: Mapping[tuple[str, str], EditedGenes],
    counts: np.ndarray,
    labels: np.ndarray,
) -> pd.DataFrame:
    """Return how often edits that fool one model fool another that called the same example right.

    Args:
        models: name -> model, all of the same sample.
        edited: threat and name of a model -> what was edited to fool it.
        counts: the counts before the edits, shape (example, position, channel).
        labels: 0 or 1, shape (example,).

    Returns:
        A row per threat and ordered pair of models: threat, from_model, to_model, genes (turned for the first, and
        right for the second before), fooled (share), low, high (95 % interval).
    """
    right = {name: model.calls(counts) == (labels == 1) for name, model in models.items()}
    rows = []
    for (threat, source), (changed, turned) in edited.items():
        for name, model in models.items():
            if name == source:
                continue
            chosen = np.flatnonzero(turned & right[name])
            wrong = np.zeros(0, dtype=bool)
            if len(chosen):
                wrong = model.calls(changed[chosen]) != (labels[chosen] == 1)
            row = {"threat": threat, "from_model": source, "to_model": name, "genes": len(chosen)}
            rows.append(row | share("fooled", wrong))
    return pd.DataFrame(rows, columns=["threat", "from_model", "to_model", "genes", "fooled", "low", "high"])


def attack_together(
    models: Sequence[CountModel],
    others: Sequence[CountModel],
    counts: np.ndarray,
    labels: np.ndarray,
    reads: int,
    entries: int,
    ceilings: np.ndarray,
    margin: float = 0.0,
) -> tuple[pd.DataFrame, dict[str, EditedGenes]]:
    """Search for the least change that fools several networks at once, among the examples that all of them call right.

    Args:
        models: networks of the same sample.
        others: models that the same edits are shown to.
        counts: whole numbers from 0, shape (example, position, channel).
        labels: 0 or 1, shape (example,).
        reads, entries: budgets, see `WorstCaseOptions`.
        ceilings: see `ceilings_of`.
        margin: see `WorstCaseOptions`.

    Returns:
        A row per threat and direction (also both, with equal weights): models, threat, direction, genes, turned
        (share), low, high (95 % interval; empty for both), the quantiles median, p10 and p90 of the edits (empty
        beyond the budget), and others_fooled: share of the other models' right calls that the edits turn, too; and
        threat -> edited counts.

    Raises:
        UserError: counts are not whole numbers from 0 up, or sizes do not fit.
    """
    name = JOINER.join(model.name for model in models)
    counts = checked(name, counts, labels, ceilings, [str(number) for number in range(counts.shape[2])])
    on = labels == 1
    rows = np.flatnonzero(np.all([model.calls(counts) == on for model in models], axis=0))
    objective = Turn(models, on[rows], margin)
    threats: dict[str, tuple[Threat, int]] = {
        "reads": (Reads(np.ones(counts[0].size, dtype=bool)), reads),
        "entries": (Entries(np.tile(ceilings, counts.shape[1])), entries),
    }
    table, edited = [], {}
    for threat, (edits, budget) in threats.items():
        result = confirmed(models, fewest(objective, edits, counts[rows], budget), counts[rows], on[rows])
        logger.info("%s, %s: %d of %d calls turn", name, threat, result.reached.sum(), len(rows))
        fooled = [_fooled(other, counts[rows], result, on[rows]) for other in others]
        costs = np.where(result.reached, result.costs, np.nan)
        for direction, chosen in _directions(on[rows]).items():
            row: dict[str, Any] = {"models": name, "threat": threat, "direction": direction}
            row |= edit_summary([costs[part] for part in chosen])
            judged = np.concatenate([np.zeros(0), *(each[part] for each in fooled for part in chosen)])
            judged = judged[~np.isnan(judged)]
            table.append(row | {"others_fooled": float(judged.mean()) if len(judged) else np.nan})
        everything, turned = counts.copy(), np.zeros(len(counts), dtype=bool)
        everything[rows], turned[rows] = result.counts, result.reached
        edited[threat] = EditedGenes(everything, turned)
    return pd.DataFrame(table), edited


def attack_pairs(
    models: Mapping[str, CountModel],
    counts: np.ndarray,
    labels: np.ndarray,
    budgets: Mapping[str, Any],
    ceilings: np.ndarray,
) -> pd.DataFrame:
    """Attack every pair of networks at once, see `attack_together`.

    Args:
        models: name -> model, all of the same sample; those that are not networks only judge the edits.
        counts, labels, ceilings: see `attack_together`.
        budgets: reads, entries and margin, see `WorstCaseOptions`.

    Returns:
        The rows of all pairs; none with fewer than two networks.
    """
    networks = [name for name, model in models.items() if model.differentiable]
    tables = []
    for pair in itertools.combinations(networks, 2):
        others = [model for name, model in models.items() if name not in pair]
        limits = {name: budgets[name] for name in ("reads", "entries", "margin")}
        table, _ = attack_together([models[name] for name in pair], others, counts, labels, **limits, ceilings=ceilings)
        tables.append(table)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=TOGETHER)


def _directions(on: np.ndarray) -> dict[str, list[np.ndarray]]:
    """Return the groups of examples of each direction, bool; two for both directions together."""
    groups = {direction: on == positive for positive, direction in DIRECTIONS.items()}
    each = {direction: [group] for direction, group in groups.items()}
    return each | {BOTH: [group for group in groups.values() if group.any()]}


def _fooled(model: CountModel, counts: np.ndarray, edited: Edited, on: np.ndarray) -> np.ndarray:
    """Return 1 where a right call of another model turns, too, 0 where it does not, NaN where there is none."""
    asked = np.flatnonzero(edited.reached & (model.calls(counts) == on)) if len(counts) else np.zeros(0, dtype=int)
    fooled = np.full(len(counts), np.nan)
    if len(asked):
        fooled[asked] = model.calls(edited.counts[asked]) != on[asked]
    return fooled
