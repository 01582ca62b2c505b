"""The pages over all epigenomes in a real browser."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlparse

import numpy as np
import pandas as pd
import pytest
from axe_selenium_python import Axe
from builders import ALL_GENES, synthetic_dataset
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from chromattend.chromatin.pages.index import write_index
from chromattend.chromatin.pages.quality import write_quality_page
from chromattend.chromatin.quality import quality_table, sources_table, warnings_table
from chromattend.chromatin.tables import published_table, summary_table
from chromattend.figures import look
from chromattend.models.registry import REGISTRY, in_order

EVIL = "<script>alert(1)</script>"
MODELS = ["random_forest", "deepchrome", "attentivechrome", "lstm"]
EPIGENOMES = {
    f"E{number:03d}": [EVIL if number == 1 else f"Cells {number}", EVIL if number == 1 else "ESC", "#924965"]
    for number in range(1, 7)
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the index, the quality page, and stand-ins for the pages that they lead to."""
    folder = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(1)
    auc = pd.DataFrame(
        [(epigenome, model, rng.uniform(0.7, 0.9)) for epigenome in EPIGENOMES for model in MODELS],
        columns=["epigenome", "model", "auc"],
    )
    auc = auc.assign(auc_low=auc["auc"] - 0.02, auc_high=auc["auc"] + 0.02)
    known = pd.DataFrame(
        [("E003", "deepchrome", "published", EVIL, 0.77)], columns=["epigenome", "model", "kind", "source", "auc"]
    )
    published = pd.DataFrame(
        [(REGISTRY[model].published, 0.8, 0.8, 0.9, 0.7, 10) for model in MODELS if REGISTRY[model].published],
        columns=["model", "mean", "median", "max", "min", "better_than_deepchrome"],
    )
    overlaps = pd.DataFrame({"other_gene": ["none"], "other_split": ["test"]})
    datasets = [
        synthetic_dataset(epigenome=name, seed=seed).assign_attrs(genes_left_out=200 * (seed == 1))
        for seed, name in enumerate(EPIGENOMES)
    ]
    quality = pd.concat([quality_table(dataset, [], overlaps, ALL_GENES) for dataset in datasets], ignore_index=True)
    sources = pd.concat([sources_table(dataset, []) for dataset in datasets], ignore_index=True)
    warnings = warnings_table(quality, sources)
    write_quality_page(
        folder / "quality.html",
        quality=quality,
        warnings=warnings,
        sources=sources,
        names={epigenome: name for epigenome, (name, _, _) in EPIGENOMES.items()},
        split_rule="sequential",
    )
    write_index(
        folder / "index.html",
        auc=auc,
        summary=summary_table(auc, published, known),
        published=published_table(auc, known),
        warnings=warnings,
        validation=None,
        epigenomes=EPIGENOMES,
        split_rule="sequential",
    )
    for path in ["report.html", *(f"{epigenome}/report.html" for epigenome in EPIGENOMES)]:
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text("<title>page</title>")
    return folder


def visit(browser: WebDriver, page: Path) -> None:
    """Open a page and wait for its charts."""
    browser.get(page.as_uri())
    script = "return [...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('.main-svg'))"
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script(script))


def first_column(browser: WebDriver, name: str) -> list[str]:
    return [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, f"[data-name={name}] tbody tr td:first-child")]


def compared(browser: WebDriver) -> list[str]:
    return [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "#comparison-table thead th")][1:]


@pytest.mark.parametrize("name", ["index.html", "quality.html"])
def test_a_page_opens_without_errors_and_without_a_network(browser: WebDriver, pages: Path, name: str) -> None:
    visit(browser, pages / name)
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [address for address in loaded if not address.startswith(("data:", "blob:"))] == []


@pytest.mark.parametrize("name", ["index.html", "quality.html"])
def test_a_page_is_accessible(browser: WebDriver, pages: Path, name: str) -> None:
    visit(browser, pages / name)
    axe = Axe(browser)
    axe.inject()
    found = [problem for problem in axe.run()["violations"] if problem["impact"] in ("serious", "critical")]
    assert found == [], axe.report(found)


@pytest.mark.parametrize("name", ["index.html", "quality.html"])
def test_every_link_leads_somewhere(browser: WebDriver, pages: Path, name: str) -> None:
    visit(browser, pages / name)
    links = {link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "a[href]")}
    assert len(links) > 6
    for link in links:
        assert Path(unquote(urlparse(link).path)).is_file(), link
        fragment = urlparse(link).fragment
        if fragment and urlparse(link).path.endswith(name):
            assert browser.find_elements(By.ID, fragment), link


