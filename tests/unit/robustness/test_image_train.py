"""Training of classifiers of images."""

import numpy as np
import pytest
import torch

from chromattend.robustness.images.classifier import Classifier, measure
from chromattend.robustness.images.data import ImageSet, read_images, split
from chromattend.robustness.images.train import HISTORY, changed, train_classifier


def test_digits_are_learned_in_seconds() -> None:
    digits = read_images("digits")
    parts = split(len(digits.labels), (0.6, 0.2, 0.2), 1)
    classifier, history = train_classifier("small", digits.part(parts.train), epochs=15, seed=1)
    test = digits.part(np.concatenate([parts.detector, parts.test]))
    # Seen with the seeds 1 to 5: .969 to .976.
    assert measure(classifier, test.pixels, test.labels)["accuracy"] > 0.95
    assert list(history) == HISTORY
    assert history["epoch"].tolist() == list(range(15))
    assert history["train_loss"].iloc[-1] < 0.5 < history["train_loss"].iloc[0]
    assert history["learning_rate"].iloc[-1] < 1e-6
    assert not classifier.training
    assert not any(weights.requires_grad for weights in classifier.parameters())


def test_a_training_depends_on_its_seed_alone() -> None:
    digits = read_images("digits")
    some = digits.part(np.arange(100))

    def weights(seed: int) -> torch.Tensor:
        classifier, _ = train_classifier("small", some, epochs=2, seed=seed)
        torch.rand(3)  # moves torch's own random numbers
        return torch.cat([one.flatten() for one in classifier.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_a_training_leaves_the_random_numbers_of_others_alone() -> None:
    digits = read_images("digits")
    torch.manual_seed(5)
    first = torch.rand(3)
    torch.manual_seed(5)
    train_classifier("small", digits.part(np.arange(20)), epochs=1, seed=1)
    assert torch.equal(torch.rand(3), first)


@pytest.mark.parametrize(("side", "most"), [(28, 2), (8, 1)])
def test_images_move_by_few_pixels(side: int, most: int) -> None:
    images = torch.zeros(300, 1, side, side)
    images[:, :, 4, 3] = 1
    moved = changed(images, torch.Generator().manual_seed(1))
    places = torch.nonzero(moved[:, 0])
    assert len(places) == 300
    by = places[:, 1:] - torch.tensor([4, 3])
    assert by.abs().amax() == most
    assert {tuple(one) for one in by.tolist()} == {
        (row, column) for row in range(-most, most + 1) for column in range(-most, most + 1)
    }


def test_coloured_images_are_mirrored_too() -> None:
    images = torch.zeros(100, 3, 6, 6)  # too small to move
    images[:, 1, 2, 0] = 1
    places = torch.nonzero(changed(images, torch.Generator().manual_seed(1)))
    assert places[:, 1:3].unique(dim=0).tolist() == [[1, 2]]
    assert sorted(places[:, 3].unique().tolist()) == [0, 5]


def test_a_last_batch_of_one_image_does_not_stop_a_network_with_normalisation() -> None:
    rng = np.random.default_rng(1)
    count = 65
    pixels = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    images = ImageSet(pixels, np.arange(count) % 2, ("a", "b"), np.arange(count))
    classifier, history = train_classifier("mobilenet", images, epochs=1, seed=1)
    assert isinstance(classifier, Classifier)
    assert np.isfinite(history["train_loss"]).all()
