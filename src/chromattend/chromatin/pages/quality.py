"""The page on the quality of the data."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from chromattend.chromatin.figures import plot_depth
from chromattend.chromatin.quality import CHECKS, EPIGENOME_COLUMNS, MARK_COLUMNS
from chromattend.figures import inline_svg
from chromattend.pages import file_name, render, table_rows

# A path or URL with folders, within a text.
_PATH = re.compile(r"(?:\w+:/{0,2})?(?:/[^\s/:,;()]+){2,}")


def warning_rows(warnings: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of `chromattend.chromatin.quality.warnings_table` for a page.

    Each has its value as `shown`, and `brief`, the advice with names of files in place of their paths.
    """
    by_name = {check.what: check for check in CHECKS}
    rows = warnings.fillna({"mark": ""}).to_dict("records")
    return [
        {str(name): value for name, value in row.items()}
        | {
            "shown": by_name[row["what"]].shown(row["value"]),
            "brief": _PATH.sub(lambda path: file_name(path[0]), row["advice"]),
        }
        for row in rows
    ]


def write_quality_page(
    path: str | Path,
    *,
    quality: pd.DataFrame,
    warnings: pd.DataFrame,
    sources: pd.DataFrame,
    names: Mapping[str, str],
    split_rule: str,
) -> None:
    """Write the page on the quality of the data.

    Args:
        path: the HTML file.
        quality: see `quality_table`, of all epigenomes.
        warnings: see `warnings_table`.
        sources: see `sources_table`, of all epigenomes.
        names: epigenome -> name.
        split_rule: how genes were split.
    """
    # Rare warnings come before warnings that the design of the study gives to every epigenome.
    frequency = warnings["what"].value_counts()
    ordered = warnings.sort_values("what", key=lambda what: what.map(frequency), kind="stable")
    render(
        path,
        __package__,
        "quality.html",
        warnings=warning_rows(ordered),
        warned=warnings["epigenome"].nunique(),
        checks=[
            (
                check,
                int((warnings["what"] == check.what).sum()),
                warnings.loc[warnings["what"] == check.what, "epigenome"].nunique(),
            )
            for check in CHECKS
        ],
        marks=table_rows(quality[MARK_COLUMNS]),
        epigenomes=table_rows(quality.drop_duplicates("epigenome")[["epigenome", *EPIGENOME_COLUMNS]]),
        sources=sources.fillna("").to_dict("records"),
        depth=inline_svg(plot_depth(quality), "depth", "Mean depth per bin by epigenome and mark"),
        names=names,
        split_rule=split_rule,
    )
