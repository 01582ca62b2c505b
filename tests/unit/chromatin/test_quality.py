"""Data quality: the measures, the warnings at their limits, and the page."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from bs4 import BeautifulSoup
from builders import ALL_GENES, synthetic_dataset

from chromattend.chromatin.pages.quality import warning_rows, write_quality_page
from chromattend.chromatin.quality import (
    CHECKS,
    WARNING_COLUMNS,
    quality_table,
    read_quality,
    sources_table,
    warnings_table,
    write_multiqc,
)
from chromattend.files import write_table

EVIL = "<script>alert(1)</script>"
NO_OVERLAPS = pd.DataFrame(columns=["gene", "split", "other_gene", "other_split", "chrom", "shared_bp"])


def measured(*arguments: Any) -> pd.DataFrame:
    """The quality of a study that has enough genes."""
    return quality_table(*arguments).assign(train_genes=1000)


def usual(epigenome: str = "E003") -> xr.Dataset:
    """A dataset without anything to warn of: as many ON genes in each part."""
    dataset = synthetic_dataset(epigenome=epigenome)
    label = np.arange(dataset.sizes["gene"]) % 2
    source = {f"{mark}_{name}": value for mark in dataset["mark"].values for name, value in provenance(mark).items()}
    return dataset.assign(label=("gene", label.astype(np.int8))).assign_attrs(source)


def provenance(mark: str) -> dict[str, object]:
    source = f"https://mirror.example/{mark}.tagAlign.gz"
    return {"source": source, "sha256": mark, "format": "reads", "reads": 1000, "reads_elsewhere": 10}


def change(dataset: xr.Dataset, mark: str, values: np.ndarray) -> xr.Dataset:
    """Replace the counts of one mark."""
    counts = dataset["counts"].values.copy()
    counts[:, :, dataset["mark"].values.tolist().index(mark)] = values
    return dataset.assign(counts=(("gene", "bin", "mark"), counts))


def warned(dataset: xr.Dataset, overlaps: pd.DataFrame = NO_OVERLAPS) -> list[tuple[str, str]]:
    table = warnings_table(measured(dataset, [], overlaps, ALL_GENES), sources_table(dataset, []))
    return list(zip(table["mark"], table["what"], strict=True))


def test_measures_of_a_mark() -> None:
    dataset = change(usual(), "H3K4me1", 0)
    row = measured(dataset, [], NO_OVERLAPS, ALL_GENES).set_index("mark").loc["H3K9me3"]
    counts = dataset["counts"].sel(mark="H3K9me3").values
    assert (row["reads"], row["reads_elsewhere"]) == (1000, 10)
    assert row["share_elsewhere"] == pytest.approx(10 / 1010)
    assert row["depth"] == pytest.approx(counts.mean())
    depths = dataset["counts"].mean(("gene", "bin")).values
    assert row["relative_depth"] == pytest.approx(counts.mean() / np.median(depths))
    assert row["without_signal"] == (counts.sum(axis=1) == 0).mean()
    assert row["all_even"] == 0


def test_measures_of_an_epigenome() -> None:
    dataset = usual().assign_attrs(genes_left_out=160)
    split = dataset["split"].values
    label = np.where(split == "train", 1, np.arange(len(split)) % 4 == 0).astype(np.int8)
    test = dataset["gene"].values[split == "test"]
    # One test gene overlaps two others, one a gene that this epigenome does not have.
    overlaps = pd.DataFrame(
        [
            ("A", "train", test[0], "test"),
            ("B", "valid", test[0], "test"),
            ("C", "train", "D", "test"),
            ("A", "train", "B", "valid"),
        ],
        columns=["gene", "split", "other_gene", "other_split"],
    )
    row = measured(dataset.assign(label=("gene", label)), [], overlaps, ALL_GENES).iloc[0]
    assert (row["genes"], row["genes_left_out"], row["left_out"]) == (640, 160, 0.2)
    assert (row["on_train"], row["on_valid"], row["on_test"], row["on_range"]) == (1, 0.25, 0.25, 0.75)
    assert row["overlap"] == 1 / 160


def test_good_data_have_no_warning() -> None:
    assert warned(usual()) == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (0, {"few reads", "mark much shallower than others", "genes without signal"}),
        (2, {"all counts even", "same value in every bin"}),
        (1, {"same value in every bin"}),
    ],
)
def test_a_mark_that_wants_care_is_named(values: int, expected: set[str]) -> None:
    found = warned(change(usual(), "H3K4me3", values))
    assert {mark for mark, _ in found} <= {"H3K4me3"}
    assert {what for _, what in found} == expected


def test_what_concerns_the_whole_epigenome_is_said_once() -> None:
    dataset = usual().assign_attrs(genes_left_out=100)
    split = dataset["split"].values
    test = dataset["gene"].values[split == "test"][:9]
    overlaps = NO_OVERLAPS.assign(other_gene=test, other_split="test")
    label = np.where(split == "test", np.arange(len(split)) % 4 > 0, dataset["label"])
    dataset = dataset.assign(label=("gene", label.astype(np.int8)))
    assert warned(dataset, overlaps) == [
        ("", "genes left out"),
        ("", "label balance differs between parts"),
        ("", "test windows seen in training"),
    ]


def test_reads_on_other_chromosomes_are_pointed_out() -> None:
    assert warned(usual().assign_attrs(H3K4me1_reads_elsewhere=500)) == [("H3K4me1", "reads elsewhere")]


@pytest.mark.parametrize(
    "check", [check for check in CHECKS if check.measure != "copies"], ids=lambda check: check.what
)
def test_a_value_at_its_limit_is_fine(check) -> None:
    table, sources = (
        measured(usual(), [], NO_OVERLAPS, ALL_GENES).astype({check.measure: float}),
        sources_table(usual(), []),
    )
    assert warnings_table(table.assign(**{check.measure: check.limit}), sources).empty
    value = check.limit + (0.001 if check.above else -0.001)
    beyond = warnings_table(table.assign(**{check.measure: value}), sources)
    assert set(beyond["what"]) == {check.what}
    assert len(beyond) == (5 if check.of_mark else 1)
    assert set(beyond["threshold"]) == {check.threshold}
    assert beyond["advice"].str.len().min() > 20


def test_files_of_the_same_content_are_named() -> None:
    first, second = usual("E1"), usual("E2")
    first = first.assign_attrs(H3K4me1_sha256="H3K4me3", H3K4me1_source="copy.bed")
    second = second.assign_attrs({f"{mark}_sha256": f"other {mark}" for mark in second["mark"].values})
    second = second.assign_attrs(H3K9me3_sha256="H3K9me3", H3K9me3_source="E2.bed")
    quality = pd.concat([measured(dataset, [], NO_OVERLAPS, ALL_GENES) for dataset in (first, second)])
    table = warnings_table(quality, pd.concat([sources_table(dataset, []) for dataset in (first, second)]))
    assert set(table["what"]) == {"same content as another file"}
    advice = table.set_index(["epigenome", "mark"])["advice"]
    assert set(advice.index) == {("E1", "H3K4me1"), ("E1", "H3K4me3"), ("E1", "H3K9me3"), ("E2", "H3K9me3")}
    assert "Has the same content as H3K4me1 of E1 (copy.bed); give" in advice["E1", "H3K4me3"]
    assert advice["E2", "H3K9me3"].startswith("E2.bed: Has the same content as H3K9me3 of E1 (https://mirror")


def test_labels_of_the_authors_are_not_judged_by_the_median() -> None:
    dataset = usual()
    dataset = dataset.assign(label=("gene", (np.arange(dataset.sizes["gene"]) % 4 > 0).astype(np.int8)))
    assert warned(dataset) == [("", "many genes ON")]
    assert warned(dataset.assign_attrs(labels="published")) == []


def test_chromosomes_without_data_stay_text(tmp_path: Path) -> None:
    dataset = usual()
    dataset = dataset.assign_coords(chrom=("gene", np.resize(["1", "2", "Y"], dataset.sizes["gene"])))
    dataset = dataset.assign_attrs(H3K4me1_empty_chromosomes="2", H3K4me3_empty_chromosomes="Y")
    write_table(measured(dataset, [], NO_OVERLAPS, ALL_GENES), tmp_path / "quality.tsv")
    table = read_quality([tmp_path / "quality.tsv"])
    rows = table.set_index("mark")[["empty_chromosomes", "genes_without_data"]]
    assert rows.loc["H3K4me1"].tolist() == ["2", 213]
    assert rows.loc["H3K4me3"].tolist() == ["Y", 0]
    warnings = warnings_table(table, sources_table(dataset, []))
    assert warnings["mark"].tolist() == ["H3K4me1"]
    assert "Holds nothing on 2, with 213 genes; the file is probably cut off" in warnings["advice"][0]


def test_values_of_a_bigwig_are_not_judged_as_reads() -> None:
    dataset = usual()
    dataset = dataset.assign(counts=dataset["counts"].astype(np.float32) / 100)
    dataset = dataset.assign_attrs({f"{mark}_format": "bigwig" for mark in dataset["mark"].values})
    table = measured(dataset, [], NO_OVERLAPS, ALL_GENES)
    assert table["all_even"].isna().all()
    assert table["relative_depth"].isna().all()
    assert warnings_table(table, sources_table(dataset, [])).empty


def test_reads_beside_a_bigwig_are_judged_as_reads() -> None:
    """The counts of all marks are then of the bigWig's type."""
    counts = change(usual(), "H3K4me3", 2)["counts"].astype(np.float32)
    dataset = usual().assign(counts=counts).assign_attrs(H3K9me3_format="bigwig")
    table = measured(dataset, [], NO_OVERLAPS, ALL_GENES).set_index("mark")
    assert table["all_even"].isna().tolist() == [False, False, False, False, True]
    assert table["all_even"].tolist()[:4] == [0, 0, 0, 1]
    assert table["relative_depth"].isna().tolist() == [False, False, False, False, True]
    assert ("H3K4me3", "all counts even") in warned(dataset)


