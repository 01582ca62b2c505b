"""The page of an epigenome as a browser gets it; how a job writes its files and its log."""

import base64
import json
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from bs4 import BeautifulSoup
from builders import MODELS, synthetic_dataset, synthetic_predictions

from chromattend import __version__, pages
from chromattend.chromatin.figures import plot_profile
from chromattend.chromatin.pages.browser import MISSING, browser_data, example_genes, shown_genes
from chromattend.chromatin.pages.epigenome import Validation, write_page
from chromattend.errors import UserError
from chromattend.evaluate import calibration_table, metrics, scores_of_test
from chromattend.figures import plot_calibration, save
from chromattend.files import atomic
from chromattend.models.registry import REGISTRY
from chromattend.statistics import compare_aucs

EVIL = "<script>alert(1)</script>"
# Of tables, of the two of data, of plotly, of charts and of the browser.
SCRIPTS = 6
SIGNALS = [
    {"mark": "H3K4me3", "source": "https://mirror.example/a.bed.gz", "sha256": "12" * 32, "reads": 1234567}
    | {"reads_elsewhere": 89},
    {"mark": "H3K27ac", "source": "own/b.bw", "sha256": "34" * 32},
]

PUBLISHED = pd.DataFrame(
    [
        ["E003", "deepchrome", "published", "DeepChrome", 0.77],
        ["E003", "deepchrome", "retrained", "others", 0.7733],
        ["E116", "attentivechrome", "retrained", "others", 0.9],
    ],
    columns=["epigenome", "model", "kind", "source", "auc"],
)


def page(
    folder: Path,
    *,
    name: str = "H1 cells",
    group: str = "ESC",
    epigenome: str = "E003",
    models: Sequence[str] = tuple(MODELS),
    validation: Validation | None = None,
    signals: list[dict[str, Any]] | None = None,
    attributes: Mapping[str, object] | None = None,
    notes: Mapping[str, str] | None = None,
    uncompiled: Sequence[str] = (),
) -> BeautifulSoup:
    """Write a page with its figures and parse it."""
    dataset = synthetic_dataset(epigenome=epigenome).assign_attrs(attributes or {})
    predictions = {
        model: table.assign(gene=dataset["gene"].values, symbol=dataset["symbol"].values)
        for model, table in synthetic_predictions(models).items()
    }
    found = {model: metrics(table) for model, table in predictions.items()}
    for model, parts in found.items():
        parts["test"]["note"] = (notes or {}).get(model, "")
    save(plot_calibration(calibration_table(predictions), found, epigenome), folder / "calibration.svg")
    save(plot_profile(dataset), folder / "profile.svg")
    write_page(
        folder / "report.html",
        name=name,
        group=group,
        dataset=dataset,
        signals=SIGNALS if signals is None else signals,
        metrics=found,
        comparisons=compare_aucs(*scores_of_test(predictions)),
        predictions=predictions,
        published=PUBLISHED,
        figures={name: folder / f"{name}.svg" for name in ("calibration", "profile")},
        validation=validation,
        uncompiled=uncompiled,
        command=f"snakemake results/{epigenome}/report.html",
    )
    return BeautifulSoup((folder / "report.html").read_bytes(), "html.parser")


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    return page(tmp_path_factory.mktemp("page"))


def rows(soup: BeautifulSoup, caption: str) -> list[list[str]]:
    """Cells of the table whose caption starts so."""
    (table,) = (table for table in soup.find_all("table") if table.caption.text.startswith(caption))
    return [[cell.text for cell in row.find_all("td")] for row in table.tbody.find_all("tr")]


