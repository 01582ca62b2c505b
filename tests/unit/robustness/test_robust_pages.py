"""The pages of the track robustness, as a browser gets them."""

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from builders import synthetic_dataset
from robustness_builders import (
    EVIL,
    MARKS,
    SETTINGS,
    chromatin_result,
    image_result,
    letters_table,
    noise_table,
    page_of,
    result_of,
)

from chromattend.chromatin.pages.browser import MISSING, NOT_TURNED, browser_data
from chromattend.figures import save
from chromattend.figures import sentence as placeholder
from chromattend.robustness.pages import letters as letters_page
from chromattend.robustness.pages.charts import depth_chart, proven_shares, turned_chart
from chromattend.robustness.pages.index import images_row, sequence_row, write_index
from chromattend.robustness.pages.report import (
    Worst,
    caveats,
    detection_sentences,
    examples,
    sentence,
    warnings,
    write_page,
)
from chromattend.robustness.tables import Result, study_row, study_table


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return page_of(tmp_path_factory.mktemp("page") / "report.html", "attentivechrome", attention=True, slow=300)


@pytest.fixture(scope="module")
def page(written: Path) -> BeautifulSoup:
    return BeautifulSoup(written.read_bytes(), "html.parser")


def sections(page: BeautifulSoup) -> list[str]:
    return [heading["id"] for heading in page.select("main h2")]


def values_of(packed: str, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), kind).reshape(shape)


def bare(**given: Any) -> Result:
    """A result with only the undisturbed genes and one redraw."""
    noise = noise_table(False)
    noise = noise[noise["kind"].isin(["none", "redraw"])].assign(**given)
    return Result("E003", "deepchrome", noise)


def test_a_page_works_offline_and_is_small(written: Path, page: BeautifulSoup) -> None:
    assert written.stat().st_size < 350_000
    links = {link["href"] for link in page.select("[href]") if not link["href"].startswith("#")}
    assert {link for link in links if re.match(r"[a-z]+:|//", link)} == set()
    assert {"noise.tsv", "edited.nc", "../transfer.tsv", "../../../index.html"} <= links
    assert page.select("[src]") == []
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {link["href"].lstrip("#") for link in page.select("nav a[href^='#']")} == set(sections(page))
    assert "secure" not in page.get_text().lower()


def test_five_hundred_genes_fit_into_five_megabytes(tmp_path: Path) -> None:
    assert page_of(tmp_path / "report.html", "deepchrome", genes=500).stat().st_size < 5_000_000


def test_the_sentence_is_first_and_from_the_data(page: BeautifulSoup) -> None:
    result, _ = result_of("attentivechrome", attention=True, slow=300)
    row = study_row(result)
    text = page.select_one("main p").get_text().replace("\xa0", " ")
    share = 100 * row["reads_share_median"]
    assert text == (
        f"Half of the right calls of AttentiveChrome in E003 turn with {row['reads_median']:.0f} reads "
        f"({share:.{0 if share >= 10 else 1}f} % of the reads in a gene's window) put in the worst place; one Poisson "
        "redraw, which changes about 490 reads, turns 1.8 %. H3K4me3 decides: without it, 59 % of the calls change."
    )


def test_a_budget_that_does_not_suffice_is_said() -> None:
    result, _ = result_of(slow=900)
    assert study_row(result)["reads_median"] is None
    assert re.match(
        r"With up to 500 reads put in the worst place, \d+\xa0% of the right calls of DeepChrome in E003 turn; one",
        sentence(result),
    )
    assert caveats(result, SETTINGS)[0].startswith(
        "The search is greedy. A call that it does not turn within 500 reads"
    )
    nothing_right = Result("E003", "mlp", result.noise, worst_case=result.worst_case.assign(right=False))
    assert sentence(nothing_right).startswith(
        "No call of MLP in E003 is right, so that none can be turned; one Poisson"
    )


def test_a_model_that_nothing_turns_has_its_table(tmp_path: Path) -> None:
    result, worst = result_of()
    table = result.worst_case.assign(**dict.fromkeys(("reads", "reads_share", "moves", "entries"), np.nan))
    steady = Result("E003", "random_forest", result.noise, worst_case=table)
    write_page(tmp_path / "r.html", result=steady, worst=Worst(factors=worst.factors), settings={}, command="c")
    page = BeautifulSoup((tmp_path / "r.html").read_bytes(), "html.parser")
    assert sections(page) == ["noise", "worst", "explanation", "genes", "methods"]
    cells = [cell.get_text(" ", strip=True) for cell in page.select("[aria-label='Table of directions'] tbody td")][:6]
    assert cells[2:] == ["0\xa0%", "> 500 > 500 to > 500", "–", "more more to more"]


