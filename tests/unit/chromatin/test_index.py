"""The index of all epigenomes as a browser gets it."""

import json
from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from chromattend.chromatin.pages.index import index_values, write_index
from chromattend.chromatin.quality import WARNING_COLUMNS
from chromattend.chromatin.tables import published_table, summary_table
from chromattend.models.registry import REGISTRY

EVIL = "<script>alert(1)</script>"
MODELS = ["random_forest", "deepchrome", "attentivechrome"]
GROUPS = {
    "E003": ["H1 Cells", "ESC", "#924965"],
    "E116": ["GM12878", "ENCODE", "#000000"],
    "E123": ["K562", "", "#000"],
}
KNOWN = pd.DataFrame(
    [("E003", "deepchrome", "published", "DeepChrome", 0.77)], columns=["epigenome", "model", "kind", "source", "auc"]
)


def auc_of(epigenomes: list[str]) -> pd.DataFrame:
    """AUCs that rise from epigenome to epigenome, and from model to model."""
    rows = [
        {"epigenome": epigenome, "model": model, "auc": 0.7 + 0.05 * row + 0.01 * column}
        for row, epigenome in enumerate(epigenomes)
        for column, model in enumerate(MODELS)
    ]
    table = pd.DataFrame(rows)
    return table.assign(auc_low=table["auc"] - 0.02, auc_high=table["auc"] + 0.02)


def page(
    folder: Path, epigenomes: dict[str, list[str]] | None = None, validation: pd.DataFrame | None = None
) -> BeautifulSoup:
    epigenomes = epigenomes or GROUPS
    auc = auc_of(list(epigenomes))
    first = next(iter(epigenomes))
    published = pd.DataFrame(columns=["model", "mean", "median", "max", "min", "better_than_deepchrome"])
    for model in MODELS:
        if name := REGISTRY[model].published:
            published.loc[len(published)] = [name, 0.8, 0.8, 0.9, 0.7, 10]
    write_index(
        folder / "index.html",
        auc=auc,
        summary=summary_table(auc, published, KNOWN),
        published=published_table(auc, KNOWN),
        warnings=pd.DataFrame([(first, "", "few reads", 0.1, "< 0.2", "read")], columns=WARNING_COLUMNS),
        validation=validation,
        epigenomes=epigenomes,
        split_rule="sequential",
        validation_mark="H3K4me3",
        verdict="One model is best.",
    )
    return BeautifulSoup((folder / "index.html").read_bytes(), "html.parser")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    return page(tmp_path_factory.mktemp("index"))


def cells(soup: BeautifulSoup) -> list[list[str]]:
    table = soup.find("table", {"data-name": "epigenomes"})
    return [[cell.text for cell in row.find_all("td")] for row in table.tbody.find_all("tr")]


def test_epigenomes_stand_from_best_to_worst_with_their_figures(usual: BeautifulSoup) -> None:
    rows = cells(usual)
    assert [row[0] for row in rows] == ["E123", "E116", "E003"]
    assert rows[2][1:6] == ["H1 Cells", "ESC", "1", REGISTRY["attentivechrome"].title, "0.720"]
    assert rows[2][7:] == ["0.700", "0.710", "0.720"]
    swatches = [rect["fill"] for rect in usual.select("svg.swatch rect")]
    assert swatches == ["#000", "#000000", "#924965"]


def test_pages_are_linked(usual: BeautifulSoup) -> None:
    links = {link["href"] for link in usual.find_all("a")}
    assert {"E003/report.html", "E003/report.html#warnings", "E116/report.html", "report.html", "quality.html"} <= links
    assert not any("://" in link for link in links)


def test_every_epigenome_has_a_line_of_dots_with_ids_of_its_own(usual: BeautifulSoup) -> None:
    assert len(usual.select("td.dots svg")) == 3
    ids = [tag["id"] for tag in usual.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_the_data_of_the_charts_are_those_of_the_tables(usual: BeautifulSoup) -> None:
    data = json.loads(usual.find("script", id="data").text)
    assert [model["id"] for model in data["models"]] == MODELS
    (epigenome,) = (row for row in data["epigenomes"] if row["id"] == "E003")
    assert epigenome["aucs"]["deepchrome"] == pytest.approx([0.71, 0.69, 0.73])
    assert epigenome["published"] == {"deepchrome": [{"auc": 0.77, "kind": "published", "by": "DeepChrome"}]}


def test_the_comparison_begins_with_three(usual: BeautifulSoup) -> None:
    boxes = usual.select("#choices input")
    assert len(boxes) == 3
    assert all(box.has_attr("checked") and box.parent.name == "label" for box in boxes)


def test_the_validation_is_that_of_one_named_method_even_where_another_is_higher(tmp_path: Path) -> None:
    validation = pd.DataFrame(
        [
            ("E003", "attentivechrome", "alpha", "random_1", "H3K4me3", 20, 0.9),
            ("E003", "attentivechrome", "alpha", "trained", "H3K4me3", 30, 0.6),
            ("E003", "attentivechrome", "alpha", "trained", "H3K4me1", 30, 0.8),
            ("E003", "attentivechrome", "saliency", "trained", "H3K4me3", 20, 0.7),
            ("E003", "deepchrome", "saliency", "trained", "H3K4me3", 20, 0.9),
            ("E116", "attentivechrome", "alpha", "trained", "H3K4me3", 2, None),
        ],
        columns=["epigenome", "model", "method", "weights", "mark", "genes", "pearson"],
    )
    warnings = pd.DataFrame(columns=WARNING_COLUMNS)
    auc = auc_of(list(GROUPS))
    found = index_values(auc, published_table(auc, KNOWN), warnings, validation, GROUPS, "H3K4me3")["epigenomes"]
    assert {row["id"]: row["validated"] for row in found} == {
        "E003": {"r": 0.6, "genes": 30},
        "E116": None,
        "E123": None,
    }
    soup = page(tmp_path, validation=validation)
    assert "Validation r (AttentiveChrome, Attention (alpha))" in [heading.text for heading in soup.find_all("th")]
    assert soup.find(id="verdict").text == "One model is best."
    shown = {row[0]: row[7] for row in cells(soup)}
    assert shown == {"E003": "0.60 (30 genes)", "E116": "–", "E123": "–"}


def test_what_the_user_wrote_is_text(tmp_path: Path) -> None:
    evil = {EVIL: [EVIL, EVIL, "#808080"], "</script><b>": ["a & b", "", "#808080"]}
    soup = page(tmp_path, evil)
    usual = page(tmp_path)
    soup = page(tmp_path, evil)
    assert len(soup.find_all("script")) == len(usual.find_all("script"))
    assert cells(soup)[1][:3] == [EVIL, EVIL, EVIL]
    assert soup.main.find("b") is None
    assert {row["id"] for row in json.loads(soup.find("script", id="data").text)["epigenomes"]} == set(evil)


def test_the_page_loads_nothing_and_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    soup = page(tmp_path)
    first = (tmp_path / "index.html").read_bytes()
    assert soup.find_all(["link", "img", "iframe", "object", "embed"]) == []
    assert not any(script.has_attr("src") for script in soup.find_all("script"))
    page(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == first