def test_each_validation_stands_with_its_number_of_genes(tmp_path: Path) -> None:
    table = pd.DataFrame(
        [
            ("signal", "none", 10, 0.7, np.nan, np.nan, "no interval of r: fewer than 50 genes"),
            ("signal", "attended", 1200, 0.8, 0.7, 0.9, None),
            ("alpha", "trained", 1200, 0.9, 0.85, 0.95, None),
            ("alpha", "random_1", 60, 0.1, 0.0, 0.2, None),
            ("alpha", "random_2", 60, 0.3, 0.2, 0.4, None),
            ("saliency", "trained", 10, 0.5, np.nan, np.nan, "no interval of r: fewer than 50 genes"),
            ("saliency", "random_1", 10, np.nan, np.nan, np.nan, "no r: the mean weights are the same in all bins"),
        ],
        columns=["method", "weights", "genes", "pearson", "pearson_low", "pearson_high", "note"],
    ).assign(model="attentivechrome", mark="H3K4me3", published=np.nan)
    soup = page(tmp_path, models=["attentivechrome"], validation=Validation("H3K4me3", "H3K27ac", table))
    # Reads stand next to weights over the same genes.
    assert [row[2:7] for row in rows(soup, "Pearson r of mean H3K4me3 weights")] == [
        ["1200", "0.900", "0.850 to 0.950", "0.800", "0.200 (60 genes)"],
        ["10", "0.500", "no interval of r: fewer than 50 genes", "0.700", ""],
    ]


def test_the_page_says_whose_it_is(usual: BeautifulSoup) -> None:
    assert [heading.text for heading in usual.find_all("h1")] == ["E003: H1 cells"]
    assert usual.title.text.startswith("E003 H1 cells")
    assert usual.find("p", class_="lead").text == "Group ESC. Genome hg19, sequential split, labels by rpkm_median."
    assert usual.html["lang"] == "en"
    assert f"chromattend {__version__}" in usual.footer.text
    assert usual.find("pre").text == "snakemake results/E003/report.html"
    assert usual.find_all("p", class_="warning") == []


def test_a_name_equal_to_the_id_is_not_said_twice(tmp_path: Path) -> None:
    soup = page(tmp_path, name="E003", group="", models=("linear_svc",))
    assert soup.h1.text == "E003"
    assert "Group" not in soup.find("p", class_="lead").text


def test_the_page_says_which_models_trained_without_a_compiler(usual: BeautifulSoup, tmp_path: Path) -> None:
    assert usual.find(id="uncompiled") is None
    soup = page(tmp_path, models=("mlp", "lstm", "attentivechrome"), uncompiled=("lstm", "attentivechrome"))
    assert "without a C compiler: LSTM, AttentiveChrome." in soup.find(id="uncompiled").text


def test_models_stand_in_the_order_of_the_registry(usual: BeautifulSoup) -> None:
    table = rows(usual, "Models on the")
    assert [row[0] for row in table] == [spec.title for name, spec in REGISTRY.items() if name in MODELS]
    for row in table:
        low, high = row[2].split("-")
        assert float(low) < float(row[1]) < float(high)
    # The best has nothing better to be compared with; the others are worse, by a test of the same genes.
    best = max(table, key=lambda row: float(row[1]))
    assert best[3:5] == ["", ""]
    assert all(float(row[3]) <= 0 <= float(row[4]) <= 1 for row in table if row is not best)
    assert usual.select_one(".card.best .name").text == best[0]
    assert usual.find(id="verdict").text.startswith(f"{best[0]} has the highest test AUC, {best[1]}.")


def test_parts_and_sources_are_listed(usual: BeautifulSoup) -> None:
    assert [row[:2] for row in rows(usual, "Genes by part")] == [["train", "320"], ["valid", "160"], ["test", "160"]]
    marks = rows(usual, "Sources")
    assert marks[0][:3] == ["H3K4me3", "1,234,567", "89"]
    assert marks[1][:3] == ["H3K27ac", "", ""]
    assert marks[0][3].split() == ["a.bed.gz", "12" * 32]
    assert usual.find("span", title="https://mirror.example/a.bed.gz").text == "a.bed.gz"
    assert "12" * 32 in marks[0][3]
    assert "ab" * 32 in marks[2][3]


def test_data_that_want_care_are_pointed_out(tmp_path: Path) -> None:
    binned = [{"source": "train.csv", "sha256": "56" * 32}]
    soup = page(tmp_path, signals=binned, attributes={"doubled_marks": "H3K4me3", "genes_left_out": 1234})
    doubled, left_out = (warning.text for warning in soup.find_all("p", class_="warning"))
    assert "H3K4me3" in doubled
    assert "1,234 genes" in left_out
    assert rows(soup, "Sources")[0][0] == "all marks"


def test_a_model_that_has_hardly_learned_is_pointed_out(tmp_path: Path) -> None:
    soup = page(tmp_path, models=["deepchrome", "mlp"], notes={"mlp": "it kept its first epoch"})
    (warning,) = soup.find_all("p", class_="warning")
    assert warning.text.startswith("Do not interpret MLP: it kept its first epoch.")