@pytest.mark.parametrize("name", ["light", "dark"])
def test_a_model_looks_the_same_in_every_figure(
    browser: WebDriver, pages: Path, scheme: Callable[[str], None], name: str
) -> None:
    scheme(name)
    visit(browser, pages / "index.html")
    traces = browser.execute_script(
        "return document.getElementById('auc').data.filter((trace) => trace.showlegend !== false)"
        ".map((trace) => [trace.name, trace.marker.color, trace.marker.symbol])"
    )
    ordered = in_order(MODELS)
    assert traces == [[REGISTRY[model].title, look(model)["colour"], look(model)["symbol"]] for model in ordered]
    dots = browser.execute_script(
        "return [...document.querySelectorAll('td.dots svg')].map((svg) =>"
        " [...svg.querySelectorAll('use')].map((dot) => getComputedStyle(dot).fill))"
    )
    wanted = {"rgb({}, {}, {})".format(*bytes.fromhex(look(model)["colour"][1:])) for model in MODELS}
    assert len(dots) == len(EPIGENOMES)
    assert all(set(each) == wanted for each in dots)


@pytest.mark.parametrize("name", ["index.html", "quality.html"])
def test_nothing_is_cut_on_a_phone(browser: WebDriver, pages: Path, phone: Callable[[], bool], name: str) -> None:
    visit(browser, pages / name)
    assert phone()
    cut = browser.execute_script(
        "return [...document.querySelectorAll('caption .in-view, p, h1, h2, li, figcaption, .legend')]"
        ".filter((e) => e.getBoundingClientRect().right > 390).map((e) => e.textContent.trim())"
    )
    assert cut == []
    moved = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].map((box) => {"
        " const cell = box.querySelector('tbody td'), before = cell.getBoundingClientRect().left;"
        " box.scrollLeft = 150; return [box.scrollLeft, Math.abs(cell.getBoundingClientRect().left - before)]; })"
    )
    assert max(scrolled for scrolled, _ in moved) > 100
    assert max(shift for _, shift in moved) < 1


def test_the_table_sorts_by_a_heading(browser: WebDriver, pages: Path) -> None:
    visit(browser, pages / "index.html")
    assert first_column(browser, "epigenomes") != sorted(EPIGENOMES)
    heading = browser.find_element(By.CSS_SELECTOR, "[data-name=epigenomes] thead th:first-child button")
    heading.click()
    assert first_column(browser, "epigenomes") == sorted(EPIGENOMES)
    heading.click()
    assert first_column(browser, "epigenomes") == sorted(EPIGENOMES, reverse=True)


def test_the_box_of_a_model_hides_it_in_the_figure(browser: WebDriver, pages: Path) -> None:
    visit(browser, pages / "index.html")
    box = browser.find_element(By.CSS_SELECTOR, "#model-choices input")
    script = "return document.getElementById('auc').data[0].visible"
    assert browser.execute_script(script) is True
    box.send_keys(Keys.SPACE)
    assert browser.execute_script(script) == "legendonly"
    box.send_keys(Keys.SPACE)
    assert browser.execute_script(script) is True


def test_the_legend_and_the_boxes_agree(browser: WebDriver, pages: Path) -> None:
    visit(browser, pages / "index.html")
    browser.execute_script("return Plotly.restyle('auc', {visible: 'legendonly'}, [0])")
    box = browser.find_element(By.CSS_SELECTOR, "#model-choices input")
    WebDriverWait(browser, 10).until(lambda _: not box.is_selected())


def test_epigenomes_are_chosen_by_keyboard(browser: WebDriver, pages: Path) -> None:
    visit(browser, pages / "index.html")
    boxes = browser.find_elements(By.CSS_SELECTOR, "#choices input")
    assert len(compared(browser)) == 3
    boxes[5].send_keys(Keys.SPACE)
    assert len(compared(browser)) == 4
    assert browser.execute_script("return document.getElementById('comparison').data.length") == 4
    for box in boxes:
        if box.is_selected():
            box.send_keys(Keys.SPACE)
    assert compared(browser) == []
    assert browser.find_element(By.ID, "compared").text == "Choose at least one epigenome."
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_names_are_text_in_tables_and_charts(browser: WebDriver, pages: Path) -> None:
    visit(browser, pages / "index.html")
    assert EVIL in browser.find_element(By.CSS_SELECTOR, "[data-name=epigenomes]").text
    # What plotly was given is escaped: it would read a name as HTML.
    texts = browser.execute_script("return document.getElementById('auc').data.flatMap((trace) => trace.text)")
    assert any("&lt;script&gt;alert(1)&lt;/script&gt;" in text for text in texts)
    assert not any("<script" in text for text in texts)
    visit(browser, pages / "quality.html")
    assert EVIL in browser.find_element(By.CSS_SELECTOR, "[data-name=quality_epigenomes]").text
