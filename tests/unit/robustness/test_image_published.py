"""The published networks for MNIST, with their published weights."""

import os
from pathlib import Path

import numpy as np
import pytest

from chromattend.files import read_table
from chromattend.robustness.images.benchmark import attack, attack_table, first_right
from chromattend.robustness.images.classifier import measure
from chromattend.robustness.images.data import ImageSet, read_images
from chromattend.robustness.images.keras import load_keras


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    """The folder of real images and weights."""
    data = Path(os.environ.get("CHROMATTEND_TEST_DATA", repository.parent / "shared" / "data"))
    if not (data / "images").is_dir():
        pytest.skip(f"no real images in {data / 'images'}; set CHROMATTEND_TEST_DATA to the folder of images")
    return data / "images"


@pytest.fixture(scope="module")
def mnist(folder: Path) -> ImageSet:
    """The 10,000 test images of MNIST."""
    return read_images(folder / "t10k-images-idx3-ubyte.gz", folder / "t10k-labels-idx1-ubyte.gz")


@pytest.mark.parametrize(
    ("network", "file", "accuracy", "confidence"),
    [("carlini", "MNIST_carlini", 0.9943, 0.9939), ("cleverhans", "MNIST_cleverhans", 0.9919, 0.8897)],
)
def test_published_weights_give_the_published_accuracy_and_confidence(
    folder: Path, mnist: ImageSet, network: str, file: str, accuracy: float, confidence: float
) -> None:
    classifier = load_keras(folder / "weights" / f"{file}.keras_weights.h5", network)
    measures = measure(classifier, mnist.pixels, mnist.labels)
    assert measures["accuracy"] == accuracy
    assert measures["confidence"] == pytest.approx(confidence, abs=1e-4)


def test_quick_attacks_on_the_published_network_give_the_published_rates(
    folder: Path, mnist: ImageSet, repository: Path
) -> None:
    classifier = load_keras(folder / "weights" / "MNIST_carlini.keras_weights.h5", "carlini")
    chosen = first_right(classifier, mnist.part(np.arange(200)), 100)
    # All of the first 100 are right.
    assert chosen.rows.tolist() == list(range(100))
    runs = {run: attack(classifier, chosen, run, options={}, seed=1, seconds=None) for run in ("fgsm", "bim")}
    reported = read_table(repository / "resources" / "published_attacks.tsv")
    table = attack_table(runs, {}, "carlini", "MNIST", reported).set_index("attack")
    assert table["success"].to_dict() == {"fgsm": 0.46, "bim": 0.94}
    fgsm = table.loc["fgsm"]
    # 77 of 255 grey levels; the other digits are as measured, beside those of the paper.
    assert (round(fgsm["linf"], 3), round(fgsm["l2"], 2), round(fgsm["l0"], 3)) == (0.302, 5.93, 0.559)
    assert (fgsm["published_linf"], fgsm["published_l2"], fgsm["published_l0"]) == (0.302, 5.905, 0.56)
