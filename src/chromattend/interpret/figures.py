"""Figures of the faithfulness of explanations; see `chromattend.figures`."""

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from chromattend.figures import COLOURS
from chromattend.interpret import METHODS, RANDOM, TITLES


def plot_faithfulness(curves: pd.DataFrame, table: pd.DataFrame, heading: str) -> Figure:
    """Draw the change of the logit for the model's answer while bins are removed or restored in the order of weight.

    Args:
        curves: see `chromattend.interpret.faithfulness.curve_table`.
        table: see `chromattend.interpret.faithfulness.faithfulness_table`.
        heading: heading of the figure, with the name of the model.
    """
    figure = Figure(figsize=(9.2, 3.9), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    colours: dict[str, Any] = {RANDOM: "0.4", **dict(zip(METHODS, COLOURS, strict=False))}
    trusted = table.groupby("method")["trustworthy"].min()
    for axes, measure in zip(panels, ("deletion", "insertion"), strict=True):
        for method in dict.fromkeys(curves["method"]):
            rows = curves[(curves["measure"] == measure) & (curves["method"] == method)]
            label = (
                "Random order" if method == RANDOM else TITLES[method] + ("" if trusted[method] else " (not trusted)")
            )
            style = "--" if method == RANDOM else "-" if trusted[method] else ":"
            axes.plot(rows["share"], rows["mean"], color=colours[method], linestyle=style, linewidth=1.5, label=label)
        axes.set_xscale("symlog", linthresh=0.01)
        axes.set_xticks([0, 0.01, 0.1, 1], ["0", "1 %", "10 %", "100 %"])
        axes.set_xlabel("Bins " + ("removed" if measure == "deletion" else "brought back") + ", most important first")
        axes.set_title("Deletion" if measure == "deletion" else "Insertion", fontsize=10)
        axes.tick_params(labelsize=8)
    panels[0].set_ylabel("Change of the logit\nfor the model's answer")
    panels[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    if not table["learned"].all():
        heading += ": the network has learned nearly nothing"
    figure.suptitle(heading, fontsize=11)
    return figure
