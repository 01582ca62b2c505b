"""Figures, one function each. They return a matplotlib figure, which `save` writes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from sklearn.metrics import roc_curve

from chromattend.files import atomic
from chromattend.models import REGISTRY

# Text stays text, so that figures are searchable and small; the salt and the missing date make the same figure
# the same bytes.
mpl.use("Agg")
sns.set_theme(
    context="notebook",
    style="ticks",
    palette="colorblind",
    rc={"svg.fonttype": "none", "svg.hashsalt": "chromattend", "axes.spines.top": False, "axes.spines.right": False},
)
STATE_COLOURS = {"ON": sns.color_palette("colorblind")[1], "OFF": sns.color_palette("colorblind")[0]}


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG."""
    with atomic(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None}, bbox_inches="tight")


def title(model: str) -> str:
    """Name of a model as figures and tables show it."""
    return REGISTRY[model].title


def plot_roc(
    predictions: Mapping[str, pd.DataFrame], metrics: Mapping[str, Mapping[str, Any]], epigenome: str
) -> Figure:
    """Draw the ROC curves of all models on the test genes of one epigenome.

    Args:
        predictions: model -> label and score by gene, see `chromattend.evaluate.predict`.
        metrics: model -> see `chromattend.evaluate.metrics`.
        epigenome: for the heading.
    """
    figure = Figure(figsize=(5.4, 5.2), layout="constrained")
    axes = figure.subplots()
    order = sorted(predictions, key=lambda model: -metrics[model]["test"]["auc"])
    for colour, model in zip(sns.color_palette("colorblind"), order, strict=False):
        test = predictions[model].query("split == 'test'")
        false_positive, true_positive, _ = roc_curve(test["label"], test["score"])
        found = metrics[model]["test"]
        label = f"{title(model)}  {found['auc']:.3f} ({found['auc_low']:.3f}-{found['auc_high']:.3f})"
        axes.plot(false_positive, true_positive, color=colour, label=label, linewidth=1.6)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle="--")
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    axes.set_title(f"{epigenome}: {metrics[order[0]]['test']['n']:,} test genes")
    axes.legend(title="AUC (95 % interval)", loc="lower right", fontsize=8, title_fontsize=8, frameon=False)
    return figure


def plot_auc(auc: pd.DataFrame, summary: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> Figure:
    """Draw the test AUCs of all epigenomes by model, with the published mean where there is one.

    Args:
        auc: see `chromattend.evaluate.auc_table`.
        summary: see `chromattend.evaluate.summary_table`.
        groups: epigenome -> name and colour of its group.
    """
    models = list(dict.fromkeys(auc["model"]))
    figure = Figure(figsize=(7.5, 0.75 * len(models) + 1.8), layout="constrained")
    axes = figure.subplots()
    if auc["epigenome"].nunique() >= 5:
        sns.boxplot(
            auc, x="auc", y="model", order=models, ax=axes, color="0.92", linecolor="0.4", fliersize=0, width=0.6
        )
    # A dollar sign would start a formula.
    names = {name: (group or "epigenomes").replace("$", r"\$") for name, (group, _) in groups.items()}
    hue = auc["epigenome"].map(names)
    colours = {names[name]: groups[name][1] for name in auc["epigenome"]}
    # A swarm and not jitter, which would differ from run to run.
    sns.swarmplot(auc, x="auc", y="model", order=models, hue=hue, palette=colours, ax=axes, size=5, linewidth=0.5)
    published = summary.set_index("model")["published_mean"].reindex(models)
    row = np.flatnonzero(published.notna())
    axes.plot(published.iloc[row], row, "|", color="black", markersize=26, markeredgewidth=1.5)
    axes.set(xlabel="AUC on the test genes", ylabel="", yticks=range(len(models)))
    axes.set_yticklabels([title(model) for model in models])
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    handles, labels = axes.get_legend_handles_labels()
    if len(row):
        # The tick of the panel is too long for a line of the legend.
        handles.append(Line2D([], [], color="black", marker="|", markersize=10, linestyle="none"))
        labels.append("published mean (56 epigenomes)")
    axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8)
    return figure


def plot_profile(dataset: xr.Dataset, validation: xr.Dataset | None = None) -> Figure:
    """Draw the mean signal of each mark around the TSS, of ON and of OFF genes.

    Args:
        dataset: see `chromattend.dataset.build_dataset`.
        validation: signal of the validation mark, or None.
    """
    marks = dataset["mark"].values.tolist()
    signals = {mark: dataset["counts"].sel(mark=mark).values for mark in marks}
    if validation is not None:
        table = pd.DataFrame(validation["counts"].values, index=validation["gene"].values)
        table = table[~table.index.duplicated()]
        signals[f"{validation.attrs['mark']} (validation)"] = table.loc[dataset["gene"].values].to_numpy()
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
