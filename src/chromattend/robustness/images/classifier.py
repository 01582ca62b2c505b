"""A classifier of images: a network of the registry with its sizes, and what it says of images."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.models.network import in_batches
from chromattend.robustness.images.networks import NETWORKS


class Classifier(nn.Module):
    """A network that takes images with pixels between 0 and 1.

    Attributes:
        name: name of the network in the registry.
        shape: height, width and channels of the images.
        classes: number of classes.
    """

    def __init__(self, name: str, shape: tuple[int, int, int], classes: int) -> None:
        """Build the network with random weights, by torch's random numbers.

        Args:
            name: name of the network in the registry.
            shape: height, width and channels of the images.
            classes: number of classes.

        Raises:
            UserError: the images are too small for the network.
        """
        super().__init__()
        self.name, self.shape, self.classes = name, (shape[0], shape[1], shape[2]), classes
        height, width, channels = self.shape
        try:
            self.network = NETWORKS[name].load()(channels, height, width, classes)
        except ValueError as error:
            raise UserError(f"{name}: {error}; choose the network small, or larger images") from None

    @property
    def parameters_count(self) -> int:
        """Number of weights that a training fits."""
        return sum(weights.numel() for weights in self.parameters())

    def check(self, shape: tuple[int, int, int], classes: int, source: str | Path) -> None:
        """Raise a `UserError` that names the source of the weights if they are not of such images."""
        if (self.shape, self.classes) != (shape, classes):
            own, other = (
                f"{height} x {width} pixels, {channels} channels and {number} classes"
                for (height, width, channels), number in ((self.shape, self.classes), (shape, classes))
            )
            raise UserError(f"{source}: is of images with {own}, but these have {other}; set weights to null to train")

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (image, class), of images between 0 and 1, shape (image, channel, height, width)."""
        logits: Tensor = self.network(images)
        return logits

    @torch.inference_mode()
    def probabilities(self, images: Tensor) -> Tensor:
        """Return the probabilities of all classes, shape (image, class), in batches."""
        return in_batches(lambda some: self(some).softmax(dim=1), images)

    def save(self, path: str | Path) -> None:
        """Write a file of plain types and tensors, so that loading it runs no code."""
        content = {
            "network": self.name,
            "shape": list(self.shape),
            "classes": self.classes,
            "state_dict": self.state_dict(),
        }
        # If given a path, torch would write the name of the temporary file into the file.
        with atomic(path) as temporary, open(temporary, "wb") as file:
            torch.save(content, file)

    def ready(self) -> "Classifier":
        """Return the classifier as it is attacked: without dropout, and without gradients of its weights."""
        return self.eval().requires_grad_(False)


def load_classifier(path: str | Path) -> Classifier:
    """Read a classifier from `Classifier.save`; no code is run."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    classifier = Classifier(content["network"], tuple(content["shape"]), content["classes"])
    classifier.load_state_dict(content["state_dict"])
    return classifier.ready()


def as_inputs(pixels: np.ndarray) -> Tensor:
    """Return images between 0 and 1, float32 of shape (image, channel, height, width).

    Args:
        pixels: uint8, shape (image, height, width, channel).
    """
    return torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32)) / 255


def as_pixels(inputs: Tensor) -> np.ndarray:
    """Return images as they are saved, the inverse of `as_inputs`: rounded to 8 bits."""
    rounded: np.ndarray = (inputs * 255).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
    return rounded


def measure(classifier: Classifier, pixels: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Return how good a classifier is.

    Args:
        classifier: the classifier.
        pixels: uint8, shape (image, height, width, channel).
        labels: classes, shape (image,).

    Returns:
        accuracy, and confidence: the mean probability of the true class, over all images, as in the paper.
    """
    probabilities = classifier.probabilities(as_inputs(pixels)).double().numpy()
    return {
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "confidence": float(probabilities[np.arange(len(labels)), labels].mean()),
    }
