"""The dashboard and the index of the sequence track in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sequence_builders import EVIL, NETWORKS, page_of

from chromattend.sequence.pages.index import write_index

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

LETTERS = (
    "return [...document.querySelectorAll('.shown .track use')].filter((each) => each.getClientRects().length).length"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index, a dashboard, one of a single network, and one whose names are hostile."""
    folder = tmp_path_factory.mktemp("sequence")
    for name, evil, networks in (("USF1", "", NETWORKS), ("one", "", ["cnn_rnn"]), ("evil", EVIL, ["cnn_rnn"])):
        (folder / name).mkdir()
        page_of(folder / name, evil=evil, networks=networks)
    models = ("cnn", "rnn", "gapped_kmer_logistic")
    auc = pd.DataFrame([("USF1", model, 0.9, 0.88, 0.92) for model in models]).set_axis(
        ["set", "model", "auc", "auc_low", "auc_high"], axis=1
    )
    facts = {"tf": "USF1", "group": EVIL, "colour": "#924965", "positives": 22988, "notes": 1}
    write_index(folder / "index.html", auc=auc, motifs=pd.DataFrame(columns=["set", "model"]), sets={"USF1": facts})
    return folder


def visit(browser: Any, page: Path, fragment: str = "") -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)


def shown(browser: Any) -> list[str]:
    return [title.text for title in browser.find_elements(By.CSS_SELECTOR, ".shown h3") if title.is_displayed()]


def errors(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.mark.parametrize("page", ["USF1/report.html", "evil/report.html", "index.html"])
def test_a_page_opens_without_errors_and_without_a_network(browser: Any, pages: Path, page: str) -> None:
    visit(browser, pages / page)
    assert errors(browser) == []
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded == []
    assert browser.execute_script("return document.querySelectorAll('img').length") == 0


@pytest.mark.parametrize(
    ("page", "colours"), [("one/report.html", "light"), ("one/report.html", "dark"), ("index.html", "dark")]
)
def test_everyone_can_use_it(
    browser: Any,
    pages: Path,
    scheme: Callable[[str], None],
    violations: Callable[[], list[str]],
    page: str,
    colours: str,
) -> None:
    scheme(colours)
    visit(browser, pages / page)
    assert violations() == []


@pytest.mark.parametrize("page", ["USF1/report.html", "evil/report.html", "index.html"])
def test_a_phone_scrolls_only_within_figures_and_tables(
    browser: Any, phone: Callable[[], bool], pages: Path, page: str
) -> None:
    visit(browser, pages / page)
    assert phone()


def test_network_and_sequence_are_chosen_by_keyboard_and_by_address(browser: Any, pages: Path) -> None:
    page = pages / "USF1" / "report.html"
    visit(browser, page)
    first = shown(browser)
    assert len(first) == 1
    letters = browser.execute_script(LETTERS)
    assert letters > 400
    choice = browser.find_element(By.ID, "network")
    choice.send_keys(Keys.ARROW_DOWN)
    # The second network is recurrent and has no DeepLIFT.
    assert browser.execute_script(LETTERS) < letters
    assert browser.current_url.endswith("#show=cnn_rnn,0")
    radio = browser.execute_script("return document.querySelector('[data-network=cnn_rnn] .choice input')")
    browser.execute_script("arguments[0].focus()", radio)
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert browser.current_url.endswith("#show=cnn_rnn,1")
    second = shown(browser)
    assert second != first
    visit(browser, page, "#show=cnn_rnn,1")
    assert shown(browser) == second


def test_the_slider_reads_every_view_at_one_position(browser: Any, pages: Path) -> None:
    visit(browser, pages / "USF1" / "report.html")
    slider = next(each for each in browser.find_elements(By.CSS_SELECTOR, "input[type=range]") if each.is_displayed())
    slider.send_keys(Keys.HOME)
    outputs = browser.find_elements(By.CSS_SELECTOR, "output")
    said = next(output.text for output in outputs if output.is_displayed())
    assert said.startswith("1: ")
    values = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".track .value") if each.is_displayed()]
    assert values[0] == said[3]
    assert sum(value.startswith(("+", "−")) for value in values) == 6


def test_filters_are_drawn_when_they_are_opened(browser: Any, pages: Path) -> None:
    visit(browser, pages / "USF1" / "report.html")
    details = browser.find_element(By.CSS_SELECTOR, "details[data-filters=cnn]")
    assert details.find_elements(By.TAG_NAME, "use") == []
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", details)
    details.find_element(By.TAG_NAME, "summary").click()
    drawn = "return arguments[0].querySelectorAll('use').length"
    assert WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(drawn, details)) > 100


def test_names_of_users_are_text(browser: Any, pages: Path) -> None:
    visit(browser, pages / "evil" / "report.html")
    assert EVIL in browser.find_element(By.TAG_NAME, "h1").text
    assert any(EVIL in title for title in shown(browser))
    assert browser.execute_script("return document.scripts.length") == 3
