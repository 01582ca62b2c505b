"""Registry of classifiers of images: the names that the configuration can list, and what is known of each.

Classes are named as text and imported on demand: planning a study imports no torch.
"""

import importlib
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NetworkSpec:
    """Properties of a network that are known without importing it.

    Attributes:
        name: name in the configuration and in file names.
        title: name in tables and figures.
        builder: class, as `module:name` below `chromattend.robustness.images`.
        source: paper and section.
        side: height and width (pixels) that images of a folder are scaled to; None for any.
        published: data set that the paper reports figures of the network for, if it does.
        shape: height, width and channels of that set's images.
        classes: number of its classes.
        weights: whether published weights can be read, see `chromattend.robustness.images.keras`.
    """

    name: str
    title: str
    builder: str
    source: str
    side: int | None = None
    published: str = ""
    shape: tuple[int, int, int] | None = None
    classes: int | None = None
    weights: bool = False

    def load(self) -> Any:
        """Import and return the class, see `chromattend.robustness.images.architectures`."""
        module, _, name = self.builder.partition(":")
        return getattr(importlib.import_module(f"chromattend.robustness.images.{module}"), name)

    def reported_for(self, shape: tuple[int, int, int], classes: int) -> str:
        """Return the data set that published figures are of, if images and classes are like its; else nothing.

        Args:
            shape: height, width and channels of the images.
            classes: number of classes.
        """
        return self.published if (tuple(shape), classes) == (self.shape, self.classes) else ""


_XU = "Xu, Evans, Qi, NDSS 2018, section III.B"
_MNIST: dict[str, Any] = {"side": 28, "published": "MNIST", "shape": (28, 28, 1), "classes": 10, "weights": True}

NETWORKS = {
    spec.name: spec
    for spec in (
        NetworkSpec("small", "Small CNN", "architectures:Small", "two convolutions, one hidden layer"),
        NetworkSpec(
            "carlini",
            "CNN of Carlini and Wagner",
            "architectures:Carlini",
            f"Carlini, Wagner, S&P 2017, table I; {_XU}",
            **_MNIST,
        ),
        NetworkSpec(
            "cleverhans",
            "CNN of Cleverhans",
            "architectures:Cleverhans",
            "Papernot et al., arXiv 1610.00768",
            **_MNIST,
        ),
        NetworkSpec(
            "densenet",
            "DenseNet-40",
            "architectures:DenseNet",
            f"Huang, Liu, Weinberger, CVPR 2017, section 3; {_XU}",
            side=32,
            published="CIFAR-10",
            shape=(32, 32, 3),
            classes=10,
        ),
        NetworkSpec(
            "mobilenet",
            "MobileNet",
            "architectures:MobileNet",
            f"Howard et al., arXiv 1704.04861, table 1; {_XU}",
            side=224,
            published="ImageNet",
            shape=(224, 224, 3),
            classes=1000,
        ),
    )
}
