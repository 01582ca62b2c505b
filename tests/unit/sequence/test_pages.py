"""The pages of the sequence track as a browser gets them, and the figures of its report."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from builders import texts
from sequence_builders import (
    EVIL,
    LENGTH,
    MODELS,
    NETWORKS,
    SENTENCE,
    VIEWS,
    dataset_of,
    network_of,
    one_hot,
    page_of,
    predictions_of,
)

from chromattend.evaluate import metrics
from chromattend.files import write_netcdf, write_table
from chromattend.models.registry import REGISTRY
from chromattend.sequence.database import Database
from chromattend.sequence.figures import plot_sequence_auc, plot_views
from chromattend.sequence.motifs import Motif, write_meme
from chromattend.sequence.pages.dashboard import verdict, warnings_of
from chromattend.sequence.pages.explained import (
    MOST_HITS,
    aligned,
    bars,
    first_coordinate,
    read_explained,
)
from chromattend.sequence.pages.index import ticks_of, write_index


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def page(written: Path) -> BeautifulSoup:
    return BeautifulSoup(written.read_bytes(), "html.parser")


def data_of(page: BeautifulSoup) -> dict[str, Any]:
    return json.loads(page.find(id="dashboard-data").string)


def column(table: Any, heading: str) -> list[str]:
    number = [cell.get_text() for cell in table.select("thead th")].index(heading)
    return [row.find_all("td")[number].get_text(" ", strip=True) for row in table.select("tbody tr")]


def test_a_dashboard_works_offline_and_is_small(written: Path, page: BeautifulSoup) -> None:
    assert written.stat().st_size < 600_000
    text = written.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="(?!#|\.\./)[^"]*"', text) == []
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {link["href"].lstrip("#") for link in page.select("nav a[href^='#']")} <= set(ids)


def test_the_best_explained_network_tells_what_was_learned(page: BeautifulSoup) -> None:
    told = page.select_one(".verdict")
    assert told.select_one(".sentence").get_text() == SENTENCE
    table = page.select_one("table[data-name=USF1-models]")
    aucs = dict(zip(column(table, "Model"), column(table, "AUC"), strict=True))
    best = max(("CNN", "CNN-RNN", "RNN"), key=lambda title: float(aucs[title]))
    by = told.select_one(".by").get_text()
    assert by.startswith(f"{best}, the best explained model, has an AUC of {aucs[best]}")


def test_models_are_ranked_and_floors_are_marked(page: BeautifulSoup) -> None:
    table = page.select_one("table[data-name=USF1-models]")
    aucs = [float(auc) for auc in column(table, "AUC")]
    assert aucs == sorted(aucs, reverse=True)
    assert len(aucs) == len(page.select(".card")) == len(MODELS)
    assert {name for name in column(table, "Model") if name.endswith("floor")} == {
        "k-mer logistic regression floor",
        "Gapped k-mer logistic regression floor",
    }
    assert all(0 < float(auc) < 1 for auc in column(table, "Valid AUC"))
    assert sorted(column(table, "Seconds")) == ["", "", "126", "71", "76"]


def test_the_data_of_the_drawings_are_those_of_the_explanations(page: BeautifulSoup) -> None:
    data = data_of(page)
    assert sorted(data["networks"]) == sorted(NETWORKS)
    network = network_of(dataset_of(np.random.default_rng(1)), "cnn", np.random.default_rng(3))
    for model, drawn in data["networks"].items():
        assert len(drawn["shown"]) == 3
        for shown in drawn["shown"]:
            assert len(shown["letters"]) == LENGTH
            assert list(shown["weights"]) == [view for view in VIEWS if model == "cnn" or view != "deeplift"]
            assert all(len(weights) == LENGTH for weights in shown["weights"].values())
            assert set(shown["temporal"]["forward"]) == {"prefix"} | ({"whole"} if model != "cnn" else set())
        # This sequence begins with six unknown letters.
        assert drawn["shown"][2]["letters"].startswith("NNNNNN")
        assert drawn["shown"][0]["temporal"]["forward"]["prefix"][:20] == [None] * 20
        assert sum(map(sum, drawn["optimum"])) == pytest.approx(float(network.designs["published"].sum()), rel=0.2)
    glyphs = {element["id"] for element in page.select("path[id^=glyph-]")}
    assert glyphs == {f"glyph-{number}" for number in range(4)}
    for element in page.select("[data-draw]"):
        drawn = data["networks"][element["data-network"]]
        assert "data-motif" not in element.attrs or element["data-motif"] in drawn["logos"]
        assert "data-shown" not in element.attrs or int(element["data-shown"]) < len(drawn["shown"])


def test_every_network_and_sequence_can_be_chosen(page: BeautifulSoup) -> None:
    options = [option["value"] for option in page.select("#network option")]
    assert sorted(options) == sorted(NETWORKS)
    for model in NETWORKS:
        assert len(page.select(f"[data-network={model}] .choice input")) == 3
        panels = page.select(f".network[data-network={model}] .shown")
        assert [panel.select_one(".facts li").get_text(" ", strip=True) for panel in panels] == [
            "Chosen as strongest",
            "Chosen as median",
            "Chosen as missed",
        ]
        influence = panels[0].select_one("table")
        assert column(influence, "Effect") == ["supports"] * 5 + ["opposes"] * 5
        # The last layer of the second sequence's rows does not agree with the network.
        assert ["correlation of only 0.80" in panel.get_text() for panel in panels] == [False, True, False]
        assert column(influence, "Influence")[:6] == ["+0.08", "+0.04", "+0.027", "+0.02", "+0.016", "-0.013"]


def test_routes_and_filters(page: BeautifulSoup) -> None:
    table = page.select_one("table[data-name=USF1-cnn-motifs]")
    assert column(table, "Route") == [
        *("Saliency", "Gradient x input", "Corrected gradient", "Integrated gradients", "DeepLIFT"),
        *("In-silico mutagenesis", "Class optimisation"),
    ]
    assert set(column(table, "Recovered")) == {"yes"}
    # Seconds of the view and of its motif; class optimisation has no view.
    assert column(table, "Seconds") == ["3.3"] * 6 + ["1.9"]
    filters = page.select_one("details[data-filters=cnn]")
    assert "open" not in filters.attrs
    assert "Do not name the factor" in filters.get_text()
    assert "12 of the 24 filters match an entry of the database (E < 0.05), most often CTCF (12)." in filters.get_text()
    assert len(filters.select("tbody tr")) == 12


def test_a_network_without_motifs_has_its_views(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    dataset = dataset_of(rng)
    network = network_of(dataset, "cnn", rng)
    tables = {name: getattr(network, name).iloc[:0] for name in ("motifs", "matches", "hits", "sites", "influence")}
    bare = replace(network, matrices={}, **tables)
    page = BeautifulSoup(page_of(tmp_path, dataset=dataset, explained={"cnn": bare}).read_bytes(), "html.parser")
    assert page.select_one(".sentence").get_text() == "No motif was found in the attributions of CNN."
    assert page.select("[data-draw=motif]") == []
    assert len(page.select("[data-draw=tracks]")) == 3
    # A set that has no database to compare with has motifs without matches.
    names = dict.fromkeys(("entry", "name", "family", "own_entry"))
    numbers = dict.fromkeys(("p", "e", "q", "own_rank", "own_q", "own_e", "recovered"), np.nan)
    unmatched = replace(bare, matrices=network.matrices, motifs=network.motifs.assign(**names, **numbers))
    page = BeautifulSoup(page_of(tmp_path, dataset=dataset, explained={"cnn": unmatched}).read_bytes(), "html.parser")
    assert [logo["title"] for logo in data_of(page)["networks"]["cnn"]["motif"]] == ["Motif of the model, 287 sites"]
    assert "None of the 24 filters matches" in page.select_one("details[data-filters=cnn]").get_text()


def test_designs_are_compared_with_training(page: BeautifulSoup) -> None:
    text = page.select_one("section[aria-labelledby=optimum]").get_text(" ", strip=True)
    assert "below the best training sequence (+9.00)" in text
    assert "+9.20, above every training sequence (highest: +9.00)" in text


def test_trust_and_quality(page: BeautifulSoup) -> None:
    trust = page.select_one("table[data-name=USF1-cnn-trust]")
    assert column(trust, "Trustworthy") == ["yes"] * 8 + ["no"] * 4
    assert set(column(trust, "Over GC")) == {"+1.20 (1.10 to 1.30)"}
    data = page.select_one("section[aria-labelledby=data]")
    assert "21 positive test sequences share 40 letters." in data.select_one(".warning").get_text()
    assert column(page.select_one("table[data-name=USF1-parts]"), "Bound") == ["300", "200"]
    measures = page.select_one("table[data-name=USF1-quality]")
    values = dict(zip(column(measures, "Measure"), column(measures, "Value"), strict=True))
    assert values["GC content, bound"] == "51.2 %"


def test_names_of_users_are_text(tmp_path: Path) -> None:
    text = page_of(tmp_path, evil=EVIL, networks=["cnn"]).read_text(encoding="utf-8")
    assert "<script>alert" not in text
    page = BeautifulSoup(text, "html.parser")
    assert f"USF1{EVIL}" in page.find("h1").get_text()
    assert page.select_one(".sentence").get_text() == SENTENCE + EVIL
    assert EVIL in page.find("pre").get_text()
    assert EVIL in page.select_one(".shown h3").get_text()
    assert data_of(page)["networks"]["cnn"]["shown"][0]["hits"][0]["others"][0] == f"TFEC{EVIL}"


def test_a_set_without_explained_networks(tmp_path: Path) -> None:
    page = BeautifulSoup(page_of(tmp_path, networks=()).read_bytes(), "html.parser")
    assert page.find(id="network") is None
    assert page.select("[data-draw]") == []
    assert data_of(page)["networks"] == {}


def test_a_network_that_learned_nothing_names_no_motif() -> None:
    rng = np.random.default_rng(5)
    dataset = dataset_of(rng)
    predictions = predictions_of(dataset, {"rnn": 0.0, "cnn": 3.0}, rng)
    measured = {model: metrics(table) for model, table in predictions.items()}
    explained = {"rnn": network_of(dataset, "rnn", rng)}
    best, sentence = verdict(measured, explained)
    assert best == "rnn"
    assert sentence.startswith("RNN has learned nothing")
    assert any(
        warning.startswith("RNN learned nothing: its AUC on the validation") for warning in warnings_of(measured)
    )


def test_a_test_part_that_is_easier_is_said() -> None:
    part = {"auc": 0.976, "note": ""}
    easier = {"cnn": {"test": part, "valid": part | {"auc": 0.864}}}
    assert "easier than the validation sequences: CNN has an AUC of 0.976 and 0.864" in warnings_of(easier)[0]
    assert warnings_of({"cnn": {"test": part, "valid": part}}) == []
    # Without validation sequences there is nothing to compare with.
    assert warnings_of({"cnn": {"test": part}}) == []


def test_logos_of_entries_are_aligned_with_the_motif() -> None:
    motif, ahead, reverse = one_hot("CACGTG", 1.0), one_hot("GTCACGT", 1.0), one_hot("TCACG", 1.0)
    logos = aligned(motif, [("ahead", ahead, -2, "+"), ("reverse", reverse, 1, "-")], "motif")
    assert [(logo["title"], logo["start"]) for logo in logos] == [("motif", 2), ("ahead", 0), ("reverse", 3)]
    read = ["".join("ACGT"[int(np.argmax(row))] for row in logo["heights"]) for logo in logos]
    assert read == ["CACGTG", "GTCACGT", "CGTGA"]


def hit(entry: str, start: int, p: float) -> dict[str, Any]:
    return {"entry": entry, "name": entry.lower(), "start": start, "end": start + 10, "strand": "+", "p": p}


def test_hits_at_one_site_are_one_bar() -> None:
    hits = pd.DataFrame([hit("A", 40, 1e-6), hit("B", 42, 1e-5), hit("OWN", 44, 1e-4), hit("C", 70, 1e-5)])
    shown, left_out = bars(hits, {"OWN"})
    # The factor's own hit is shown first, whatever is better.
    assert [(bar["name"], bar["own"], bar["others"]) for bar in shown] == [("own", True, ["a", "b"]), ("c", False, [])]
    assert left_out == 0
    many = pd.DataFrame([hit(f"M{number}", 10 * number, 1e-5 * number) for number in range(1, MOST_HITS + 4)])
    shown, left_out = bars(many, set())
    assert len(shown) == MOST_HITS
    assert left_out == 3
    assert bars(many.iloc[:0], set()) == ([], 0)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("chr1:100-201", ("chr1", 101)),
        ("HLA:A:5-106", ("HLA:A", 6)),
        ("chr1:100-200", None),
        ("", None),
        ("chr1", None),
    ],
)
def test_the_coordinate_of_the_first_letter(place: str, expected: tuple[str, int] | None) -> None:
    assert first_coordinate(place, LENGTH) == expected


def test_an_explained_network_is_read_from_its_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    network = network_of(dataset_of(rng), "cnn", rng)
    write_netcdf(network.explanation, tmp_path / "explanation.nc")
    write_netcdf(network.designs, tmp_path / "designs.nc")
    for name in ("trust", "motifs", "matches", "hits", "sites", "influence"):
        write_table(getattr(network, name), tmp_path / f"{name}.tsv")
    write_meme([Motif(name, matrix, 20, "ACGT") for name, matrix in network.matrices.items()], tmp_path / "motifs.meme")
    entries = pd.DataFrame([["MA0093.4", "USF1", "", "", ""]], columns=["id", "name", "family", "class", "species"])
    read = read_explained(tmp_path, Database("JASPAR", "ACGT", entries, (one_hot("GTCACGTGAC"),)))
    assert read.views == VIEWS
    assert read.main_motif() == network.main_motif()
    assert sorted(read.matrices) == sorted(network.matrices)
    np.testing.assert_allclose(read.matrices["filter_1"], network.matrices["filter_1"], atol=1e-6)
    assert list(read.entries) == ["MA0093.4"]


SETS = {"USF1": 0.97, "YY1": 0.9, f"A/B {EVIL}": 0.7}


def auc_of() -> pd.DataFrame:
    """AUCs of which a network is the best in the first set and a floor in the others."""
    rows = [
        (name, model, auc + extra * (-1 if model == "cnn" and name != "USF1" else 1), auc - 0.05)
        for name, auc in SETS.items()
        for model, extra in (("cnn", 0.02), ("rnn", -0.1), ("gapped_kmer_logistic", 0.01))
    ]
    table = pd.DataFrame(rows, columns=["set", "model", "auc", "valid_auc"])
    return table.assign(auc_low=table["auc"] - 0.01, auc_high=table["auc"] + 0.01)


def motifs_of() -> pd.DataFrame:
    """Motifs of two networks by two routes; JASPAR has no entry for YY1 here."""
    rows = [
        {
            "set": name,
            "model": model,
            "route": route,
            "sentence": f"{model} learned {name}",
            "entry": "MA1",
            "name": "X",
        }
        | {"family": "F", "own_entry": None if name == "YY1" else "MA2", "own_rank": 0 if name == "YY1" else rank}
        | {"own_q": np.nan if name == "YY1" else 2e-5, "own_e": np.nan if name == "YY1" else 10.0**-rank}
        | {"recovered": np.nan if name == "YY1" else float(rank < 11)}
        for name in SETS
        for model in ("rnn", "cnn")
        for route, rank in (("corrected_gradient", 6), ("filters", 60))
    ]
    return pd.DataFrame(rows)


def test_the_index_of_all_sets(tmp_path: Path) -> None:
    motifs = motifs_of()
    write_index(
        tmp_path / "index.html",
        auc=auc_of(),
        motifs=motifs[motifs["route"] == "corrected_gradient"],
        sets={name: {"tf": EVIL, "group": EVIL, "colour": "#924965", "positives": 22988, "notes": 2} for name in SETS},
        links=[("Report of the study", "../report.html")],
    )
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    page = BeautifulSoup(text, "html.parser")
    table = page.select_one("table[data-name=sets]")
    assert column(table, "Set") == ["USF1", "YY1", f"A/B {EVIL}"]
    assert column(table, "What was learned")[:2] == ["cnn learned USF1 (CNN)", "cnn learned YY1 (CNN)"]
    assert column(table, "Own rank") == ["6 ✓", "–", "6 ✓"]
    assert [cell.get_text() for cell in table.select("td.best")] == ["0.990", "0.910", "0.710"]
    links = [link["href"] for link in table.select("td:first-child a")]
    assert links[0] == "USF1/report.html"
    assert "<" not in links[2]
    assert " " not in links[2]
    assert len(page.select(".plot path")) == 6
    assert len(page.select(".plot .tie")) == 3


def test_an_index_without_explained_networks(tmp_path: Path) -> None:
    sets = {name: {"tf": name, "group": "", "colour": "#924965", "positives": 5, "notes": 0} for name in SETS}
    write_index(tmp_path / "index.html", auc=auc_of(), motifs=motifs_of().iloc[:0], sets=sets)
    headings = BeautifulSoup((tmp_path / "index.html").read_bytes(), "html.parser").select("thead th")
    assert "What was learned" not in [heading.get_text() for heading in headings]


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.0), (0.9, 0.901), (0.8123, 0.9988), (0.7, 0.7)])
def test_ticks_are_round_and_within(low: float, high: float) -> None:
    ticks = ticks_of(low, high)
    assert 1 <= len(ticks) <= 7 or low == high
    assert all(low - 1e-9 <= tick <= high + 1e-9 for tick in ticks)


def test_aucs_of_a_study_without_networks_are_drawn(tmp_path: Path) -> None:
    auc = auc_of()
    floors = auc[auc["model"].map(lambda model: REGISTRY[model].kind == "baseline")]
    shown = texts(plot_sequence_auc(floors), tmp_path / "auc.svg")
    assert "Gapped k-mer logistic regression (floor)" in shown


def test_figures_of_the_report(tmp_path: Path) -> None:
    shown = texts(plot_sequence_auc(auc_of()), tmp_path / "auc.svg")
    assert {"USF1", "YY1", "CNN", "Gapped k-mer logistic regression (floor)"} <= set(shown)
    views = texts(plot_views(motifs_of()), tmp_path / "views.svg")
    assert {"USF1, CNN", "Corrected gradient", "First-layer filters", "6*", ">50"} <= set(views)
    assert not any(text.startswith("YY1") for text in views)
    assert "No model was explained" in texts(plot_views(motifs_of().iloc[:0]), tmp_path / "none.svg")[0]
