"""Figures of explanations, one function each; see `chromattend.figures`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chromattend.figures import COLOURS, STATE_COLOURS, literal, sentence, title
from chromattend.interpret import METHODS, TITLES

POSITION = "Position relative to the TSS (bp)"


def _centres(maps: xr.Dataset) -> np.ndarray:
    starts = maps["bin"].values
    return starts + np.diff(starts[:2]).sum() / 2


def _mark_tss(axes: Axes) -> None:
    axes.axvline(0, color="0.5", linewidth=0.8, linestyle=":")
    axes.tick_params(labelsize=8)


def plot_attention(attention: xr.Dataset) -> Figure:
    """Draw the mean attention to the bins of each mark, and to the marks, for genes predicted ON and predicted OFF.

    Args:
        attention: see `chromattend.chromatin.attention.attention_maps`.
    """
    # The file also has named genes and, on request, the genes of the other parts.
    attention = attention.isel(gene=np.flatnonzero(attention["split"].values == "test"))
    maps, position = mean_maps(attention["alpha"], attention["score"]), _centres(attention)
    marks = attention["mark"].values
    on = attention["score"].values > 0.5
    numbers = {"ON": int(on.sum()), "OFF": int((~on).sum())}
    columns = 3
    rows = -(-(len(marks) + 1) // columns)
    figure = Figure(figsize=(3.3 * columns, 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).flat
    for axes, mark in zip(panels, marks, strict=False):
        for state, number in numbers.items():
            label = f"{state} ({number:,})"
            axes.plot(position, maps.sel(state=state, mark=mark), color=STATE_COLOURS[state], label=label)
        axes.axhline(1 / len(position), color="0.7", linewidth=0.8, linestyle="--")
        axes.set_title(f"{mark}: alpha", fontsize=10)
        axes.set_ylim(bottom=0)
        _mark_tss(axes)
    first, last = figure.axes[0], figure.axes[len(marks)]
    first.legend(frameon=False, fontsize=8, title="predicted (genes)", title_fontsize=8)
    if "beta" in attention:
        table = pd.DataFrame(
            {
                "beta": attention["beta"].values.ravel(),
                "mark": np.tile(marks, len(on)),
                "predicted": np.repeat(np.where(on, "ON", "OFF"), len(marks)),
            }
        )
        import seaborn as sns  # slow to import, and only attention over marks needs it

        sns.barplot(
            table, y="mark", x="beta", hue="predicted", hue_order=["ON", "OFF"], palette=STATE_COLOURS, ax=last,
            errorbar=None, legend=False,
        )  # fmt: skip
        last.axvline(1 / len(marks), color="0.7", linewidth=0.8, linestyle="--")
        last.set_title("beta", fontsize=10)
        last.set(xlabel="", ylabel="")
        last.tick_params(labelsize=8)
    else:
        last.remove()
    for axes in figure.axes[len(marks) + 1 :]:
        axes.remove()
    figure.supxlabel(POSITION + ("; beta: mean weight" if "beta" in attention else ""), fontsize=10)
    figure.supylabel("Mean weight", fontsize=10)
    figure.suptitle(f"{attention.attrs['epigenome']}: {title(attention.attrs['model'])}", fontsize=11)
    return figure


def plot_explanation(maps: xr.Dataset, faithfulness: pd.DataFrame) -> Figure:
    """Draw the mean map of every method and mark, for genes predicted ON and OFF, and for untrained models.

    Args:
        maps: see `chromattend.chromatin.explain.Explanation`.
        faithfulness: see `chromattend.interpret.faithfulness.faithfulness_table`; methods that failed are marked.
    """
    trusted = faithfulness.groupby("method")["trustworthy"].min()
    methods, marks, position = [name for name in METHODS if name in maps], maps["mark"].values, _centres(maps)
    rows = [*methods, "optimum"]
    figure = Figure(figsize=(2.3 * len(marks) + 0.8, 1.45 * len(rows) + 0.8), layout="constrained")
    panels = figure.subplots(len(rows), len(marks), sharex=True, sharey="row", squeeze=False)
    for line, row in zip(panels, rows, strict=True):
        means = _row_means(maps, row)
        for axes, mark in zip(line, marks, strict=True):
            curves = means.sel(mark=mark)
            untrained = curves.sel(weights=[name for name in maps["weights"].values if name != "trained"])
            axes.fill_between(
                position,
                untrained.min(["weights", "state"]),
                untrained.max(["weights", "state"]),
                color="0.8",
                label="without training (range)",
            )
            for state, colour in STATE_COLOURS.items():
                mean = curves.sel(weights="trained", state=state)
                axes.plot(position, mean, color=colour, linewidth=1.3, label=f"predicted {state}")
            _mark_tss(axes)
            axes.tick_params(labelsize=7)
            axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
            axes.yaxis.get_offset_text().set_fontsize(7)
        label = TITLES.get(row, TITLES["class_optimization"]).replace(" ", "\n", 1)
        line[0].set_ylabel(label + ("" if trusted.get(row, 1) else "\n(not trusted)"), fontsize=8)
    for axes, mark in zip(panels[0], marks, strict=True):
        axes.set_title(mark, fontsize=10)
    handles = dict(zip(*reversed(panels[0, 0].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncols=3, fontsize=8, frameon=False)
    figure.supxlabel(POSITION, fontsize=10)
    figure.suptitle(
        f"{maps.attrs['epigenome']}: {title(maps.attrs['model'])}, {maps.sizes['gene']:,} test genes",
        fontsize=11,
        x=0.01,
        ha="left",
    )
    return figure


def _row_means(maps: xr.Dataset, row: str) -> xr.DataArray:
    """Return the mean maps of a method over genes predicted ON and OFF, or both optima, with the dims of `optimum`."""
    if row == "optimum":
        return maps["optimum"]
    means = [mean_maps(maps[row].sel(weights=name), maps["score"]) for name in maps["weights"].values]
    return xr.concat(means, maps["weights"])


def plot_validation(validation: pd.DataFrame, mark: str, validation_mark: str | None) -> Figure:
    """Draw the correlation of weights and validation mark by model and method, for all epigenomes.

    Each label has the number of genes that the correlations are over, or its range over the epigenomes.

    Args:
        validation: see `chromattend.chromatin.validation.validation_table`.
        mark: the mark whose weights are shown.
        validation_mark: name of the validation mark, for the axis.
    """
    shown = validation[(validation["mark"] == mark) & validation["pearson"].notna()]
    if shown.empty:
        return sentence("No weights could be compared with a validation mark: no epigenome has one, or no network ran.")
    # Reads have one line for each choice of genes.
    reads = shown["method"] == "signal"
    shown = shown.assign(line=shown["method"].where(~reads, shown["weights"]))
    first = shown["model"] == shown["model"].iloc[0]
    lines = [
        line
        for rows in (shown[reads & first], shown[~reads])
        for line in dict.fromkeys(rows[["model", "line"]].itertuples(index=False, name=None))
    ]
    epigenomes = list(dict.fromkeys(shown["epigenome"]))
    figure = Figure(figsize=(8.2, 0.42 * len(lines) + 1.8), layout="constrained")
    axes = figure.subplots()
    offsets = dict(zip(epigenomes, np.linspace(-0.28, 0.28, len(epigenomes) + 2)[1:-1], strict=True))
    colours = {"trained": COLOURS[0], "random": "0.65", "none": "black", "attended": "black"}
    names = []
    for number, (model, line) in enumerate(lines):
        rows = shown[(shown["model"] == model) & (shown["line"] == line)]
        for weights, colour in reversed(colours.items()):
            correlations = rows[rows["weights"].str.startswith(weights)]
            y = number + correlations["epigenome"].map(offsets)
            if len(epigenomes) <= 10:
                axes.hlines(y, correlations["pearson_low"], correlations["pearson_high"], color=colour, linewidth=1)
            axes.plot(correlations["pearson"], y, "o", color=colour, markersize=5 if len(epigenomes) <= 10 else 2.5)
        published = rows["published"].dropna()
        axes.plot(published, np.full(len(published), number), "|", color="#B8322A", markersize=16, markeredgewidth=1.4)
        untrained = rows["weights"].str.startswith("random")
        genes, of_untrained = _number_range(rows.loc[~untrained, "genes"]), _number_range(rows.loc[untrained, "genes"])
        name = f"{title(model)}: {TITLES[line]}" if line in TITLES else f"{mark} reads themselves"
        apart = f"; {of_untrained} untrained" if of_untrained and of_untrained != genes else ""
        names.append(f"{name}\n{genes} genes{apart}")
    axes.set_yticks(range(len(lines)), names, fontsize=8)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlim(-1.02, 1.02)
    axes.axvline(0, color="0.6", linewidth=0.8)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    axes.set_xlabel(f"Pearson r of mean {mark} weights and mean {validation_mark} over the bins")
    handles = [
        Line2D([], [], color=colours[weights], marker="o", markersize=5, linestyle="none", label=label)
        for weights, label in (
            ("trained", "trained, one point an epigenome"),
            ("random", "without training, several networks"),
        )
    ]
    if shown["published"].notna().any():
        handles.append(Line2D([], [], color="#B8322A", marker="|", markersize=10, linestyle="none", label="published"))
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    return figure


def _number_range(numbers: pd.Series) -> str:
    """Return the smallest and the largest number as text, or the only one; nothing for no numbers."""
    return " to ".join(f"{number:,.0f}" for number in sorted({numbers.min(), numbers.max()})) if len(numbers) else ""


def plot_named_genes(table: pd.DataFrame) -> Figure:
    """Draw the attention to the marks of named genes, one panel per model and epigenome.

    Args:
        table: see `chromattend.chromatin.tables.beta_table`.
    """
    import seaborn as sns  # slow to import, and most figures do not need it

    if table.empty:
        return sentence("No gene is named in interpret.named_genes, or no model attends to marks.")
    models, epigenomes = (list(dict.fromkeys(table[name])) for name in ("model", "epigenome"))
    marks, genes = (list(dict.fromkeys(table[name])) for name in ("mark", "gene"))
    symbols = dict(zip(table["gene"], table["symbol"], strict=True))
    width, height = 0.52 * len(marks) + 0.9, 0.32 * len(genes) + 0.8
    figure = Figure(figsize=(width * len(epigenomes) + 1.6, (height + 0.9) * len(models) + 0.3), layout="constrained")
    panels = figure.subplots(len(models), len(epigenomes), squeeze=False)
    for line, model in zip(panels, models, strict=True):
        for axes, epigenome in zip(line, epigenomes, strict=True):
            rows = table[(table["model"] == model) & (table["epigenome"] == epigenome)]
            wide = rows.pivot(index="gene", columns="mark", values="beta").reindex(index=genes, columns=marks)
            label = rows.drop_duplicates("gene").set_index("gene")["label"].map({1: "ON", 0: "OFF"}).reindex(genes)
            sns.heatmap(
                wide, annot=True, fmt=".2f", annot_kws={"fontsize": 7}, cmap="cividis", vmin=0,
                vmax=table["beta"].max(), linewidths=0.5, cbar=axes is line[-1], cbar_kws={"label": "beta"}, ax=axes,
            )  # fmt: skip
            axes.set_yticks(
                np.arange(len(genes)) + 0.5,
                [f"{literal(symbols[gene])} {'' if pd.isna(state) else state}" for gene, state in label.items()],
                rotation=0,
            )
            axes.set_title(f"{epigenome}: {title(model)}", fontsize=9)
            axes.set(xlabel="", ylabel="")
            axes.tick_params(labelsize=8, length=0)
            axes.set_xticks(axes.get_xticks(), marks, rotation=45, ha="right")
    return figure


def plot_importance(table: pd.DataFrame, model: str, groups: Mapping[str, Sequence[str]]) -> Figure:
    """Draw the importance of each mark in every epigenome; epigenomes are clustered by it.

    Args:
        table: epigenome, model and the columns of `chromattend.chromatin.importance.importance_table`.
        model: the model whose rows are shown.
        groups: epigenome -> name and colour of its group.
    """
    import seaborn as sns  # slow to import, and most figures do not need it
    from scipy.cluster.hierarchy import dendrogram, linkage

    own = table[(table["model"] == model) & (table["mark"] == table["other"])]
    marks = list(dict.fromkeys(own["mark"]))
    wide = own.pivot(index="epigenome", columns="mark", values="importance")[marks]
    shown = {"Importance: mean |change of the logit|\nwithout the mark": wide}
    if own["beta_on"].notna().any():
        wide_beta = own.pivot(index="epigenome", columns="mark", values="beta_on")[marks]
        shown["Attention to the mark: mean beta\nof genes predicted ON"] = wide_beta
    tree = linkage(wide.to_numpy(), "average") if len(wide) > 2 else None
    order = dendrogram(tree, no_plot=True)["leaves"] if tree is not None else range(len(wide))
    names = list(wide.index[list(order)])
    figure = Figure(figsize=(1.6 + 3.1 * len(shown), 0.2 * len(names) + 2.4), layout="constrained")
    axes = figure.subplots(
        1, len(shown) + 2, width_ratios=[0.5, 0.09, *([len(marks) * 0.3] * len(shown))], squeeze=False
    )[0]
    if tree is not None:
        dendrogram(tree, orientation="left", ax=axes[0], link_color_func=lambda _: "0.3", no_labels=True)
        # A heat map lists its rows from top to bottom.
        axes[0].set_ylim(axes[0].get_ylim()[::-1])
    axes[0].axis("off")
    axes[1].imshow([[to_rgb(groups[name][1])] for name in names], aspect="auto", interpolation="nearest")
    axes[1].axis("off")
    for panel, (heading, values) in zip(axes[2:], shown.items(), strict=True):
        few = len(names) <= 12
        sns.heatmap(
            values.loc[names], cmap="cividis", annot=few, fmt=".2f", annot_kws={"fontsize": 7}, ax=panel,
            yticklabels=names if panel is axes[2] else False, linewidths=0.5 if few else 0, cbar_kws={"shrink": 0.6},
        )  # fmt: skip
        panel.set_title(heading, fontsize=9)
        panel.set(xlabel="", ylabel="")
        panel.tick_params(labelsize=8 if few else 6, length=0)
        panel.set_xticks(panel.get_xticks(), marks, rotation=45, ha="right", fontsize=8)
    axes[2].tick_params(axis="y", rotation=0)
    legend = dict.fromkeys((groups[name][0] or "epigenomes", groups[name][1]) for name in names)
    handles = [
        Line2D([], [], color=colour, marker="s", linestyle="none", label=literal(name)) for name, colour in legend
    ]
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=7)
    figure.suptitle(title(model), fontsize=11)
    return figure


def plot_interactions(table: pd.DataFrame, model: str) -> Figure:
    """Draw the effect of marks on the logit, alone (diagonal) and in pairs, as the mean over epigenomes.

    Args:
        table, model: see `plot_importance`.
    """
    import seaborn as sns  # slow to import, and most figures do not need it

    own = table[table["model"] == model]
    marks = list(dict.fromkeys(own["mark"]))
    mean = own.groupby(["mark", "other"], sort=False)[["effect_on", "effect_off"]].mean()
    figure = Figure(figsize=(0.85 * len(marks) * 2 + 2.6, 0.75 * len(marks) + 1.6), layout="constrained")
    limit = float(np.nanmax(np.abs(mean.to_numpy()), initial=1e-6))
    panels = figure.subplots(1, 2)
    for axes, state in zip(panels, ("on", "off"), strict=True):
        wide = mean[f"effect_{state}"].unstack().reindex(index=marks, columns=marks)
        sns.heatmap(
            wide, annot=True, fmt="+.2f", annot_kws={"fontsize": 8}, square=True, linewidths=0.5, ax=axes,
            cmap=sns.diverging_palette(250, 30, as_cmap=True), vmin=-limit, vmax=limit, cbar=axes is panels[1],
            cbar_kws={"label": "Change of the logit of ON", "shrink": 0.7},
        )  # fmt: skip
        axes.set_title(f"Genes predicted {state.upper()}", fontsize=10)
        axes.set(xlabel="", ylabel="")
        axes.tick_params(labelsize=8, length=0)
        axes.set_xticks(axes.get_xticks(), marks, rotation=45, ha="right")
        axes.set_yticks(axes.get_yticks(), marks, rotation=0)
    figure.suptitle(f"{title(model)}: own effect of a mark (diagonal), interaction of two", fontsize=11)
    return figure


def mean_maps(alpha: xr.DataArray, score: xr.DataArray) -> xr.DataArray:
    """Average maps over genes predicted ON and over genes predicted OFF (AttentiveChrome, figure 2).

    Args:
        alpha: dims gene, mark, bin.
        score: P(ON) by gene.

    Returns:
        dims state (ON, OFF), mark, bin; NaN if no gene is predicted to be in a state.
    """
    on = score.values > 0.5
    parts = [alpha.isel(gene=np.flatnonzero(chosen)).mean("gene") for chosen in (on, ~on)]
    return xr.concat(parts, "state").assign_coords(state=["ON", "OFF"])
