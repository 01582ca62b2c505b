"""Figures of a set of images, one function each; see `chromattend.figures`."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from chromattend.figures import PAGE_COLOURS, sentence
from chromattend.robustness.images.runs import Run
from chromattend.robustness.pages.images import NORMS, detector_title, difference, known, run_names, run_title
from chromattend.robustness.study import ALL, LEGITIMATE

_PICTURES = ("Original", "Adversarial", "Difference")


def plot_attacks(attacks: pd.DataFrame, runs: Mapping[str, Run]) -> Figure:
    """Draw a row per run of an attack: its first successful image, how often it succeeds, and its distances.

    Args:
        attacks: see `chromattend.robustness.pages.images.write_page`.
        runs: what each run made, in the order of `attacks`.
    """
    if not (attacks["success"] > 0).any():
        return sentence("No attack turns an image.")
    number = len(attacks)
    names = run_names(attacks)
    figure = Figure(figsize=(10.4, 1.1 + 0.62 * number), layout="constrained")
    grid = figure.add_gridspec(number, 6, width_ratios=(0.62, 0.62, 0.62, 2.6, 1.9, 1.9))
    for place, name in enumerate(names):
        cells = [figure.add_subplot(grid[place, column]) for column in range(3)]
        _draw_example(cells, runs[name])
        if place == 0:
            for axes, title in zip(cells, _PICTURES, strict=True):
                axes.set_title(title, fontsize=8)
    places = np.arange(number)
    panels = [figure.add_subplot(grid[:, column]) for column in (3, 4, 5)]
    success, *distances = panels
    success.hlines(places, attacks["success_low"], attacks["success_high"], color=PAGE_COLOURS[0], linewidth=2)
    success.plot(attacks["success"], places, "o", color=PAGE_COLOURS[0], label="this set (95 % interval)")
    success.set(xlabel="Success")
    success.set_yticks(places, [run_title(name) for name in names], fontsize=8)
    for axes, norm in zip(distances, ("l2", "linf"), strict=True):
        axes.plot(attacks[norm], places, "o", color=PAGE_COLOURS[0])
        axes.set_yticks(places, [])
        axes.set_xlabel(f"{NORMS[norm]} (mean of the successful)")
    for axes, name in zip(panels, ("success", "l2", "linf"), strict=True):
        if f"published_{name}" in attacks and attacks[f"published_{name}"].notna().any():
            axes.plot(
                attacks[f"published_{name}"],
                places,
                "D",
                markersize=7,
                markerfacecolor="none",
                color=PAGE_COLOURS[1],
                label="reported by Xu et al. 2018",
            )
        axes.set_ylim(number - 0.5, -0.5)
        axes.set_xlim(-0.03 * axes.dataLim.x1, 1.06 * axes.dataLim.x1)
        axes.tick_params(axis="x", labelsize=8)
        axes.xaxis.label.set_fontsize(9)
        axes.grid(axis="both", color="0.92", linewidth=0.8)
        axes.set_axisbelow(True)
    figure.legend(*success.get_legend_handles_labels(), loc="outside lower right", ncols=2, fontsize=8, frameon=False)
    return figure


def _draw_example(cells: list[Axes], run: Run) -> None:
    """Draw the first successful image of a run, if it has one."""
    for axes in cells:
        axes.set_axis_off()
    successes = np.flatnonzero(run.success)
    if not len(successes):
        return
    before, after = run.original[successes[0]], run.adversarial[successes[0]]
    for axes, pixels in zip(cells, (before, after, difference(before, after)), strict=True):
        grey = pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255, interpolation="nearest")


def plot_detection(detection: pd.DataFrame, adaptive: pd.DataFrame, detector: str) -> Figure:
    """Draw the share of the successful images of each attack that each detector notices.

    Args:
        detection, adaptive: see `chromattend.robustness.pages.images.write_page`.
        detector: the detector that the adaptive attack knows, which has the first column.
    """
    table = detection[detection["attack"] != LEGITIMATE].pivot(index="detector", columns="attack", values="detected")
    detectors = list(dict.fromkeys(detection["detector"]))
    runs = [name for name in dict.fromkeys(detection["attack"]) if name not in (ALL, LEGITIMATE)]
    table = table.reindex(index=detectors, columns=[ALL, *runs])
    titles = ["all attacks", *map(run_title, runs)]
    tried = known(adaptive)
    if tried:
        table.insert(0, "knows", [tried["noticed"] if name == detector else None for name in detectors])
        titles.insert(0, "knows the detector")
    values = table.to_numpy(dtype=float)
    figure = Figure(figsize=(3.4 + 0.58 * len(titles), 1.9 + 0.36 * len(detectors)), layout="constrained")
    axes = figure.subplots()
    # Light enough for black numbers.
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1.8, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        text = f"{100 * value:.0f}" if np.isfinite(value) else "–"
        axes.text(column, row, text, ha="center", va="center", fontsize=9)
    false = detection[detection["attack"] == ALL].set_index("detector")["false_positives"]
    labels = [f"{detector_title(name)} ({100 * false[name]:.1f} %)" for name in detectors]
    axes.set_yticks(range(len(detectors)), labels, fontsize=8)
    axes.set_xticks(range(len(titles)), titles, fontsize=8, rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if tried:
        place = detectors.index(detector)
        axes.add_patch(Rectangle((-0.48, place - 0.48), 0.96, 0.96, fill=False, color=PAGE_COLOURS[1], linewidth=2))
        axes.get_xticklabels()[0].set_color(PAGE_COLOURS[1])
    axes.set_title("Successful adversarial images that are noticed (%), at false alarms (in brackets)", fontsize=9)
    return figure