def test_few_genes_and_the_rule_of_the_split_give_the_advice() -> None:
    dataset = usual().assign_attrs(split_rule="chromosome")
    label = np.where(dataset["split"].values == "test", 1, dataset["label"])
    dataset = dataset.assign(label=("gene", label.astype(np.int8)))
    quality = quality_table(dataset, [], NO_OVERLAPS, ALL_GENES)
    assert set(quality["train_genes"]) == {320}
    advice = warnings_table(quality, sources_table(dataset, [])).set_index("what")["advice"]
    assert advice["few training genes"].startswith("Compare networks with logistic_regression")
    assert advice["label balance differs between parts"].startswith("Hold out more or other chromosomes. Judge")


def test_the_validation_mark_is_measured_on_the_same_genes() -> None:
    dataset = usual()
    genes = np.append(dataset["gene"].values, "ENSG99999999999")
    counts = np.ones((len(genes), dataset.sizes["bin"]), np.int32)
    counts[-1] = 1000
    signal = xr.Dataset({"counts": (("gene", "bin"), counts)}, {"gene": genes}, {"mark": "H3K27ac", "format": "bam"})
    row = measured(dataset, [signal], NO_OVERLAPS, ALL_GENES).iloc[-1]
    assert (row["mark"], row["role"], row["format"], row["depth"]) == ("H3K27ac", "validation", "bam", 1)
    assert pd.isna(row["reads"])


