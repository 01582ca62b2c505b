"""Tables over all sets of the track graphs."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd


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
