"""The page of a set of images as a browser gets it, its sentence, its pictures and its figures."""

import base64
import io
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from builders import texts
from image_page_builders import METRICS, SETTINGS, image_page_of, runs_of, tables_of
from PIL import Image

from chromattend.files import write_json, write_table
from chromattend.robustness.image_figures import plot_attacks, plot_detection
from chromattend.robustness.pages import images
from chromattend.robustness.pages.images import (
    detector_title,
    difference,
    examples_of,
    known,
    picture,
    run_title,
    strongest,
    verdict,
)

JOINT = "bits_1 + median_2"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return image_page_of(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def page(written: Path) -> BeautifulSoup:
    return BeautifulSoup(written.read_bytes(), "html.parser")


def said(**changed: pd.DataFrame) -> str:
    tables = tables_of() | changed
    return verdict(tables["attacks"], tables["detection"], tables["adaptive"], JOINT).replace("\u00a0", " ")


def test_a_page_works_offline_and_is_small(written: Path, page: BeautifulSoup) -> None:
    assert written.stat().st_size < 250_000
    links = {link["href"] for link in page.select("[href]") if not link["href"].startswith("#")}
    assert {link for link in links if re.match(r"[a-z]+:|//", link)} == set()
    assert {"attacks.tsv", "adaptive.tsv", "cw2-next/adversarial.npz", "figures/attacks.svg"} <= links
    assert all(each["src"].startswith("data:image/png;base64,") for each in page.select("[src]"))
    assert all(each["alt"] for each in page.select("img"))
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))
    assert {link["href"].lstrip("#") for link in page.select("nav a[href^='#']")} <= set(ids)


def test_the_sentence_has_the_attack_that_knows_the_detector() -> None:
    start = "CW2 next turns 98 of 100 images with an L2 distance of 2.9; the joint detector notices 98.6 % of all "
    start += "successful ones at 5.3 % false alarms"
    assert said() == f"{start} – and none of the 40 images of an attack that knows the detector."
    adaptive = tables_of()["adaptive"]
    assert said(adaptive=adaptive.assign(undetected=[False] * 3 + [True] * 37)).endswith(
        "alarms – and 3 of the 40 images of an attack that knows the detector."
    )
    # What was not turned at all did not pass, however quiet the detector was.
    assert said(adaptive=adaptive.assign(success=[False] * 40)).endswith(
        "alarms. An attack that knows the detector turns none of 40 images."
    )
    assert said(adaptive=adaptive.iloc[:0]).endswith(
        "alarms. No attack that knows the detector was run, so this says nothing about one."
    )
    attacks = tables_of()["attacks"]
    assert said(attacks=attacks.assign(success=0.0)) == "No attack turns any of the 100 images."


def test_the_strongest_attack_is_the_nearest_of_those_that_succeed() -> None:
    attacks = tables_of()["attacks"]
    assert strongest(attacks) == 4
    # None reaches 90 %: the most successful one, not the nearest.
    weaker = attacks.assign(success=attacks["success"] / 2, l2=[1.0, 9, 9, np.nan, 9, 9, 9, 9])
    assert strongest(weaker) == 5
    assert strongest(attacks.assign(success=0.0)) is None


def test_the_adaptive_attack_counts_what_is_turned_and_unnoticed() -> None:
    table = pd.DataFrame(
        {
            "success": [True, True, True, False],
            "undetected": [True, False, True, True],
            "l2": [1.0, 9.0, 3.0, 9.0],
            "linf": [0.5, 0.9, 0.7, 0.9],
        }
    )
    tried = known(table)
    assert tried == {
        **{"images": 4, "successes": 3, "passed": 2},
        **{"noticed": pytest.approx(1 / 3), "l2": 2.0, "linf": pytest.approx(0.6)},
    }


def test_the_figure_of_the_adaptive_attack_is_beside_the_detection(page: BeautifulSoup) -> None:
    cards = page.select(".versus .card")
    assert [card.select_one(".figure").get_text() for card in cards] == ["98.6\u00a0%", "0\u00a0%"]
    assert "of 40 successful images noticed (40 tried)" in cards[1].get_text()
    # The heat map has it in the first column, in the row of the detector that was attacked.
    rows = page.select("[data-name=mnist-detection] tbody tr")
    first = [[cell.get_text().replace("\u00a0", " ") for cell in row.select("td")[:3]] for row in rows]
    assert first == [
        ["1 bit", "–", "90.4 %"],
        ["median 2 × 2", "–", "84.4 %"],
        ["median 3 × 3", "–", "78.5 %"],
        ["1 bit + median 2 × 2", "0 %", "98.6 %"],
        ["low confidence", "–", "31.2 %"],
    ]
    heading = page.select_one("#detection")
    assert heading.find_next("h2")["id"] == "attacks"


