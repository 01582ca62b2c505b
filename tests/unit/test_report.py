"""The page of an epigenome as a browser gets it; how a job writes its files and its log."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from builders import MODELS, synthetic_dataset, synthetic_predictions

from chromattend import __version__
from chromattend.evaluate import calibration_table, metrics, scores_of_test
from chromattend.files import atomic
from chromattend.models import REGISTRY
from chromattend.plots import plot_calibration, plot_profile, plot_roc, save
from chromattend.report import write_page
from chromattend.statistics import compare_aucs

EVIL = "<script>alert(1)</script>"
SIGNALS = [
    {"mark": "H3K4me3", "source": "https://mirror.example/a.bed.gz", "sha256": "12" * 32, "reads": 1234567}
    | {"reads_elsewhere": 89},
    {"mark": "H3K27ac", "source": "own/b.bw", "sha256": "34" * 32},
]


def page(
    folder: Path,
    *,
    name: str = "H1 cells",
    group: str = "ESC",
    epigenome: str = "E003",
    models: Sequence[str] = tuple(MODELS),
    signals: list[dict[str, Any]] | None = None,
    attributes: Mapping[str, object] | None = None,
) -> BeautifulSoup:
    """Write a page with its figures and parse it."""
    dataset = synthetic_dataset(epigenome=epigenome).assign_attrs(attributes or {})
    predictions = synthetic_predictions(models)
    found = {model: metrics(table) for model, table in predictions.items()}
    save(plot_roc(predictions, found, epigenome), folder / "roc.svg")
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
        figures={name: folder / f"{name}.svg" for name in ("roc", "calibration", "profile")},
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


def test_models_stand_from_best_to_worst(usual: BeautifulSoup) -> None:
    table = rows(usual, "Models by AUC")
    assert sorted(row[0] for row in table) == sorted(REGISTRY[model].title for model in MODELS)
    aucs = [float(row[1]) for row in table]
    assert aucs == sorted(aucs, reverse=True)
    for row in table:
        low, high = row[2].split("-")
        assert float(low) < float(row[1]) < float(high)
    # The best has nothing better to be compared with; the others are worse, by a test of the same genes.
    assert table[0][3:5] == ["", ""]
    assert all(float(row[3]) <= 0 <= float(row[4]) <= 1 for row in table[1:])


def test_parts_and_sources_are_listed(usual: BeautifulSoup) -> None:
    assert [row[:2] for row in rows(usual, "Genes by part")] == [["train", "320"], ["valid", "160"], ["test", "160"]]
    marks = rows(usual, "Sources")
    assert marks[0][:3] == ["H3K4me3", "1,234,567", "89"]
    assert marks[1][:3] == ["H3K27ac", "", ""]
    assert "https://mirror.example/a.bed.gz" in marks[0][3]
    assert "12" * 32 in marks[0][3]
    assert "ab" * 32 in marks[2][3]


def test_data_that_want_care_are_pointed_out(tmp_path: Path) -> None:
    binned = [{"source": "train.csv", "sha256": "56" * 32}]
    soup = page(tmp_path, signals=binned, attributes={"doubled_marks": "H3K4me3", "genes_left_out": 1234})
    doubled, left_out = (warning.text for warning in soup.find_all("p", class_="warning"))
    assert "H3K4me3" in doubled
    assert "1,234 genes" in left_out
    assert rows(soup, "Sources")[0][0] == "all marks"


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
    assert soup.find_all("script") == []
    assert soup.h1.text == f"{EVIL}: Name {EVIL}"
    assert EVIL in soup.title.text
    assert f"Group {EVIL}." in soup.find("p", class_="lead").text
    assert rows(soup, "Sources")[0][0] == EVIL
    assert all(EVIL in row[3] for row in rows(soup, "Sources"))
    assert any(EVIL in text.text for text in soup.find_all("text"))
    assert soup.find("pre").text.count(EVIL) == 1


def test_the_page_loads_nothing(usual: BeautifulSoup) -> None:
    assert (
        usual.find_all(["script", "link", "img", "iframe", "object", "embed", "base", "image", "foreignobject"]) == []
    )
    for tag in usual.find_all(True):
        for key, value in tag.attrs.items():
            if key.split(":")[-1] in ("src", "href", "srcset", "data", "action", "poster"):
                assert value.startswith("#"), f"{tag.name} {key}={value}"
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
    roc, calibration, profile = usual.find_all("svg")
    assert "False positive rate" in roc.text
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
            *("calibration.svg", "profile.svg", "report.html", "roc.svg"),
        ]
    assert contents[0] == contents[1]


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
    script = "import logging, warnings\nfrom chromattend.errors import UserError\nfrom chromattend.logs import logged\n"
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
