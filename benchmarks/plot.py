"""The figure of docs/performance.md, from the output of the other benchmarks.

.venv/bin/python benchmarks/plot.py --folder build --output docs/images/performance.svg
"""

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chromattend.figures import save

OURS, OTHER = "#0072b2", "0.55"
RULES = 10  # number of rules with a bar of their own


def read(path: Path) -> Any:
    """Read the output of a benchmark."""
    return json.loads(path.read_text())


def draw_curve(axes: Axes, rows: pd.DataFrame, column: str, unit: float, label: str) -> None:
    """Draw the time of counting, with its memory at each point, and the time of decompressing alone."""
    rows = rows.sort_values(column)
    at = rows[column] / unit
    axes.plot(at, rows["ours_s"], "o-", color=OURS, label="counting")
    axes.plot(at, rows["other_s"], "o--", color=OTHER, label="decompressing alone (isal)")
    for x, y, memory in zip(at, rows["ours_s"], rows["memory_mb"], strict=True):
        axes.annotate(f"{memory:.0f} MB", (x, y), (-4, 6), textcoords="offset points", ha="right", fontsize=8)
    axes.set(xscale="log", xlabel=label, ylabel="Time (s)", ylim=(0, rows["ours_s"].max() * 1.2))
    axes.set_xticks(at, [f"{value:g}" for value in at])
    axes.minorticks_off()
    axes.set_xlim(at.min() / 1.9, at.max() * 1.2)
    axes.legend(frameon=False, fontsize=8)


def draw_epigenomes(axes: Axes, rows: pd.DataFrame, title: str) -> None:
    """Draw the time per network of an epoch, trained together and one by one."""
    for column, style, colour, label in (
        ("together_s", "o-", OURS, "in one job"),
        ("separate_s", "o--", OTHER, "one by one"),
    ):
        axes.plot(rows["epigenomes"], rows[column] / rows["epigenomes"], style, color=colour, label=label)
    axes.set(xlabel="Epigenomes", ylabel="Time a network (s)", xscale="log", title=title)
    axes.set_xticks(rows["epigenomes"], rows["epigenomes"])
    axes.minorticks_off()
    axes.set_ylim(0, 1.15 * (rows[["together_s", "separate_s"]].max(axis=1) / rows["epigenomes"]).max())
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def draw_demo(axes: Axes, demo: dict[str, Any]) -> None:
    """Draw the wall time of the demo's rules."""
    rules = pd.DataFrame(demo["rules"])
    shown, rest = rules[:RULES], rules[RULES:]
    names = [f"{row.rule} ({row.jobs})" for row in shown.itertuples()] + [f"others ({rest['jobs'].sum()})"]
    axes.barh(names, [*shown["wall_s"], rest["wall_s"].sum()], color=OURS)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=8)
    axes.set(xlabel="Time of all jobs (s)", title=f"Demo: {demo['wall_s']:.0f} s on {demo['cores']} cores")


def main() -> None:
    """Draw the figure and save it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="folder of counting.json, stacked.json, demo.json")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    counting = pd.DataFrame(read(arguments.folder / "counting.json"))
    stacked, demo = (read(arguments.folder / f"{name}.json") for name in ("stacked", "demo"))
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(2, 2).ravel()
    draw_curve(panels[0], counting[counting["name"].str.endswith("M reads")], "reads", 1e6, "Reads (millions)")
    draw_curve(panels[1], counting[counting["name"].str.match(r"\d+ genes$")], "genes", 1e3, "Genes (thousands)")
    panels[0].set_title(f"tagAlign.gz, {counting['genes'].mode()[0]:,} genes")
    some = counting.loc[counting["name"].str.match(r"\d+ genes$"), "reads"].iloc[0]
    panels[1].set_title(f"tagAlign.gz, {some / 1e6:g} million reads")
    title = f"AttentiveChrome, an epoch of {stacked['genes']:,} genes on a {stacked['device']}"
    draw_epigenomes(panels[2], pd.DataFrame(stacked["rows"]), title)
    draw_demo(panels[3], demo)
    for panel, letter in zip(panels, "ABCD", strict=True):
        panel.set_title(panel.get_title(), fontsize=10)
        panel.set_title(letter, loc="left", fontweight="bold")
    save(figure, arguments.output)


if __name__ == "__main__":
    main()
