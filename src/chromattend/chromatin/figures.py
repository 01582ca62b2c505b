"""Figures of chromatin data and their models, one function each; see `chromattend.figures`."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chromattend.chromatin.dataset import rows_of
from chromattend.figures import COLOURS, STATE_COLOURS, literal, sentence, style, title
from chromattend.models.registry import in_order


def plot_comparisons(comparisons: pd.DataFrame) -> Figure:
    """Draw the median difference of AUC between every two models, with the wins and the Wilcoxon test.

    Args:
        comparisons: see `chromattend.statistics.compare_over_epigenomes`.
    """
    import seaborn as sns  # slow to import, and most figures do not need it

    models = list(dict.fromkeys([*comparisons["model"], *comparisons["other"]]))
    if not models:
        return sentence("Only one model was run; there is nothing to compare it with.")
    difference = pd.DataFrame(np.nan, index=models, columns=models)
    text = pd.DataFrame("", index=models, columns=models)
    for row in comparisons.to_dict("records"):
        star = "*" if row["q"] < 0.05 else ""
        for sides, median, won in (
            ((row["model"], row["other"]), row["median_difference"], row["wins"]),
            ((row["other"], row["model"]), -row["median_difference"], row["losses"]),
        ):
            difference.loc[sides] = median
            text.loc[sides] = f"{median:+.3f}{star}\n{won}/{row['epigenomes']}"
    order = in_order(models)
    size = max(0.62 * len(models), 1.6)
    figure = Figure(figsize=(size + 2.6, size + 1.6), layout="constrained")
    axes = figure.subplots()
    shown, text = difference.loc[order, order], text.loc[order, order]
    limit = max(float(np.nanmax(np.abs(shown.to_numpy()), initial=0)), 0.005)
    titles = [title(model) for model in order]
    sns.heatmap(
        shown.set_axis(titles, axis=0).set_axis(titles, axis=1),
        annot=text.to_numpy(),
        fmt="",
        annot_kws={"fontsize": 6.5},
        cmap=sns.diverging_palette(250, 30, as_cmap=True),
        vmin=-limit,
        vmax=limit,
        square=True,
        linewidths=0.5,
        cbar_kws={"label": "Median difference of AUC, row less column", "shrink": 0.7},
        ax=axes,
    )
    axes.tick_params(labelsize=8, length=0)
    axes.set_xticklabels(axes.get_xticklabels(), rotation=45, ha="right")
    axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
    return figure


def plot_published(published: pd.DataFrame) -> Figure:
    """Draw the AUC of each epigenome and model against the AUC that others report.

    Args:
        published: see `chromattend.chromatin.tables.published_table`; without rows the figure says so.
    """
    models = in_order(published["model"])
    if not models:
        return sentence("No AUC of these epigenomes and models is published.")
    figure = Figure(figsize=(max(3.4 * len(models), 5), 3.9), layout="constrained")
    values = published[["auc", "reported"]].to_numpy()
    low, high = values.min() - 0.02, values.max() + 0.02
    colours = dict(zip(sorted(set(published["source"])), COLOURS, strict=False))
    for axes, model in zip(figure.subplots(1, len(models), squeeze=False).flat, models, strict=True):
        for source, rows in published[published["model"] == model].groupby("source"):
            axes.plot(
                *(rows["reported"], rows["auc"], "o"),
                color=colours[source],
                markersize=4,
                alpha=0.8,
                label=f"{source} ({rows['kind'].iloc[0]}), mean difference {rows['difference'].mean():+.3f}",
            )
        axes.plot([low, high], [low, high], color="0.6", linewidth=0.8, linestyle="--")
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="AUC reported by others", title=title(model))
        axes.set_aspect("equal")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), fontsize=7, frameon=False)
    figure.axes[0].set_ylabel("AUC of this study")
    return figure


def plot_auc(auc: pd.DataFrame, summary: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> Figure:
    """Draw the test AUCs of all epigenomes by model, with the published mean if there is one.

    Args:
        auc: see `chromattend.chromatin.tables.auc_table`.
        summary: see `chromattend.chromatin.tables.summary_table`.
        groups: epigenome -> name and colour of its group.
    """
    import seaborn as sns  # slow to import, and most figures do not need it

    models = in_order(auc["model"])
    figure = Figure(figsize=(8, 0.7 * len(models) + 1.8), layout="constrained")
    axes = figure.subplots()
    if auc["epigenome"].nunique() >= 5:
        sns.boxplot(
            auc, x="auc", y="model", order=models, ax=axes, color="0.92", linecolor="0.4", fliersize=0, width=0.6
        )
    names = {name: literal(group or "epigenomes") for name, (group, _) in groups.items()}
    hue = auc["epigenome"].map(names)
    colours = {names[name]: groups[name][1] for name in auc["epigenome"]}
    size = 5 if auc["epigenome"].nunique() <= 20 else 3.6
    # A swarm, because jitter would differ from run to run.
    sns.swarmplot(auc, x="auc", y="model", order=models, hue=hue, palette=colours, ax=axes, size=size, linewidth=0.5)
    published = summary.set_index("model")["published_mean"].reindex(models)
    row = np.flatnonzero(published.notna())
    axes.plot(published.iloc[row], row, "|", color="black", markersize=26, markeredgewidth=1.5)
    axes.set(xlabel="AUC on the test genes", ylabel="", yticks=range(len(models)))
    axes.set_yticklabels([title(model) for model in models])
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    if len(row):
        # The tick of the panel is too tall for the legend.
        handles.append(Line2D([], [], color="black", marker="|", markersize=10, linestyle="none"))
        labels.append("published mean (56 epigenomes)")
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    return figure


def plot_profile(dataset: xr.Dataset, validation: xr.Dataset | None = None) -> Figure:
    """Draw the mean signal of each mark around the TSS, for ON and OFF genes.

    Args:
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        validation: signal of the validation mark, or None.
    """
    marks = dataset["mark"].values.tolist()
    signals = {mark: dataset["counts"].sel(mark=mark).values for mark in marks}
    if validation is not None:
        signals[f"{validation.attrs['mark']} (validation)"] = validation["counts"].values[rows_of(validation, dataset)]
    columns = 3
    rows = -(-len(signals) // columns)
    figure = Figure(figsize=(3.3 * columns, 2.5 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, squeeze=False)
    starts = dataset["bin"].values
    center = starts + np.diff(starts[:2]).sum() / 2
    marker = "" if len(starts) > 1 else "."
    label = dataset["label"].values
    for axes, (name, signal) in zip(panels.flat, signals.items(), strict=False):
        for state, value in (("ON", 1), ("OFF", 0)):
            mean = signal[label == value].mean(axis=0)
            axes.plot(center, mean, marker=marker, color=STATE_COLOURS[state], label=state)
        axes.axvline(0, color="0.5", linewidth=0.8, linestyle=":")
        axes.set_title(name, fontsize=10)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=8)
    for axes in panels.flat[len(signals) :]:
        axes.remove()
    unit = "signal" if np.issubdtype(dataset["counts"].dtype, np.floating) else "reads"
    figure.supxlabel("Position relative to the TSS (bp)", fontsize=10)
    figure.supylabel(f"Mean {unit} per bin", fontsize=10)
    figure.suptitle(dataset.attrs["epigenome"], fontsize=11)
    panels.flat[0].legend(frameon=False, fontsize=8, title="genes", title_fontsize=8)
    return figure


def plot_depth(quality: pd.DataFrame) -> Figure:
    """Draw the mean depth per bin of every mark and epigenome.

    Args:
        quality: see `chromattend.chromatin.quality.quality_table`, of all epigenomes.
    """
    import seaborn as sns  # slow to import, and most figures do not need it

    shown = quality.assign(**{name: quality[name].map(literal) for name in ("epigenome", "mark")})
    wide = shown.pivot(index="epigenome", columns="mark", values="depth")
    wide = wide.loc[shown["epigenome"].unique(), shown["mark"].unique()]
    few = len(wide) <= 20
    figure = Figure(
        figsize=(0.85 * wide.shape[1] + 2.6, (0.38 if few else 0.2) * len(wide) + 1.6), layout="constrained"
    )
    axes = figure.subplots()
    positive = wide.to_numpy()[wide.to_numpy() > 0]
    low, high = (positive.min(), positive.max()) if len(positive) else (0.1, 1.0)
    sns.heatmap(
        # A logarithmic scale has no zero, so marks without any read get the palest colour.
        wide.clip(lower=low),
        annot=wide if few else None,
        fmt=".2g",
        annot_kws={"fontsize": 8},
        cmap="crest",
        norm=LogNorm(low, max(high, low * 1.01)),
        linewidths=0.5,
        xticklabels=True,
        yticklabels=True,
        cbar_kws={"label": "Mean per bin", "shrink": 1 if few else 0.4, "aspect": 20 if few else 30},
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
    # Labels at the top: of many epigenomes, only the top is in view.
    axes.tick_params(labelsize=9 if few else 8, length=0, bottom=False, labelbottom=False, labeltop=True)
    axes.set_xticklabels(axes.get_xticklabels(), rotation=45, ha="left")
    axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
    return figure


def plot_dots(values: Mapping[str, float], limits: tuple[float, float]) -> Figure:
    """Draw the AUCs of one epigenome as a line of dots, small enough for a table row.

    Args:
        values: model -> AUC.
        limits: the AUCs at both ends of the line, the same in every line.
    """
    figure = Figure(figsize=(1.6, 0.24))
    figure.patch.set_alpha(0)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.axhline(0, color="0.6", linewidth=0.8)
    for model, value in values.items():
        axes.plot(value, 0, markersize=5.5, alpha=0.85, markeredgewidth=0, **style(model))
    margin = 0.04 * (limits[1] - limits[0]) or 0.01
    axes.set(xlim=(limits[0] - margin, limits[1] + margin), ylim=(-1, 1))
    return figure


def plot_transfer(transfer: pd.DataFrame, model: str, groups: Mapping[str, Sequence[str]]) -> Figure:
    """Draw the AUC of a model by training epigenome and test epigenome.

    Args:
        transfer: columns trained_on, tested_on and auc.
        model: name of the model.
        groups: epigenome -> name and colour of its group.
    """
    import seaborn as sns  # slow to import, and most figures do not need it

    order = sorted(transfer["trained_on"].unique(), key=lambda name: (groups[name][0], name))
    wide = transfer.pivot(index="trained_on", columns="tested_on", values="auc").loc[order, order]
    size = max(0.22 * len(order), 2.4)
    figure = Figure(figsize=(size + 2.2, size + 1.4), layout="constrained")
    axes = figure.subplots()
    few = len(order) <= 12
    sns.heatmap(
        wide,
        annot=few,
        fmt=".3f",
        annot_kws={"fontsize": 7},
        cmap="viridis",
        square=True,
        linewidths=0.5 if few else 0,
        xticklabels=order,
        yticklabels=order,
        cbar_kws={"label": "Test AUC", "shrink": 0.7},
        ax=axes,
    )
    axes.set(xlabel="Tested on", ylabel="Trained on", title=title(model))
    axes.tick_params(labelsize=8 if few else 6, length=0)
    axes.set_xticklabels(axes.get_xticklabels(), rotation=90)
    axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, name in zip(labels, order, strict=True):
            # A frame in the group's colour: letters in a light colour would be illegible.
            label.set_bbox({"facecolor": "white", "edgecolor": groups[name][1], "linewidth": 1.2, "pad": 0.8})
    return figure


def plot_differential(table: pd.DataFrame, predictions: Mapping[tuple[str, str], pd.DataFrame]) -> Figure:
    """Draw predicted against observed log fold changes of the test genes, one panel per pair and model.

    Args:
        table: see `chromattend.chromatin.differential.differential_table`.
        predictions: (pair, model) -> see `chromattend.chromatin.differential.predict_change`.
    """
    pairs, models = list(dict.fromkeys(table["pair"])), list(dict.fromkeys(table["model"]))
    figure = Figure(figsize=(3.1 * len(models) + 0.6, 2.9 * len(pairs) + 0.4), layout="constrained")
    panels = figure.subplots(len(pairs), len(models), squeeze=False, sharex=True, sharey=True)
    correlations = table.set_index(["pair", "model"])
    for line, pair in zip(panels, pairs, strict=True):
        for axes, model in zip(line, models, strict=True):
            test = predictions[pair, model].query("split == 'test'")
            row = correlations.loc[(pair, model)]
            axes.hexbin(test["target"], test["prediction"], gridsize=30, cmap="Blues", bins="log", linewidths=0.1)
            axes.axline((0, 0), slope=1, color="0.6", linewidth=0.8, linestyle="--")
            interval = f"{row['pearson_low']:.3f} to {row['pearson_high']:.3f}"
            axes.set_title(f"{pair}, {title(model)}\nr {row['pearson']:.3f} ({interval})", fontsize=9)
            axes.tick_params(labelsize=8)
    figure.supxlabel("Observed log2 fold change", fontsize=10)
    figure.supylabel("Predicted", fontsize=10)
    return figure
