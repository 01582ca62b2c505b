"""Figures of explanations, for common and for odd results."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import MARKS, synthetic_dataset, texts

from chromattend.chromatin.attention import attention_maps
from chromattend.chromatin.explain import ExplainOptions, Explanation, explain
from chromattend.chromatin.explanation_figures import (
    plot_attention,
    plot_explanation,
    plot_importance,
    plot_interactions,
    plot_named_genes,
    plot_validation,
)
from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.figures import save
from chromattend.files import write_table
from chromattend.interpret import METHODS
from chromattend.interpret.figures import plot_faithfulness
from chromattend.models.network import Network


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def untrained(name: str, dataset: xr.Dataset) -> Network:
    return Network(ChromatinInputs.of(name, dataset, "log"), {}).eval()


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic_dataset(sizes={"train": 20, "valid": 20, "test": 30})


@pytest.fixture(scope="module")
def explanation(dataset: xr.Dataset) -> Explanation:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = ExplainOptions(list(METHODS), genes=10, starts=1, optimiser_steps=3)
        return explain(untrained("cnn_alpha_beta", dataset), dataset, options)


@pytest.mark.parametrize("name", ["attentivechrome", "lstm_attn"])
@pytest.mark.parametrize("marks", [MARKS, MARKS[:1]])
def test_attention_is_drawn_by_mark(name: str, marks: list[str], dataset: xr.Dataset, tmp_path: Path) -> None:
    chosen = dataset.sel(mark=marks)
    shown = texts(plot_attention(attention_maps(untrained(name, chosen), chosen)), tmp_path / "a.svg")
    assert {f"{mark}: alpha" for mark in marks} <= set(shown)
    assert ("beta" in shown) == (name == "attentivechrome")
    # Of the 30 test genes alone.
    numbers = [int(text.split("(")[1].rstrip(")")) for text in shown if text.startswith(("ON (", "OFF ("))]
    assert sum(numbers) == 30


def test_attention_is_drawn_where_no_gene_is_predicted_on(dataset: xr.Dataset, tmp_path: Path) -> None:
    maps = attention_maps(untrained("attentivechrome", dataset), dataset)
    maps["score"].values[:] = 0.1
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mean of empty slice")
        assert "ON (0)" in texts(plot_attention(maps), tmp_path / "a.svg")


def test_maps_of_every_method_are_drawn(explanation: Explanation, tmp_path: Path) -> None:
    shown = " ".join(texts(plot_explanation(explanation.maps, explanation.faithfulness), tmp_path / "a.svg"))
    for words in ("Saliency", "Occlusion", "without training (range)", "H3K4me3", "10 test genes", "CNN-alpha,beta"):
        assert words in shown


def test_methods_that_fail_a_test_are_marked(explanation: Explanation, tmp_path: Path) -> None:
    table = explanation.faithfulness.assign(trustworthy=1, learned=1)
    table.loc[table["method"] == "saliency", "trustworthy"] = 0
    shown = texts(plot_faithfulness(explanation.curves, table, "E003"), tmp_path / "a.svg")
    assert "Saliency (not trusted)" in shown
    assert {"Occlusion", "Random order", "Deletion", "Insertion", "E003"} <= set(shown)
    labels = texts(plot_explanation(explanation.maps, table), tmp_path / "b.svg")
    assert labels.count("(not trusted)") == 1


def test_a_network_that_has_learned_nothing_is_marked(explanation: Explanation, tmp_path: Path) -> None:
    table = explanation.faithfulness.assign(trustworthy=0, learned=0)
    shown = texts(plot_faithfulness(explanation.curves, table, "E003"), tmp_path / "a.svg")
    assert "E003: the network has learned nearly nothing" in shown


def test_a_network_without_any_of_the_chosen_methods_has_its_class_optimisation(
    dataset: xr.Dataset, tmp_path: Path
) -> None:
    options = ExplainOptions(["alpha"], genes=10, starts=1, optimiser_steps=3)
    result = explain(untrained("mlp", dataset), dataset, options)
    assert result.faithfulness.empty
    write_table(result.faithfulness, tmp_path / "f.tsv")
    table = pd.read_csv(tmp_path / "f.tsv", sep="\t")
    assert "Random order" in texts(plot_faithfulness(result.curves, table, "E003"), tmp_path / "a.svg")
    assert any("Class" in text for text in texts(plot_explanation(result.maps, table), tmp_path / "b.svg"))


def validation(epigenomes: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = [
        (f"E{number:03d}", "attentivechrome", method, weights, "H3K4me3", *sorted(rng.random(3)))
        for number in range(epigenomes)
        for method, weights in (("signal", "none"), ("alpha", "trained"), ("alpha", "random_1"), ("alpha", "random_2"))
    ]
    table = pd.DataFrame(rows)
    table.columns = pd.Index(
        ["epigenome", "model", "method", "weights", "mark", "pearson_low", "pearson", "pearson_high"]
    )
    table["genes"] = np.where(table["method"] == "signal", 40, np.where(table["weights"] == "trained", 1300, 50))
    return table.assign(published=np.where(table["weights"] == "trained", 0.9, np.nan))


@pytest.mark.parametrize("epigenomes", [1, 48])
def test_validation_is_drawn_with_its_controls(epigenomes: int, tmp_path: Path) -> None:
    shown = texts(plot_validation(validation(epigenomes), "H3K4me3", "H3K27ac"), tmp_path / "a.svg")
    assert {
        "H3K4me3 reads themselves",
        "40 genes",
        "AttentiveChrome: Attention (alpha)",
        "1,300 genes; 50 untrained",
        "without training, several networks",
        "published",
    } <= set(shown)


def test_the_number_of_genes_is_a_range_over_epigenomes(tmp_path: Path) -> None:
    table = validation(2)
    table["genes"] += table["epigenome"] == "E001"
    shown = texts(plot_validation(table, "H3K4me3", "H3K27ac"), tmp_path / "a.svg")
    assert "1,300 to 1,301 genes; 50 to 51 untrained" in shown


def test_a_validation_of_nothing_says_so(tmp_path: Path) -> None:
    skipped = validation(1).assign(pearson=np.nan)
    assert "No weights could be compared" in texts(plot_validation(skipped, "H3K4me3", None), tmp_path / "a.svg")[0]


def importance(explanation: Explanation, epigenomes: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    parts = {
        (f"E{number:03d}", "cnn_alpha_beta"): explanation.importance.assign(importance=rng.random(15))
        for number in range(epigenomes)
    }
    return pd.concat(parts, names=["epigenome", "model"]).reset_index(["epigenome", "model"])


@pytest.mark.parametrize("epigenomes", [1, 2, 56])
def test_importance_is_drawn_for_any_number_of_epigenomes(
    explanation: Explanation, epigenomes: int, tmp_path: Path
) -> None:
    table = importance(explanation, epigenomes)
    groups = {name: ["Cost $5$", "#1f77b4"] for name in table["epigenome"]}
    shown = texts(plot_importance(table, "cnn_alpha_beta", groups), tmp_path / "a.svg")
    assert {"E000", "H3K4me3", "Cost $5$"} <= set(shown)
    texts(plot_interactions(table, "cnn_alpha_beta"), tmp_path / "b.svg")


def test_named_genes_are_drawn_or_said_to_be_missing(tmp_path: Path) -> None:
    rows = [
        (epigenome, "attentivechrome", "ENSG00000196092", "PAX5", label, mark, 0.2)
        for epigenome, label in (("E003", 0), ("E116", 1))
        for mark in MARKS
    ]
    table = pd.DataFrame(rows)
    table.columns = pd.Index(["epigenome", "model", "gene", "symbol", "label", "mark", "beta"])
    shown = texts(plot_named_genes(table), tmp_path / "a.svg")
    assert {"PAX5 ON", "PAX5 OFF", "E116: AttentiveChrome"} <= set(shown)
    assert "No gene is named" in texts(plot_named_genes(table.iloc[:0]), tmp_path / "b.svg")[0]


def test_a_figure_is_the_same_bytes_each_time(explanation: Explanation, tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(plot_explanation(explanation.maps, explanation.faithfulness), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_figures_are_drawn_without_importing_torch() -> None:
    code = "import sys, chromattend.chromatin.explanation_figures; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
