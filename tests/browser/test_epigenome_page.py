"""The page of an epigenome in a real browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import synthetic_dataset

from chromattend.chromatin.figures import plot_profile
from chromattend.chromatin.pages.epigenome import write_page
from chromattend.chromatin.quality import WARNING_COLUMNS
from chromattend.evaluate import calibration_table, metrics, scores_of_test
from chromattend.figures import look, plot_calibration, save
from chromattend.statistics import compare_aucs

pytest.importorskip("selenium", reason="selenium is not installed")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

EVIL = "<script>alert(1)</script>"
MODELS = ["logistic_regression", "deepchrome", "lstm_alpha", "attentivechrome"]


def maps_of(dataset: xr.Dataset, beta: bool, seed: int) -> xr.Dataset:
    """Attention to the test genes, of the form that `attention_maps` gives."""
    rng = np.random.default_rng(seed)
    test = dataset.isel(gene=dataset["split"].values == "test")
    size = (test.sizes["gene"], test.sizes["mark"], test.sizes["bin"])
    # Noise that changes little from bin to bin, like the attention of trained networks.
    noise = rng.gamma(1, size=(*size[:2], size[2] + 3)).astype(np.float32)
    alpha = sum(noise[:, :, first : first + size[2]] for first in range(4))
    attention = xr.Dataset(
        {"alpha": (("gene", "mark", "bin"), alpha / alpha.sum(axis=2, keepdims=True))},
        coords={name: test[name] for name in ("gene", "symbol", "mark", "bin")},
    )
    if beta:
        attention["beta"] = (("gene", "mark"), rng.dirichlet(np.ones(size[1]), size[0]).astype(np.float32))
    return attention


def influence_of(dataset: xr.Dataset, agreement: float, seed: int) -> pd.DataFrame:
    """Two supporting and two opposing training genes of each gene from row 600, of the form that `explain` gives."""
    rng = np.random.default_rng(seed)
    gene = np.repeat(np.arange(600, dataset.sizes["gene"]), 4)
    train = rng.choice(np.flatnonzero(dataset["split"].values == "train"), len(gene))
    supports = np.tile([True, True, False, False], len(gene) // 4)
    names = {key: dataset[key].values for key in ("gene", "symbol", "label")}
    return pd.DataFrame(
        {
            **{"gene": names["gene"][gene], "symbol": names["symbol"][gene]},
            **{"train_gene": names["gene"][train], "train_symbol": names["symbol"][train]},
            "effect": np.where(supports, "supports", "opposes"),
            # These genes are predicted OFF.
            "influence": np.where(supports, -0.012, 0.0034) * (1 + seed),
            **{"similarity": 0.75, "agreement": agreement},
        }
    )


def write(
    folder: Path,
    dataset: xr.Dataset,
    maps: dict[str, xr.Dataset],
    name: str = "H1 cells",
    influence: dict[str, pd.DataFrame] | None = None,
) -> Path:
    """Write a page of a dataset, with scores that depend on its labels."""
    rng = np.random.default_rng(1)
    genes = {key: dataset[key].values for key in ("gene", "symbol", "split", "label")}
    predictions = {
        model: pd.DataFrame(genes | {"score": 1 / (1 + np.exp(-rng.normal((number + 1) * (genes["label"] - 0.5))))})
        for number, model in enumerate(MODELS)
    }
    measured = {model: metrics(table) for model, table in predictions.items()}
    epigenome = dataset.attrs["epigenome"]
    save(plot_calibration(calibration_table(predictions), measured, epigenome), folder / "calibration.svg")
    save(plot_profile(dataset), folder / "profile.svg")
    save(plot_profile(dataset), folder / "attentivechrome.svg")
    write_page(
        folder / "report.html",
        name=name,
        group="ESC",
        dataset=dataset,
        signals=[{"mark": EVIL, "source": "a.bed.gz", "sha256": "12" * 32, "reads": 5, "reads_elsewhere": 0}],
        metrics=measured,
        comparisons=compare_aucs(*scores_of_test(predictions)),
        predictions=predictions,
        published=pd.DataFrame([[epigenome, "deepchrome", "published", "DeepChrome", 0.77]]).set_axis(
            ["epigenome", "model", "kind", "source", "auc"], axis=1
        ),
        figures={key: folder / f"{key}.svg" for key in ("calibration", "profile")},
        maps=maps,
        influence=influence,
        warnings=pd.DataFrame(
            [(epigenome, "H3K4me1", "few reads", 0.1, "< 0.2", "Take a deeper experiment.")]
        ).set_axis(WARNING_COLUMNS, axis=1),
        attention=[folder / "attentivechrome.svg"],
        faithfulness={
            "attentivechrome": pd.DataFrame({"method": ["alpha", "alpha", "saliency"], "trustworthy": [1, 0, 1]})
        },
        command=f"snakemake results/{epigenome}/report.html",
    )
    return folder / "report.html"


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    made = synthetic_dataset(bins=100, marks=["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", EVIL], epigenome="E003")
    symbols = made["symbol"].values.astype(object)
    symbols[630], symbols[631], symbols[632], symbols[633] = "PAX5", EVIL, "DOUBLE", "DOUBLE"
    genes = made["gene"].values.astype(object)
    genes[631] = "ENSG00000000631.7"
    made = made.assign_coords(
        symbol=("gene", symbols.astype(str)),
        gene=genes.astype(str),
        chrom=("gene", np.full(len(genes), "chr7")),
        tss=("gene", 10_000 * np.arange(1, len(genes) + 1)),
    )
    made["label"].attrs["threshold"] = 1.5
    return made.assign_attrs(expression_unit="RPKM")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, dataset: xr.Dataset) -> Path:
    maps = {"lstm_alpha": maps_of(dataset, False, 1), "attentivechrome": maps_of(dataset, True, 2)}
    influence = {"deepchrome": influence_of(dataset, 0.99, 1), "attentivechrome": influence_of(dataset, 0.5, 2)}
    return write(tmp_path_factory.mktemp("page"), dataset, maps, name=f"Name {EVIL}", influence=influence)


@pytest.fixture
def at(browser: Any, page: Path) -> Any:
    """The browser with the page open afresh."""
    browser.get("about:blank")
    browser.get(page.as_uri())
    wait(
        browser, lambda: browser.execute_script("return document.querySelectorAll('#roc .scatterlayer .trace').length")
    )
    return browser


def wait(browser: Any, condition: Callable[[], Any]) -> Any:
    return WebDriverWait(browser, 30).until(lambda _: condition())


def text(browser: Any, name: str) -> str:
    return browser.find_element(By.ID, name).text


def search(browser: Any, name: str) -> None:
    field = browser.find_element(By.ID, "gene-input")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(name, Keys.ENTER)


def drawn(browser: Any, gene: str) -> None:
    """Wait until a gene's figures are drawn."""
    wait(browser, lambda: browser.execute_script("return document.documentElement.dataset.drawn") == gene)


