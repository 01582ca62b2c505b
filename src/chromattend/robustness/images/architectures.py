"""Architectures of classifiers of images, from pixels between 0 and 1 to logits.

Each is a class of the number of channels, the height, the width and the number of classes. Images have the shape
(image, channel, height, width). Values are flattened with the channels last, as in Keras, so that published weights
fit.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

# Added to the variance in batch normalisation, as in the published networks.
_DENSENET_EPS, _MOBILENET_EPS = 1.1e-5, 1e-3


class _Centre(nn.Module):
    """Move pixels between 0 and 1 to between -0.5 and 0.5."""

    def forward(self, images: Tensor) -> Tensor:
        return images - 0.5


class _ChannelsLast(nn.Module):
    """Flatten images with the channels last."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 2, 3, 1).flatten(1)


class _Stack(nn.Sequential):
    """Convolutions, flattened into a head of dense layers whose first size follows from the images."""

    def __init__(self, body: Sequence[nn.Module], channels: int, height: int, width: int) -> None:
        super().__init__(*body, _ChannelsLast())
        # The convolutions of the smallest images would have no output.
        with torch.no_grad():
            try:
                self.features = self(torch.zeros(1, channels, height, width)).shape[1]
            except RuntimeError:
                raise ValueError(f"images of {height} x {width} pixels are too small for its layers") from None


class Small(_Stack):
    """Two convolutions of 5 x 5 with 16 and 32 channels and pooling, and a hidden layer of 128 units."""

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        """Build with random weights."""
        body = [
            _Centre(),
            *(nn.Conv2d(channels, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(16, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)),
        ]
        super().__init__(body, channels, height, width)
        self.extend([nn.Linear(self.features, 128), nn.ReLU(), nn.Dropout(0.25), nn.Linear(128, classes)])


class Carlini(_Stack):
    """The network of Carlini and Wagner (S&P 2017, table I) for MNIST, with which the paper's MNIST table is made."""

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        """Build with random weights: 312,202 parameters for 10 classes of 28 x 28 grey pixels."""
        body: list[nn.Module] = [_Centre()]
        for inputs, outputs in ((channels, 32), (32, 64)):
            body += [nn.Conv2d(inputs, outputs, 3), nn.ReLU(), nn.Conv2d(outputs, outputs, 3), nn.ReLU()]
            body.append(nn.MaxPool2d(2))
        super().__init__(body, channels, height, width)
        self.extend([nn.Linear(self.features, 200), nn.ReLU(), nn.Dropout(0.5)])
        self.extend([nn.Linear(200, 200), nn.ReLU(), nn.Linear(200, classes)])


class Cleverhans(_Stack):
    """The network of the Cleverhans tutorials for MNIST (Papernot et al., arXiv 1610.00768); pixels are not centred."""

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        """Build with random weights: 710,218 parameters for 10 classes of 28 x 28 grey pixels."""
        body = [
            nn.Dropout(0.2),
            *(nn.Conv2d(channels, 64, 8, stride=2, padding=3), nn.ReLU()),
            *(nn.Conv2d(64, 128, 6, stride=2), nn.ReLU()),
            *(nn.Conv2d(128, 128, 5), nn.ReLU()),
        ]
        super().__init__(body, channels, height, width)
        self.extend([nn.Dropout(0.5), nn.Linear(self.features, classes)])


class _DenseLayer(nn.Module):
    """A layer whose outputs are joined to its inputs."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels, _DENSENET_EPS),
            nn.ReLU(),
            nn.Conv2d(channels, growth, 3, padding=1, bias=False),
        )

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, self.layers(images)], dim=1)


class DenseNet(nn.Sequential):
    """DenseNet of 40 layers with a growth of 12 channels (Huang, Liu, Weinberger, CVPR 2017, section 3).

    The paper's network for CIFAR-10.
    """

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        """Build with random weights: 1,019,722 parameters for 10 classes of coloured images of any size."""
        if min(height, width) < 4:
            raise ValueError(f"images of {height} x {width} pixels are too small for its layers")
        growth, size = 12, 16
        layers: list[nn.Module] = [_Centre(), nn.Conv2d(channels, size, 3, padding=1, bias=False)]
        for block in range(3):
            if block:
                layers += [nn.BatchNorm2d(size, _DENSENET_EPS), nn.ReLU()]
                layers += [nn.Conv2d(size, size, 1, bias=False), nn.AvgPool2d(2)]
            for _ in range(12):
                layers.append(_DenseLayer(size, growth))
                size += growth
        layers += [nn.BatchNorm2d(size, _DENSENET_EPS), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*layers, nn.Linear(size, classes))


class MobileNet(nn.Sequential):
    """MobileNet with the width 1 (Howard et al., arXiv 1704.04861, table 1), the paper's network for ImageNet.

    It learns from a local folder of images. It has never been run on ImageNet here, and published weights are not read,
    so none of the paper's figures of ImageNet are claimed for it.
    """

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        """Build with random weights: 4,231,976 parameters for 1,000 classes of coloured images of any size."""
        layers: list[nn.Module] = [_Centre(), *self._convolution(channels, 32, 3, stride=2)]
        size = 32
        for outputs, stride in (
            *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
            *[(512, 1)] * 5,
            *((1024, 2), (1024, 1)),
        ):
            layers += self._convolution(size, size, 3, stride=stride, groups=size)
            layers += self._convolution(size, outputs, 1)
            size = outputs
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.001)]
        super().__init__(*layers, nn.Linear(size, classes))

    @staticmethod
    def _convolution(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, groups=groups, bias=False)
        return [convolution, nn.BatchNorm2d(outputs, _MOBILENET_EPS), nn.ReLU6()]
