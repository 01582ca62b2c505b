"""Networks of images: their sizes, their files, and published weights in other layouts."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from chromattend.errors import UserError
from chromattend.robustness.images.classifier import Classifier, as_inputs, as_pixels, load_classifier, measure
from chromattend.robustness.images.data import read_images
from chromattend.robustness.images.keras import load_keras
from chromattend.robustness.images.networks import NETWORKS


@pytest.mark.parametrize(
    ("name", "shape", "classes", "parameters"),
    [
        ("small", (28, 28, 1), 10, 215_370),
        ("small", (8, 8, 1), 10, 31_050),
        ("carlini", (28, 28, 1), 10, 312_202),
        ("cleverhans", (28, 28, 1), 10, 710_218),
        ("densenet", (32, 32, 3), 10, 1_019_722),
        ("mobilenet", (224, 224, 3), 1000, 4_231_976),
    ],
)
def test_networks_have_their_published_sizes(name: str, shape: tuple, classes: int, parameters: int) -> None:
    assert Classifier(name, shape, classes).parameters_count == parameters


@pytest.mark.parametrize("name", ["carlini", "cleverhans", "small", "densenet"])
def test_images_that_are_too_small_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"^{name}: images of 2 x 3 pixels are too small for its layers; choose"):
        Classifier(name, (2, 3, 1), 10)


def test_planning_imports_no_torch() -> None:
    code = "import sys, chromattend.robustness.images.networks; sys.exit(bool({'torch', 'numpy'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_published_figures_belong_to_images_like_the_paper_s() -> None:
    assert NETWORKS["carlini"].reported_for((28, 28, 1), 10) == "MNIST"
    assert NETWORKS["densenet"].reported_for((32, 32, 3), 10) == "CIFAR-10"
    assert NETWORKS["carlini"].reported_for((32, 32, 3), 10) == ""
    assert NETWORKS["small"].reported_for((28, 28, 1), 10) == ""


@pytest.mark.parametrize("name", ["mobilenet", "densenet"])
def test_networks_of_colours_score_a_folder(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    for label in ("bee", "ant", "fly"):
        (tmp_path / label).mkdir()
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)).save(tmp_path / label / "1.jpg")
    images = read_images(tmp_path, side=NETWORKS[name].side)
    assert images.shape == {"mobilenet": (224, 224, 3), "densenet": (32, 32, 3)}[name]
    torch.manual_seed(1)
    classifier = Classifier(name, images.shape, len(images.classes)).ready()
    probabilities = classifier.probabilities(as_inputs(images.pixels))
    assert probabilities.shape == (3, 3)
    assert torch.allclose(probabilities.sum(dim=1), torch.ones(3))
    assert len(probabilities.unique()) >= 3


def test_a_saved_classifier_says_the_same(tmp_path: Path) -> None:
    digits = read_images("digits")
    classifier = Classifier("small", digits.shape, 10).ready()
    classifier.save(tmp_path / "model.pt")
    inputs = as_inputs(digits.pixels[:5])
    assert torch.equal(load_classifier(tmp_path / "model.pt")(inputs), classifier(inputs))
    # Without dropout.
    assert torch.equal(classifier(inputs), classifier(inputs))
    classifier.save(tmp_path / "again.pt")
    assert (tmp_path / "model.pt").read_bytes() == (tmp_path / "again.pt").read_bytes()


def test_pixels_become_inputs_and_are_rounded_back() -> None:
    pixels = np.array([[[[0, 10, 255]]]], dtype=np.uint8)
    inputs = as_inputs(pixels)
    assert inputs.shape == (1, 3, 1, 1)
    assert inputs.flatten().tolist() == pytest.approx([0, 10 / 255, 1])
    assert as_pixels(inputs + 0.4 / 255).flatten().tolist() == [0, 10, 255]
    assert as_pixels(inputs + 0.6 / 255).flatten().tolist() == [1, 11, 255]


def test_confidence_is_the_probability_of_the_true_class() -> None:
    classifier = Classifier("small", (8, 8, 1), 2).ready()
    for parameter in classifier.parameters():
        parameter.zero_()
    next(reversed(list(classifier.parameters()))).copy_(torch.tensor([0.0, np.log(3)]))
    measures = measure(classifier, np.zeros((4, 8, 8, 1), np.uint8), np.array([1, 1, 1, 0]))
    assert measures == {"accuracy": 0.75, "confidence": pytest.approx((3 * 0.75 + 0.25) / 4)}


def keras_file(path: Path, classifier: Classifier, group: str = "model_weights") -> Path:
    """Write the weights of a classifier as Keras does."""
    tensors = list(classifier.parameters())
    with h5py.File(path, "w") as file:
        root = file.create_group(group)
        names = [f"layer_{number}" for number in range(len(tensors) // 2)]
        root.attrs["layer_names"] = np.array([*names, "dropout"], dtype="S")
        root.create_group("dropout").attrs["weight_names"] = np.array([], dtype="S")
        for name, kernel, bias in zip(names, tensors[::2], tensors[1::2], strict=True):
            layer = root.create_group(name)
            layer.attrs["weight_names"] = np.array([f"{name}/kernel:0", f"{name}/bias:0"], dtype="S")
            axes = (2, 3, 1, 0) if kernel.ndim == 4 else (1, 0)
            layer[f"{name}/kernel:0"] = kernel.detach().permute(axes).numpy()
            layer[f"{name}/bias:0"] = bias.detach().numpy()
    return path


@pytest.mark.parametrize("group", ["model_weights", "/"])
def test_weights_of_both_versions_of_keras_are_read(tmp_path: Path, group: str) -> None:
    classifier = Classifier("carlini", (28, 28, 1), 10).ready()
    path = tmp_path / "weights.h5"
    if group == "/":
        with h5py.File(keras_file(tmp_path / "two.h5", classifier)) as old, h5py.File(path, "w") as new:
            for name in old["model_weights"]:
                old.copy(f"model_weights/{name}", new)
            new.attrs["layer_names"] = old["model_weights"].attrs["layer_names"]
    else:
        keras_file(path, classifier)
    inputs = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    assert torch.equal(load_keras(path, "carlini")(inputs), classifier(inputs))


def test_other_files_of_weights_are_refused_in_one_line(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "carlini.h5", Classifier("carlini", (28, 28, 1), 10))
    shape = r"the shape \(3, 3, 1, 32\) in place of \(8, 8, 1, 64\) in layer 1"
    with pytest.raises(UserError, match=rf"carlini\.h5: has {shape}, so its weights are not of the network cleverhans"):
        load_keras(path, "cleverhans")
    with pytest.raises(UserError, match=r"^small: published weights are read for carlini and cleverhans alone"):
        load_keras(path, "small")
    with h5py.File(path, "a") as file:
        layers = file["model_weights"].attrs["layer_names"]
        file["model_weights"].attrs["layer_names"] = layers[:3]
    with pytest.raises(UserError, match=r"carlini\.h5: has 6 arrays of weights in place of 14"):
        load_keras(path, "carlini")
    with h5py.File(path, "a") as file:
        file["model_weights"].attrs["layer_names"] = np.array(["absent"], dtype="S")
    with pytest.raises(UserError, match=r"carlini\.h5: is not a readable Keras file"):
        load_keras(path, "carlini")
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match=r"carlini\.h5: has no layers"):
        load_keras(path, "carlini")
    path.write_bytes(b"text")
    with pytest.raises(UserError, match=r"carlini\.h5: is not a readable Keras file"):
        load_keras(path, "carlini")
    with pytest.raises(UserError, match=r"absent\.h5: is not a file"):
        load_keras(tmp_path / "absent.h5", "carlini")


def test_weights_must_be_of_such_images() -> None:
    classifier = Classifier("small", (8, 8, 1), 10)
    classifier.check((8, 8, 1), 10, "weights.h5")
    message = "weights.h5: is of images with 8 x 8 pixels, 1 channels and 10 classes, but these have 8 x 8 pixels, 1 "
    with pytest.raises(UserError, match=f"^{message}channels and 3 classes; set weights to null to train$"):
        classifier.check((8, 8, 1), 3, "weights.h5")
