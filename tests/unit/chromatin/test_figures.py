"""Figures: what they show, for one and for many epigenomes, and the same bytes each time."""

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import seaborn as sns
import xarray as xr
from builders import MARKS, MODELS, synthetic_dataset, synthetic_predictions, texts
from matplotlib.figure import Figure

from chromattend import pages
from chromattend.chromatin.figures import plot_auc, plot_comparisons, plot_dots, plot_profile, plot_published
from chromattend.chromatin.tables import published_table, summary_table
from chromattend.evaluate import calibration_table, metrics
from chromattend.figures import COLOURS, PAGE_COLOURS, plot_calibration, plot_roc, save
from chromattend.models.registry import REGISTRY
from chromattend.statistics import compare_over_epigenomes

RESOURCES = Path(__file__).parents[3] / "resources"
PUBLISHED, REPORTED = (pd.read_csv(RESOURCES / f"published_{name}.tsv", sep="\t") for name in ("summary", "auc"))
TITLES = [REGISTRY[model].title for model in MODELS]


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="vert: bool was deprecated")  # of seaborn's call of matplotlib
        yield


def auc_inputs(
    epigenomes: int, models: list[str], group: str = "Group {}"
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, list[str]]]:
    rng = np.random.default_rng(1)
    names = [f"E{number:03d}" for number in range(epigenomes)]
    auc = pd.DataFrame([(name, model, rng.normal(0.8, 0.03)) for name in names for model in models])
    auc.columns = pd.Index(["epigenome", "model", "auc"])
    groups = {name: [group.format(number % 9), f"#{number % 9}05090"] for number, name in enumerate(names)}
    return auc, summary_table(auc, PUBLISHED, REPORTED), groups


def roc(epigenome: str = "E003", models: list[str] | None = None) -> Figure:
    predictions = synthetic_predictions(MODELS if models is None else models)
    return plot_roc(predictions, {model: metrics(found) for model, found in predictions.items()}, epigenome)


def calibration(models: list[str]) -> Figure:
    predictions = synthetic_predictions(models)
    measured = {model: metrics(found) for model, found in predictions.items()}
    return plot_calibration(calibration_table(predictions), measured, "E003")


def comparisons(epigenomes: int, models: list[str]) -> pd.DataFrame:
    auc, _, _ = auc_inputs(epigenomes, models)
    return compare_over_epigenomes(auc.pivot(index="epigenome", columns="model", values="auc")[models])


def validation(dataset: xr.Dataset) -> xr.Dataset:
    """Build the counts of a validation mark for all genes of the study in another order, with one gene duplicated."""
    genes = [*dataset["gene"].values[::-1], dataset["gene"].values[0], "ENSG99999999999"]
    counts = np.ones((len(genes), dataset.sizes["bin"]))
    counts[-2:] = 1000
    return xr.Dataset({"counts": (("gene", "bin"), counts)}, {"gene": genes}, {"mark": "H3K27ac"})


@pytest.mark.parametrize("epigenomes", [1, 4, 5, 56])
@pytest.mark.parametrize("models", [MODELS, ["random_forest"]], ids=["all models", "one model"])
def test_auc_of_any_number_of_epigenomes_and_models(tmp_path: Path, epigenomes: int, models: list[str]) -> None:
    figure = plot_auc(*auc_inputs(epigenomes, models))
    found = texts(figure, tmp_path / "auc.svg")
    assert [text for text in found if text in TITLES] == [REGISTRY[model].title for model in models]
    points = [len(collection.get_offsets()) for collection in figure.axes[0].collections]
    assert sum(points) == epigenomes * len(models)
    assert {text for text in found if text.startswith("Group")} == {f"Group {n}" for n in range(min(epigenomes, 9))}


@pytest.mark.parametrize(("models", "count"), [(["random_forest"], 0), (["deepchrome", "attentivechrome"], 2)])
def test_the_published_mean_is_drawn_where_there_is_one(tmp_path: Path, models: list[str], count: int) -> None:
    figure = plot_auc(*auc_inputs(3, models))
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "|"]
    assert sum(len(line.get_xdata()) for line in marks) == count
    if count:
        assert sorted(np.concatenate([line.get_xdata() for line in marks])) == [0.8008, 0.8115]
    assert any("published" in text for text in texts(figure, tmp_path / "auc.svg")) == bool(count)


