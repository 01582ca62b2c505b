"""Small charts of the pages as SVG elements: drawn once, in the page's colours, light or dark, without a script."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import markupsafe
import numpy as np
import pandas as pd

from chromattend.pages.svg import element, picture
from chromattend.robustness.tables import right, voted_right

WIDTH = 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 16, 12, 40
# Class of the line, direction and label, in the order in which they are drawn.
DIRECTIONS = (("on", "ON to OFF", 1), ("off", "OFF to ON", 0))
# Class of the line, column and title of what is drawn over the depth.
OVER_DEPTH = (("calls", "kept", "calls kept"), ("auc", "auc", "AUC"), ("alpha", "alpha_r", "r of alpha"))


def percent(share: float, digits: int = 0) -> str:
    """Return a share as text in per cent, with digits that a small share needs."""
    value = 100 * share
    if value and abs(value) < 10 and digits == 0:
        digits = 1
    return f"{value:.{digits}f}\u00a0%"


def _text(content: str, x: float, y: float, anchor: str = "middle", kind: str = "tick") -> markupsafe.Markup:
    return element("text", content, class_=kind, x=float(x), y=float(y), text_anchor=anchor)


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> markupsafe.Markup:
    return element("line", class_=kind, x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2))


def _curve(kind: str, points: Sequence[tuple[float, float]]) -> markupsafe.Markup:
    return element("polyline", class_=f"curve {kind}", points=" ".join(f"{x:.1f},{y:.1f}" for x, y in points))


def _apart(wanted: Sequence[float], least: float, high: float) -> list[float]:
    """Return positions at least a distance apart, near the wanted ones and not beyond the end of the axis."""
    order = np.argsort(wanted)
    places = np.array(wanted, dtype=float)[order]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + least)
    limit = high
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], limit)
        limit = places[index] - least
    back = np.empty(len(places))
    back[order] = places
    return back.tolist()


def depth_chart(noise: pd.DataFrame, kind: str, low: float) -> markupsafe.Markup | None:
    """Draw AUC, calls kept and r of alpha over the share of the reads that is kept, with 95 % intervals.

    Args:
        noise: content of noise.tsv.
        kind: keep or keep_old_depth.
        low: lower end of the axis of values.

    Returns:
        None if the kind was not run.
    """
    rows = noise[noise["kind"] == kind].sort_values("value", ascending=False)
    start = noise[noise["kind"] == "none"]
    if rows.empty or start.empty:
        return None
    table = pd.concat([start.assign(value=1.0), rows], ignore_index=True)
    table["kept"], table["kept_low"], table["kept_high"] = (
        1 - table[column] for column in ("changed", "changed_high", "changed_low")
    )
    height, bottom, end = 290, 290 - _BOTTOM, WIDTH - 88
    least = math.log(float(table["value"].min()))

    def x(value: float) -> float:
        return _LEFT + math.log(value) / least * (end - _LEFT)

    def y(value: float) -> float:
        return bottom - (min(max(value, low), 1) - low) / (1 - low) * (bottom - _TOP)

    parts = []
    for step in range(math.ceil(low * 5 - 1e-9), 6):
        parts.append(_line("hair", _LEFT, y(step / 5), end, y(step / 5)))
        parts.append(_text(f"{step / 5:.1f}", _LEFT - 7, y(step / 5) + 4, "end"))
    for value in table["value"]:
        parts.append(_line("axis", x(value), bottom, x(value), bottom + 4))
    # Neighbours such as 5 and 2 % keep their labels only if these fit.
    last = -math.inf
    for value in table["value"]:
        if x(value) - last > 34:
            parts.append(_text(f"{100 * value:g} %", x(value), bottom + 17))
            last = x(value)
    parts.append(_line("axis", _LEFT, bottom, end, bottom))
    parts.append(_text("reads kept, log scale", (_LEFT + end) / 2, height - 5))
    drawn = [each for each in OVER_DEPTH if each[1] in table and table[each[1]].notna().all()]
    labels = []
    for name, column, title in drawn:
        points = [(x(value), y(each)) for value, each in zip(table["value"], table[column], strict=True)]
        lows, highs = table[f"{column}_low"], table.get(f"{column}_high")
        for (at, _), one, other in zip(points, lows, highs if highs is not None else lows, strict=True):
            if highs is not None and not (pd.isna(one) or pd.isna(other)) and other > one:
                parts.append(_line(f"span {name}", at, y(one), at, y(other)))
        parts.append(_curve(name, points))
        parts += [element("circle", class_=f"dot {name}", cx=at, cy=up, r=3.2) for at, up in points]
        labels.append((name, title, float(table[column].iloc[-1]), points[-1][1]))
    for (name, title, value, _), place in zip(
        labels, _apart([each[3] for each in labels], 26, bottom - 12), strict=True
    ):
        parts.append(_text(title, end + 9, place - 1, "start", f"said {name}"))
        parts.append(_text(f"{value:.2f}", end + 9, place + 12, "start", f"said {name}"))
    said = "; ".join(
        f"with {100 * row['value']:g} % of the reads "
        + ", ".join(f"{title} {row[column]:.2f}" for _, column, title in drawn)
        for row in table.to_dict("records")
    )
    return picture(parts, height, f"Depth: {said}", WIDTH)


def turned_chart(
    worst_case: pd.DataFrame, certificate: pd.DataFrame, redraw_reads: float | None
) -> markupsafe.Markup | None:
    """Draw the share of the calls that turn over the reads needed, as share of the window's reads, by direction.

    Args:
        worst_case: content of worst_case.tsv.
        certificate: content of certificate.tsv, whose reads are drawn as a curve, too.
        redraw_reads: mean number of reads that a Poisson redraw changes, drawn as a line.

    Returns:
        None if no call turns.
    """
    called = right(worst_case)
    if called.empty or called["reads_share"].isna().all():
        return None
    curves = []
    for name, title, label in DIRECTIONS:
        shares = called.loc[called["label"] == label, "reads_share"]
        if len(shares):
            curves.append((name, title, np.sort(shares.dropna().to_numpy()), len(shares)))
    proven = proven_shares(certificate, worst_case)
    if len(proven):
        curves.append(("proven", "proven", np.sort(proven), len(proven)))
    median_window = float(called["window_reads"].median())
    redraw = redraw_reads / median_window if redraw_reads and median_window else None
    values = np.concatenate([each[2] for each in curves])
    # A window with few reads can need more than it has; such curves end at the right.
    high = min(max(float(values.max()), redraw or 0), 1.0)
    low = max(min(float(values[values > 0].min()), high / 30), high / 3000)
    steps = [a * 10.0**power for power in range(-4, 2) for a in (1, 3)]
    low = max([step for step in steps if step <= low * 1.001] or [steps[0]])
    high = min([step for step in steps if step >= high] or [steps[-1]])
    height, bottom, end = 290, 290 - _BOTTOM, WIDTH - _RIGHT

    def x(value: float) -> float:
        return _LEFT + math.log(min(max(value, low), high) / low) / math.log(high / low) * (end - _LEFT)

    def y(value: float) -> float:
        return bottom - value * (bottom - _TOP - 12)

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line("hair", _LEFT, y(share), end, y(share)))
        parts.append(_text(f"{100 * share:g} %", _LEFT - 7, y(share) + 4, "end"))
    for step in steps:
        if low <= step <= high * 1.001:
            parts.append(_line("axis", x(step), bottom, x(step), bottom + 4))
            # The last one would stick out.
            anchor = "end" if x(step) > end - 12 else "middle"
            parts.append(_text(f"{100 * step:g} %", min(x(step), end + 12), bottom + 17, anchor))
    parts.append(_line("axis", _LEFT, bottom, end, bottom))
    parts.append(_text("reads changed, share of the window's reads, log scale", (_LEFT + end) / 2, height - 5))
    if redraw:
        parts.append(_line("redraw", x(redraw), _TOP, x(redraw), bottom))
        side = ("end", -5) if x(redraw) > WIDTH / 2 else ("start", 5)
        parts.append(_text(f"one redraw: {percent(redraw)}", x(redraw) + side[1], _TOP + 4, side[0], "said"))
    said = []
    for name, title, ordered, total in curves:
        points = [(float(_LEFT), y(0))]
        for index, share in enumerate(ordered.tolist()):
            points += [(x(share), points[-1][1]), (x(share), y((index + 1) / total))]
        if name == "proven" or len(ordered) == total:
            points.append((float(end), points[-1][1]))
        parts.append(_curve(name, points))
        said.append(f"{title} {len(ordered)} of {total}")
    return picture(parts, height, "Share of the calls that turn over the reads changed: " + ", ".join(said), WIDTH)


def proven_shares(certificate: pd.DataFrame, worst_case: pd.DataFrame) -> np.ndarray:
    """Return the certified reads of the genes whose vote is right, as share of their window's reads."""
    voted = voted_right(certificate)
    if not len(voted):
        return np.empty(0)
    keys = ["gene", "symbol"]
    merged = voted.merge(worst_case[[*keys, "window_reads"]].drop_duplicates(keys), on=keys)
    merged = merged[merged["window_reads"] > 0]
    return (merged["certified_reads"] / merged["window_reads"]).to_numpy()


