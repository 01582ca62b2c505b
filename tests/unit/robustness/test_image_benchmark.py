"""The benchmark of attacks and detectors on images, from the classifier to the tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from chromattend.errors import UserError
from chromattend.files import read_table
from chromattend.robustness.images.benchmark import (
    PUBLISHED_RUNS,
    attack,
    attack_detector,
    attack_table,
    detect,
    first_right,
    targets_of,
    threshold_of,
)
from chromattend.robustness.images.classifier import Classifier, as_inputs
from chromattend.robustness.images.data import ImageSet, read_images, split
from chromattend.robustness.images.runs import Run, read_run
from chromattend.robustness.images.train import train_classifier

SQUEEZERS = [["bits_1"], ["bits_1", "median_2"]]


@pytest.fixture(scope="module")
def digits() -> tuple[Classifier, ImageSet, ImageSet]:
    """A classifier of digits, the detectors' images and those of the test."""
    images = read_images("digits")
    parts = split(len(images.labels), (0.5, 0.2, 0.3), 1)
    classifier, _ = train_classifier("small", images.part(parts.train), epochs=12, seed=1)
    return classifier, images.part(parts.detector), images.part(parts.test)


@pytest.fixture(scope="module")
def reported(repository: Path) -> dict[str, pd.DataFrame]:
    """The published tables."""
    return {name: read_table(repository / "resources" / f"published_{name}.tsv") for name in ("attacks", "detection")}


def run_of(success: list[bool], seconds: float = 0.5, finished: bool = True) -> Run:
    """A run whose successes have the distances 1, 2, ..."""
    count = len(success)
    numbers = np.arange(1, count + 1)
    outcome = pd.DataFrame(
        {
            **{"row": numbers, "label": 0, "target": -1, "predicted": np.array(success).astype(int)},
            **{"success": success, "confidence": numbers / 10, "l0": 0.5, "l2": numbers, "linf": 0.3},
            **{"finished": finished, "seconds": seconds},
        }
    )
    pixels = np.zeros((count, 8, 8, 1), np.uint8)
    return Run(pixels, pixels, outcome)


def test_an_attack_is_run_saved_and_detected(
    digits: tuple[Classifier, ImageSet, ImageSet], reported: dict[str, pd.DataFrame], tmp_path: Path
) -> None:
    classifier, detector, test = digits
    chosen = first_right(classifier, test, 60)
    made = attack(classifier, chosen, "fgsm", options={"epsilon": 0.2}, seed=1, seconds=None)
    assert list(made.outcome) == [
        *("row", "label", "target", "predicted", "success", "confidence"),
        *("l0", "l2", "linf", "finished", "seconds"),
    ]
    # Whole grey levels: 51 of 255.
    change = made.adversarial.astype(int) - made.original
    assert np.abs(change).max() == 51
    assert made.outcome["linf"].max() == pytest.approx(0.2)
    assert made.outcome["finished"].all()
    assert (made.outcome["target"] == -1).all()
    assert made.outcome["row"].tolist() == chosen.rows.tolist()
    # What is saved is what was measured.
    again = classifier.probabilities(as_inputs(made.adversarial)).argmax(dim=1).numpy()
    assert (again == made.outcome["predicted"]).all()
    assert ((again != chosen.labels) == made.success).all()
    assert made.success.mean() > 0.5

    made.save(tmp_path / "adversarial.npz", tmp_path / "outcome.tsv")
    with np.load(tmp_path / "adversarial.npz") as arrays:
        assert sorted(arrays) == ["adversarial", "labels", "original", "rows", "targets"]
        assert arrays["adversarial"].dtype == np.uint8
        assert arrays["rows"].tolist() == chosen.rows.tolist()
    made = read_run(tmp_path / "adversarial.npz", tmp_path / "outcome.tsv")

    detection = detect(classifier, detector, test, {"fgsm": made}, SQUEEZERS, 0.05, "", reported["detection"])
    table = detection.table.set_index(["detector", "attack"])
    assert list(table.index.unique("attack")) == ["all", "legitimate", "fgsm"]
    assert table.loc[("bits_1", "fgsm"), "n"] == made.success.sum()
    assert table.loc[("bits_1", "legitimate"), "n"] == len(test.labels)
    assert table["published"].isna().all()
    assert (table["false_positives"] < 0.12).all()
    assert {"detector", "false_positives", "detected"} == set(detection.roc)

    threshold = threshold_of(detection.table, SQUEEZERS[-1])
    assert threshold == table.loc[("bits_1 + median_2", "all"), "threshold"]
    known = attack_detector(classifier, chosen.part(np.arange(2)), SQUEEZERS[-1], threshold, seconds=2, seed=1)
    assert list(known) == ["row", "success", "undetected", "l2", "linf"]
    assert known["row"].tolist() == chosen.rows[:2].tolist()
    empty = attack_detector(classifier, chosen.part(np.arange(0)), SQUEEZERS[-1], threshold, seconds=2, seed=1)
    assert (len(empty), list(empty)) == (0, list(known))