def test_sources_have_a_row_for_each_file() -> None:
    table = sources_table(usual(), [])
    assert table["data"].tolist() == [*usual()["mark"].values, "expression"]
    assert table["sha256"].tolist() == [*usual()["mark"].values, "ab" * 32]
    binned = synthetic_dataset().assign_attrs(source="a.csv;b c.csv", sha256="1;2", format="binned")
    table = sources_table(binned, [])
    assert table[["data", "source", "sha256"]].to_numpy().tolist()[:2] == [
        ["all marks", "a.csv", "1"],
        ["all marks", "b c.csv", "2"],
    ]


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    tables = [measured(usual(name), [], NO_OVERLAPS, ALL_GENES) for name in ("007", "E003")]
    paths = [tmp_path / f"{number}.tsv" for number in range(2)]
    for table, path in zip(tables, paths, strict=True):
        write_table(table, path)
    pd.testing.assert_frame_equal(read_quality(paths), pd.concat(tables, ignore_index=True), check_dtype=False)


def test_the_table_for_multiqc_has_a_row_per_mark(tmp_path: Path) -> None:
    write_multiqc(tmp_path / "quality_mqc.tsv", measured(usual(), [], NO_OVERLAPS, ALL_GENES))
    lines = (tmp_path / "quality_mqc.tsv").read_text().splitlines()
    head = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines if line.startswith("#")))
    table = [line.split("\t") for line in lines if not line.startswith("#")]
    assert head["plot_type"] == "table"
    assert table[0] == ["Sample", *head["headers"]]
    assert [row[0] for row in table[1:]] == [f"E003 {mark}" for mark in usual()["mark"].values]
    assert table[1][1] == "1000"


