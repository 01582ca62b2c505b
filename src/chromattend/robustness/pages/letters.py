"""The page of one network and set of sequences: the fewest letters that turn its predictions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import markupsafe
import pandas as pd

from chromattend.figures import title
from chromattend.pages import render, table_rows
from chromattend.pages.svg import element
from chromattend.robustness.pages import charts
from chromattend.robustness.pages.charts import percent
from chromattend.robustness.tables import letters_row, right

MOST_ROWS = 500


def write_page(
    path: str | Path,
    *,
    name: str,
    model: str,
    letters: pd.DataFrame,
    budget: int = 20,
    links: Sequence[tuple[str, str]] = (),
    command: str,
) -> None:
    """Write the page of one network and set of sequences.

    Args:
        path: the HTML file, beside letters.tsv.
        name: name of the set.
        model: name of the network.
        letters: content of letters.tsv.
        budget: largest number of letters that were changed.
        links: other pages: title and address.
        command: command that writes the page again.
    """
    called = right(letters)
    turned = called[called["changes"].notna()].sort_values("changes", kind="stable")
    rows = table_rows(turned.head(MOST_ROWS))
    for row in rows:
        row["marked"] = marked(str(row["edited"]), str(row["substitutions"] or ""))
    render(
        path,
        __package__,
        "letters.html",
        set=name,
        model=title(model),
        sentence=sentence(name, model, letters, budget),
        row=letters_row(letters),
        right=len(called),
        turned=len(turned),
        chart=charts.letters_chart(called["changes"], budget) if len(called) else None,
        rows=rows,
        exchanged=exchanges(turned),
        budget=budget,
        percent=percent,
        links=links,
        command=command,
    )


def sentence(name: str, model: str, letters: pd.DataFrame, budget: int) -> str:
    """Return what the page says first."""
    row = letters_row(letters)
    who = f"{title(model)} for {name}"
    if row["turned_within"] is None:
        return f"No prediction of {who} is right, so that none can be turned."
    if row["changes_median"] is None:
        turned = percent(row["turned_within"])
        return f"With up to {budget} changed letters, {turned} of the right predictions of {who} turn."
    number = int(row["changes_median"])
    return (
        f"Half of the right predictions of {who} turn with {number} of {row['length']:,} "
        f"letter{'' if row['length'] == 1 else 's'} changed."
    )


def substitutions_of(text: str) -> list[tuple[str, int, str]]:
    """Return old letter, position (from 1) and new letter of each substitution of a text such as `A12G,C40T`."""
    return [(part[0], int(part[1:-1]), part[-1]) for part in text.split(",") if part]


def marked(edited: str, substitutions: str) -> markupsafe.Markup:
    """Return a changed sequence with its substitutions as marked text, each with the letter that it replaces."""
    parts, last = [], 0
    for old, position, _ in sorted(substitutions_of(substitutions), key=lambda each: each[1]):
        parts.append(markupsafe.escape(edited[last : position - 1]))
        new = edited[position - 1 : position]
        parts.append(element("mark", new, title=f"{old}{position}{new}"))
        last = position
    return markupsafe.Markup("").join([*parts, markupsafe.escape(edited[last:])])


def exchanges(turned: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how often each letter is exchanged for each other, most often first, by direction."""
    rows = []
    for label, direction in ((1, "positive to negative"), (0, "negative to positive")):
        counts: dict[str, int] = {}
        for text in turned.loc[turned["label"] == label, "substitutions"].fillna(""):
            for old, _, new in substitutions_of(str(text)):
                counts[f"{old} → {new}"] = counts.get(f"{old} → {new}", 0) + 1
        total = sum(counts.values())
        for exchange, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:6]:
            rows.append({"direction": direction, "exchange": exchange, "count": count, "share": count / total})
    return rows
