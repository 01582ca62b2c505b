"""A headless browser without a network, for pages that are opened from disk."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

DRIVER = shutil.which("chromedriver") or "/usr/bin/chromedriver"
CHROMIUM = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A headless Chromium that reaches no network; skips where there is none."""
    if CHROMIUM is None or not os.access(DRIVER, os.X_OK):
        pytest.skip("no Chromium with chromedriver; install both (Debian: apt install chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--window-size=1280,1000",
        "--force-prefers-reduced-motion",  # a click waits for no scrolling
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service(DRIVER), options=options)
    driver.set_script_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def downloads(browser: Any, tmp_path: Path) -> Path:
    """The folder that the browser saves files in."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    behaviour = {"behavior": "allow", "downloadPath": str(folder), "eventsEnabled": True}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    return folder


@pytest.fixture
def phone(browser: Any) -> Iterator[Callable[[], bool]]:
    """The screen of a phone, 390 px wide; return whether the open page fits its width."""
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)

    def fits() -> bool:
        page, shown = browser.execute_script(
            "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
        )
        return bool(page == shown <= 390)

    yield fits
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def scheme(browser: Any) -> Iterator[Callable[[str], None]]:
    """Choose what the page is told that the user prefers: light or dark."""

    def choose(name: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": name}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    yield choose
    choose("light")


@pytest.fixture
def violations(browser: Any) -> Callable[[], list[str]]:
    """Return what axe-core finds serious or critical in the open page."""
    package = pytest.importorskip("axe_selenium_python", reason="axe-selenium-python is not installed")
    script = Path(package.__file__).parent / "node_modules/axe-core/axe.min.js"

    def check() -> list[str]:
        browser.execute_script(script.read_text(encoding="utf-8"))
        found = browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "axe.run().then((result) => done(result.violations),"
            "(error) => done([{impact: 'critical', id: String(error), nodes: []}]));"
        )
        return [
            f"{rule['id']}: {json.dumps([node['html'][:160] for node in rule['nodes'][:4]])}"
            for rule in found
            if rule["impact"] in ("serious", "critical")
        ]

    return check