def test_what_is_proven_is_told_from_what_was_searched() -> None:
    result, _ = result_of()
    certified = study_row(result)["certified_median"]
    searched, proven = caveats(result, SETTINGS)
    assert searched.startswith("Found, not proven: the search is greedy")
    assert proven == (
        f"Proven: the vote of 1,000 copies with 2\xa0% of the reads keeps half of its right calls whatever "
        f"{certified:.0f} reads are added or removed, each with a confidence of 99.9\xa0%. The vote is another "
        "classifier than the model itself: 76\xa0% of its calls are right, and 47\xa0% are ON."
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),
        ({"changed": 0.12}, "Sequencing the same sample again would change 12\xa0% of the calls"),
        ({"alpha_r": 0.79}, "Sequencing the same sample again would change attention (median r 0.79)"),
        ({"accuracy": 0.59}, "59\xa0% of the calls are right, and"),
        ({"share_on": 0.1}, "80\xa0% of the calls are right, and 10\xa0% are ON. A model that says one thing"),
    ],
)
def test_reasons_not_to_read_the_page_are_warnings(given: dict[str, float], said: str | None) -> None:
    made = warnings(bare(**({"accuracy": 0.796, "share_on": 0.5} | given)))
    assert len(made) == (said is not None)
    assert said is None or made[0].startswith(said)


def test_parts_without_data_are_left_out(tmp_path: Path, page: BeautifulSoup) -> None:
    all_parts = [
        "noise",
        "worst",
        "examples",
        "certificate",
        "explanation",
        "transfer",
        "detection",
        "genes",
        "methods",
    ]
    assert sections(page) == all_parts
    plain = BeautifulSoup(page_of(tmp_path / "plain.html").read_bytes(), "html.parser")
    # Without attention, the explanation is the attribution.
    assert sections(plain) == all_parts
    assert "r of alpha" not in plain.find(id="explanation").parent.get_text()
    assert "r of the attribution" in plain.find(id="explanation").parent.get_text()
    assert "alpha" not in plain.find(id="noise").parent.get_text()
    write_page(tmp_path / "bare.html", result=bare(), worst=Worst(), settings={}, command="c")
    nothing = BeautifulSoup((tmp_path / "bare.html").read_bytes(), "html.parser")
    assert sections(nothing) == ["noise", "explanation", "methods"]
    assert len(nothing.select("script")) == 1
    assert nothing.select_one(".sentence").get_text() == (
        "One Poisson redraw, which changes about 490 reads, turns 1.8\xa0% of the calls of DeepChrome in E003."
    )


def test_tables_with_headings_only_are_as_none(tmp_path: Path) -> None:
    result, worst = result_of()
    tables = {
        name: getattr(worst, name).iloc[:0] for name in ("edits", "factors", "explanation", "detection", "together")
    }
    empty = [getattr(result, name).iloc[:0] for name in ("stability", "certificate", "worst_case", "transfer")]
    write_page(
        tmp_path / "report.html",
        result=Result("E003", "deepchrome", result.noise, *empty),
        worst=Worst(**tables),
        settings=SETTINGS,
        command="c",
    )
    assert sections(BeautifulSoup((tmp_path / "report.html").read_bytes(), "html.parser")) == [
        "noise",
        "explanation",
        "methods",
    ]


def test_the_edited_counts_are_those_of_the_file(page: BeautifulSoup) -> None:
    made = chromatin_result("attentivechrome", attention=True, slow=300)
    edited, data = made["edited"], json.loads(page.find(id="edited-data").string)
    symbols = edited["symbol"].values.tolist()
    rows = [symbols.index(name) for name in data["genes"]["name"]]
    assert data["of"] == len(rows) == int((edited["reads_turned"] | edited["entries_turned"]).sum())
    shape = (len(rows), len(MARKS), 100)
    counts = values_of(data["counts"], "<u2", shape)
    assert (counts == edited["original"].transpose("gene", "mark", "bin").values[rows]).all()
    for threat in ("reads", "entries"):
        after = counts + values_of(data[threat], "<i2", shape)
        assert (after == edited[threat].transpose("gene", "mark", "bin").values[rows]).all()
        assert data["genes"][threat] == edited[f"{threat}_turned"].values[rows].tolist()
    assert "reads_score" not in data["genes"]
    labels = [data["genes"]["label"][number] for number in data["examples"]]
    assert labels == [1, 1, 1, 0, 0, 0]


def test_the_scores_of_edited_genes_are_shown_if_the_file_has_them(tmp_path: Path) -> None:
    result, worst = result_of()
    assert worst.edited is not None
    scores = np.linspace(0, 1, worst.edited.sizes["gene"])
    edited = worst.edited.assign(reads_score=("gene", scores))
    write_page(tmp_path / "r.html", result=result, worst=Worst(edited=edited), settings={}, command="c")
    page = BeautifulSoup((tmp_path / "r.html").read_bytes(), "html.parser")
    genes = json.loads(page.find(id="edited-data").string)["genes"]
    symbols = edited["symbol"].values.tolist()
    assert genes["reads_score"] == [round(scores[symbols.index(name)], 4) for name in genes["name"]]