def plotted(browser: Any, name: str) -> list[dict[str, Any]]:
    script = (
        f"return document.getElementById('{name}').data.map((t) => ({{type: t.type, x: [...t.x], y: [...t.y], "
        "name: t.name, custom: t.customdata}))"
    )
    return browser.execute_script(script)


def errors(browser: Any) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]


def test_it_opens_without_an_error(at: Any) -> None:
    assert errors(at) == []
    assert len(plotted(at, "roc")) == len(MODELS) + 1
    # Nothing of plotly's that would send the data away.
    buttons = at.find_elements(By.CSS_SELECTOR, ".modebar-btn")
    titles = [button.get_attribute("data-title") for button in buttons]
    assert titles == ["Download plot", "Zoom", "Pan", "Reset axes"]


@pytest.mark.parametrize("name", ["PAX5", "pax5", "ENSG00000000630", "ensg00000000630.4"])
def test_a_gene_is_found_by_symbol_and_by_id(at: Any, dataset: xr.Dataset, name: str) -> None:
    search(at, name)
    drawn(at, "ENSG00000000630")
    assert text(at, "fact-symbol") == "PAX5"
    assert text(at, "fact-split") == "test"
    assert text(at, "fact-label") == ("ON" if dataset["label"].values[630] else "OFF")
    traces = plotted(at, "gene-marks")
    bars = [trace for trace in traces if trace["type"] == "bar"]
    lines = [trace for trace in traces if trace["type"] == "scatter"]
    assert len(bars) == len(lines) == 5
    for number, trace in enumerate(bars):
        assert trace["y"] == dataset["counts"].values[630, :, number].tolist()
        assert trace["x"][0] == -4950
    scores = at.find_elements(By.CSS_SELECTOR, "#gene-scores tbody tr")
    assert len(scores) == len(MODELS)
    assert all(0 <= float(row.find_elements(By.TAG_NAME, "td")[1].text) <= 1 for row in scores)
    assert at.current_url.endswith(f"#gene={name}")
    assert errors(at) == []


