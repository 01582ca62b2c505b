"""The index of all sets of contexts: one self-contained HTML file with links to their pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from chromattend.graphs.pages import charts
from chromattend.graphs.study import ABOVE_CHANCE
from chromattend.pages import render


def write_index(
    path: str | Path,
    *,
    sets: Mapping[str, Sequence[Mapping[str, Any]]],
    links: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the index of all sets.

    Args:
        path: the HTML file, next to the folders of the sets.
        sets: set -> contents of the summary.json of its estimators, the main one first.
        links: other pages: title and address.
    """
    rows = []
    for name, summaries in sets.items():
        main = summaries[0]
        sizes = [context["samples"] for context in main["contexts"]]
        rows.append(
            {
                "set": name,
                "main": main,
                "smallest": min(sizes),
                "largest": max(sizes),
                "difference": next((each for each in summaries if each["difference"] and not each["baseline"]), None),
                "warnings": len({text for each in summaries for text in each["warnings"]}),
            }
        )
    render(
        path,
        __package__,
        "index.html",
        sets=rows,
        count=charts.count,
        chart=charts.sets_chart(null_rows(sets)) if null_rows(sets) else None,
        links=links,
    )


def null_rows(sets: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the counts that chance can explain: specific edges and differences of every set, baselines left out.

    Args:
        sets: see `write_index`.

    Returns:
        set, noun, observed, mean and max of the permutations, and whether the count is above chance.
    """
    rows = []
    for name, summaries in sets.items():
        for summary in summaries:
            kind = "difference" if summary["difference"] else "specific"
            null = (summary.get("null") or {}).get(kind)
            if summary["baseline"] or not null or len(summary["contexts"]) < 2:
                continue
            noun = f"{summary['title']}{'' if kind == 'difference' else ', specific'}"
            observed = summary["counts"][kind]
            rows.append({"set": name, "noun": noun, "observed": observed, "mean": null["mean"], "max": null["max"]})
            rows[-1]["above"] = null.get("p", 1) <= ABOVE_CHANCE
    return rows