def test_named_genes_are_the_first_examples() -> None:
    facts = pd.DataFrame({"symbol": [f"G{n}" for n in range(20)], "label": [1, 0] * 10, "reads": range(1, 21)})
    turned = np.ones(20, dtype=bool)
    assert examples(facts, turned, []) == [2, 8, 16, 3, 9, 17]
    assert examples(facts, turned, ["G19", "G4"]) == [4, 2, 8, 19, 3, 9]
    turned[::2] = False
    assert examples(facts, turned, []) == [3, 9, 17]


def test_the_table_of_genes_starts_with_those_that_turn_first(page: BeautifulSoup) -> None:
    rows = page.select("[data-name=E003-robustness] tbody tr")
    headings = [cell.get_text() for cell in page.select("[data-name=E003-robustness] thead th")]
    assert len(rows) == 152
    place = headings.index("Reads to turn")
    cells = [row.find_all("td") for row in rows]
    reads = [cell[place].get_text() for cell in cells]
    numbers = [int(text) for text in reads if text.isdigit()]
    assert numbers == sorted(numbers)
    assert reads[len(numbers)] == "> 500"
    # A number, so that the column can be sorted, above the others.
    assert cells[len(numbers)][place]["data-value"] == "500+"
    assert reads[-1] == "–"
    assert cells[-1][headings.index("Call")].get_text().endswith("✗")


def test_detection_is_told_beside_the_control() -> None:
    detection = pd.DataFrame(
        [
            ("bits_3", "reads", 0.9, 0.93),
            ("median_3", "reads", 0.7, 0.97),
            ("low confidence", "reads", 0.99, 0.99),
            ("bits_3", "factor 2", 0.3, 0.7),
            ("median_3", "factor 2", 0.2, 0.6),
            ("low confidence", "factor 2", 0.1, 0.52),
            ("bits_3", "redraw", 0.04, 0.5),
        ],
        columns=["detector", "edits", "detected", "auc"],
    )
    worse, better, missed = detection_sentences(detection)
    assert "at least the AUC of the best detector: reads (0.99 against 0.97)." in worse
    assert better == "Squeezing has a higher AUC than low confidence for factor 2 (0.70 against 0.52)."
    assert missed == "No detector finds half of the edits by factor 2 (30\xa0%)."
    assert detection_sentences(detection.iloc[:0]) == []


def test_names_of_users_are_text(tmp_path: Path) -> None:
    path = page_of(tmp_path / "report.html", evil=EVIL)
    page = BeautifulSoup(path.read_bytes(), "html.parser")
    assert page.select("img, [onerror]") == []
    assert EVIL not in path.read_text(encoding="utf-8")
    assert EVIL in page.select_one("[data-name=E003-robustness] tbody td").get_text()
    assert EVIL in json.loads(page.find(id="edited-data").string)["genes"]["name"][0]


def test_the_charts_draw_every_value() -> None:
    noise = noise_table(True)
    chart = BeautifulSoup(depth_chart(noise, "keep", 0.2), "html.parser")
    assert [len(chart.select(f"circle.{name}")) for name in ("calls", "auc", "alpha")] == [6, 6, 6]
    assert "with 2 % of the reads calls kept 0.86, AUC 0.83, r of alpha 0.35" in chart.svg["aria-label"]
    assert depth_chart(noise[noise["kind"] != "keep"], "keep", 0.2) is None
    result, _ = result_of()
    turned = BeautifulSoup(turned_chart(result.worst_case, result.certificate, 490), "html.parser")
    called = result.worst_case[result.worst_case["right"]]
    on = called[called["label"] == 1]["reads"]
    assert f"ON to OFF {on.notna().sum()} of {len(on)}" in turned.svg["aria-label"]
    assert turned_chart(result.worst_case.assign(reads_share=np.nan), result.certificate, 490) is None


def test_certified_reads_are_a_share_of_their_window() -> None:
    worst_case = pd.DataFrame({"gene": ["a", "b"], "symbol": ["A", "B"], "window_reads": [200, 0]})
    certificate = pd.DataFrame(
        {"gene": ["b", "a"], "symbol": ["B", "A"], "label": [1, 1], "voted": "ON", "certified_reads": [10, 30]}
    )
    assert proven_shares(certificate, worst_case).tolist() == [0.15]


