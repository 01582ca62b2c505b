"""The page of a set of images in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from image_page_builders import image_page_of

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_page_of(tmp_path_factory.mktemp("images"))


def visit(browser: Any, page: Path, fragment: str = "") -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + fragment)


def shown(browser: Any) -> list[str]:
    return [each.text for each in browser.find_elements(By.CSS_SELECTOR, ".examples h3") if each.is_displayed()]


def test_it_opens_without_errors_and_draws_every_picture(browser: Any, page: Path) -> None:
    visit(browser, page)
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    widths = browser.execute_script("return [...document.images].map((image) => image.naturalWidth)")
    assert widths == [24] * (7 * 6 * 3)
    entries = browser.execute_script("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert [name for name in entries if not name.startswith("data:")] == []


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everyone_can_use_it(
    browser: Any, page: Path, scheme: Callable[[str], None], violations: Callable[[], list[str]], colours: str
) -> None:
    scheme(colours)
    visit(browser, page)
    assert violations() == []


def test_a_phone_has_both_figures_of_detection_side_by_side(
    browser: Any, phone: Callable[[], bool], page: Path
) -> None:
    visit(browser, page)
    assert phone()
    tops = [card.rect["y"] for card in browser.find_elements(By.CSS_SELECTOR, ".versus .card")]
    assert len(tops) == 2
    assert tops[0] == tops[1]


def test_the_adaptive_attack_is_read_without_scrolling(browser: Any, page: Path) -> None:
    visit(browser, page)
    bottom = browser.execute_script("return document.querySelector('.versus .knows').getBoundingClientRect().bottom")
    assert bottom < 700


def test_the_attack_of_the_examples_is_chosen_and_kept_in_the_address(browser: Any, page: Path) -> None:
    visit(browser, page)
    assert shown(browser) == ["CW2 next"]
    chooser = Select(browser.find_element(By.ID, "attack"))
    chooser.select_by_value("bim")
    assert shown(browser) == ["BIM"]
    assert browser.current_url.endswith("#attack=bim")
    visit(browser, page, "#attack=cw0-next")
    assert shown(browser) == ["CW0 next"]
    Select(browser.find_element(By.ID, "attack")).select_by_visible_text("All attacks")
    assert len(shown(browser)) == 8


def test_the_table_of_detectors_shows_another_measure(browser: Any, page: Path) -> None:
    visit(browser, page)
    cells = browser.find_elements(By.CSS_SELECTOR, "[data-name=mnist-detection] tbody tr:nth-child(4) td")
    assert [cell.text for cell in cells[1:3]] == ["0 %", "98.6 %"]
    Select(browser.find_element(By.ID, "measure")).select_by_value("auc")
    assert [cell.text for cell in cells[1:3]] == ["–", "0.993"]
    assert browser.find_element(By.ID, "heat-about").text.startswith("AUC of a detector")
    Select(browser.find_element(By.ID, "measure")).select_by_value("detected")
    assert [cell.text for cell in cells[1:3]] == ["0 %", "98.6 %"]
