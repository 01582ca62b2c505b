"""The pages of the track robustness in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from builders import synthetic_dataset
from robustness_builders import EVIL, MARKS, chromatin_result, image_result, letters_table, page_of, result_of

from chromattend.chromatin.figures import plot_profile
from chromattend.chromatin.pages.epigenome import write_page as write_epigenome
from chromattend.evaluate import calibration_table, metrics, scores_of_test
from chromattend.figures import plot_calibration, save
from chromattend.robustness.figures import plot_reads
from chromattend.robustness.pages import letters
from chromattend.robustness.pages.index import images_row, sequence_row, write_index
from chromattend.robustness.tables import study_table
from chromattend.statistics import compare_aucs

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

PAGES = ["report", "evil", "letters", "index"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a page of a network with attention, one with hostile names, one of letters, and the index."""
    folder = tmp_path_factory.mktemp("robustness")
    page_of(folder / "report.html", "attentivechrome", attention=True, slow=200)
    page_of(folder / "evil.html", evil=EVIL, changed=0.2)
    letters.write_page(
        folder / "letters.html", name=f"CTCF{EVIL}", model="cnn", letters=letters_table(evil=EVIL), command="c"
    )
    results = [result_of()[0], result_of("attentivechrome", attention=True, slow=900)[0]]
    save(plot_reads(results), folder / "reads.svg")
    images = (image_result()[name] for name in ("metrics", "attacks", "detection", "adaptive"))
    write_index(
        folder / "index.html",
        chromatin=study_table(results),
        images=[images_row("digits", *images)],
        sequences=[sequence_row("CTCF", "cnn", letters_table())],
        figures={"reads": folder / "reads.svg"},
    )
    return folder


def visit(browser: Any, page: Path) -> None:
    browser.get("about:blank")
    browser.get(page.as_uri())
    if page.stem in ("report", "evil"):
        drawn = "return document.documentElement.dataset.drawn"
        WebDriverWait(browser, 20).until(lambda driver: driver.execute_script(drawn))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_errors_and_without_a_network(browser: Any, pages: Path, name: str) -> None:
    visit(browser, pages / f"{name}.html")
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert browser.find_elements(By.CSS_SELECTOR, "img, [onerror]") == []


@pytest.mark.parametrize(
    ("name", "colours"), [("report", "light"), ("evil", "dark"), ("letters", "dark"), ("index", "light")]
)
def test_everyone_can_use_it(
    browser: Any,
    pages: Path,
    scheme: Callable[[str], None],
    violations: Callable[[], list[str]],
    name: str,
    colours: str,
) -> None:
    scheme(colours)
    visit(browser, pages / f"{name}.html")
    assert violations() == []


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_scrolls_only_within_figures_and_tables(
    browser: Any, phone: Callable[[], bool], pages: Path, name: str
) -> None:
    visit(browser, pages / f"{name}.html")
    assert phone()


def test_a_gene_is_drawn_before_and_after_its_edit(browser: Any, pages: Path) -> None:
    visit(browser, pages / "report.html")
    edited = chromatin_result("attentivechrome", attention=True, slow=200)["edited"]
    name = browser.find_element(By.ID, "edited-name").text.partition(":")[0]
    symbols = edited["symbol"].values.tolist()

    def expected(name: str, threat: str) -> list[str]:
        gene = edited.isel(gene=symbols.index(name))
        change = (gene[threat] - gene["original"]).values
        before = gene["original"].values.sum(axis=0)
        added, removed = np.maximum(change, 0).sum(axis=0), np.maximum(-change, 0).sum(axis=0)
        return [
            f"{mark} {before[place]:,} {f'+{added[place]:,}' if added[place] else '0'} "
            f"{f'−{removed[place]:,}' if removed[place] else '0'} {before[place] + added[place] - removed[place]:,}"
            for place, mark in enumerate(MARKS)
        ]

    def shown() -> list[str]:
        return [row.text for row in browser.find_elements(By.CSS_SELECTOR, "#edited-marks tr")]

    assert shown() == expected(name, "reads")
    # The second example by the keyboard, then the fewest entries.
    button = browser.find_elements(By.CSS_SELECTOR, ".starters button")[1]
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-pressed") == "true"
    second = browser.find_element(By.ID, "edited-name").text.partition(":")[0]
    assert second != name
    assert shown() == expected(second, "reads")
    Select(browser.find_element(By.ID, "edited-threat")).select_by_value("entries")
    assert shown() == expected(second, "entries")
    marked = browser.find_elements(By.CSS_SELECTOR, "#edited-after svg rect.more")
    assert len(marked) == 2 * int((edited["entries"] > edited["original"]).isel(gene=symbols.index(second)).sum())
    # A gene that turns by entries only.
    only = (edited["entries_turned"] & ~edited["reads_turned"]).values.nonzero()[0][0]
    Select(browser.find_element(By.ID, "edited-gene")).select_by_visible_text(symbols[only])
    threat = Select(browser.find_element(By.ID, "edited-threat"))
    assert threat.first_selected_option.get_attribute("value") == "entries"
    assert not threat.options[0].is_enabled()


