"""Small charts of the pages as SVG elements: drawn once, in the page's colours, light or dark, without a script."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import markupsafe
import numpy as np
import pandas as pd

from chromattend.pages.svg import element, joined, picture

WIDTH = 430
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 38


def ticks_of(high: float, most: int = 5) -> list[float]:
    """Return round values from 0 to at most `high`."""
    if high <= 0:
        return [0.0]
    step = 10.0 ** math.floor(math.log10(high / most))
    step *= next(factor for factor in (1, 2, 5, 10) if high / (step * factor) <= most)
    return [round(number * step, 10) for number in range(int(high / step + 1e-9) + 1)]


def count(value: float) -> str:
    """Return a count for readers, with one decimal place if it is a small mean."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def path_chart(path: pd.DataFrame, chosen: float | None) -> markupsafe.Markup:
    """Draw the numbers of edges that are observed and expected by chance over lambda, from a log scale of counts.

    Args:
        path: lambda, edges and null_edges (mean of the permutations).
        chosen: the lambda of the graph.
    """
    table = path.sort_values("lambda")
    lambdas = table["lambda"].to_numpy(dtype=float)
    height, bottom, above = 260, 260 - _BOTTOM, 24
    low, high = float(lambdas.min()), float(lambdas.max())
    top = max(1.0, float(table[["edges", "null_edges"]].to_numpy().max()))

    def x(value: float) -> float:
        return _LEFT + (value - low) / ((high - low) or 1) * (WIDTH - _LEFT - _RIGHT)

    # log(1 + count), so that none is on the axis.
    def y(value: float) -> float:
        return bottom - math.log1p(max(value, 0)) / math.log1p(top) * (bottom - above)

    parts = []
    for tick in (0, *(10**power for power in range(6) if 10**power <= top)):
        parts.append(element("line", class_="hair", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y(tick), y2=y(tick)))
        parts.append(element("text", f"{tick:,}", class_="tick", x=_LEFT - 6, y=y(tick) + 4, text_anchor="end"))
    step = ticks_of(high - low, 4)
    first = math.ceil(low / step[-1] * (len(step) - 1)) * step[1] if len(step) > 1 else low
    for tick in np.arange(first, high + 1e-12, step[1] if len(step) > 1 else 1):
        parts.append(element("text", f"{tick:.4g}", class_="tick", x=x(tick), y=bottom + 16, text_anchor="middle"))
    parts.append(element("line", class_="axis", x1=_LEFT, x2=WIDTH - _RIGHT, y1=bottom, y2=bottom))
    for column, name in (("null_edges", "null"), ("edges", "observed")):
        points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(lambdas, table[column], strict=True))
        parts.append(element("polyline", class_=f"curve {name}", points=points))
    label = "Edges observed and expected by chance over lambda"
    if chosen is not None and low <= chosen <= high:
        nearest = table.iloc[int(np.abs(lambdas - chosen).argmin())]
        parts.append(element("line", class_="chosen", x1=x(chosen), x2=x(chosen), y1=14, y2=bottom))
        side = ("end", -5) if x(chosen) > WIDTH / 2 else ("start", 5)
        parts.append(
            element("text", f"chosen: {chosen:.3g}", class_="said", x=x(chosen) + side[1], y=20, text_anchor=side[0])
        )
        label += (
            f"; at the chosen {chosen:.3g}, {count(nearest['edges'])} are observed and "
            f"{count(nearest['null_edges'])} expected"
        )
    parts.append(element("text", "lambda", class_="tick", x=(_LEFT + WIDTH) / 2, y=height - 6, text_anchor="middle"))
    parts.append(element("text", "edges, log scale", class_="tick", x=2.0, y=10))
    return picture(parts, height, label, WIDTH)