def edits_chart(edits: pd.DataFrame, direction: str) -> markupsafe.Markup | None:
    """Draw the mean reads that are added to each mark and removed from it, per gene that turns.

    Args:
        edits: rows of edits.tsv of one threat.
        direction: such as "ON to OFF".

    Returns:
        None if no gene turns in this direction.
    """
    rows = edits[(edits["direction"] == direction) & (edits["genes"] > 0)]
    if rows.empty:
        return None
    top = float(edits.loc[edits["genes"] > 0, ["added", "removed"]].to_numpy().max()) or 1.0
    step, left = 30, 128
    bottom = 24 + step * len(rows)
    middle = left + (WIDTH - left) / 2
    scale = (WIDTH - left) / 2 - 44
    parts = [_text("removed", middle - 8, 14, "end"), _text("added", middle + 8, 14, "start")]
    for index, row in enumerate(rows.to_dict("records")):
        at = 24.0 + step * index
        name = str(row["mark"])
        parts.append(_text(name if len(name) <= 17 else name[:16] + "…", left - 8, at + 18, "end", "said"))
        for side, column in ((1, "added"), (-1, "removed")):
            wide = float(row[column]) / top * scale
            start = middle if side > 0 else middle - wide
            parts.append(element("rect", class_=column, x=float(start), y=at + 6, width=wide, height=16.0))
            value = float(row[column])
            shown = f"{value:,.0f}" if value >= 10 or not value else f"{value:.1f}"
            anchor = "start" if side > 0 else "end"
            parts.append(_text(shown, middle + side * (wide + 6), at + 18, anchor))
    parts.append(_line("axis", middle, 20, middle, bottom))
    said = "; ".join(f"{row['mark']} +{row['added']:.1f} −{row['removed']:.1f}" for row in rows.to_dict("records"))
    return picture(parts, bottom + 6, f"{direction}: {said}", WIDTH)