def test_a_page_without_an_adaptive_attack_says_so(tmp_path: Path) -> None:
    page = image_page_of(tmp_path, adaptive=tables_of()["adaptive"].iloc[:0])
    text = BeautifulSoup(page.read_bytes(), "html.parser").get_text(" ", strip=True)
    assert "an attack that knows it not run" in text
    assert "Knows it" not in text


def test_reported_columns_are_beside_those_of_the_set(page: BeautifulSoup, tmp_path: Path) -> None:
    headings = [cell.get_text() for cell in page.select("[data-name=mnist-attacks] thead th")]
    assert headings == [
        *("Attack", "Aims at", "Images", "Success", "Success, reported", "Confidence"),
        *("L∞", "L∞, reported", "L2", "L2, reported", "L0", "Not finished", "Seconds"),
    ]
    cells = [cell.get_text(" ", strip=True) for cell in page.select("[data-name=mnist-attacks] tbody tr")[1]("td")]
    assert [text.replace("\u00a0", " ") for text in cells] == [
        *("BIM", "any other", "100", "94 % 86–100", "91 %", "0.997", "0.302", "0.302", "5.28", "4.76"),
        *("0.702", "0", "0.123"),
    ]
    assert "only then can the columns be compared" in page.get_text()
    tables = tables_of()
    own = {
        "attacks": tables["attacks"].drop(columns=["published_success", "published_linf", "published_l2"]),
        "detection": tables["detection"].assign(published=np.nan),
    }
    assert "reported" not in BeautifulSoup(image_page_of(tmp_path, **own).read_bytes(), "html.parser").get_text()


def test_the_page_never_promises_safety(page: BeautifulSoup) -> None:
    text = page.get_text().lower()
    assert not re.search(r"\bsecure|\brobust against|\bsafe\b", text)


def test_examples_are_the_first_images_that_are_turned(page: BeautifulSoup) -> None:
    groups = {group["data-run"]: group for group in page.select(".examples")}
    assert list(groups) == ["fgsm", "bim", "jsma-next", "deepfool", "cw2-next", "cw2-least", "cwi-next", "cw0-next"]
    shown = [each.get_text().replace("\u00a0", " ") for each in groups["cw2-next"].select(".said")]
    # The second image was not turned.
    assert [text.split(",")[0] for text in shown] == ["0 → 1", "2 → 3", "3 → 4", "4 → 5", "5 → 6", "6 → 7"]
    assert groups["deepfool"].select("img") == []
    assert "DeepFool turns no image" in groups["deepfool"].get_text()
    # The attack of the first sentence is chosen.
    assert page.select_one("#attack option[selected]")["value"] == "cw2-next"
    before = groups["cw2-next"].select("img")[0]["src"]
    made = np.asarray(Image.open(io.BytesIO(base64.b64decode(before.partition(",")[2]))))
    assert np.array_equal(made, runs_of()["cw2-next"].original[0, :, :, 0])


def test_large_images_leave_examples_of_every_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = runs_of(size=48, channels=3)
    whole = examples_of(runs)
    assert {run: len(made) for run, made in whole.items()} == dict.fromkeys(runs, 6) | {"deepfool": 0}
    size = sum(len(each[name]) for each in whole["bim"] for name in ("original", "adversarial", "difference"))
    monkeypatch.setattr(images, "MOST_BYTES", int(2.5 * size))
    numbers = [len(made) for run, made in examples_of(runs).items() if run != "deepfool"]
    assert max(numbers) - min(numbers) <= 1
    assert 2 <= max(numbers) < 6