def null_chart(counts: np.ndarray, observed: float, noun: str) -> markupsafe.Markup:
    """Draw a histogram of the counts of edges in permuted samples, with the observed count.

    Args:
        counts: of the permutations.
        observed: of the samples as they are.
        noun: what is counted, such as "specific edges".
    """
    height, bottom = 170, 170 - _BOTTOM
    low, high = min(float(counts.min()), observed), max(float(counts.max()), observed)
    spread = high - low
    bins = max(1, min(30, int(spread) + 1))
    width = max(1.0, math.ceil((spread + 1) / bins))
    first = math.floor(low) - 0.5
    number = math.ceil((high + 0.5 - first) / width)
    shares = np.bincount(((counts - first) // width).astype(int), minlength=number)
    end = first + number * width

    def x(value: float) -> float:
        return _LEFT + (value - first) / (end - first) * (WIDTH - _LEFT - _RIGHT)

    parts = []
    for index, share in enumerate(shares):
        if share:
            tall = share / shares.max() * (bottom - _TOP - 18)
            left, right = x(first + index * width), x(first + (index + 1) * width)
            parts.append(
                element("rect", class_="null-bar", x=left, y=bottom - tall, width=max(right - left - 1, 1), height=tall)
            )
    parts.append(element("line", class_="axis", x1=_LEFT, x2=WIDTH - _RIGHT, y1=bottom, y2=bottom))
    steps = ticks_of(spread, 5)
    step = max(1.0, steps[1]) if len(steps) > 1 else 1.0
    ticks = np.arange(math.ceil(low / step) * step, high + 0.5, step)
    for tick in ticks:
        parts.append(element("text", f"{tick:,.0f}", class_="tick", x=x(tick), y=bottom + 16, text_anchor="middle"))
    at = x(observed)
    parts.append(element("line", class_="observed-line", x1=at, x2=at, y1=_TOP, y2=bottom))
    side = ("end", -6) if at > WIDTH / 2 else ("start", 6)
    parts.append(
        element("text", f"observed: {observed:,.0f}", class_="said", x=at + side[1], y=18, text_anchor=side[0])
    )
    parts.append(
        element(
            "text",
            f"{noun} in permuted samples",
            class_="tick",
            x=(_LEFT + WIDTH) / 2,
            y=height - 6,
            text_anchor="middle",
        )
    )
    label = (
        f"{observed:,.0f} {noun} are observed; permuted samples have {count(float(counts.mean()))} on average and "
        f"{counts.max():,.0f} at most"
    )
    return picture(parts, height, label, WIDTH)


def stability_chart(stability: pd.Series, classes: pd.Series, threshold: float | None) -> markupsafe.Markup:
    """Draw how many edges are in which share of the subsamples: shared edges in grey, others in colour.

    Args:
        stability: share of subsamples that have the edge, of each edge.
        classes: class of each edge.
        threshold: the share above which an edge counts as stable.
    """
    height, bottom, number = 190, 190 - _BOTTOM, 20
    bins = np.minimum((stability.to_numpy(dtype=float) * number).astype(int), number - 1)
    general = np.bincount(bins[classes == "shared"], minlength=number)
    other = np.bincount(bins[classes != "shared"], minlength=number)
    top = max(1, int((general + other).max()))
    step = (WIDTH - _LEFT - _RIGHT) / number
    parts = []
    for tick in ticks_of(top, 4):
        y = bottom - tick / top * (bottom - _TOP)
        parts.append(element("line", class_="hair", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y))
        parts.append(element("text", f"{tick:g}", class_="tick", x=_LEFT - 6, y=y + 4, text_anchor="end"))
    for index in range(number):
        base: float = bottom
        for counts, name in ((general, "shared-bar"), (other, "own-bar")):
            tall = counts[index] / top * (bottom - _TOP)
            if tall:
                base -= tall
                parts.append(
                    element("rect", class_=name, x=_LEFT + index * step + 0.5, y=base, width=step - 1, height=tall)
                )
    parts.append(element("line", class_="axis", x1=_LEFT, x2=WIDTH - _RIGHT, y1=bottom, y2=bottom))
    for share in (0, 0.25, 0.5, 0.75, 1):
        at = _LEFT + share * step * number
        anchor = "end" if share == 1 else "middle"
        parts.append(element("text", f"{100 * share:g} %", class_="tick", x=at, y=bottom + 16, text_anchor=anchor))
    if threshold is not None:
        at = _LEFT + threshold * step * number
        parts.append(element("line", class_="chosen", x1=at, x2=at, y1=_TOP, y2=bottom))
    parts.append(
        element(
            "text", "subsamples with the edge", class_="tick", x=(_LEFT + WIDTH) / 2, y=height - 6, text_anchor="middle"
        )
    )
    return picture(parts, height, f"Histogram of the stability of {len(stability):,} edges", WIDTH)


def halves_chart(rows: Sequence[Mapping[str, Any]]) -> markupsafe.Markup:
    """Draw how well two halves of a context agree, and two contexts with each other.

    Args:
        rows: context and other (the same: two halves of one context), r, and low and high, which may be missing.
    """
    step, left = 30, 16
    height = step * len(rows) + 42
    bottom = step * len(rows) + 4
    low = min(0.0, *(float(row["low"] if row.get("low") is not None else row["r"]) for row in rows))
    low = math.floor(low * 5) / 5

    def x(value: float) -> float:
        return left + (value - low) / (1 - low) * (WIDTH - left - 50)

    parts = []
    for number in range(round((1 - low) / 0.2) + 1):
        tick = low + 0.2 * number
        parts.append(element("line", class_="hair", x1=x(tick), x2=x(tick), y1=4, y2=bottom))
        parts.append(element("text", f"{tick:.1f}", class_="tick", x=x(tick), y=bottom + 15, text_anchor="middle"))
    for index, row in enumerate(rows):
        y = step * index + 24.0
        within = row["context"] == row["other"]
        title = f"{row['context']}, two halves" if within else f"{row['context']} and {row['other']}"
        title = title if len(title) <= 52 else title[:51] + "…"
        kind = "within" if within else "between"
        parts.append(element("text", title, class_="said", x=left, y=y - 8))
        if row.get("low") is not None and row.get("high") is not None:
            parts.append(element("line", class_=f"span {kind}", x1=x(row["low"]), x2=x(row["high"]), y1=y, y2=y))
        parts.append(element("circle", class_=kind, cx=x(row["r"]), cy=y, r=4.5))
        parts.append(element("text", f"{row['r']:.2f}", class_="said", x=WIDTH - 6, y=y + 4, text_anchor="end"))
    parts.append(
        element(
            "text",
            "correlation of partial correlations",
            class_="tick",
            x=x((1 + low) / 2),
            y=height - 2,
            text_anchor="middle",
        )
    )
    return picture(
        parts,
        height,
        "Agreement of halves and contexts: "
        + "; ".join(f"{row['context']} and {row['other']} {row['r']:.2f}" for row in rows),
        WIDTH,
    )


def change(first: float, second: float, limit: float, colours: tuple[str, str]) -> markupsafe.Markup:
    """Draw a value in two contexts as two dots and an arrow between them, for a table cell.

    Args:
        first, second: the values.
        limit: the largest absolute value of the table.
        colours: classes of the dots.
    """

    def x(value: float) -> float:
        return 60 + value / limit * 54

    a, b = x(first), x(second)
    parts = [
        element("line", class_="hair", x1=60, x2=60, y1=0, y2=18),
        element("line", class_="change", x1=a, x2=b, y1=9, y2=9),
        element("circle", class_=colours[0], cx=a, cy=9, r=4),
        element("circle", class_=colours[1], cx=b, cy=9, r=4),
    ]
    return element("svg", joined(parts), viewBox="0 0 120 18", width=120, height=18, aria_hidden="true")


def sets_chart(rows: Sequence[Mapping[str, Any]]) -> markupsafe.Markup:
    """Draw the edges of every set beside those that chance gives.

    Args:
        rows: set, noun, observed, mean and max (of the permutations), one row per set and class of edges.
    """
    step, left, width = 28, 330, 920
    bottom = 8 + step * len(rows)
    top = max(1.0, *(max(float(row["observed"]), float(row["max"])) for row in rows))

    def x(value: float) -> float:
        return left + math.log1p(value) / math.log1p(top) * (width - left - 40)

    parts = []
    for tick in (0, *(10**power for power in range(6) if 10**power <= top)):
        parts.append(element("line", class_="hair", x1=x(tick), x2=x(tick), y1=4, y2=bottom))
        parts.append(element("text", f"{tick:,}", class_="tick", x=x(tick), y=bottom + 17, text_anchor="middle"))
    for index, row in enumerate(rows):
        y = 8 + step * (index + 0.5)
        name = str(row["set"])
        name = f"{name if len(name) <= 20 else name[:19] + '…'}: {row['noun']}"
        parts.append(element("text", name, x=left - 12, y=y + 4, text_anchor="end"))
        parts.append(element("line", class_="row", x1=left, x2=width - 30, y1=y, y2=y))
        parts.append(element("line", class_="null-span", x1=x(0), x2=x(row["max"]), y1=y, y2=y))
        parts.append(element("line", class_="null-mean", x1=x(row["mean"]), x2=x(row["mean"]), y1=y - 7, y2=y + 7))
        kind = "above" if row["above"] else "inside"
        title = element(
            "title",
            f"{row['set']}, {row['noun']}: {row['observed']:,.0f} observed, {count(row['mean'])} by chance on average, "
            f"{count(row['max'])} at most",
        )
        parts.append(element("circle", title, class_=kind, cx=x(row["observed"]), cy=y, r=6))
    parts.append(
        element("text", "edges, log scale", class_="tick", x=(left + width) / 2, y=bottom + 36, text_anchor="middle")
    )
    return picture(
        parts, bottom + 42, "Edges of every set and those that chance gives; the table above has the same values", width
    )