def test_an_attack_without_success_has_an_empty_row(
    digits: tuple[Classifier, ImageSet, ImageSet], reported: dict[str, pd.DataFrame]
) -> None:
    classifier, detector, test = digits
    none = run_of([False, False])
    table = detect(classifier, detector, test, {"fgsm": none}, SQUEEZERS, 0.05, "", reported["detection"]).table
    row = table[(table["detector"] == "bits_1") & (table["attack"] == "fgsm")].iloc[0]
    assert row["n"] == 0
    assert np.isnan(row["detected"])
    row = attack_table({"fgsm": none}, {}, "small", "", reported["attacks"]).iloc[0]
    assert row["success"] == 0
    assert np.isnan(row["l2"])


def test_targets_are_the_next_and_the_least_likely_class(digits: tuple[Classifier, ImageSet, ImageSet]) -> None:
    classifier, _, test = digits
    chosen = first_right(classifier, test, 100)
    following = targets_of(classifier, chosen, "next")
    assert following[chosen.labels == 9].tolist() == [0] * int((chosen.labels == 9).sum())
    assert following[chosen.labels == 3].unique().tolist() == [4]
    least = targets_of(classifier, chosen, "least")
    logits = classifier(as_inputs(chosen.pixels))
    assert torch.equal(least, logits.argmin(dim=1))
    made = attack(classifier, chosen.part(np.arange(3)), "jsma-next", options={}, seed=1, seconds=None)
    assert made.outcome["target"].tolist() == following[:3].tolist()
    assert (made.success == (made.outcome["predicted"] == made.outcome["target"])).all()


def test_the_first_right_images_are_attacked(digits: tuple[Classifier, ImageSet, ImageSet]) -> None:
    classifier, _, test = digits
    right = classifier.probabilities(as_inputs(test.pixels)).argmax(dim=1).numpy() == test.labels
    assert not right.all()
    chosen = first_right(classifier, test, 10_000)
    assert chosen.rows.tolist() == test.rows[right].tolist()
    assert first_right(classifier, test, 5).rows.tolist() == test.rows[right][:5].tolist()
    wrong = ImageSet(test.pixels[right], (test.labels[right] + 1) % 10, test.classes, test.rows[right])
    with pytest.raises(UserError, match=r"^small: puts none of the test images into its class"):
        first_right(classifier, wrong, 5)


def test_a_run_is_summed_up_over_its_successes(reported: dict[str, pd.DataFrame]) -> None:
    runs = {"fgsm": run_of([True, False, True, False]), "cw2-next": run_of([True] * 4, finished=False)}
    table = attack_table(runs, {"fgsm": {"epsilon": 0.1}}, "carlini", "MNIST", reported["attacks"])
    first, second = table.to_dict("records")
    assert (first["attack"], first["target"], first["title"], first["norm"]) == ("fgsm", "", "FGSM", "linf")
    assert (first["n"], first["success"], first["l2"], first["confidence"]) == (4, 0.5, 2.0, pytest.approx(0.2))
    assert (first["success_low"], first["success_high"]) == (
        pytest.approx(0.150, abs=5e-4),
        pytest.approx(0.85, abs=5e-4),
    )
    assert (first["unfinished"], first["seconds"], first["options"]) == (0, 0.5, "epsilon 0.1")
    assert (second["attack"], second["target"], second["unfinished"]) == ("cw2", "next", 4)
    assert (second["published_success"], second["published_l2"]) == (0.99, 2.866)
    assert first["published_l0"] == 0.56
    other = attack_table(runs, {}, "small", "", reported["attacks"])
    assert other.filter(like="published_").isna().all(axis=None)


def test_published_shares_do_not_depend_on_the_order_of_squeezers(
    digits: tuple[Classifier, ImageSet, ImageSet], reported: dict[str, pd.DataFrame]
) -> None:
    classifier, detector, test = digits
    runs = {run: run_of([True]) for run in PUBLISHED_RUNS}
    squeezers = [["median_2", "bits_1"], ["bits_1"]]
    own = reported["detection"].assign(network="small")
    table = detect(classifier, detector, test, runs, squeezers, 0.05, "MNIST", own).table
    published = table.set_index(["detector", "attack"])["published"]
    assert published["median_2 + bits_1", "all"] == 0.982
    assert published["median_2 + bits_1", "legitimate"] == 0.04
    assert published["bits_1", "all"] == 0.903
    assert (
        published.drop(index=[("median_2 + bits_1", "all"), ("median_2 + bits_1", "legitimate"), ("bits_1", "all")])
        .isna()
        .all()
    )
    # The published shares are of all attacks together.
    one = {"fgsm": run_of([True])}
    assert detect(classifier, detector, test, one, squeezers, 0.05, "MNIST", own).table["published"].isna().all()


def test_files_of_another_number_of_images_are_refused(tmp_path: Path) -> None:
    run_of([True, True]).save(tmp_path / "two.npz", tmp_path / "two.tsv")
    run_of([True]).save(tmp_path / "one.npz", tmp_path / "one.tsv")
    with pytest.raises(UserError, match=r"one.tsv: has 1 rows for 2 images; delete its folder and run again"):
        read_run(tmp_path / "two.npz", tmp_path / "one.tsv")
