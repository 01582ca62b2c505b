"""Tables over all sets of the study."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from chromattend.models.registry import REGISTRY
from chromattend.sequence.views import FILTERS, RECOMMENDED

MEASURES = ("auc", "auc_low", "auc_high", "aupr", "base_rate", "accuracy", "f1", "brier", "n", "n_on", "note")

# Columns of the tables of a network, see `chromattend.sequence.routes.Routes` and `trust_table` in `trust`.
MOTIFS = [
    *(
        "route",
        "motif",
        "consensus",
        "sites",
        "control",
        "control_p",
        "seconds",
        "entry",
        "name",
        "family",
        "p",
        "e",
        "q",
    ),
    *("own_entry", "own_rank", "own_q", "own_e", "recovered", "sentence"),
]
TRUST = [
    *("view", "measure", "sequences", "area", "random", "difference", "low", "high"),
    *("gc", "gc_difference", "gc_low", "gc_high"),
    *("planted", "similarity", "incomplete", "learned", "trustworthy"),
]


def auc_table(metrics: Mapping[tuple[str, str], Mapping[str, Mapping[str, Any]]]) -> pd.DataFrame:
    """Return the test metrics of every set and model.

    Args:
        metrics: (set, model) -> see `chromattend.evaluate.metrics`.

    Returns:
        Columns set, model, kind (network or baseline), valid_auc, and `MEASURES` of the test part. The validation part
        is another population than a given test part, so its AUC does not estimate the test AUC.
    """
    rows = []
    for (name, model), by_split in metrics.items():
        test = by_split["test"]
        valid = by_split.get("valid", {}).get("auc")
        kind = REGISTRY[model].kind
        rows.append(
            {"set": name, "model": model, "kind": kind, "valid_auc": valid} | {key: test[key] for key in MEASURES}
        )
    return pd.DataFrame(rows, columns=["set", "model", "kind", "valid_auc", *MEASURES])


def of_networks(
    networks: Sequence[tuple[str, str]], tables: Iterable[pd.DataFrame], columns: Sequence[str]
) -> pd.DataFrame:
    """Join a table, with the given columns, of each network of each set; the first columns are set and model."""
    joined = [
        table.assign(set=name, model=model)[["set", "model", *table.columns]]
        for (name, model), table in zip(networks, tables, strict=True)
    ]
    return pd.concat(joined, ignore_index=True) if joined else pd.DataFrame(columns=["set", "model", *columns])


def main_motifs(views: pd.DataFrame) -> pd.DataFrame:
    """Return the row of each network that names its motif: of the recommended route, or else of its first one.

    Args:
        views: see `views_table`.
    """
    rows = views[views["route"] != FILTERS]
    order = (rows["route"] != RECOMMENDED).sort_values(kind="stable").index
    return rows.loc[order].drop_duplicates(["set", "model"]).sort_index()


def views_table(motifs: pd.DataFrame) -> pd.DataFrame:
    """Return the first motif of every route of every network, which the route's verdict is about.

    Args:
        motifs: see `of_networks` and `chromattend.sequence.routes.Routes`.
    """
    return motifs.drop_duplicates(["set", "model", "route"], ignore_index=True)