def test_the_genes_are_sorted_by_the_reads_that_turn_them(browser: Any, pages: Path) -> None:
    visit(browser, pages / "report.html")
    table = browser.find_element(By.CSS_SELECTOR, "[data-name=E003-robustness]")
    headings = [heading.text.replace("\n", " ").strip() for heading in table.find_elements(By.CSS_SELECTOR, "thead th")]
    place = headings.index("Reads to turn")
    button = table.find_elements(By.CSS_SELECTOR, "thead button")[place]
    button.send_keys(Keys.ENTER)
    button.send_keys(Keys.ENTER)
    column = browser.execute_script(
        "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[arguments[1]].textContent)", table, place
    )
    above = column.count("> 500")
    assert above > 0
    assert column[:above] == ["> 500"] * above
    numbers = [int(value) for value in column if value.isdigit()]
    assert numbers == sorted(numbers, reverse=True)
    assert column[-1] == "–"


def test_the_gene_browser_says_how_little_turns_a_call(browser: Any, tmp_path: Path) -> None:
    dataset = synthetic_dataset(bins=10)
    names = {key: dataset[key].values for key in ("gene", "symbol", "split", "label")}
    scored = pd.DataFrame(names | {"score": np.where(names["label"] == 1, 0.45, 0.1)})
    predictions = {
        "deepchrome": scored.assign(call=np.where(names["label"] == 1, "ON", "OFF"), stability=0.96),
        "mlp": scored,
    }
    measured = {model: metrics(table) for model, table in predictions.items()}
    save(plot_calibration(calibration_table(predictions), measured, "E003"), tmp_path / "calibration.svg")
    save(plot_profile(dataset), tmp_path / "profile.svg")
    on, off = (int(np.flatnonzero((names["split"] == "test") & (names["label"] == label))[0]) for label in (1, 0))
    turned = scored.iloc[[on, off]][["gene", "symbol"]].assign(
        right=True, reads=[63, np.nan], certified_reads=[31, np.nan]
    )
    write_epigenome(
        tmp_path / "report.html",
        name="H1",
        group="",
        dataset=dataset,
        signals=[],
        metrics=measured,
        comparisons=compare_aucs(*scores_of_test(predictions)),
        predictions=predictions,
        published=pd.DataFrame(columns=["epigenome", "model", "kind", "source", "auc"]),
        figures={key: tmp_path / f"{key}.svg" for key in ("calibration", "profile")},
        turned={"deepchrome": turned},
        command="c",
    )

    def scores(gene: int) -> dict[str, list[str]]:
        name = str(names["gene"][gene])
        browser.get("about:blank")
        browser.get((tmp_path / "report.html").as_uri() + f"#gene={name}")
        drawn = "return document.documentElement.dataset.drawn"
        WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(drawn) == name)
        rows = browser.find_elements(By.CSS_SELECTOR, "#gene-scores tbody tr")
        return {
            row.get_attribute("data-model"): [cell.text for cell in row.find_elements(By.TAG_NAME, "td")[2:]]
            for row in rows
        }

    # The tested model calls at its own threshold, the other one at 0.5.
    assert scores(on) == {"deepchrome": ["ON ✓", "96 %", "63", "31"], "mlp": ["OFF ✗", "–", "–", "–"]}
    assert scores(off)["deepchrome"] == ["OFF ✓", "96 %", "none found", "–"]
