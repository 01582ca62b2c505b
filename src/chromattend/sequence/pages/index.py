"""The index of all sets of sequences: one self-contained HTML file with links to their dashboards."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from chromattend.figures import look
from chromattend.models.registry import REGISTRY, in_order
from chromattend.pages import render, table_rows
from chromattend.sequence.pages.dashboard import ROUTES, without_own
from chromattend.sequence.views import recommended


def index_values(
    auc: pd.DataFrame, motifs: pd.DataFrame, sets: Mapping[str, Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Collect the contents of the index.

    Args:
        auc: one row per set and model: set, model, auc, auc_low, auc_high (test), valid_auc (missing without
            validation sequences).
        motifs: one row per set and explained network, see `write_index`.
        sets: see `write_index`.

    Returns:
        Models with id, title, look and floor; and sets, best AUC first, with what the table shows of them.
    """
    order = in_order(auc["model"])
    models = [
        {
            "id": str(model),
            "title": REGISTRY[model].title,
            "look": look(model),
            "floor": REGISTRY[model].kind == "baseline",
        }
        for model in order
    ]
    rows = []
    for name, facts in sets.items():
        own: Any = auc[auc["set"] == name].set_index("model")
        explained = motifs[motifs["set"] == name].set_index("model")
        # Of the explained models, the one with the highest AUC tells what was learned, as on the dashboard.
        explained = explained.loc[[model for model in explained.index if model in own.index]]
        told = max(explained.index, key=lambda model: own.loc[model, "auc"], default=None)
        learned = without_own(table_rows(explained.loc[[told]])[0]) if told is not None else {}
        floors = [own.loc[model, "auc"] for model in own.index if REGISTRY[model].kind == "baseline"]
        rows.append(
            dict(facts)
            | {
                "set": name,
                "aucs": {
                    str(model): [float(own.loc[model, key]) for key in ("auc", "auc_low", "auc_high")]
                    for model in order
                    if model in own.index
                },
                "best": str(own["auc"].idxmax()),
                "best_auc": float(own["auc"].max()),
                "floor": float(max(floors)) if floors else None,
                "told": REGISTRY[told].title if told is not None else None,
                "learned": learned,
            }
        )
    return models, sorted(rows, key=lambda row: -row["best_auc"])


def ticks_of(low: float, high: float, most: int = 6) -> list[float]:
    """Return round values between two AUCs, at most `most` of them."""
    steps = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
    step = next((step for step in steps if (high - low) / step <= most - 1), steps[-1])
    first = -int(-low // step) if low % step else int(low // step)
    count = int((high - first * step) / step + 1e-9) + 1
    return [round((first + number) * step, 3) for number in range(count)]


def write_index(
    path: str | Path,
    *,
    auc: pd.DataFrame,
    motifs: pd.DataFrame,
    sets: Mapping[str, Mapping[str, Any]],
    links: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the index of all sets.

    Args:
        path: the HTML file, next to the folders of the sets.
        auc: see `index_values`.
        motifs: one row per set and explained model, that of its recommended route: set, model, sentence, entry, name,
            family, own_entry, own_rank, own_q, own_e, recovered; without rows if no model was explained.
        sets: set -> tf, group, colour, positives (number of bound sequences) and notes (number of notes on its data).
        links: other pages: title and address.
    """
    models, rows = index_values(auc, motifs, sets)
    low, high = float(auc["auc"].min()), float(auc["auc"].max())
    margin = 0.03 * (high - low) or 0.01
    render(
        path,
        __package__,
        "index.html",
        models=models,
        sets=rows,
        limits=(low - margin, high + margin),
        ticks=ticks_of(low, high),
        # A column that repeats the names of the sets would only take room.
        factors=any(row["tf"] != row["set"] for row in rows),
        explained=bool(len(motifs)),
        route=" or ".join(dict.fromkeys(ROUTES[recommended(str(model))] for model in motifs["model"])),
        links=links,
    )
