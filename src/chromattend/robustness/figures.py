"""Figures of the track robustness over all models and epigenomes, one function each; see `chromattend.figures`."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FormatStrFormatter, FuncFormatter, NullLocator, PercentFormatter

from chromattend.figures import PAGE_COLOURS, literal, sentence, style, title
from chromattend.models.registry import in_order
from chromattend.robustness.pages.charts import proven_shares
from chromattend.robustness.tables import Result, condition, right

_PANELS = (("auc", "AUC"), ("kept", "Calls kept"), ("alpha_r", "r of alpha (median)"))
# Kinds of noise.tsv in the heat map, besides the shares of the reads.
_SHOWN = (
    "redraw",
    "keep",
    "keep_old_depth",
    "duplicates",
    "shift",
    "strand",
    "cross_talk",
    "efficiency",
    "absent",
    "seed",
)
_MOST_MARK_PANELS = 6
# Bands of more models would hide each other.
_MOST_BANDS = 2


def _models(results: Sequence[Result]) -> list[str]:
    return in_order(result.model for result in results)


def _legend(figure: Figure, models: Sequence[str], more: Sequence[Line2D | Patch] = ()) -> None:
    handles = [Line2D([], [], label=title(model), markersize=4.5, **style(model)) for model in models]
    figure.legend(
        handles=[*handles, *more], loc="outside lower center", ncols=4, fontsize=8.5, frameon=False, handlelength=2.6
    )


def plot_depth(results: Sequence[Result]) -> Figure:
    """Draw AUC, calls kept and r of alpha over the share of the reads that is kept, by model.

    Upper panels: with the depth of the smaller sample; lower ones: with the depth of all reads. Lines are means over
    epigenomes; bands, of up to two models, are 95 % intervals of a single epigenome, or
    the range of several.
    """
    noise = pd.concat(
        [result.noise.assign(model=result.model, epigenome=result.epigenome) for result in results], ignore_index=True
    )
    noise["kept"], noise["kept_low"], noise["kept_high"] = (
        1 - noise[column] for column in ("changed", "changed_high", "changed_low")
    )
    kinds = [kind for kind in ("keep", "keep_old_depth") if (noise["kind"] == kind).any()]
    if not kinds:
        return sentence("No share of the reads was left out.")
    panels = [(column, name) for column, name in _PANELS if noise[column].notna().any()]
    figure = Figure(figsize=(3.4 * len(panels) + 0.4, 2.7 * len(kinds) + 0.7), layout="constrained")
    grid = figure.subplots(len(kinds), len(panels), squeeze=False, sharex=True, sharey="col")
    single = len({result.epigenome for result in results}) == 1
    for kind, row in zip(kinds, grid, strict=True):
        table = noise[noise["kind"].isin([kind, "none"])].assign(
            value=lambda rows: rows["value"].where(rows["kind"] != "none", 1.0)
        )
        for (column, name), axes in zip(panels, row, strict=True):
            for model in _models(results):
                chosen = table[(table["model"] == model) & table[column].notna()]
                if not chosen.empty:
                    _draw_depth(axes, chosen, column, model, single, len(_models(results)) <= _MOST_BANDS)
            axes.set_xscale("log")
            axes.xaxis.set_minor_locator(NullLocator())
            ticks = sorted(table["value"].astype(float).unique())
            axes.set_xticks(ticks, [f"{100 * tick:g}" for tick in ticks])
            axes.tick_params(labelsize=8.5)
            axes.grid(axis="y", color="0.93")
            if column != "kept":
                axes.yaxis.set_major_formatter(FormatStrFormatter("%.2f"))
            else:
                axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            if kind == kinds[0]:
                axes.set_title(name, fontsize=10.5)
                axes.invert_xaxis()
            if kind == kinds[-1]:
                axes.set_xlabel("Reads kept (%)", fontsize=9.5)
        label = {"keep": "Depth of the kept reads", "keep_old_depth": "Depth of all reads"}[kind]
        row[0].set_ylabel(label, fontsize=9.5)
    _legend(figure, _models(results))
    return figure


def _draw_depth(axes: Axes, table: pd.DataFrame, column: str, model: str, single: bool, band: bool) -> None:
    groups = table.groupby(table["value"].astype(float))
    mean = groups[column].mean()
    if single and f"{column}_low" in table and f"{column}_high" in table:
        low, high = groups[f"{column}_low"].min(), groups[f"{column}_high"].max()
    else:
        low, high = groups[column].min(), groups[column].max()
    look = style(model)
    if band:
        axes.fill_between(mean.index, low.fillna(mean), high.fillna(mean), color=look["color"], alpha=0.15, linewidth=0)
    axes.plot(mean.index, mean, markersize=4.5, linewidth=1.8, **look)


def plot_reads(results: Sequence[Result]) -> Figure:
    """Draw the share of the right calls that turn over the reads changed, as share of the window's reads, by model.

    Calls that do not turn within the budget count as not turned. Dotted curves are the certified reads of the right
    votes, and short lines at the top what one Poisson redraw changes of the median window.
    """
    tables = {model: [result for result in results if result.model == model] for model in _models(results)}
    figure = Figure(figsize=(6.4, 4.7), layout="constrained")
    axes = figure.subplots()
    smallest, proven_drawn, redraw_drawn, drawn = math.inf, False, False, []
    for model, own in tables.items():
        called = [right(result.worst_case) for result in own]
        shares = np.concatenate(
            [table["reads_share"].to_numpy(dtype=float) for table in called if len(table)] or [np.empty(0)]
        )
        if not np.isfinite(shares).any():
            continue
        drawn.append(model)
        colour, line = style(model)["color"], style(model)["linestyle"]
        ordered = np.sort(shares[np.isfinite(shares)])
        smallest = min(smallest, float(ordered[ordered > 0].min()))
        axes.step(
            ordered,
            np.arange(1, len(ordered) + 1) / len(shares),
            where="post",
            color=colour,
            linestyle=line,
            linewidth=2.1,
        )
        axes.plot(
            ordered[-1],
            len(ordered) / len(shares),
            marker=style(model)["marker"],
            color=colour,
            markersize=6,
        )
        proven = np.concatenate([proven_shares(result.certificate, result.worst_case) for result in own])
        if (proven > 0).any():
            ordered = np.sort(proven)
            axes.step(
                ordered,
                np.arange(1, len(ordered) + 1) / len(ordered),
                where="post",
                color=colour,
                linestyle=(0, (1, 1.6)),
                linewidth=1.4,
            )
            proven_drawn = True
        redraws = [
            condition(result.noise, "redraw").get("reads", math.nan) / float(table["window_reads"].median())
            for result, table in zip(own, called, strict=True)
            if len(table)
        ]
        if np.isfinite(redraws).any():
            axes.axvline(float(np.nanmean(redraws)), ymin=0.955, color=colour, linewidth=2.2)
            redraw_drawn = True
    if not drawn:
        return sentence("No call turns within the largest number of reads.")
    axes.set_xscale("log")
    axes.set_xlim(left=max(smallest * 0.7, 2e-4))
    axes.set_ylim(-0.02, 1.06)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(color="0.93")
    axes.set_xlabel("Reads changed, share of the window's reads", fontsize=10.5)
    axes.set_ylabel("Right calls that turn", fontsize=10.5)
    axes.tick_params(labelsize=9)
    more = []
    if proven_drawn:
        more.append(Line2D([], [], color="0.35", linestyle=(0, (1, 1.6)), label="vote: proven to keep its call"))
    if redraw_drawn:
        more.append(
            Line2D(
                [],
                [],
                color="0.35",
                marker="|",
                markersize=9,
                markeredgewidth=2,
                linestyle="",
                label="one Poisson redraw",
            )
        )
    _legend(figure, drawn, more)
    return figure


def plot_conditions(results: Sequence[Result]) -> Figure:
    """Draw the share of the calls that each condition changes, by model, as a heat map; means over epigenomes."""
    noise = pd.concat([result.noise.assign(model=result.model) for result in results], ignore_index=True)
    noise = noise[noise["kind"].isin(_SHOWN) & noise["changed"].notna()]
    if noise.empty:
        return sentence("No condition was run.")
    order = noise.assign(place=noise["kind"].map(_SHOWN.index)).sort_values("place", kind="stable")["condition"]
    rows, models = list(dict.fromkeys(order)), _models(results)
    table = noise.pivot_table(index="condition", columns="model", values="changed", aggfunc="mean").reindex(
        rows, columns=models
    )
    figure = Figure(figsize=(3.4 + 0.95 * len(models), 1.7 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    labels = table.map(
        lambda value: "" if pd.isna(value) else f"{100 * value:.1f}" if value < 0.0995 else f"{100 * value:.0f}"
    )
    sns.heatmap(
        table, ax=axes, cmap=sns.light_palette(PAGE_COLOURS[1], as_cmap=True), vmin=0, vmax=max(0.5, table.max().max()),
        annot=labels, fmt="", annot_kws={"fontsize": 8.5}, linewidths=1, linecolor="white",
        cbar_kws={"label": "Calls changed", "shrink": 0.5, "format": PercentFormatter(1, decimals=0)},
    )  # fmt: skip
    axes.set_yticks(np.arange(len(rows)) + 0.5, [literal(name) for name in rows], fontsize=8.5, rotation=0)
    axes.set_xticks(
        np.arange(len(models)) + 0.5, [title(model) for model in models], fontsize=9, rotation=30, ha="right"
    )
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    kinds = noise.drop_duplicates("condition").set_index("condition")["kind"].reindex(rows).tolist()
    for place in range(1, len(rows)):
        if kinds[place] != kinds[place - 1]:
            axes.axhline(place, color="0.35", linewidth=0.9)
    axes.set_title("Calls changed (%)", fontsize=10.5, loc="left")
    return figure


def plot_marks(edits: Mapping[tuple[str, str], pd.DataFrame]) -> Figure:
    """Draw the mean reads that the worst case adds to each mark and removes from it, by model and direction.

    Args:
        edits: (epigenome, model) -> content of edits.tsv; models are means over epigenomes, weighted by genes.
    """
    tables = [table.assign(model=model) for (_, model), table in edits.items() if len(table)]
    rows = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["threat", "genes"])
    rows = rows[(rows["threat"] == "reads") & (rows["genes"] > 0)]
    if rows.empty:
        return sentence("No call turns within the largest number of reads.")
    models = list(dict.fromkeys(rows["model"]))[:_MOST_MARK_PANELS]
    directions = [name for name in ("ON to OFF", "OFF to ON") if (rows["direction"] == name).any()]
    marks = list(dict.fromkeys(rows["mark"]))
    figure = Figure(
        figsize=(2.6 * len(models) + 1.2, (0.28 * len(marks) + 0.9) * len(directions) + 0.6), layout="constrained"
    )
    grid = figure.subplots(len(directions), len(models), squeeze=False, sharex="col", sharey=True)
    place = np.arange(len(marks))
    for direction, row in zip(directions, grid, strict=True):
        for model, axes in zip(models, row, strict=True):
            own = rows[(rows["model"] == model) & (rows["direction"] == direction)]
            for column, sign, colour in (("added", 1, PAGE_COLOURS[1]), ("removed", -1, PAGE_COLOURS[0])):
                total = (own[column] * own["genes"]).groupby(own["mark"]).sum() / own.groupby("mark")["genes"].sum()
                axes.barh(place, sign * total.reindex(marks).fillna(0), color=colour, height=0.62)
            axes.axvline(0, color="0.3", linewidth=0.9)
            axes.set_yticks(place, [literal(mark) for mark in marks], fontsize=8.5)
            axes.tick_params(axis="x", labelsize=8.5)
            axes.grid(axis="x", color="0.93")
            axes.set_axisbelow(True)
            axes.xaxis.set_major_formatter(
                FuncFormatter(lambda value, _: f"{value:+,.0f}".replace("-", "−") if value else "0")
            )
            if direction == directions[0]:
                axes.set_title(title(model), fontsize=10.5)
            if direction == directions[-1]:
                axes.set_xlabel("Reads per gene", fontsize=9.5)
        row[0].set_ylabel(direction, fontsize=9.5)
    grid[0, 0].invert_yaxis()
    handles = [Patch(color=PAGE_COLOURS[1], label="added"), Patch(color=PAGE_COLOURS[0], label="removed")]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8.5, frameon=False)
    return figure