def test_chromosomes_without_data_are_pointed_out(tmp_path: Path) -> None:
    signals = [
        {"mark": "H3K4me3", "source": "a.bed", "sha256": "12", "empty_chromosomes": "chr2 chrY"},
        {"mark": "H3K27ac", "source": "b.bed", "sha256": "34", "empty_chromosomes": "chrY"},
    ]
    (warning,) = page(tmp_path, signals=signals).find_all("p", class_="warning")
    assert warning.text.startswith("a.bed (H3K4me3) holds nothing on chr2, chrY, where genes have 0 in every bin: ")


def test_what_the_user_wrote_is_text(tmp_path: Path) -> None:
    signals = [{"mark": EVIL, "source": EVIL, "sha256": "12"}]
    soup = page(
        tmp_path,
        name=f"Name {EVIL}",
        group=EVIL,
        epigenome=EVIL,
        signals=signals,
        attributes={"expression_source": EVIL},
    )
    assert len(soup.find_all("script")) == SCRIPTS
    assert soup.h1.text == f"{EVIL}: Name {EVIL}"
    assert EVIL in soup.title.text
    assert f"Group {EVIL}." in soup.find("p", class_="lead").text
    assert rows(soup, "Sources")[0][0] == EVIL
    assert all("script>" in row[3] for row in rows(soup, "Sources"))
    assert len(soup.find_all("span", title=EVIL)) == 2
    assert any(EVIL in text.text for text in soup.find_all("text"))
    assert soup.find("pre").text.count(EVIL) == 1


def test_the_page_loads_nothing(usual: BeautifulSoup) -> None:
    assert usual.find_all(["link", "img", "iframe", "object", "embed", "base", "image", "foreignobject"]) == []
    assert len(usual.find_all("script")) == SCRIPTS
    policy = usual.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    for tag in usual.find_all(True):
        for key, value in tag.attrs.items():
            if key.split(":")[-1] in ("src", "href", "srcset", "data", "action", "poster"):
                assert value.startswith(("#", "../")), f"{tag.name} {key}={value}"
            assert not key.startswith("on"), f"{tag.name} {key}"
            assert "url(" not in str(value) or "url(#" in str(value)
    styles = "".join(style.text for style in usual.find_all("style"))
    assert "@import" not in styles
    assert "url(" not in styles


def test_ids_are_unique_and_every_reference_has_its_target(usual: BeautifulSoup) -> None:
    ids = [tag["id"] for tag in usual.find_all(id=True)]
    assert len(ids) > 20
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', str(usual)))
    assert used
    assert used <= set(ids)


def test_figures_are_in_the_page_as_svg(usual: BeautifulSoup) -> None:
    calibration, profile = usual.find_all("svg")
    assert all(figure["role"] == "img" and "E003" in figure["aria-label"] for figure in (calibration, profile))
    assert "Brier score" in calibration.text
    assert "Position relative to the TSS (bp)" in profile.text


def test_tables_can_be_read_aloud(usual: BeautifulSoup) -> None:
    for table in usual.find_all("table"):
        assert table.caption.text
        assert all(cell.get("scope") == "col" for cell in table.find_all("th"))
        width = len(table.find_all("th"))
        assert {len(row.find_all("td")) for row in table.tbody.find_all("tr")} == {width}


def test_a_page_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        page(tmp_path / name)
        contents.append((tmp_path / name / "report.html").read_bytes())
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
            *("calibration.svg", "profile.svg", "report.html"),
        ]
    assert contents[0] == contents[1]


def test_published_aucs_stand_beside_those_of_the_page(usual: BeautifulSoup) -> None:
    table = rows(usual, "AUCs that others report")
    assert [row[:4] for row in table] == [
        ["DeepChrome", "DeepChrome", "published", "0.770"],
        ["DeepChrome", "others", "retrained", "0.773"],
    ]
    for row in table:
        assert float(row[6]) == pytest.approx(float(row[4]) - float(row[3]), abs=0.0011)
    (card,) = (card for card in usual.find_all("li", class_="card") if card.find(class_="name").text == "DeepChrome")
    assert "DeepChrome: 0.770 (published)" in card.text


