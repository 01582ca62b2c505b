"""Figures, one function each. Each function returns a matplotlib figure, which `save` writes."""

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import markupsafe
import matplotlib as mpl
import pandas as pd
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from chromattend.files import atomic
from chromattend.models.registry import REGISTRY
from chromattend.pages import embed_svg

# Text stays text, so that figures are searchable and small. With the fixed salt and without a date, the same figure
# gives the same bytes.
mpl.use("Agg")
# Seaborn's palette "colorblind".
COLOURS = (
    *("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#949494", "#ece133", "#56b4e9"),
)
# Seaborn's theme "notebook" with style "ticks". Importing seaborn takes longer than drawing most figures, which are
# drawn without it.
_STYLE: Any = {
    **{"font.family": ["sans-serif"], "font.size": 12.0, "text.color": ".15"},
    "font.sans-serif": ["Arial", "DejaVu Sans", "Liberation Sans", "Bitstream Vera Sans", "sans-serif"],
    **{"axes.prop_cycle": cycler(color=COLOURS), "axes.axisbelow": True, "axes.linewidth": 1.25},
    **{"axes.edgecolor": ".15", "axes.labelcolor": ".15", "axes.labelsize": 12.0, "axes.titlesize": 12.0},
    **{"axes.spines.top": False, "axes.spines.right": False, "grid.color": ".8", "grid.linewidth": 1.0},
    **{"legend.fontsize": 11.0, "legend.title_fontsize": 12.0, "lines.solid_capstyle": "round"},
    **{"patch.edgecolor": "w", "patch.force_edgecolor": True},
    **{
        f"{axis}tick.{name}": value
        for axis in "xy"
        for name, value in {
            **{"color": ".15", "labelsize": 11.0, "major.size": 6.0, "major.width": 1.25},
            **{"minor.size": 4.0, "minor.width": 1.0},
        }.items()
    },
    **{"svg.fonttype": "none", "svg.hashsalt": "chromattend"},
}
mpl.rcParams.update(_STYLE)
# Colours of the pages' charts, in the order of --series-1 to --series-8 in base.html.
PAGE_COLOURS = ("#0072b2", "#d55e00", "#007a5a", "#a8457f", "#6b6100", "#5b4bb5", "#5f6b78", "#a33a3a")
STATE_COLOURS = {"ON": COLOURS[1], "OFF": COLOURS[0]}


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as SVG."""
    with atomic(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None}, bbox_inches="tight")
        temporary.write_text(_compact(temporary.read_text(encoding="utf-8")), encoding="utf-8")


def _compact(svg: str) -> str:
    """Round the coordinates of paths to hundredths of a point, for a smaller figure that looks the same."""

    def rounded(path: re.Match[str]) -> str:
        return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}".rstrip("0").rstrip("."), path[0])

    return re.sub(r"<path [^>]*>", lambda tag: re.sub(r'\bd="[^"]*"', rounded, tag[0]), svg)


def inline_svg(figure: Figure, prefix: str, label: str) -> markupsafe.Markup:
    """Return a figure as an svg element for a page.

    Args:
        figure: figure to draw.
        prefix: letters and digits put before its ids, so that they do not clash with another figure's.
        label: text for screen readers.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return embed_svg(_compact(buffer.getvalue()), prefix, label)


def literal(text: str) -> str:
    """Return a text that matplotlib draws as it is written: as no formula, and in every legend."""
    text = text.replace("$", r"\$")
    # Legends leave out labels that begin with "_".
    return f"\u200b{text}" if text.startswith("_") else text


def title(model: str) -> str:
    """Return a model's name as shown in figures and tables."""
    return REGISTRY[model].title


def style_number(model: str) -> int:
    """Return the number of a model in its track, which gives its colour and line in every figure and on every page.

    There are eight colour-blind-safe colours. The networks that the key `models` can list have them first, with solid
    lines; the baselines, and the models of other stages after them, have the same colours with another line or symbol.
    """
    track = [spec for spec in REGISTRY.values() if spec.track == REGISTRY[model].track]
    listed = [spec.scope in ("epigenome", "sequence") for spec in track]
    order = sorted(zip(listed, track, strict=True), key=lambda each: (not each[0], each[1].kind != "network"))
    return [spec.name for _, spec in order].index(model)