def test_attention_is_of_the_model_that_is_chosen(at: Any, dataset: xr.Dataset) -> None:
    search(at, "PAX5")
    drawn(at, "ENSG00000000630")
    assert not at.find_element(By.ID, "gene-beta").is_displayed()
    at.find_element(By.CSS_SELECTOR, "#gene-model option[value=attentivechrome]").click()
    wait(at, lambda: at.find_element(By.ID, "gene-beta").is_displayed())
    wait(at, lambda: "AttentiveChrome" in text(at, "gene-note"))
    wait(at, lambda: at.execute_script("return (document.getElementById('gene-beta').data || []).length"))
    maps = maps_of(dataset, True, 2).sel(gene="ENSG00000000630")
    (beta,) = plotted(at, "gene-beta")
    np.testing.assert_allclose(beta["x"], maps["beta"].values, atol=1e-5)
    lines = [trace["y"] for trace in plotted(at, "gene-marks") if trace["type"] == "scatter"]
    alpha = maps["alpha"].values
    assert (np.abs(lines - alpha) <= alpha.max(axis=1, keepdims=True) / 509).all()


def test_training_genes_are_those_of_the_network_that_is_chosen(at: Any, dataset: xr.Dataset) -> None:
    def rows() -> list[list[str]]:
        lines = at.find_elements(By.CSS_SELECTOR, "#influence-table tbody tr")
        return [[cell.text for cell in line.find_elements(By.TAG_NAME, "td")] for line in lines]

    search(at, "PAX5")
    drawn(at, "ENSG00000000630")
    table = influence_of(dataset, 0.99, 1).query("symbol == 'PAX5'")
    labels = dataset["label"].sel(gene=table["train_gene"].values).values
    assert rows() == [
        [symbol, "ON" if label else "OFF", effect + " OFF", "−0.024" if effect == "supports" else "+0.0068", "0.75"]
        for symbol, label, effect in zip(table["train_symbol"], labels, table["effect"], strict=True)
    ]
    assert text(at, "influence-note") == ""
    at.find_element(By.CSS_SELECTOR, "#influence-model option[value=attentivechrome]").click()
    wait(at, lambda: "do not rely on these genes" in text(at, "influence-note"))
    assert [row[3] for row in rows()] == ["−0.036", "−0.036", "+0.010", "+0.010"]
    link = at.find_element(By.CSS_SELECTOR, "#influence-table tbody a")
    name = link.text
    link.click()
    drawn(at, "ENSG" + name.removeprefix("GENE").zfill(11))
    assert text(at, "fact-split") == "train"
    assert "Computed for 40 test genes, not for this one" in text(at, "influence-note")
    assert not at.find_element(By.ID, "influence-table").is_displayed()
    assert errors(at) == []


def test_a_gene_without_attention_has_its_marks(at: Any) -> None:
    search(at, "GENE3")
    drawn(at, "ENSG00000000003")
    assert {trace["type"] for trace in plotted(at, "gene-marks")} == {"bar"}
    assert "was not written" in text(at, "gene-note")


def test_an_unknown_gene_is_said_with_the_nearest(at: Any) -> None:
    search(at, "PAX55")
    wait(at, lambda: "No gene is called" in text(at, "gene-message"))
    assert "“PAX55”" in text(at, "gene-message")
    assert "The nearest symbol is PAX5." in text(at, "gene-message")
    assert not at.find_element(By.ID, "gene-result").is_displayed()
    at.find_element(By.CSS_SELECTOR, "#gene-message button").click()
    drawn(at, "ENSG00000000630")


def test_a_symbol_of_two_genes_names_both(at: Any) -> None:
    search(at, "double")
    drawn(at, "ENSG00000000632")
    assert "also belongs to ENSG00000000633" in text(at, "gene-message")


def test_suggestions_follow_what_is_typed(at: Any) -> None:
    at.find_element(By.ID, "gene-input").send_keys("pa")
    options = "return [...document.querySelectorAll('#gene-suggestions option')].map((o) => o.value)"
    wait(at, lambda: at.execute_script(options) == ["PAX5"])


def test_an_address_opens_a_gene(browser: Any, page: Path) -> None:
    browser.get("about:blank")
    browser.get(page.as_uri() + "#gene=PAX5")
    drawn(browser, "ENSG00000000630")