def test_the_index_links_every_page_with_its_figures(tmp_path: Path) -> None:
    results = [result_of()[0], result_of("random_forest", slow=900)[0]]
    images = image_result()
    save(placeholder("one"), tmp_path / "reads.svg")
    tables = (images[name] for name in ("metrics", "attacks", "detection", "adaptive"))
    write_index(
        tmp_path / "index.html",
        chromatin=study_table(results),
        images=[images_row("a b", *tables)],
        sequences=[sequence_row("CTCF", "cnn", letters_table())],
        figures={"reads": tmp_path / "reads.svg"},
    )
    page = BeautifulSoup((tmp_path / "index.html").read_bytes(), "html.parser")
    assert [link["href"] for link in page.select("main td a")] == [
        "chromatin/E003/deepchrome/report.html",
        "chromatin/E003/random_forest/report.html",
        "sequence/CTCF/cnn/report.html",
        "images/a%20b/report.html",
    ]
    text = page.select_one(".sentence").get_text().replace("\xa0", " ")
    assert re.match(
        r"Half of the right calls turn with \d+ reads for DeepChrome in E003\. Fewer than half of those of Random ",
        text,
    )
    assert text.endswith("An attack that knows the detector of a b gets 100 % of the images past it.")
    assert len(page.select(".print-figure svg")) == 1
    write_index(tmp_path / "empty.html")
    assert BeautifulSoup((tmp_path / "empty.html").read_bytes(), "html.parser").select("main h2") == []


def test_a_set_of_images_has_the_figures_of_its_last_detector() -> None:
    images = image_result()
    row = images_row("mnist", images["metrics"], images["attacks"], images["detection"], images["adaptive"])
    assert (row["strongest"], row["success"], row["runs"]) == ("CW2, least", 1.0, 6)
    assert (row["detector"], row["false_positives"], row["undetected"]) == ("bits_1 + median_2", 0.053, 1.0)
    assert row["detected"] == pytest.approx(0.9867, abs=1e-4)
    assert (row["least"], row["least_detected"]) == ("cw0-next", 0.94)
    assert images_row("x", {}, images["attacks"], images["detection"].iloc[:0])["detected"] is None


def test_a_page_of_letters_marks_the_substitutions(tmp_path: Path) -> None:
    letters = letters_table(evil=EVIL)
    letters_page.write_page(tmp_path / "r.html", name="CTCF", model="cnn", letters=letters, budget=20, command="c")
    page = BeautifulSoup((tmp_path / "r.html").read_bytes(), "html.parser")
    first = letters[letters["right"] & letters["changes"].notna()].sort_values("changes", kind="stable").iloc[0]
    cell = page.select_one("td.letters")
    assert cell.get_text() == cell["data-value"] == first["edited"]
    assert [mark["title"] for mark in cell.select("mark")] == first["substitutions"].split(",")
    assert (
        page.select_one("main p").get_text()
        == "Half of the right predictions of CNN for CTCF turn with 3 of 101 letters changed."
    )
    assert page.select("img, [onerror]") == []
    few = letters.assign(changes=np.nan)
    assert letters_page.sentence("s", "cnn", few, 20).startswith("With up to 20 changed letters, 0")


def test_marked_text_is_escaped() -> None:
    assert letters_page.marked("<B>D", "A2B,C4D") == ('&lt;<mark title="A2B">B</mark>&gt;<mark title="C4D">D</mark>')


def test_the_gene_browser_has_what_was_tested_of_each_call() -> None:
    dataset = synthetic_dataset(bins=4, sizes={"train": 4, "valid": 2, "test": 3})
    names = {key: dataset[key].values for key in ("gene", "symbol")}
    scored = pd.DataFrame(names | {"score": 0.4})
    assert not {"calls", "kept", "turned"} & set(browser_data(dataset, {"mlp": scored}, {}))
    tested = scored.assign(call=["ON", "OFF", "ON"] * 3, stability=[1, 0.96, 0.5] * 3)
    # In another order than the dataset, and of the test genes only.
    turned = pd.DataFrame({key: values[:5:-1] for key, values in names.items()}).assign(
        right=[True, True, False], reads=[63, np.nan, np.nan], certified_reads=[31, np.nan, 12]
    )
    data = browser_data(dataset, {"mlp": tested, "lstm": scored}, {}, turned={"mlp": turned})
    assert set(data["calls"]) == set(data["kept"]) == set(data["turned"]) == {"mlp"}
    assert values_of(data["calls"]["mlp"], "<u1", (9,)).tolist() == [1, 0, 1] * 3
    assert (values_of(data["kept"]["mlp"], "<u2", (9,)) / 65534).round(3).tolist() == [1, 0.96, 0.5] * 3
    reads, certified = (values_of(data["turned"]["mlp"][name], "<u2", (9,)).tolist() for name in ("reads", "certified"))
    assert reads == [MISSING] * 6 + [MISSING, NOT_TURNED, 63]
    assert certified == [MISSING] * 6 + [12, MISSING, 31]
