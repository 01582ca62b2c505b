"""Tables over all sets of the track graphs."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from chromattend.graphs.controls import replication

REPLICATION = ("estimator", "set", "other", "edges", "other_edges", "same_sign", "opposite_sign", "r")


def sets_table(summaries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per set and estimator, from the contents of `summary.json`.

    Returns:
        set, estimator, contexts, variables, fewest_samples, lambda and its rule, the number of edges of each class, the
        mean number of specific edges and differences after samples were shuffled between contexts (specific_null and
        difference_null), and verdict.
    """
    rows = []
    for summary in summaries:
        null = summary.get("null") or {}
        rows.append(
            {
                "set": summary["set"],
                "estimator": summary["estimator"],
                "contexts": len(summary["contexts"]),
                "variables": summary["variables"],
                "fewest_samples": min(context["samples"] for context in summary["contexts"]),
                "lambda": summary["lambda"]["value"],
                "rule": summary["lambda"]["rule"] or "fdr",
                **summary["counts"],
                **{f"{name}_null": (null.get(name) or {}).get("mean") for name in ("specific", "difference")},
                "verdict": summary["verdict"],
            }
        )
    return pd.DataFrame(rows)


def replication_table(
    edges: Mapping[tuple[str, str], pd.DataFrame], comparable: Sequence[Sequence[str]]
) -> pd.DataFrame:
    """Compare the differences of every two sets with the same variables and contexts, by `controls.replication`.

    Args:
        edges: (set, estimator of differences) -> its table of edges.
        comparable: groups of sets that can be compared.

    Returns:
        Columns `REPLICATION`: numbers of differences of both sets, of those in both with the same and with opposite
        signs, and r of the weights of those in both.
    """
    rows = []
    for estimator in dict.fromkeys(estimator for _, estimator in edges):
        for sets in comparable:
            for one, other in combinations([each for each in sets if (each, estimator) in edges], 2):
                result = replication(edges[one, estimator], edges[other, estimator])
                rows.append(
                    (estimator, one, other, result.first, result.second, len(result.both), result.opposite, result.r)
                )
    return pd.DataFrame(rows, columns=list(REPLICATION))


def replicates(edges: Mapping[str, pd.DataFrame], others: Mapping[str, Sequence[pd.DataFrame]]) -> pd.DataFrame | None:
    """Count for every difference of a set how many other sets have it with the same sign.

    Args:
        edges: estimator -> table of edges of the set.
        others: estimator -> tables of edges of the other sets with the same variables and contexts.

    Returns:
        Columns estimator, node1, node2, same_sign, sets (number of other sets); None for a single set.
    """
    tables = []
    for estimator, table in edges.items():
        if not others.get(estimator):
            continue
        same = np.zeros(len(table), dtype=int)
        sign = table[["node1", "node2"]].assign(sign=np.sign(table["weight"]))
        for other in others[estimator]:
            signs = other[["node1", "node2"]].assign(other=np.sign(other["weight"]))
            both = sign.merge(signs, on=["node1", "node2"], how="left")
            same += (both["sign"] == both["other"]).to_numpy(dtype=int)
        tables.append(
            table[["node1", "node2"]].assign(estimator=estimator, same_sign=same, sets=len(others[estimator]))
        )
    return pd.concat(tables, ignore_index=True) if tables else None