def test_names_of_users_are_text(at: Any) -> None:
    assert EVIL in at.find_element(By.TAG_NAME, "h1").text
    search(at, EVIL)
    drawn(at, "ENSG00000000631.7")
    assert text(at, "fact-symbol") == EVIL
    titles = at.execute_script(
        "const found = document.querySelectorAll('#gene-marks .xtitle, #gene-marks [class$=title]');"
        "return [...found].map((title) => title.textContent);"
    )
    assert f"Position relative to the TSS of {EVIL} (bp)" in titles
    assert EVIL in titles
    search(at, "<img src=x onerror=alert(1)>")
    wait(at, lambda: "“<img src=x onerror=alert(1)>”" in text(at, "gene-message"))
    assert at.execute_script("return document.querySelectorAll('img').length") == 0
    assert errors(at) == []


def test_a_table_sorts_and_downloads(at: Any, downloads: Path) -> None:
    table = at.find_element(By.CSS_SELECTOR, "table[data-name=E003-models]")
    heading = table.find_elements(By.TAG_NAME, "th")[1]

    def column() -> list[float]:
        return [
            float(row.find_elements(By.TAG_NAME, "td")[1].text)
            for row in table.find_elements(By.CSS_SELECTOR, "tbody tr")
        ]

    heading.find_element(By.TAG_NAME, "button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column() == sorted(column())
    heading.find_element(By.TAG_NAME, "button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert column() == sorted(column(), reverse=True)
    at.find_element(By.CSS_SELECTOR, "[aria-label='Download TSV of E003-models']").click()
    saved = downloads / "E003-models.tsv"
    wait(at, saved.exists)
    downloaded = pd.read_csv(saved, sep="\t")
    assert downloaded.columns[:2].tolist() == ["Model", "AUC"]
    assert downloaded["AUC"].tolist() == column()


def test_a_table_is_filtered(at: Any) -> None:
    table = at.find_element(By.CSS_SELECTOR, "table[data-name=E003-sources]")
    field = at.find_element(By.XPATH, "//table[@data-name='E003-sources']/../preceding-sibling::div[1]//input")
    field.send_keys("rna-seq")
    shown = [row for row in table.find_elements(By.CSS_SELECTOR, "tbody tr") if row.is_displayed()]
    assert [row.text.split()[0] for row in shown] == ["RNA-seq"]


@pytest.mark.parametrize("name", ["light", "dark"])
def test_everyone_can_use_it(
    at: Any, scheme: Callable[[str], None], violations: Callable[[], list[str]], name: str
) -> None:
    scheme(name)
    search(at, "PAX5")
    drawn(at, "ENSG00000000630")
    assert violations() == []


@pytest.mark.parametrize("name", ["light", "dark"])
def test_a_model_looks_the_same_in_every_figure(at: Any, scheme: Callable[[str], None], name: str) -> None:
    scheme(name)
    traces = at.execute_script(
        "return document.getElementById('roc').data.slice(0, -1)"
        ".map((trace) => [trace.line.color, trace.line.dash, trace.marker.symbol])"
    )
    assert traces == [[look(model)[key] for key in ("colour", "dash", "symbol")] for model in MODELS]
    drawn = at.execute_script(
        "return [...document.querySelectorAll('#roc .scatterlayer .js-line')].map((p) => getComputedStyle(p).stroke)"
    )
    printed = at.execute_script(
        "return [...document.querySelectorAll('.print-figure svg[aria-label^=Calibration] path')]"
        ".map((p) => getComputedStyle(p).stroke)"
    )
    wanted = ["rgb({}, {}, {})".format(*bytes.fromhex(look(model)["colour"][1:])) for model in MODELS]
    assert drawn[: len(MODELS)] == wanted
    assert set(wanted) <= set(printed)


def test_nothing_overlaps_or_is_cut_on_a_phone(at: Any, phone: Callable[[], bool]) -> None:
    at.refresh()
    search(at, "PAX5")
    drawn(at, "ENSG00000000630")
    assert phone()
    overlaps = at.execute_script(
        "const boxes = [...document.querySelectorAll('#roc .legend, #roc .xtitle, #roc .ytitle, #roc .xtick text')]"
        ".map((e) => e.getBoundingClientRect());"
        "const [legend, ...others] = boxes.sort((a, b) => b.width * b.height - a.width * a.height);"
        "return others.filter((b) => b.left < legend.right && b.right > legend.left && b.top < legend.bottom"
        " && b.bottom > legend.top).length"
    )
    assert overlaps == 0
    plot = at.execute_script("return document.getElementById('roc')._fullLayout.xaxis._length")
    assert plot > 250
    cut = at.execute_script(
        "return [...document.querySelectorAll('caption .in-view, p, h1, h2, li, dd, figcaption')]"
        ".filter((e) => e.getBoundingClientRect().right > 390).map((e) => e.textContent.trim())"
    )
    assert cut == []


@pytest.mark.parametrize("width", [390, 1280])
def test_tables_fit_or_scroll_beside_their_first_column(at: Any, phone: Callable[[], bool], width: int) -> None:
    at.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    moved = at.execute_script(
        "return [...document.querySelectorAll('main table')].filter((t) => t.offsetWidth).map((table) => {"
        " const box = table.closest('.scroll'), cell = table.querySelector('tbody td') || table.querySelector('th');"
        " if (!box) return [table.scrollWidth <= document.documentElement.clientWidth, 0];"
        " const before = cell.getBoundingClientRect().left; box.scrollLeft = 200;"
        " return [true, Math.abs(cell.getBoundingClientRect().left - before), box.scrollLeft]; })"
    )
    assert len(moved) >= 5
    assert all(fits and shift < 1 for fits, shift, *_ in moved)
    # On a phone, some table does scroll.
    assert width > 390 or any(len(each) == 3 and each[2] > 0 for each in moved)


def test_a_gene_leads_to_public_browsers_and_names_its_threshold(at: Any, dataset: xr.Dataset) -> None:
    search(at, "PAX5")
    drawn(at, "ENSG00000000630")
    gene = dataset.sel(gene="ENSG00000000630")
    tss = int(gene["tss"]) + 1
    links = [at.find_element(By.ID, f"fact-{name}") for name in ("ucsc", "ensembl")]
    assert [link.get_attribute("href") for link in links] == [
        "https://genome.ucsc.edu/cgi-bin/hgTracks?db=hg19&position="
        + f"{gene['chrom'].item()}%3A{max(1, tss - 5000)}-{tss + 5000}",
        "https://grch37.ensembl.org/Homo_sapiens/Gene/Summary?g=ENSG00000000630",
    ]
    assert {link.get_attribute("rel") for link in links} == {"noopener noreferrer"}
    about = at.find_element(By.CSS_SELECTOR, ".gene-about dl").text
    assert "Expression (RPKM)" in about
    assert "(ON above 1.5)" in about


def test_warnings_and_trust_are_where_they_matter(at: Any) -> None:
    assert "Take a deeper experiment." in text(at, "warnings-table")
    assert at.find_element(By.LINK_TEXT, "Data quality").get_attribute("href").endswith("/quality.html")
    caption = at.find_element(By.CSS_SELECTOR, "section[aria-labelledby=attention] figcaption").text
    assert caption.endswith("Not trusted: failed a test of faithfulness.")
    assert "has the highest test AUC" in text(at, "verdict")
    assert "Written on 2026-09-21 (UTC) by chromattend" in at.find_element(By.TAG_NAME, "footer").text


def test_the_page_of_a_whole_study_is_small_and_quick(
    browser: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # As many genes as the published study, of noise, which can hardly be compressed.
    large = synthetic_dataset(sizes={"train": 6601, "valid": 6601, "test": 6600}, bins=100, epigenome="E003")
    maps = {"lstm_alpha": maps_of(large, False, 1), "attentivechrome": maps_of(large, True, 2)}
    page = write(tmp_path, large, maps)
    size = page.stat().st_size
    browser.get("about:blank")
    browser.get(page.as_uri())
    paint = browser.execute_script(
        "return performance.getEntriesByName('first-contentful-paint').map((p) => p.startTime)"
    )
    figures = []
    for number in (14000, 16000, 19801):
        search(browser, f"GENE{number}")
        drawn(browser, f"ENSG{number:011d}")
        times = browser.execute_script("return {...document.documentElement.dataset}")
        figures.append(f"{times['lookupMs']} + {times['drawMs']}")
    search(browser, "GENE5")
    wait(browser, lambda: "GENE5 is in the train part" in text(browser, "gene-message"))
    with capsys.disabled():
        print(f"\n{size / 1e6:.1f} MB, first paint {paint} ms, look up and draw (ms): {', '.join(figures)}")
    assert size < 15_000_000
