"""The page of a set of contexts and the index, as a browser gets them; the layout; the figures of the report."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from builders import texts
from graph_page_builders import EVIL, page_of, set_of, variables_of

from chromattend.graphs.figures import plot_edges_against_null, plot_graphs
from chromattend.graphs.layout import layout_of
from chromattend.graphs.pages.charts import null_chart
from chromattend.graphs.pages.index import null_rows, write_index
from chromattend.graphs.pages.report import MOST_PANELS, readable, scores_of, write_page


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def page(written: Path) -> BeautifulSoup:
    return BeautifulSoup(written.read_bytes(), "html.parser")


def data_of(page: BeautifulSoup) -> dict[str, Any]:
    return json.loads(page.find(id="graphs-data").string)


def test_a_page_works_offline_and_is_small(written: Path, page: BeautifulSoup) -> None:
    assert written.stat().st_size < 450_000
    links = {link["href"] for link in page.select("[href]") if not link["href"].startswith("#")}
    assert {link for link in links if re.match(r"[a-z]+:|//", link)} == set()
    assert {"jeek/edges.tsv", "diffee/graph.graphml", "correlation/graph.json", "../index.html"} <= links
    assert page.select("[src]") == []
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {link["href"].lstrip("#") for link in page.select("nav a[href^='#']")} <= set(ids)


def test_the_verdict_is_first_and_every_count_has_its_null(page: BeautifulSoup) -> None:
    main = page.find("main")
    assert main.select_one("p").get_text().startswith("69 edges are shared; the 137 specific edges do not exceed")
    facts = [fact.get_text(" ", strip=True) for fact in page.select(".facts li")]
    assert facts[0].startswith("559–600 samples a context, 11 a variable")
    assert facts[1] == "50 variables, 1,225 pairs"
    assert facts[2].startswith("0.081 resolution")
    cards = [card.get_text(" ", strip=True) for card in page.select("[data-estimator=jeek] .card")]
    assert re.fullmatch(r"Specific edges 137 13\d by chance, \d+ at most; p 0\.\d+", cards[1])
    # Every estimator is in the choice, and the baselines are called so.
    options = {option["value"]: option.get_text() for option in page.select("#estimator option")}
    assert list(options) == ["jeek", "fasjem_closed", "diffee", "correlation", "correlation_difference"]
    assert [name for name, title in options.items() if title.endswith("(baseline)")] == list(options)[3:]


def test_the_drawn_edges_are_those_of_the_table(page: BeautifulSoup) -> None:
    data, arguments = data_of(page), set_of("marks")
    edges = arguments["estimators"][0].edges
    made = data["estimators"]["jeek"]
    assert [data["nodes"][number][0] for number in made["first"]] == edges["node1"].tolist()
    # A shared edge is drawn at its strength in each context.
    place = edges.index[edges["class"] == "shared"][0]
    names = arguments["variables"]["variable"].tolist()
    i, j = (names.index(edges.loc[place, column]) for column in ("node1", "node2"))
    assert made["values"][place] == pytest.approx(arguments["matrices"]["partial"][:, i, j], abs=6e-4)
    rows = page.select("[data-name$=jeek-edges] tbody tr")
    assert len(rows) == len(edges)
    assert [cell.find(string=True).strip() for cell in rows[0].find_all("td")[:2]] == edges.loc[
        0, ["node1", "node2"]
    ].tolist()


def test_the_heat_map_has_the_matrices(page: BeautifulSoup) -> None:
    heat, matrices = data_of(page)["heat"], set_of("marks")["matrices"]
    assert list(dict.fromkeys(heat["groups"])) == ["H3K4me3", "H3K4me1", "H3K36me3", "H3K27me3", "H3K9me3"]
    for kind, matrix in matrices.items():
        made = heat["matrices"][kind]
        for context in range(2):
            values = np.frombuffer(base64.b64decode(made["data"][context]), dtype=np.int8) / 127 * made["scale"]
            np.testing.assert_allclose(values, matrix[context][np.triu_indices(50, 1)], atol=made["scale"] / 250)


def test_both_contrasts_are_ranked_by_replication(page: BeautifulSoup) -> None:
    tables = page.select(".contrast table")
    assert len(tables) == 2
    for table in tables:
        same = [row.find_all("td")[-1].get_text() for row in table.select("tbody tr")]
        assert same == ["1 of 1"] * 15
    assert [bool(title.select(".floor")) for title in page.select(".contrast h3")] == [False, True]


def test_a_set_that_is_too_large_is_cut_and_says_so(tmp_path: Path) -> None:
    arguments = set_of("genes", number=150, wanted=300)
    write_page(tmp_path / "cut.html", **arguments, max_edges=40)
    page = BeautifulSoup((tmp_path / "cut.html").read_bytes(), "html.parser")
    made = data_of(page)["estimators"]["jeek"]
    assert len(made["first"]) == 40
    total = len(arguments["estimators"][0].edges)
    notes = page.select_one("[data-estimator=jeek] p.note").get_text()
    assert f"The 40 strongest of {total:,} parts of edges are drawn" in notes
    assert f"{150 - len(data_of(page)['nodes'])} variables without a drawn edge are left out" in notes
    assert len(page.select("[data-name$=jeek-edges] tbody tr")) == total


def test_many_contexts_and_one(tmp_path: Path) -> None:
    page = BeautifulSoup(page_of(tmp_path, kind="genes", contexts=14, number=20, wanted=30).read_bytes(), "html.parser")
    panels = page.select("[data-estimator=jeek] .panel")
    assert (
        sum(not panel.has_attr("hidden") for panel in panels) == MOST_PANELS == len(page.select("#chooser [checked]"))
    )
    assert len(panels) == len(page.select("#chooser input")) == 14
    page = BeautifulSoup(page_of(tmp_path, kind="genes", contexts=1, number=20, wanted=30).read_bytes(), "html.parser")
    assert page.find(id="heat-above") is None
    assert "Class" not in [cell.get_text() for cell in page.select("[data-name$=jeek-edges] th")]
    assert set(data_of(page)["estimators"]["jeek"]["class"]) == {"single"}


def test_a_set_without_matrices_and_controls_has_a_page(tmp_path: Path) -> None:
    arguments = set_of("genes", number=20, wanted=30)
    bare = []
    for each in arguments["estimators"]:
        summary = dict(each.summary) | {"null": None, "split_halves": None, "stability": None, "thinned": None}
        summary["lambda"] = {"rule": "number", "value": 3.0, "fdr": None, "target": None}
        summary["contexts"] = [
            context | dict.fromkeys(("threshold", "least_eigenvalue", "nonzero", "lag1"))
            for context in summary["contexts"]
        ]
        edges = each.edges.drop(columns=["stability", "p", "q"]).iloc[:0]
        bare.append(type(each)(each.name, summary, edges))
    path = tmp_path / "report.html"
    write_page(path, **arguments | {"estimators": bare, "matrices": None, "replication": None})
    page = BeautifulSoup(path.read_bytes(), "html.parser")
    assert page.find(id="heat") is None
    assert page.select(".plot") == []
    assert "JEEK has no edge in this set." in page.get_text()


def test_names_of_users_are_text(tmp_path: Path) -> None:
    text = page_of(tmp_path, evil=EVIL).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    page = BeautifulSoup(text, "html.parser")
    assert page.select("[onerror], img") == []
    assert page.find("h1").get_text() == f"E003, ON and OFF{EVIL}"
    assert EVIL in page.select_one(".sentence").get_text()
    assert data_of(page)["contexts"] == [f"OFF{EVIL}", f"ON{EVIL}"]
    assert data_of(page)["nodes"][0][0] == f"H3K4me3_1{EVIL}"


def test_the_index(tmp_path: Path) -> None:
    sets = {
        f"A/B {EVIL}": [each.summary for each in set_of("marks")["estimators"]],
        "simulated": [each.summary for each in set_of("genes", contexts=3)["estimators"]],
    }
    write_index(tmp_path / "index.html", sets=sets, links=[("Chromatin", "../index.html")])
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    page = BeautifulSoup(text, "html.parser")
    rows = [[cell.get_text(" ", strip=True) for cell in row.find_all("td")] for row in page.select("tbody tr")]
    assert rows[0][2:6] == ["2", "559–600", "50", "69"]
    assert re.fullmatch(r"137 \(13\d\)", rows[0][6])
    assert rows[1][7:] == ["–", "1"]
    assert page.select_one("tbody a")["href"].startswith("A/B%20%3C/script%3E")
    # Only what exceeds every permutation is filled; baselines are left out.
    kinds = [circle["class"][0] for circle in page.select(".plot circle")]
    observed = [row["observed"] > row["max"] for row in null_rows(sets)]
    assert [kind == "above" for kind in kinds] == observed
    assert any(observed)
    assert not all(observed)


def test_a_ring_has_groups_as_sectors_and_their_variables_by_position() -> None:
    variables = variables_of("marks").sample(frac=1, random_state=1).reset_index(drop=True)
    layout = layout_of(variables, [])
    assert len(layout.drawn) == 50
    np.testing.assert_allclose(np.hypot(*(layout.positions - 0.5).T), 0.5)
    angles = np.arctan2(layout.positions[:, 0] - 0.5, 0.5 - layout.positions[:, 1]) % (2 * np.pi)
    for sector in layout.sectors:
        own = variables["group"] == sector.group
        assert ((angles[own] > sector.start) & (angles[own] < sector.end)).all()
        assert (np.diff(angles[own][np.argsort(variables.loc[own, "position"].to_numpy())]) > 0).all()


def test_a_layout_by_edges_is_fixed_and_keeps_components_apart() -> None:
    rng = np.random.default_rng(1)
    variables = pd.DataFrame({"group": [""] * 200, "position": [""] * 200})
    large = rng.integers(0, 150, (300, 2))
    pairs = np.concatenate([large[large[:, 0] != large[:, 1]], [[160, 161], [162, 163], [161, 164]]])
    layout = layout_of(variables, [pairs])
    np.testing.assert_array_equal(layout.positions, layout_of(variables, [pairs[::-1]]).positions)
    assert set(layout.drawn) == set(pairs.ravel())
    assert np.nanmin(layout.positions) >= 0
    assert np.nanmax(layout.positions) <= 1
    # The small components lie outside the box of the large one.
    big = layout.positions[[number for number in layout.drawn if number < 150]]
    small = layout.positions[[160, 161, 162, 163, 164]]
    inside = ((small >= big.min(axis=0)) & (small <= big.max(axis=0))).all(axis=1)
    assert not inside.any()
    # Edges of another estimator only place what the first leaves out.
    further = layout_of(variables, [pairs, np.array([[0, 199], [0, 1]])])
    assert set(further.drawn) == set(layout.drawn) | {199}
    assert len(layout_of(variables, [pairs[:0]]).drawn) == 0


def test_the_histogram_of_chance_says_what_is_observed() -> None:
    chart = BeautifulSoup(null_chart(np.array([470.0, 475, 480, 507]), 470, "specific edges"), "html.parser")
    assert chart.svg["aria-label"] == (
        "470 specific edges are observed; permuted samples have 483 on average and 507 at most"
    )
    assert len(chart.select(".null-bar")) == 4
    # No permutation has any, and neither has the observation.
    assert len(BeautifulSoup(null_chart(np.zeros(5), 0, "x"), "html.parser").select(".null-bar")) == 1


@pytest.mark.parametrize("colour", ["#000000", "#ffffff", "#ffff00", "#0072b2", "#808080"])
def test_colours_of_users_can_be_seen_in_light_and_dark(colour: str) -> None:
    def luminance(text: str) -> float:
        parts = [int(text[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        return sum(
            weight * (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4)
            for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True)
        )

    assert 1.05 / (luminance(readable(colour, "light")) + 0.05) >= 3
    assert (luminance(readable(colour, "dark")) + 0.05) / (luminance("#12171d") + 0.05) >= 4.5


def test_scores_have_titles() -> None:
    scores = {"f1": 0.8512, "shared": {"fdp": 0.01}, "contexts": [{"context": "a", "f1": 1.0}], "missing": None}
    assert scores_of(scores) == [
        ("F1", "0.851"),
        ("shared, false discovery proportion", "0.01"),
        ("contexts, a, context", "a"),
        ("contexts, a, F1", "1"),
    ]


def test_figures_of_the_report(tmp_path: Path) -> None:
    arguments = set_of("marks")
    summaries = [each.summary for each in arguments["estimators"]]
    shown = texts(plot_edges_against_null(null_rows({"_one $a": summaries})), tmp_path / "null.svg")
    assert "\u200b_one $a: JEEK, specific" in shown
    assert "observed, above chance" in shown
    main = arguments["estimators"][0]
    figure = plot_graphs(arguments["variables"], main.edges, main.summary["contexts"])
    assert [axes.get_title() for axes in figure.axes] == ["OFF", "ON"]
    lines = [sum(len(part.get_paths()) for part in axes.collections[:4]) for axes in figure.axes]
    general = (main.edges["class"] == "shared").sum()
    assert lines[0] == general + (main.edges["context"] == "OFF").sum()
    empty = plot_graphs(arguments["variables"], main.edges.iloc[:0], main.summary["contexts"])
    assert texts(empty, tmp_path / "empty.svg") == ["The estimator has no edge in this set."]
