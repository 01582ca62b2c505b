"""Figures of the sequence track, one function each; see `chromattend.figures`."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from chromattend.figures import literal, sentence, style, title
from chromattend.models.registry import REGISTRY, in_order
from chromattend.sequence.pages.dashboard import ROUTES

# A rank beyond this is as good as none.
WORST_RANK = 50


def plot_sequence_auc(auc: pd.DataFrame) -> Figure:
    """Draw the AUC of every set and model: networks as dots with their intervals, floors as bars.

    Args:
        auc: set, model, auc, auc_low, auc_high (95 %) on the test sequences.
    """
    best = auc.groupby("set")["auc"].max().sort_values(ascending=False, kind="stable")
    models = in_order(auc["model"])
    networks = [model for model in models if REGISTRY[model].kind == "network"]
    floors = [model for model in models if model not in networks]
    figure = Figure(figsize=(7.6, max(1.7 + 0.34 * len(best), 2.6)), layout="constrained")
    axes = figure.subplots()
    row = {name: number for number, name in enumerate(best.index)}
    # Networks of one set are spread over its row, so that their intervals can be told apart.
    offsets = np.linspace(-0.26, 0.26, len(networks)) if len(networks) > 1 else np.zeros(len(networks))
    handles = []
    for model in floors:
        own = auc[auc["model"] == model]
        y = own["set"].map(row)
        look = style(model)
        axes.vlines(own["auc"], y - 0.4, y + 0.4, linewidth=2, color=look["color"], linestyle=look["linestyle"])
        handles.append(Line2D([], [], label=f"{title(model)} (floor)", linewidth=2, **look | {"marker": ""}))
    for model, offset in zip(networks, offsets, strict=True):
        own = auc[auc["model"] == model]
        ends = np.stack([own["auc"] - own["auc_low"], own["auc_high"] - own["auc"]])
        look = style(model) | {"linestyle": ""}
        y = own["set"].map(row) + offset
        axes.errorbar(own["auc"], y, xerr=ends, markersize=4.5, elinewidth=1, **look)
        handles.append(Line2D([], [], label=title(model), markersize=4.5, **look))
    axes.set_yticks(range(len(best)), [literal(str(name)) for name in best.index], fontsize=8)
    axes.set(ylim=(len(best) - 0.5, -0.5))
    axes.set_xlabel("AUC on the test sequences (95 % interval)", fontsize=10)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="0.92", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    return figure


def plot_views(motifs: pd.DataFrame) -> Figure:
    """Draw which route to motifs recovers the factor: -log10 E of its own entry, with its rank.

    Args:
        motifs: motifs of all sets: set, model, route, own_rank, own_e (missing where the database has no entry of the
            factor) and recovered (1, 0 or missing). A route is shown by the motif with the smallest own_e.
    """
    import seaborn as sns  # slow to import, and most figures do not need it

    known = motifs[motifs["own_e"].notna() & (motifs["route"].isin(list(ROUTES)))]
    if known.empty:
        return sentence("No model was explained whose factor has an entry in the database.")
    known = known.sort_values("own_e", kind="stable").drop_duplicates(["set", "model", "route"]).sort_index()
    labels = {
        (name, model): f"{literal(str(name))}, {title(str(model))}"
        for name, model in known[["set", "model"]].drop_duplicates().itertuples(index=False)
    }
    routes = [route for route in ROUTES if route in set(known["route"])]
    strength = pd.DataFrame(np.nan, index=list(labels.values()), columns=routes)
    text = pd.DataFrame("", index=strength.index, columns=routes)
    for row in known.to_dict("records"):
        cell = labels[row["set"], row["model"]], row["route"]
        strength.loc[cell] = max(-np.log10(max(row["own_e"], 1e-300)), 0)
        rank = f"{row['own_rank']:.0f}" if row["own_rank"] <= WORST_RANK else f">{WORST_RANK}"
        text.loc[cell] = rank + ("*" if row["recovered"] == 1 else "")
    height, width = 0.34 * len(strength) + 1.9, 0.85 * len(routes) + 3.4
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    sns.heatmap(
        strength.set_axis([ROUTES[route] for route in routes], axis=1),
        annot=text.to_numpy(),
        fmt="",
        annot_kws={"fontsize": 8},
        cmap="viridis",
        vmin=0,
        vmax=max(float(np.nanmax(strength.to_numpy())), 2),
        linewidths=0.5,
        ax=axes,
    )
    scale = figure.axes[-1]
    scale.tick_params(labelsize=8)
    scale.set_ylabel("-log10 E of the factor's own entry", fontsize=9)
    axes.tick_params(labelsize=8, length=0)
    axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right")
    axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
    return figure
