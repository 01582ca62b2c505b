"""Figures of the track graphs, one function each; see `chromattend.figures`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chromattend.figures import PAGE_COLOURS, literal, sentence
from chromattend.graphs.layout import Layout, layout_of

_SHARED = "#9aa3ad"
_MOST_PANELS = 12
_STEPS = 20


def plot_edges_against_null(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the edges of every set beside those that chance gives: dots are filled if at most
    5 % of the permutations have as many.

    Args:
        rows: set, noun, observed, mean and max of the permutations, and above; see
            `chromattend.graphs.pages.index.null_rows`.
    """
    if not rows:
        return sentence("No set has counts of permuted samples.")
    figure = Figure(figsize=(7.6, 1.5 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    place = np.arange(len(rows))
    above = np.array([row["above"] for row in rows])
    observed, mean, most = (np.array([float(row[key]) for row in rows]) for key in ("observed", "mean", "max"))
    axes.barh(place, most, height=0.36, color="0.82", label="by chance, up to the highest of the permutations")
    axes.vlines(mean, place - 0.26, place + 0.26, color="0.25", linewidth=1.6, label="by chance, on average")
    for chosen, name, fill in (
        (above, "observed, above chance", PAGE_COLOURS[0]),
        (~above, "observed, within chance", "white"),
    ):
        if chosen.any():
            axes.plot(observed[chosen], place[chosen], "o", color=PAGE_COLOURS[0], markerfacecolor=fill, label=name)
    axes.set_yticks(place, [literal(f"{row['set']}: {row['noun']}") for row in rows], fontsize=8)
    axes.set(ylim=(len(rows) - 0.5, -0.5))
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.set_xlabel("Edges", fontsize=10)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return figure


def plot_graphs(
    variables: pd.DataFrame,
    edges: pd.DataFrame,
    contexts: Sequence[Mapping[str, Any]],
    max_edges: int = 2000,
    seed: int = 1,
) -> Figure:
    """Draw the graph of every context, at most twelve, with the layout of the page.

    Args:
        variables: variable, group, position and colour; see `chromattend.graphs.layout.layout_of`.
        edges: edges of one estimator of graphs, strongest first; see `chromattend.graphs.edges`.
        contexts: name and colour (`#rrggbb` or empty) of each context.
        max_edges: number of edges that are drawn.
        seed: see `layout_of`.
    """
    drawn = edges[edges["class"] != "difference"].head(max_edges)
    if drawn.empty:
        return sentence("The estimator has no edge in this set.")
    numbers = {str(variable): number for number, variable in enumerate(variables["variable"])}
    ends = np.stack([drawn[column].map(numbers).to_numpy(dtype=int) for column in ("node1", "node2")], axis=1)
    layout = layout_of(variables, [ends], seed)
    contexts = contexts[:_MOST_PANELS]
    columns = min(len(contexts), 4 if len(contexts) > 6 else 3)
    height = -(-len(contexts) // columns)
    figure = Figure(figsize=(3.3 * columns, 3.5 * height + 0.4), layout="constrained")
    panels = figure.subplots(height, columns, squeeze=False).ravel()
    largest = float(drawn["partial_r"].abs().max()) or 1.0
    for number, context in enumerate(contexts):
        colour = str(context["colour"] or PAGE_COLOURS[number % len(PAGE_COLOURS)])
        shown = drawn["context"].fillna("").isin(["", context["name"]]).to_numpy()
        _draw(panels[number], layout, ends[shown], drawn[shown], colour, largest)
        _nodes(panels[number], layout, variables)
        panels[number].set_title(literal(str(context["name"])), fontsize=10)
    for axes in panels:
        axes.set(xlim=(-0.08, 1.08), ylim=(1.08, -0.08), aspect="equal")
        axes.axis("off")
    handles = [
        Line2D([], [], color=_SHARED, label="shared"),
        Line2D([], [], color=PAGE_COLOURS[0], label="specific"),
        Line2D([], [], color="0.2", label="positive"),
        Line2D([], [], color="0.2", linestyle="--", label="negative"),
    ]
    groups = variables[["group", "colour"]].fillna("").astype(str).drop_duplicates("group")
    handles += [
        Line2D([], [], marker="o", linestyle="", color=colour or "0.25", label=literal(group))
        for group, colour in groups.itertuples(index=False)
        if group
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), fontsize=8, frameon=False)
    return figure


def _draw(axes: Axes, layout: Layout, ends: np.ndarray, edges: pd.DataFrame, colour: str, largest: float) -> None:
    first, second = layout.positions[ends[:, 0]], layout.positions[ends[:, 1]]
    if layout.sectors:
        # As on the page: the further apart on the ring, the nearer to its centre.
        apart = np.arccos(np.clip(4 * ((first - 0.5) * (second - 0.5)).sum(axis=1), -1, 1))
        middle = (first + second) / 2 - 0.5
        middle /= np.maximum(np.hypot(*middle.T), 1e-9)[:, None]
        bend = 0.5 + middle * (0.5 * (1 - 0.92 * np.sqrt(apart / np.pi)))[:, None]
    else:
        bend = (first + second) / 2
    share = np.linspace(0, 1, _STEPS)[None, :, None]
    lines = (1 - share) ** 2 * first[:, None] + 2 * share * (1 - share) * bend[:, None] + share**2 * second[:, None]
    general = edges["class"].isin(["shared", "modulated"]).to_numpy()
    negative = edges["partial_r"].to_numpy() < 0
    widths = 0.3 + 2.4 * edges["partial_r"].abs().to_numpy() / largest
    for own, ink in ((False, _SHARED), (True, colour)):
        for down, style in ((False, "solid"), (True, "dashed")):
            chosen = (general != own) & (negative == down)
            axes.add_collection(
                LineCollection(list(lines[chosen]), colors=ink, linewidths=widths[chosen], linestyles=style)
            )


def _nodes(axes: Axes, layout: Layout, variables: pd.DataFrame) -> None:
    shown = layout.drawn
    colours = variables["colour"].fillna("").astype(str).to_numpy()[shown]
    x, y = layout.positions[shown].T
    axes.scatter(
        x,
        y,
        s=float(np.clip(900 / len(shown), 2, 28)),
        c=[colour or "0.25" for colour in colours],
        linewidths=0.4,
        edgecolors="white",
        zorder=3,
    )