def style(model: str) -> dict[str, Any]:
    """Return the colour and line of a model, for matplotlib; see `style_number`."""
    round_number, colour = divmod(style_number(model), len(PAGE_COLOURS))
    return {"color": PAGE_COLOURS[colour], "linestyle": ("-", "--", ":")[round_number]}


def plot_roc(
    predictions: Mapping[str, pd.DataFrame], metrics: Mapping[str, Mapping[str, Any]], name: str, noun: str = "gene"
) -> Figure:
    """Draw the ROC curves of all models on the test part of one dataset.

    Args:
        predictions: model -> label and score of each gene, see `chromattend.evaluate.predict`.
        metrics: model -> metrics, see `chromattend.evaluate.metrics`.
        name: name of the epigenome or set for the heading.
        noun: what an example is called.
    """
    # Most figures do not need scikit-learn, which takes longer to import than they take to draw.
    from sklearn.metrics import roc_curve

    figure, axes = _panel_of_models(len(metrics))
    order = sorted(predictions, key=lambda model: -metrics[model]["test"]["auc"])
    for model in order:
        test = predictions[model].query("split == 'test'")
        false_positive, true_positive, _ = roc_curve(test["label"], test["score"])
        test_metrics = metrics[model]["test"]
        interval = f"({test_metrics['auc_low']:.3f}-{test_metrics['auc_high']:.3f})"
        label = f"{title(model)}  {test_metrics['auc']:.3f} {interval}"
        axes.plot(false_positive, true_positive, label=label, linewidth=1.6, **style(model))
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle="--")
    axes.set(xlabel="False positive rate", ylabel="True positive rate", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    axes.set_title(f"{name}: {metrics[order[0]]['test']['n']:,} test {noun}s")
    _name_models(axes, len(order), "AUC (95 % interval)", "lower right")
    return figure


def plot_calibration(
    calibration: pd.DataFrame,
    metrics: Mapping[str, Mapping[str, Any]],
    name: str,
    noun: str = "gene",
    positive: str = "ON",
) -> Figure:
    """Draw the share of positives among examples of similar predicted probability, for each model.

    Args:
        calibration: see `chromattend.evaluate.calibration_table`.
        metrics: model -> metrics, see `chromattend.evaluate.metrics`.
        name: name of the epigenome or set for the heading.
        noun, positive: what an example and the positive class are called.
    """
    figure, axes = _panel_of_models(len(metrics))
    order = sorted(metrics, key=lambda model: metrics[model]["test"]["brier"])
    for model in order:
        rows = calibration[calibration["model"] == model]
        label = f"{title(model)}  {metrics[model]['test']['brier']:.3f}"
        axes.plot(
            rows["mean_predicted"],
            rows["share_on"],
            label=label,
            marker="o",
            markersize=3,
            linewidth=1.3,
            **style(model),
        )
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle="--")
    axes.set(xlabel=f"Predicted P({positive}), tenths of the {noun}s", ylabel=f"Share of them that is {positive}")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    axes.set_title(f"{name}: calibration on the test {noun}s")
    _name_models(axes, len(order), "Brier score", "upper left")
    return figure


# A legend of more models would hide the curves.
_MOST_IN_PANEL = 6


def _panel_of_models(number: int) -> tuple[Figure, Axes]:
    """Return a square panel, in a figure with room for the legend of a number of models; see `_name_models`."""
    figure = Figure(figsize=(5.4 if number <= _MOST_IN_PANEL else 8.6, 5.2), layout="constrained")
    return figure, figure.subplots()


def _name_models(axes: Axes, number: int, heading: str, location: str) -> None:
    """Put the legend into the panel, or next to it where it would hide the curves."""
    if number > _MOST_IN_PANEL:
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1)}
    else:
        place = {"loc": location}
    axes.legend(title=heading, fontsize=8, title_fontsize=8, frameon=False, **place)


def sentence(text: str) -> Figure:
    """Return a placeholder figure that says why there is nothing to draw."""
    figure = Figure(figsize=(6, 1))
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=10)
    return figure
