"""What tests of attacks share."""

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from chromattend.robustness.attacks.base import Problem


@pytest.fixture(scope="session")
def digits_problem() -> Problem:
    """A convolutional network for scikit-learn's digits, and the digits that it did not learn and classifies right."""
    source = load_digits()
    images = torch.tensor(source.images / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(source.target, dtype=torch.int64)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(96, 10),
        )
        optimiser = torch.optim.Adam(network.parameters(), 0.02)
        for _ in range(40):
            optimiser.zero_grad()
            nn.functional.cross_entropy(network(images[:1000]), labels[:1000]).backward()
            optimiser.step()
    network.eval().requires_grad_(False)
    images, labels = images[1000:], labels[1000:]
    right = network(images).argmax(dim=1) == labels
    assert right.float().mean() > 0.9
    return Problem(network, images[right], labels[right], channels=1)