@pytest.mark.parametrize(
    "group", ["", "Blood & <T cell>", r"$\frac$ 5 US$", "_hidden", 'id="a" d="1.2345"', "Brain $a_1$", "müsli 脳"]
)
def test_the_name_of_a_group_is_shown_as_it_is(tmp_path: Path, group: str) -> None:
    auc, summary, groups = auc_inputs(2, ["deepchrome"], group)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # for the layout; a browser has the letters
        found = texts(plot_auc(auc, summary, groups), tmp_path / "auc.svg")
    assert (group or "epigenomes") in [text.strip("\u200b") for text in found]


def test_roc_shows_every_model_in_the_order_of_the_registry(tmp_path: Path) -> None:
    figure = roc()
    labels = [line.get_label().split("  ") for line in figure.axes[0].lines[: len(MODELS)]]
    assert [name for name, _ in labels] == [spec.title for spec in REGISTRY.values() if spec.title in TITLES]
    assert "E003: 160 test genes" in texts(figure, tmp_path / "roc.svg")


def test_a_roc_curve_is_that_of_the_test_genes() -> None:
    line = roc(models=["deepchrome"]).axes[0].lines[0]
    x, y = line.get_xdata(), line.get_ydata()
    found = metrics(synthetic_predictions(["deepchrome"])["deepchrome"])["test"]["auc"]
    assert np.trapezoid(y, x) == pytest.approx(found)
    assert f"{found:.3f}" in line.get_label()


def test_a_model_has_one_colour_and_line_in_all_figures() -> None:
    styles = []
    for figure in (roc(), calibration(MODELS)):
        lines = figure.axes[0].lines[: len(MODELS)]
        styles.append({line.get_label().split("  ")[0]: (line.get_color(), line.get_linestyle()) for line in lines})
    assert styles[0] == styles[1]
    assert len(set(styles[0].values())) == len(MODELS)
    # A study of few models has the same colours, also in the dots of the index page.
    few = roc(models=["deepchrome", "lstm"]).axes[0].lines[:2]
    dots = plot_dots({"deepchrome": 0.8, "lstm": 0.7}, (0.7, 0.8)).axes[0].lines[-2:]
    for line in few:
        assert (line.get_color(), line.get_linestyle()) == styles[0][line.get_label().split("  ")[0]]
    assert {line.get_color() for line in few} == {dot.get_color() for dot in dots}


def test_pages_and_figures_have_the_same_colours() -> None:
    template = Path(pages.__file__).with_name("templates") / "base.html"
    light, dark = template.read_text().split("prefers-color-scheme: dark")[:2]
    for scheme in (light, dark):
        assert len(re.findall(r"--series-\d: #", scheme)) == len(PAGE_COLOURS)
    assert tuple(re.findall(r"--series-\d: (#\w+);", light)) == PAGE_COLOURS


def test_calibration_shows_what_was_predicted_and_what_was_found() -> None:
    line = calibration(["deepchrome"]).axes[0].lines[0]
    table = calibration_table(synthetic_predictions(["deepchrome"]))
    np.testing.assert_array_equal(line.get_xdata(), table["mean_predicted"])
    np.testing.assert_array_equal(line.get_ydata(), table["share_on"])


@pytest.mark.parametrize("epigenomes", [1, 3, 56])
@pytest.mark.parametrize("models", [MODELS, MODELS[:2]], ids=["all models", "two models"])
def test_comparisons_show_both_sides_of_every_pair(tmp_path: Path, epigenomes: int, models: list[str]) -> None:
    table = comparisons(epigenomes, models)
    found = texts(plot_comparisons(table), tmp_path / "comparisons.svg")
    for row in table.to_dict("records"):
        star = "*" if row["q"] < 0.05 else ""
        assert f"{row['median_difference']:+.3f}{star}" in found
        assert f"{-row['median_difference']:+.3f}{star}" in found
        assert f"{row['wins']}/{epigenomes}" in found
        assert f"{row['losses']}/{epigenomes}" in found


def test_one_model_is_compared_with_none(tmp_path: Path) -> None:
    found = texts(plot_comparisons(comparisons(3, ["mlp"])), tmp_path / "comparisons.svg")
    assert found == ["Only one model was run; there is nothing to compare it with."]