def certificate_chart(certificate: pd.DataFrame) -> markupsafe.Markup | None:
    """Draw the share of all genes whose vote is right and certain, over the number of reads changed.

    Returns:
        None without a certificate.
    """
    if certificate.empty:
        return None
    reads = np.sort(voted_right(certificate)["certified_reads"].to_numpy())
    if not len(reads):
        return None
    total = len(certificate)
    top = max(int(reads.max()), 1)
    height, bottom, end = 250, 250 - _BOTTOM, WIDTH - _RIGHT

    def x(value: float) -> float:
        return _LEFT + value / (top + 1) * (end - _LEFT)

    def y(value: float) -> float:
        return bottom - value * (bottom - _TOP)

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line("hair", _LEFT, y(share), end, y(share)))
        parts.append(_text(f"{100 * share:g} %", _LEFT - 7, y(share) + 4, "end"))
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10**9) if top / s <= 7)
    for tick in range(0, top + 1, step):
        parts.append(_line("axis", x(tick), bottom, x(tick), bottom + 4))
        parts.append(_text(f"{tick:,}", x(tick), bottom + 17))
    parts.append(_line("axis", _LEFT, bottom, end, bottom))
    parts.append(_text("reads added or removed", (_LEFT + end) / 2, height - 5))
    points = [(x(0), y(len(reads) / total))]
    for number in range(1, top + 2):
        share = float((reads >= number).sum() / total)
        points += [(x(number), points[-1][1]), (x(number), y(share))]
    parts.append(_curve("certain", points))
    said = f"{percent(len(reads) / total)} of the votes are right; the largest certificate is of {top} reads"
    return picture(parts, height, said, WIDTH)


