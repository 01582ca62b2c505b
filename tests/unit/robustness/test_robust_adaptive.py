"""The attack by somebody who knows the detector."""

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter
from sklearn.datasets import load_digits
from torch import Tensor, nn

from chromattend.robustness.adaptive import adaptive
from chromattend.robustness.attacks.base import Clock
from chromattend.robustness.detect import Detector, answers_of, fit_threshold, watched

SQUEEZERS = ["bits_1", "median_2"]


@pytest.fixture(scope="module")
def digits() -> tuple[nn.Module, Tensor, Tensor, float]:
    """A small trained net, images that it classifies right, their classes, and the threshold of a detector."""
    images, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy((images / 16).astype(np.float32)).view(-1, 1, 8, 8)
    classes = torch.from_numpy(labels.astype(np.int64))
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(576, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(40):
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(pixels[:600]), classes[:600]).backward()
        optimiser.step()
    net.eval().requires_grad_(False)
    detector = Detector(tuple(SQUEEZERS))
    threshold = fit_threshold(detector.scores(answers_of(net, pixels[1000:1400], set(SQUEEZERS))), 0.05)
    right = net(pixels[1400:1440]).argmax(1) == classes[1400:1440]
    return net, pixels[1400:1440][right][:8], classes[1400:1440][right][:8], threshold


def test_adaptive_images_pass_the_detector(digits: tuple[nn.Module, Tensor, Tensor, float]) -> None:
    net, images, labels, threshold = digits
    changed, table = adaptive(watched(net, SQUEEZERS), images, labels, threshold, Clock(), rounds=2, iterations=100)
    assert list(table.columns) == ["success", "undetected", "l2", "linf"]
    assert table["undetected"].mean() >= 0.9
    # Checked apart from the attack, with scipy's median and numpy's rounding, on what a file of 8 bits keeps.
    saved = np.rint(changed.numpy() * 255).astype(np.uint8)
    read = (saved / np.float32(255)).astype(np.float32)
    assert np.array_equal(read, changed.numpy())
    copies = [np.rint(read), median_filter(read, size=(1, 1, 2, 2), mode="reflect")]
    plain, *squeezed = (net(torch.from_numpy(one)).softmax(1) for one in (read, *copies))
    wrong = plain.argmax(1) != labels
    score = torch.stack([(plain - one).abs().sum(1) for one in squeezed]).amax(0)
    assert table["success"].tolist() == wrong.tolist()
    assert table["undetected"].tolist() == (wrong & (score <= threshold)).tolist()
    difference = (read - images.numpy()).reshape(len(images), -1)
    assert table["l2"].tolist() == pytest.approx(np.linalg.norm(difference, axis=1).tolist())
    assert table["linf"].tolist() == pytest.approx(abs(difference).max(axis=1).tolist())


def test_more_rounds_come_nearer(digits: tuple[nn.Module, Tensor, Tensor, float]) -> None:
    net, images, labels, threshold = digits
    look = watched(net, SQUEEZERS)
    one, several = (
        adaptive(look, images[:4], labels[:4], threshold, Clock(), rounds=rounds, iterations=60)[1] for rounds in (1, 3)
    )
    both = one["undetected"] & several["undetected"]
    assert both.any()
    assert (several["l2"] <= one["l2"])[both].all()
    assert several["l2"][both].mean() < 0.95 * one["l2"][both].mean()


def test_an_attack_out_of_time_returns_the_originals(digits: tuple[nn.Module, Tensor, Tensor, float]) -> None:
    net, images, labels, threshold = digits
    changed, table = adaptive(watched(net, SQUEEZERS), images, labels, threshold, Clock(seconds=0))
    assert torch.equal(changed, images)
    assert not table[["success", "undetected"]].any(axis=None)
    assert table[["l2", "linf"]].isna().all(axis=None)


def test_detected_images_are_returned_where_none_passes(digits: tuple[nn.Module, Tensor, Tensor, float]) -> None:
    net, images, labels, _ = digits

    def look(inputs: Tensor) -> tuple[Tensor, Tensor]:
        return net(inputs), 0 * inputs.sum(dim=(1, 2, 3)) + 2

    changed, table = adaptive(look, images[:4], labels[:4], 0.5, Clock(), rounds=1, iterations=60)
    assert table["success"].all()
    assert not table["undetected"].any()
    assert (table["l2"] > 0).all()
    assert (net(changed).argmax(1) != labels[:4]).all()
