"""The page of a set of contexts, and their index, in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graph_page_builders import EVIL, page_of, set_of

from chromattend.graphs.pages.index import write_index

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

PATHS = (
    "return [...document.querySelectorAll('.net path.edge.{}')].filter((each) => each.getClientRects().length).length"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index and pages: of marks with many and few edges, of genes, many contexts, hostile names."""
    folder = tmp_path_factory.mktemp("graphs")
    options: dict[str, dict[str, Any]] = {
        "marks": {"kind": "marks"},
        "small": {"kind": "marks", "wanted": 60},
        "genes": {"kind": "genes", "contexts": 3, "wanted": 110},
        "many": {"kind": "genes", "contexts": 14, "number": 20, "wanted": 30},
        "evil": {"kind": "marks", "wanted": 60, "evil": EVIL},
    }
    for name, given in options.items():
        (folder / name).mkdir()
        page_of(folder / name, **given)
    sets = {name: [each.summary for each in set_of(**options[name])["estimators"]] for name in ("marks", "evil")}
    write_index(folder / "index.html", sets=sets)
    return folder


def visit(browser: Any, page: Path, fragment: str = "") -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)


def errors(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


@pytest.mark.parametrize("name", ["marks/report", "genes/report", "many/report", "evil/report", "index"])
def test_a_page_opens_without_errors_and_without_a_network(browser: Any, pages: Path, name: str) -> None:
    visit(browser, pages / f"{name}.html")
    assert errors(browser) == []
    assert browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)") == []
    assert browser.find_elements(By.CSS_SELECTOR, "img, [onerror]") == []


@pytest.mark.parametrize(
    ("name", "colours"),
    [("small/report", "light"), ("many/report", "dark"), ("index", "dark")],
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


@pytest.mark.parametrize("name", ["marks/report", "genes/report", "many/report", "evil/report", "index"])
def test_a_phone_scrolls_only_within_figures_and_tables(
    browser: Any, phone: Callable[[], bool], pages: Path, name: str
) -> None:
    visit(browser, pages / f"{name}.html")
    assert phone()


def test_a_variable_is_chosen_by_keyboard_and_has_its_neighbours_in_every_panel(browser: Any, pages: Path) -> None:
    visit(browser, pages / "marks" / "report.html")
    box = browser.find_element(By.ID, "neighbours")
    assert box.find_element(By.TAG_NAME, "h3").text == "Most connected variables"
    browser.find_element(By.ID, "variable").send_keys("H3K4me3_5")
    assert box.find_element(By.TAG_NAME, "h3").text == "H3K4me3_5"
    edges = set_of("marks")["estimators"][0].edges
    own = edges[(edges["node1"] == "H3K4me3_5") | (edges["node2"] == "H3K4me3_5")]
    pairs = own[["node1", "node2"]].drop_duplicates()
    rows = box.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert len(rows) == len(pairs)
    others = set(pairs.to_numpy().ravel()) - {"H3K4me3_5"}
    assert {row.find_element(By.TAG_NAME, "button").text for row in rows} == others
    assert len(browser.find_elements(By.CSS_SELECTOR, ".net svg.focused")) == 2
    # A neighbour is a button that goes on to its own neighbours.
    button = rows[0].find_element(By.TAG_NAME, "button")
    name = button.text
    button.send_keys(Keys.ENTER)
    assert box.find_element(By.TAG_NAME, "h3").text == name
    browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert browser.find_elements(By.CSS_SELECTOR, ".net svg.focused") == []


def test_the_estimator_is_chosen_and_kept_in_the_address(browser: Any, pages: Path) -> None:
    page = pages / "marks" / "report.html"
    visit(browser, page)
    assert browser.execute_script(PATHS.format("shared")) > 0
    Select(browser.find_element(By.ID, "estimator")).select_by_value("diffee")
    assert browser.current_url.endswith("#estimator=diffee")
    assert browser.execute_script(PATHS.format("shared")) == 0
    assert browser.execute_script(PATHS.format("own")) > 0
    visit(browser, page, "#estimator=diffee")
    titles = [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".panel h3") if each.is_displayed()]
    assert [" ".join(title.split()) for title in titles] == ["OFF → to ON"]


def test_the_heat_map_is_read_at_the_pointer(browser: Any, pages: Path) -> None:
    visit(browser, pages / "marks" / "report.html")
    said = browser.execute_script(
        "const canvas = document.getElementById('heat'); canvas.scrollIntoView();"
        "const box = canvas.getBoundingClientRect();"
        "canvas.dispatchEvent(new PointerEvent('pointermove', {clientX: box.right - 8, clientY: box.top + 10}));"
        "return [canvas.getAttribute('aria-label'), document.getElementById('heat-said').textContent]"
    )
    assert said[0] == "Partial correlations: OFF above the diagonal, ON below"
    matrix = set_of("marks")["matrices"]["partial"]
    off, on = (f"{matrix[context, 0, 49]:+.2f}".replace("-", "−") for context in range(2))
    assert said[1] == f"H3K4me3_1 – H3K9me3_10OFF: {off}ON: {on}"


def test_at_most_twelve_contexts_are_drawn(browser: Any, pages: Path) -> None:
    visit(browser, pages / "many" / "report.html")

    def shown() -> list[str]:
        return [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".panel h3") if each.is_displayed()]

    assert len(shown()) == 12
    browser.find_element(By.CSS_SELECTOR, "#chooser input[value='13']").click()
    assert len(shown()) == 12
    assert shown()[-1] == "context 14"
    assert "context 1" not in shown()


def test_names_of_users_are_text(browser: Any, pages: Path) -> None:
    visit(browser, pages / "evil" / "report.html")
    assert EVIL in browser.find_element(By.TAG_NAME, "h1").text
    assert browser.title.startswith("E003, ON and OFF")
    browser.find_element(By.CSS_SELECTOR, "#neighbours button").click()
    assert EVIL in browser.find_element(By.CSS_SELECTOR, "#neighbours h3").text
    assert browser.execute_script("return document.scripts.length") == 3
