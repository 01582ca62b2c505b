"""No page of a study runs what its names say, whatever field they are in; the names are shown as they are written."""

import random
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait
from workflow.conftest import Workspace

from chromattend.files import read_table

GENES, SPACING = 90, 20_000
SIZE = (GENES + 1) * SPACING


def evil(field: str) -> str:
    """A name that ends scripts, comments and attributes, draws formulas, and changes the title where it is run."""
    return f"{field} </script><img src=x onerror=\"document.title='{field}'\"><!-- 'q' $a_b$ `c`_ {{{{ 7 * 7 }}}} &amp;"


# A path has no "/" but those of its folders: this one names the folder "evil <" and a file in "script>...".
FOLDER = "evil </script><img src=x onerror=\"document.title='path'\">"
SYMBOL, CHROMOSOME = evil("symbol").replace('"', "").replace(";", ""), "chr<b>1</b>"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """The results of a study with a hostile text in every field of its sheet, configuration and files."""
    folder = tmp_path_factory.mktemp("hostile")
    data = folder / FOLDER
    data.mkdir(parents=True)
    rng = random.Random(1)
    starts = [SPACING * (number + 1) for number in range(GENES)]
    (data / "genes.gtf").write_text(
        f"#!{evil('description')}\n"
        + "".join(
            f"{CHROMOSOME}\t{evil('source')}\tgene\t{start}\t{start + 5000}\t.\t+\t.\t"
            f'gene_id "G<i>{number}"; gene_type "protein_coding"; gene_name "{SYMBOL}{number}";\n'
            for number, start in enumerate(starts)
        )
    )
    on = [rng.random() < 0.5 for _ in starts]
    rows = (f"G<i>{number}\t{evil('description')}\t{50 * on[number] + rng.random()}\n" for number in range(GENES))
    (data / "rpkm.tsv").write_text(f"gene_id\t{evil('column')}\tE1_\n" + "".join(rows))
    (data / "sizes").write_text(f"{CHROMOSOME}\t{SIZE}\n")
    counts = (5 + 20 * state for state in on)
    reads = [start + rng.randrange(-900, 900) for start, n in zip(starts, counts, strict=True) for _ in range(n)]
    lines = (f"{CHROMOSOME}\t{start}\t{start + 36}\t{evil('read')}\t0\t+\n" for start in reads)
    (data / "reads.bed").write_text("".join(lines))
    workspace = Workspace(folder, repository / "Snakefile")
    config = {
        "genome": {"name": evil("genome"), "chrom_sizes": f"{FOLDER}/sizes"},
        "mirror": f"file://{evil('mirror')}",
        "sources": {"annotation": f"{FOLDER}/genes.gtf", "expression": f"{FOLDER}/rpkm.tsv"},
        "marks": ["H3_"],
        "validation_mark": None,
        "split": {"mode": "random"},
        "models": ["logistic_regression", "cnn_alpha_beta"],
        "training": {"max_epochs": 1, "accelerator": "cpu"},
        "interpret": {"attention": "test", "models": [], "named_genes": [f"{SYMBOL}7"]},
    }
    sheet = f"epigenome\tname\tgroup\tcolour\tH3_\nE1_\t{evil('name')}\t_{evil('group')}\t#0072B2\t{FOLDER}/reads.bed\n"
    workspace.configure(config, sheet)
    workspace.succeed()
    return folder / "results"


def open_page(browser: WebDriver, page: Path) -> None:
    browser.get(page.as_uri())
    WebDriverWait(browser, 60).until(lambda driver: driver.execute_script("return document.readyState") == "complete")


def assert_nothing_ran(browser: WebDriver) -> None:
    assert browser.find_elements(By.CSS_SELECTOR, "img[src=x], [onerror]") == []
    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert errors == []


def test_the_index(browser: WebDriver, study: Path) -> None:
    open_page(browser, study / "index.html")
    assert browser.title == "All epigenomes: chromattend"
    assert_nothing_ran(browser)
    cells = [cell.text for cell in browser.find_elements(By.CSS_SELECTOR, "[data-name=epigenomes] tbody td")]
    assert cells[:3] == ["E1_", evil("name"), f"_{evil('group')}"]


def test_the_quality_of_the_data(browser: WebDriver, study: Path) -> None:
    open_page(browser, study / "quality.html")
    assert browser.title == "Data quality: chromattend"
    assert_nothing_ran(browser)
    text = browser.find_element(By.TAG_NAME, "body").text
    assert evil("name") in text
    assert f"{FOLDER}/reads.bed" in text


def test_the_page_of_an_epigenome(browser: WebDriver, study: Path) -> None:
    open_page(browser, study / "E1_" / "report.html")
    title = browser.title
    assert title.startswith("E1_")
    text = browser.find_element(By.TAG_NAME, "body").text
    for shown in (evil("name"), f"_{evil('group')}", evil("genome"), "rpkm.tsv"):
        assert shown in text
    whole = browser.find_element(By.XPATH, "//span[text()='rpkm.tsv']").get_attribute("title")
    assert whole == f"{FOLDER}/rpkm.tsv"
    box = browser.find_element(By.ID, "gene-input")
    box.send_keys(f"{SYMBOL}7")
    box.submit()
    shown = "return document.documentElement.dataset.drawn"
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(shown))
    assert browser.find_element(By.ID, "fact-symbol").text == f"{SYMBOL}7"
    assert browser.find_element(By.ID, "fact-id").text == "G<i>7"
    assert browser.find_element(By.ID, "fact-tss").text.startswith(CHROMOSOME)
    assert browser.title == title
    assert_nothing_ran(browser)


def test_the_report_of_the_study(browser: WebDriver, study: Path) -> None:
    open_page(browser, study / "report.html")
    assert browser.title == "Snakemake Report"
    # What was run, then every result with its caption and params, and every rule with its inputs.
    assert evil("genome") in browser.find_element(By.TAG_NAME, "body").text
    assert evil("genome") in browser.find_element(By.TAG_NAME, "body").text
    results = browser.execute_script("return Object.keys(results)")
    assert len(results) > 15
    for path in results:
        browser.execute_script("app.showResultInfo(arguments[0])", path)
        assert browser.title == "Snakemake Report"
    for rule in browser.execute_script("return Object.keys(rules)"):
        browser.execute_script("app.setView({navbarMode: 'ruleinfo', ruleinfo: arguments[0]})", rule)
    params = browser.execute_script("return Object.values(results).map((result) => result.job_properties.params)")
    assert any(evil("group").split(" ")[1] in each for each in params)
    assert browser.title == "Snakemake Report"
    assert_nothing_ran(browser)


@pytest.mark.parametrize("figure", ["auc", "named_genes", "comparisons", "published", "depth"])
def test_figures(browser: WebDriver, study: Path, figure: str) -> None:
    open_page(browser, study / "figures" / f"{figure}.svg")
    assert browser.find_elements(By.CSS_SELECTOR, "img, script") == []
    texts = browser.execute_script("return [...document.querySelectorAll('text')].map((text) => text.textContent)")
    expected = {"auc": f"_{evil('group')}", "named_genes": f"{SYMBOL}7"}.get(figure, "")
    assert any(expected in text for text in texts), texts


def test_tables(study: Path) -> None:
    sources = read_table(study / "tables" / "sources.tsv")
    assert f"{FOLDER}/reads.bed" in set(sources["source"])
    assert set(read_table(study / "tables" / "named_genes.tsv")["symbol"]) == {f"{SYMBOL}7"}