def page(folder: Path, dataset: xr.Dataset, name: str = "H1") -> BeautifulSoup:
    quality = measured(dataset, [], NO_OVERLAPS, ALL_GENES)
    write_quality_page(
        folder / "quality.html",
        quality=quality,
        warnings=warnings_table(quality, sources_table(dataset, [])),
        sources=sources_table(dataset, []),
        names={dataset.attrs["epigenome"]: name},
        split_rule="sequential",
    )
    return BeautifulSoup((folder / "quality.html").read_bytes(), "html.parser")


def test_the_verdict_stands_first(tmp_path: Path) -> None:
    soup = page(tmp_path, change(usual(), "H3K4me3", 0))
    verdict = soup.main.find("p")
    assert verdict["id"] == "verdict"
    assert verdict.text.startswith("3 warnings in 1 epigenome.")
    rows = soup.find("table", {"data-name": "warnings"}).tbody.find_all("tr")
    assert [row.find_all("td")[1].text for row in rows] == ["H3K4me3"] * 3
    assert rows[0].a["href"] == "E003/report.html#warnings"
    assert len(soup.find("table", {"data-name": "limits"}).tbody.find_all("tr")) == len(CHECKS)


@pytest.mark.parametrize(
    ("advice", "brief"),
    [
        ("/home/me/reads/a.bed.gz: take a deeper experiment", "a.bed.gz: take a deeper experiment"),
        ("Same as H3K4me3 of E1 (file:///data/x/b.bw); on/off", "Same as H3K4me3 of E1 (b.bw); on/off"),
        ("https://mirror.example/x/c.bam: holds nothing", "c.bam: holds nothing"),
        ("Give BAM and/or bigWig in bins.size", "Give BAM and/or bigWig in bins.size"),
    ],
)
def test_advice_on_pages_names_files_without_their_folders(advice: str, brief: str) -> None:
    row = pd.DataFrame([("E003", "H3K4me3", "few reads", 0.1, "< 0.2", advice)], columns=WARNING_COLUMNS)
    assert [(each["brief"], each["advice"], each["shown"]) for each in warning_rows(row)] == [(brief, advice, "0.1")]


def test_a_study_without_warnings_says_so(tmp_path: Path) -> None:
    soup = page(tmp_path, usual())
    assert soup.find(id="verdict").text.startswith("No warnings.")
    assert soup.find("table", {"data-name": "warnings"}) is None
    assert "H3K27me3" in soup.find("svg").text


def test_names_are_text_and_the_page_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    dataset = usual(EVIL).assign_attrs(expression_source=EVIL)
    soup = page(tmp_path, dataset, name=EVIL)
    assert len(soup.find_all("script")) == 1
    assert soup.find("table", {"data-name": "quality_epigenomes"}).tbody.td.text == EVIL
    assert EVIL in soup.find("svg").text
    first = (tmp_path / "quality.html").read_bytes()
    page(tmp_path, dataset, name=EVIL)
    assert (tmp_path / "quality.html").read_bytes() == first