def test_aucs_of_others_are_drawn_where_there_are_some(tmp_path: Path) -> None:
    auc = REPORTED[REPORTED["kind"] == "published"].assign(auc=lambda table: table["auc"] + 0.01)
    table = published_table(
        auc.assign(auc_low=0.5, auc_high=1.0)[["epigenome", "model", "auc", "auc_low", "auc_high"]], REPORTED
    )
    figure = plot_published(table)
    found = texts(figure, tmp_path / "published.svg")
    assert "DeepChrome (published), mean difference +0.010" in found
    points = {line.get_label().split(" ")[0]: len(line.get_xdata()) for line in figure.axes[0].lines[:2]}
    assert points == {"DeepChrome": 56, "ultra-chrome": 56}
    none = texts(plot_published(table[:0]), tmp_path / "none.svg")
    assert none == ["No AUC of these epigenomes and models is published."]


@pytest.mark.parametrize("marks", [["H3K4me3"], MARKS, [f"H{n}" for n in range(8)]])
def test_profiles_are_means_of_on_and_off_genes(tmp_path: Path, marks: list[str]) -> None:
    dataset = synthetic_dataset(marks=marks)
    figure = plot_profile(dataset)
    assert [axes.get_title() for axes in figure.axes] == marks
    for axes, mark in zip(figure.axes, marks, strict=True):
        for line, state in zip(axes.lines, (1, 0), strict=False):
            chosen = dataset["counts"].sel(mark=mark).values[dataset["label"].values == state]
            np.testing.assert_allclose(line.get_ydata(), chosen.mean(axis=0))
            np.testing.assert_array_equal(line.get_xdata(), np.arange(-950, 1000, 100))
    found = texts(figure, tmp_path / "profile.svg")
    assert "Mean reads per bin" in found
    assert {"ON", "OFF", "E003"} <= set(found)


def test_the_validation_mark_is_of_the_same_genes() -> None:
    dataset = synthetic_dataset()
    axes = plot_profile(dataset, validation(dataset)).axes[-1]
    assert axes.get_title() == "H3K27ac (validation)"
    assert all((line.get_ydata() == 1).all() for line in axes.lines[:2])


def test_average_signal_is_not_called_reads(tmp_path: Path) -> None:
    dataset = synthetic_dataset()
    dataset["counts"] = dataset["counts"].astype(np.float32)
    assert "Mean signal per bin" in texts(plot_profile(dataset), tmp_path / "profile.svg")


def test_a_profile_can_have_one_bin(tmp_path: Path) -> None:
    assert "E003" in texts(plot_profile(synthetic_dataset(bins=1)), tmp_path / "profile.svg")


FIGURES = {
    "roc": roc,
    "auc": lambda: plot_auc(*auc_inputs(56, MODELS)),
    "calibration": lambda: calibration(MODELS),
    "comparisons": lambda: plot_comparisons(comparisons(5, MODELS)),
    "profile": lambda: plot_profile(synthetic_dataset(), validation(synthetic_dataset())),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_same_bytes_each_time(tmp_path: Path, name: str) -> None:
    save(FIGURES[name](), tmp_path / "a.svg")
    np.random.rand(5)  # noqa: NPY002 (seaborn draws jitter from here)
    save(FIGURES[name](), tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "b.svg"]


def test_the_theme_is_that_of_seaborn_without_importing_it() -> None:
    code = "import sys, chromattend.figures; sys.exit('seaborn' in sys.modules or 'scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    theme = sns.axes_style("ticks") | sns.plotting_context("notebook")
    # Every figure with a colour map names it.
    own = {"image.cmap", "axes.spines.top", "axes.spines.right"}
    assert {name: mpl.rcParams[name] for name in theme if name not in own} == {
        name: value for name, value in theme.items() if name not in own
    }
    assert [*COLOURS] == sns.color_palette("colorblind").as_hex()
    assert mpl.rcParams["axes.prop_cycle"].by_key()["color"] == [*COLOURS]
    assert (mpl.rcParams["patch.edgecolor"], mpl.rcParams["patch.force_edgecolor"]) == ("w", True)
