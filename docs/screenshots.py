"""Take screenshots of the pages of a finished demo, for the documents: docs/images/*.png.

    .venv/bin/python docs/screenshots.py --results results/demo --images docs/images

It needs Chromium and its driver.
"""

import argparse
import io
import shutil
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

# Name of the image -> page, what is opened in it, and the height of the part that is shown (px).
PAGES = {
    "index": ("index.html", "", 1500),
    "quality": ("quality.html", "", 1500),
    # With a gene, all its charts are drawn, and the page is at the gene browser.
    "epigenome": ("{epigenome}/report.html", "#gene={gene}", 1250),
    "report": ("report.html", "", 900),
    "sequence": ("sequence/synthetic/report.html", "#sequences", 1400),
    "graphs": ("graphs/simulated/report.html", "", 1300),
    "robustness": ("robustness/chromatin/SYN1/deepchrome/report.html", "", 1350),
}
WIDTH = 1280
LIMIT = 250_000


def small_png(png: bytes) -> bytes:
    """Return a screenshot with so few colours that it stays below the limit of a repository's images."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in (256, 128, 64, 32):
        buffer = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() < LIMIT:
            break
    return buffer.getvalue()


def main() -> None:
    """Take the screenshots."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/demo"), help="finished results")
    parser.add_argument("--images", type=Path, default=Path("docs/images"), help="folder of the images")
    parser.add_argument("--epigenome", default="SYN3", help="whose page is shown")
    parser.add_argument("--gene", default="SYNG0100", help="whose marks are shown")
    arguments = parser.parse_args()
    driver = shutil.which("chromedriver")
    if not driver:
        parser.error("chromedriver was not found; install it (Debian: apt install chromium-driver)")
    arguments.images.mkdir(parents=True, exist_ok=True)
    options = Options()
    for option in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(option)
    browser = webdriver.Chrome(options=options, service=Service(driver))
    try:
        for name, (page, fragment, height) in PAGES.items():
            path = (arguments.results / page.format(epigenome=arguments.epigenome)).resolve()
            if not path.is_file():
                parser.error(f"{path}: does not exist; run make demo first")
            browser.set_window_size(WIDTH, height)
            browser.get(path.as_uri() + fragment.format(gene=arguments.gene))
            # Charts are drawn when every element of class chart has its drawing.
            WebDriverWait(browser, 60).until(
                lambda driver: driver.execute_script(
                    "return document.readyState === 'complete' &&"
                    " [...document.querySelectorAll('.chart')].every((chart) => chart.querySelector('svg'))"
                )
            )
            # A page that reads its fragment itself does not scroll to it.
            browser.execute_script(
                "document.getElementById(arguments[0])?.scrollIntoView({behavior: 'instant'})", fragment[1:]
            )
            image = arguments.images / f"{name}.png"
            image.write_bytes(small_png(browser.get_screenshot_as_png()))
            print(f"{image}: {image.stat().st_size / 1000:.0f} kB")
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