def test_an_epigenome_that_nobody_published_says_so(tmp_path: Path) -> None:
    soup = page(tmp_path, epigenome="LAB1", models=("deepchrome",))
    assert "No AUC of these models is published for LAB1." in soup.text


def test_roc_curves_are_thinned_and_whole(usual: BeautifulSoup) -> None:
    curves = json.loads(usual.find(id="roc-data").text)
    assert len(curves) == len(MODELS)
    for curve in curves:
        assert (curve["fpr"][0], curve["tpr"][0], curve["fpr"][-1], curve["tpr"][-1]) == (0, 0, 1, 1)
        assert len(curve["fpr"]) == len(curve["threshold"]) <= 400
        assert np.trapezoid(curve["tpr"], curve["fpr"]) == pytest.approx(curve["auc"], abs=0.01)


def unpack(packed: str, kind: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=kind)


def maps_of(dataset: xr.Dataset, seed: int = 1) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    size = [dataset.sizes[name] for name in ("gene", "mark", "bin")]
    coords = {name: dataset[name] for name in ("gene", "symbol", "mark", "bin")}
    alpha = rng.dirichlet(np.ones(size[2]), size[:2]).astype(np.float32)
    beta = rng.dirichlet(np.ones(size[1]), size[0]).astype(np.float32)
    return xr.Dataset({"alpha": (("gene", "mark", "bin"), alpha), "beta": (("gene", "mark"), beta)}, coords=coords)


def scored(dataset: xr.Dataset) -> dict[str, pd.DataFrame]:
    score = np.linspace(0, 1, dataset.sizes["gene"])
    return {"deepchrome": pd.DataFrame({"gene": dataset["gene"], "symbol": dataset["symbol"], "score": score})}