def test_a_difference_shows_the_direction_of_each_change() -> None:
    before = np.array([[[100], [100], [100], [100]]], dtype=np.uint8)
    after = np.array([[[100], [140], [60], [120]]], dtype=np.uint8)
    made = difference(before, after)
    assert made.tolist() == [[[255, 255, 255], [213, 94, 0], [0, 114, 178], [234, 174, 128]]]
    colour = difference(np.repeat(before, 3, axis=-1), np.repeat(after, 3, axis=-1))
    assert colour[0, :, 0].tolist() == [128, 255, 1, 192]
    assert difference(before, before).tolist() == [[[255, 255, 255]] * 4]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_has_every_pixel(channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (7, 5, channels), dtype=np.uint8)
    content = base64.b64decode(picture(pixels).removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))).reshape(7, 5, channels), pixels)


def test_names_of_runs_and_detectors_are_readable() -> None:
    assert [run_title(run) for run in ("fgsm", "cw0-least", "jsma-next")] == ["FGSM", "CW0 least likely", "JSMA next"]
    names = ["bits_1", "median_3 + nlm_11_3_4", "low confidence"]
    assert [detector_title(name) for name in names] == [
        *("1 bit", "median 3 × 3 + non-local means 11-3-4", "low confidence"),
    ]


def test_curves_end_at_the_last_rate_that_is_drawn(page: BeautifulSoup) -> None:
    lines = page.select(".plot polyline")
    assert len(lines) == 5
    ends = [line["points"].split()[-1].split(",") for line in lines]
    assert {float(x) for x, _ in ends} == {505.0}
    # 25 % of false alarms: 0.904 + 0.096 * 0.25 noticed.
    assert float(ends[0][1]) == pytest.approx(255 - 240 * 0.928, abs=0.2)


def test_figures_have_a_row_per_attack_and_per_detector(tmp_path: Path) -> None:
    tables, path = tables_of(), tmp_path / "figure.svg"
    drawn = texts(plot_attacks(tables["attacks"], runs_of()), path)
    assert {"CW2 least likely", "Adversarial", "reported by Xu et al. 2018", "L2 (mean of the successful)"} <= set(
        drawn
    )
    drawn = texts(plot_detection(tables["detection"], tables["adaptive"], JOINT), path)
    assert {"1 bit + median 2 × 2 (5.3 %)", "knows the detector", "all attacks", "99"} <= set(drawn)
    without = texts(plot_detection(tables["detection"], tables["adaptive"].iloc[:0], JOINT), path)
    assert set(drawn) - set(without) == {"knows the detector", "0"}
    own = tables["attacks"].assign(published_success=np.nan, published_l2=np.nan, published_linf=np.nan)
    assert "reported by Xu et al. 2018" not in texts(plot_attacks(own, runs_of()), path)
    none = tables["attacks"].assign(success=0.0)
    assert texts(plot_attacks(none, runs_of()), path) == ["No attack turns an image."]


def test_the_script_writes_the_page_and_the_figures(tmp_path: Path, repository: Path) -> None:
    runs = {name: (tmp_path / f"{name}.npz", tmp_path / f"{name}.tsv") for name in runs_of()}
    for name, run in runs_of().items():
        run.save(*runs[name])
    tables = tables_of()
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.tsv")
    write_json(METRICS, tmp_path / "metrics.json")
    output = {
        name: str(tmp_path / path) for name, path in (("page", "r.html"), ("attacks", "a.svg"), ("detection", "d.svg"))
    }
    given = {name: str(tmp_path / f"{name}.tsv") for name in tables} | {"metrics": str(tmp_path / "metrics.json")}
    given |= {"adversarial": [files[0] for files in runs.values()], "outcomes": [files[1] for files in runs.values()]}
    params = {"runs": list(runs), "settings": SETTINGS, "links": [], "command": "chromattend run x"}
    parts = {"input": given, "output": output, "params": params, "wildcards": {"image_set": "mnist"}}
    snakemake = SimpleNamespace(**{name: SimpleNamespace(**values) for name, values in parts.items()})
    code = (repository / "scripts/robustness/image_page.py").read_text(encoding="utf-8")
    # Without the records of a job.
    code = code.replace("with job(snakemake):", "if True:")
    exec(compile(code, "image_page.py", "exec"), {"snakemake": snakemake})
    page = BeautifulSoup((tmp_path / "r.html").read_bytes(), "html.parser")
    # Tables that went through files give the same sentence.
    assert page.select_one(".verdict p").get_text().replace("\u00a0", " ") == said()
    assert len(page.select("img")) == 7 * 6 * 3
    assert all(Path(output[name]).read_text(encoding="utf-8").startswith("<?xml") for name in ("attacks", "detection"))
