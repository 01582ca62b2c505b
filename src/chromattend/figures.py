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
from chromattend.models.registry import REGISTRY, in_order
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
# Colours of the models, in the order of the registry. Each has a contrast of at least 3 with the white and with the
# dark page. They are about equally light, so in grey, and partly to colour-blind readers, dash and symbol tell models
# of one track apart: no two have both in common, and two that share one of them differ to colour-blind readers too.
MODEL_COLOURS = dict(
    zip(
        REGISTRY,
        (
            *("#0b772c", "#905b5b", "#b74fac", "#5d98a5", "#4e7ca0", "#bd6886", "#eb4351", "#ef6616"),
            *("#729d00", "#ec52a0", "#c15f09", "#726bc5", "#96681c", "#a877f8", "#1479f5", "#1070c2"),
            *("#a089a8", "#b37410", "#c0556b", "#018911", "#5d9f5b", "#4566d9", "#b84dca", "#317396"),
        ),
        strict=True,
    )
)
_DASHES: tuple[tuple[float, ...], ...] = ((), (6, 2.5), (2.5, 1.8), (6, 2, 1.5, 2), (11, 2.5))
# The symbols' names in matplotlib and in plotly, and their paths for drawings of pages.
_SYMBOLS = (
    ("o", "circle", "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0z"),
    ("s", "square", "M-5,-5h10v10h-10z"),
    ("^", "triangle-up", "M0,-6L6,5H-6z"),
    ("D", "diamond", "M0,-7L7,0L0,7L-7,0z"),
    ("v", "triangle-down", "M0,6L6,-5H-6z"),
    ("P", "cross", "M-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z"),
    ("X", "x", "M-6,-3L-3,-6L0,-3L3,-6L6,-3L3,0L6,3L3,6L0,3L-3,6L-6,3L-3,0z"),
    ("*", "star", "M0,-7L1.7,-2.3L6.7,-2.2L2.7,0.9L4.1,5.7L0,2.8L-4.1,5.7L-2.7,0.9L-6.7,-2.2L-1.7,-2.3z"),
)
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


def style(model: str) -> dict[str, Any]:
    """Return the color, linestyle and marker of a model, for matplotlib; see `look`."""
    dash, (marker, _, _) = _dash(model), _symbol(model)
    return {"color": MODEL_COLOURS[model], "linestyle": (0, dash) if dash else "-", "marker": marker}


def look(model: str) -> dict[str, str]:
    """Return the colour, dash and symbol of a model for charts of pages, and the symbol's path, of radius 6 around 0.

    They are those of `style`, in the light and in the dark scheme.
    """
    _, symbol, path = _symbol(model)
    # Lines of pages are 2 px wide; matplotlib gives lengths of dashes in widths of the line.
    dash = ",".join(f"{2 * length:g}px" for length in _dash(model)) or "solid"
    return {"colour": MODEL_COLOURS[model], "dash": dash, "symbol": symbol, "path": path}


def _place(model: str) -> int:
    """Return the place of a model among those of its track, which share figures."""
    return [spec.name for spec in REGISTRY.values() if spec.track == REGISTRY[model].track].index(model)


def _dash(model: str) -> tuple[float, ...]:
    return _DASHES[_place(model) % len(_DASHES)]


def _symbol(model: str) -> tuple[str, str, str]:
    return _SYMBOLS[_place(model) % len(_SYMBOLS)]


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
    order = in_order(predictions)
    for model in order:
        test = predictions[model].query("split == 'test'")
        false_positive, true_positive, _ = roc_curve(test["label"], test["score"])
        test_metrics = metrics[model]["test"]
        interval = f"({test_metrics['auc_low']:.3f}-{test_metrics['auc_high']:.3f})"
        label = f"{title(model)}  {test_metrics['auc']:.3f} {interval}"
        axes.plot(
            false_positive, true_positive, label=label, linewidth=1.6, markersize=4, markevery=0.15, **style(model)
        )
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
    order = in_order(metrics)
    for model in order:
        rows = calibration[calibration["model"] == model]
        label = f"{title(model)}  {metrics[model]['test']['brier']:.3f}"
        axes.plot(
            rows["mean_predicted"],
            rows["share_on"],
            label=label,
            markersize=4,
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