def share_cell(value: float, low: float | None, high: float | None, top: float) -> markupsafe.Markup:
    """Draw a share with its interval as a dot on a line, for a table cell whose text has the values.

    Args:
        value: the share.
        low, high: its interval, if it has one.
        top: end of the scale.
    """

    def x(share: float) -> float:
        return 5 + min(share / (top or 1), 1) * 190

    parts = [_line("hair", 5, 9, 195, 9)]
    if low is not None and high is not None:
        parts.append(_line("span", x(low), 9, x(high), 9))
    parts.append(element("circle", class_="dot", cx=x(value), cy=9, r=4.2))
    content = markupsafe.Markup("").join(parts)
    return element("svg", content, class_="cell", viewBox="0 0 200 18", width=200, height=18, aria_hidden="true")


def lowest(noise: pd.DataFrame) -> float:
    """Return the lower end of the axis that both depth charts share, a multiple of 0.2."""
    rows = noise[noise["kind"].isin(["keep", "keep_old_depth"])]
    values: list[Any] = [0.6, *rows["auc"], *(1 - rows["changed"]), *rows["alpha_r"].dropna()]
    return max(math.floor(min(values) * 5 + 1e-9) / 5, 0.0)


def legend(kinds: Mapping[str, str]) -> list[tuple[markupsafe.Markup, str]]:
    """Return the samples and titles of a legend: class of a line -> title."""
    sample = {kind: element("line", class_=f"curve {kind}", x1=0, x2=26, y1=6, y2=6) for kind in kinds}
    return [
        (element("svg", sample[kind], width=26, height=12, aria_hidden="true"), title) for kind, title in kinds.items()
    ]


def letters_chart(changes: pd.Series, budget: int) -> markupsafe.Markup:
    """Draw the share of the right predictions that turn over the number of letters changed.

    Args:
        changes: fewest letters of each right prediction, missing where the budget did not suffice.
        budget: largest number of letters.
    """
    height, bottom, end = 250, 250 - _BOTTOM, WIDTH - _RIGHT
    total = len(changes)
    shares = [float((changes <= number).sum() / total) for number in range(budget + 1)]

    def x(value: float) -> float:
        return _LEFT + value / max(budget, 1) * (end - _LEFT)

    def y(value: float) -> float:
        return bottom - value * (bottom - _TOP)

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line("hair", _LEFT, y(share), end, y(share)))
        parts.append(_text(f"{100 * share:g} %", _LEFT - 7, y(share) + 4, "end"))
    step = max(1, math.ceil(budget / 10))
    for tick in range(0, budget + 1, step):
        parts.append(_line("axis", x(tick), bottom, x(tick), bottom + 4))
        parts.append(_text(f"{tick:,}", x(tick), bottom + 17))
    parts.append(_line("axis", _LEFT, bottom, end, bottom))
    parts.append(_text("letters changed", (_LEFT + end) / 2, height - 5))
    points = [(x(0), y(0))]
    for number, share in enumerate(shares):
        points += [(x(number), points[-1][1]), (x(number), y(share))]
    parts.append(_curve("certain", points))
    said = ", ".join(f"{number} letters {percent(share)}" for number, share in enumerate(shares) if number % step == 0)
    return picture(parts, height, f"Share of the right predictions that turn: {said}", WIDTH)