def packed_counts(data: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    blocks = []
    for block in data["counts"]:
        values = unpack(block["values"], f"<u{block['bytes']}").reshape(-1, *size)
        if "ranges" in block:
            low, step = np.moveaxis(unpack(block["ranges"], "<f4").reshape(*values.shape[:2], 2), -1, 0)
            blocks.append(low[..., None] + values * step[..., None])
        else:
            blocks.append(values)
    return np.concatenate(blocks)


@pytest.mark.parametrize("kind", ["bytes", "words", "signal"])
def test_the_browser_holds_the_counts(kind: str) -> None:
    dataset = synthetic_dataset()
    if kind == "words":
        dataset["counts"][300, 2, 1] = 60000
    if kind == "signal":
        dataset["counts"] = dataset["counts"].astype(np.float32) * 0.37 - 0.2
    unpacked = packed_counts(browser_data(dataset, scored(dataset), {}), (5, 20))
    expected = dataset["counts"].transpose("gene", "mark", "bin").values
    spread = np.ptp(expected, axis=2, keepdims=True) if kind == "signal" else 0
    assert unpacked.shape == expected.shape
    assert (np.abs(unpacked - expected) <= spread / 131068 + 1e-6 * (kind == "signal")).all()


def test_the_browser_holds_attention_to_the_precision_that_it_states() -> None:
    dataset = synthetic_dataset()
    maps = maps_of(dataset.isel(gene=slice(400, 640)))
    packed = browser_data(dataset, scored(dataset), {"attentivechrome": maps})["attention"]["attentivechrome"]
    greatest = unpack(packed["greatest"], "<f4").reshape(640, 5)
    assert (greatest[:400] == 0).all()
    steps = np.concatenate([unpack(block, "u1").reshape(-1, 5, 20) for block in packed["alpha"]])
    alpha = np.cumsum(steps, axis=2, dtype=np.uint8) * (greatest / 255)[..., None]
    expected = maps["alpha"].values
    assert (np.abs(alpha[400:] - expected) <= expected.max(axis=2, keepdims=True) / 509).all()
    beta = unpack(packed["beta"], "<u2").reshape(640, 5)
    assert (beta[:400] == MISSING).all()
    np.testing.assert_allclose(beta[400:] / (MISSING - 1), maps["beta"].values, atol=1e-5)


def test_scores_are_those_of_the_gene_and_symbol() -> None:
    dataset = synthetic_dataset()
    # An id is listed twice in reproduction mode, with another symbol.
    genes = dataset["gene"].values.copy()
    genes[5] = genes[4]
    dataset = dataset.assign_coords(gene=genes)
    table = scored(dataset)["deepchrome"].iloc[::-1].iloc[:-1]
    scores = unpack(browser_data(dataset, {"deepchrome": table}, {})["scores"]["deepchrome"], "<u2")
    assert scores[0] == MISSING
    np.testing.assert_allclose(scores[1:] / (MISSING - 1), np.linspace(0, 1, 640)[1:], atol=1e-5)


def influence_of(dataset: xr.Dataset, pairs: list[tuple[int, int]], agreement: float = 0.99) -> pd.DataFrame:
    """Influences of training genes on explained genes, both given by their rows in the dataset."""
    gene, train = np.array(pairs).T
    names, symbols, number = dataset["gene"].values, dataset["symbol"].values, np.arange(1, len(pairs) + 1)
    return pd.DataFrame(
        {
            **{"gene": names[gene], "symbol": symbols[gene], "rank": number},
            **{"train_gene": names[train], "train_symbol": symbols[train], "label": dataset["label"].values[train]},
            "effect": np.where(number % 2, "supports", "opposes"),
            **{"influence": 0.02 / number, "similarity": -1 / number, "agreement": agreement},
        }
    )


def test_the_browser_holds_training_genes_to_the_precision_that_it_states() -> None:
    dataset = synthetic_dataset()
    # The same gene and symbol twice, in two parts: the training gene is the one of the train part.
    dataset = dataset.assign_coords(
        {
            name: (name if name == "gene" else "gene", np.r_[dataset[name].values[:639], dataset[name].values[7:8]])
            for name in ("gene", "symbol")
        }
    )
    pairs = [(500, 7), (500, 3), (639, 7), (500, 470)]  # the last is not of the train part
    table = influence_of(dataset, pairs)
    packed = browser_data(dataset, scored(dataset), {}, {"mlp": table})["influence"]["mlp"]
    assert unpack(packed["gene"], "<u4").tolist() == [500, 500, 639]
    assert unpack(packed["train"], "<u4").tolist() == [7, 3, 7]
    assert unpack(packed["supports"], "u1").tolist() == [1, 0, 1]
    influence = unpack(packed["influence"], "<i2") * packed["step"]
    assert np.abs(influence - table["influence"][:3]).max() <= 0.02 / 65534 + 1e-12
    assert np.abs(unpack(packed["similarity"], "i1") / 100 - table["similarity"][:3]).max() <= 0.005
    assert not packed["doubtful"]


@pytest.mark.parametrize("agreement", [0.89, np.nan])
def test_training_genes_of_a_layer_unlike_the_network_are_doubtful(agreement: float) -> None:
    dataset = synthetic_dataset()
    table = influence_of(dataset, [(500, 7)], agreement)
    assert browser_data(dataset, scored(dataset), {}, {"mlp": table})["influence"]["mlp"]["doubtful"]


def test_a_large_study_shows_its_test_genes_and_named_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chromattend.chromatin.pages.browser.MOST_GENES", 200)
    dataset = synthetic_dataset()
    maps = {"attentivechrome": maps_of(dataset.isel(gene=[7, 9, *range(480, 640)]))}
    assert shown_genes(dataset, maps).tolist() == [7, 9, *range(480, 640)]
    assert example_genes(dataset, scored(dataset), maps, "deepchrome") == ["GENE7", "GENE9"]
    assert example_genes(dataset, scored(dataset), {}, "deepchrome") == ["GENE639", "GENE638", "GENE480", "GENE481"]
    index = json.loads(zlib.decompress(base64.b64decode(browser_data(dataset, scored(dataset), maps)["index"])))
    assert len(index["gene"]) == 640
    assert [index["place"][row] for row in (0, 7, 9, 480)] == [-1, 0, 1, 2]
    # Attention to every gene does not make the page larger than it may be.
    assert len(shown_genes(dataset, {"attentivechrome": maps_of(dataset)})) == 200


def test_json_ends_no_script() -> None:
    value = {"name": f"</script>{EVIL}<!-- & \u2028\u2029"}
    text = str(pages.embed_json(value))
    assert not set("<>&\u2028\u2029") & set(text)
    assert json.loads(text) == value
    with pytest.raises(ValueError, match="JSON"):
        pages.embed_json(float("nan"))


def test_data_of_snakemakes_report_end_no_script() -> None:
    value = {"params": f"</script>{EVIL}<!-- 1 < 2"}
    names = ("workflow-desc", "results", "categories", "rulegraph", "runtimes", "timeline", "rules")
    scripts = {name: f'<script id="{name}">\n    var x_y = {json.dumps(value)};\n    </script>\n' for name in names}
    page = pages.escape_report("".join(scripts.values()) + "<script>1 < 2</script>")
    found = [script.text for script in BeautifulSoup(page, "html.parser").find_all("script")]
    assert len(found) == len(names) + 1
    assert found.pop() == "1 < 2"
    for text in found:
        assert json.loads(text.strip().removeprefix("var x_y = ").removesuffix(";")) == value
    with pytest.raises(UserError, match="has 0 scripts 'rules' instead of one"):
        pages.escape_report("".join(script for name, script in scripts.items() if name != "rules"))


def test_ids_of_a_figure_are_made_unique_but_its_texts_are_not_changed() -> None:
    svg = '<?xml?><svg id="a"><use xlink:href="#a" clip-path="url(#a)"/><text>id="a" url(#a)</text></svg>'
    soup = BeautifulSoup(str(pages.embed_svg(svg, "p", EVIL)), "html.parser")
    assert soup.svg["id"] == "p-a"
    assert (soup.use["xlink:href"], soup.use["clip-path"]) == ("#p-a", "url(#p-a)")
    assert soup.text == 'id="a" url(#a)'
    assert soup.svg["aria-label"] == EVIL


def test_a_page_lacks_nothing_that_its_template_uses(tmp_path: Path) -> None:
    with pytest.raises(jinja2.UndefinedError):
        pages.render(tmp_path / "a.html", "chromattend.chromatin.pages", "epigenome.html", name="a")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failed_write_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    def write(path: Path) -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write(tmp_path / "new.tsv")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old.tsv").write_text("whole")
    with pytest.raises(error):
        write(tmp_path / "old.tsv")
    assert [path.name for path in tmp_path.iterdir()] == ["old.tsv"]
    assert (tmp_path / "old.tsv").read_text() == "whole"


def test_a_write_has_its_name_at_its_end_only(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "table.tsv.gz"
    with atomic(target) as temporary:
        assert temporary.parent == target.parent
        assert temporary.name.endswith(".tsv.gz")
        temporary.write_text("done")
        assert not target.exists()
    assert target.read_text() == "done"
    assert [path.name for path in target.parent.iterdir()] == ["table.tsv.gz"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_written_file_has_the_usual_permissions(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with atomic(tmp_path / "a") as temporary:
            temporary.write_text("a")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def run(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    """Run a script whose work is within `logged`."""
    script = "import logging, warnings\nfrom chromattend.errors import UserError\n"
    script += "from chromattend.pipeline.jobs import logged\n"
    script += f"with logged('logs/job/a.log'):\n    {body}\n"
    return subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True)


def test_a_users_mistake_ends_a_script_with_one_line(tmp_path: Path) -> None:
    result = run(tmp_path, "raise UserError('a.tsv line 3: is wrong; correct it')")
    assert result.returncode == 1
    assert result.stderr == "Error: a.tsv line 3: is wrong; correct it\n"
    assert result.stdout == ""
    (line,) = (tmp_path / "logs/job/a.log").read_text().splitlines()
    assert line.endswith("ERROR a.tsv line 3: is wrong; correct it")


def test_another_error_keeps_its_traceback(tmp_path: Path) -> None:
    result = run(tmp_path, "{}['key']")
    assert result.returncode == 1
    for text in (result.stderr, (tmp_path / "logs/job/a.log").read_text()):
        assert "Traceback" in text
        assert "KeyError: 'key'" in text


def test_messages_and_warnings_go_to_the_log(tmp_path: Path) -> None:
    result = run(tmp_path, "logging.getLogger('x').info('genes: %d', 5); warnings.warn('odd data')")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    log = (tmp_path / "logs/job/a.log").read_text()
    assert "INFO genes: 5" in log
    assert "odd data" in log


def test_a_log_is_of_the_last_run(tmp_path: Path) -> None:
    for text in ("first", "second"):
        run(tmp_path, f"logging.info('{text}')")
    log = (tmp_path / "logs/job/a.log").read_text()
    assert "first" not in log
    assert "second" in log
