"""The index of the track: links to all its pages, with the figures that matter most of each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd

from chromattend.figures import title
from chromattend.pages import embed_svg, render, table_rows
from chromattend.robustness.pages.charts import percent
from chromattend.robustness.study import ALL, CONTROL, LEGITIMATE
from chromattend.robustness.tables import letters_row

# Figures of the index by the names of their files, and their labels and captions.
FIGURES = {
    "reads": (
        "Share of the right calls that turn over the reads changed, by model",
        "Share of the right calls that turn, over the reads changed as share of the window's reads. Dotted: certified "
        "reads.",
    ),
    "depth": (
        "AUC, calls kept{alpha} over the share of the reads kept, by model",
        "What is left with fewer reads: {left}.",
    ),
    "conditions": ("Calls changed by every condition and model", "Share of calls that each condition changes."),
    "marks": ("Reads added to and removed from each mark", "Reads that the worst case adds and removes, by direction."),
}


def write_index(
    path: str | Path,
    *,
    chromatin: pd.DataFrame | None = None,
    images: Sequence[Mapping[str, Any]] = (),
    sequences: Sequence[Mapping[str, Any]] = (),
    figures: Mapping[str, Path] | None = None,
    links: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the index of the track.

    Args:
        path: the HTML file, beside the folders chromatin, images and sequence.
        chromatin: see `chromattend.robustness.tables.study_table`; None without epigenomes.
        images: a row per set, see `images_row`.
        sequences: a row per set and network, see `sequence_row`.
        figures: SVG files to embed, by names of `FIGURES`.
        links: other pages: title and address.
    """
    rows = table_rows(chromatin) if chromatin is not None else []
    for row in rows:
        row["address"] = f"chromatin/{quote(row['epigenome'])}/{quote(row['model'])}/report.html"
    attention = any(row["alpha_r_redraw"] is not None for row in rows)
    alpha = " and r of alpha" if attention else ""
    left = "AUC, calls, and attention" if attention else "AUC and calls"
    render(
        path,
        __package__,
        "index.html",
        chromatin=rows,
        images=images,
        sequences=sequences,
        sentence=sentence(rows, images),
        figures=[
            (
                embed_svg(file.read_text(encoding="utf-8"), f"figure-{name}", FIGURES[name][0].format(alpha=alpha)),
                FIGURES[name][1].format(left=left),
            )
            for name, file in (figures or {}).items()
        ],
        attention=attention,
        title=title,
        percent=percent,
        links=links,
    )


def sentence(chromatin: Sequence[Mapping[str, Any]], images: Sequence[Mapping[str, Any]]) -> str:
    """Return what the index says first."""
    said = []
    known = [row for row in chromatin if row["reads_median"] is not None]
    if known:
        least, most = (each(known, key=lambda row: row["reads_median"]) for each in (min, max))
        said.append(f"Half of the right calls turn with {least['reads_median']:,.0f} reads for {_who(least)}.")
        above = [row for row in chromatin if row["reads_median"] is None and row["turned_within"] is not None]
        if above:
            said.append(f"Fewer than half of those of {_who(above[0])} turn within {above[0]['budget']:,.0f}.")
        elif most is not least:
            said.append(f"{_who(most)} needs most, {most['reads_median']:,.0f}.")
    redrawn = [row for row in chromatin if row["redraw_changed"] is not None]
    if redrawn:
        worst = max(redrawn, key=lambda row: row["redraw_changed"])
        ends = f", most in {_who(worst)}" if len(redrawn) > 1 and worst["redraw_changed"] else ""
        said.append(f"One Poisson redraw changes at most {percent(worst['redraw_changed'])} of the calls{ends}.")
    adaptive = [row for row in images if row["undetected"] is not None]
    if adaptive:
        worst = max(adaptive, key=lambda row: row["undetected"])
        said.append(
            f"An attack that knows the detector of {worst['images']} gets {percent(worst['undetected'])} of the images "
            "past it."
        )
    return " ".join(said)


def _who(row: Mapping[str, Any]) -> str:
    return f"{title(row['model'])} in {row['epigenome']}"


def images_row(
    images: str,
    metrics: Mapping[str, Any],
    attacks: pd.DataFrame,
    detection: pd.DataFrame,
    adaptive: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """Return the row of a set of images.

    Args:
        images: name of the set.
        metrics: content of metrics.json.
        attacks, detection, adaptive: contents of the tables of these names; the main detector is the last one before
            the control.

    Returns:
        images, address, accuracy, runs (number of attacks), strongest and success (title and success of the attack that
        succeeds most), detector, detected, auc and false_positives of the main detector, least and least_detected (the
        attack that it detects least), and undetected (share of images that an attack that knows the detector gets past
        it); None where a table does not say.
    """
    row: dict[str, Any] = {"images": images, "address": f"images/{quote(images)}/report.html"}
    row |= {"accuracy": metrics.get("accuracy"), "runs": len(attacks)}
    row |= dict.fromkeys(("strongest", "success", "detector", "detected", "auc", "false_positives"))
    row |= dict.fromkeys(("least", "least_detected", "undetected"))
    if attacks["success"].notna().any():
        best = attacks.loc[attacks["success"].idxmax()]
        target = "" if pd.isna(best["target"]) or not best["target"] else f", {best['target']}"
        row |= {"strongest": f"{best['title']}{target}", "success": float(best["success"])}
    if len(detection):
        # After all detectors comes their control.
        squeezing = detection.loc[detection["detector"] != CONTROL, "detector"]
        row["detector"] = str(squeezing.iloc[-1] if len(squeezing) else CONTROL)
        main = detection[detection["detector"] == row["detector"]].set_index("attack")
        if ALL in main.index:
            row |= {"detected": _number(main.loc[ALL, "detected"]), "auc": _number(main.loc[ALL, "auc"])}
        if LEGITIMATE in main.index:
            row["false_positives"] = _number(main.loc[LEGITIMATE, "detected"])
        runs = main.drop(index=[ALL, LEGITIMATE], errors="ignore")["detected"].dropna()
        if len(runs):
            row |= {"least": str(runs.idxmin()), "least_detected": float(runs.min())}
    if adaptive is not None and len(adaptive):
        row["undetected"] = float((adaptive["success"].astype(bool) & adaptive["undetected"].astype(bool)).mean())
    return row


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)


def sequence_row(name: str, model: str, letters: pd.DataFrame) -> dict[str, Any]:
    """Return the row of a set of sequences and a network: set, model, address, see `letters_row` for the others."""
    address = f"sequence/{quote(name)}/{quote(model)}/report.html"
    return {"set": name, "model": model, "address": address} | letters_row(letters)
