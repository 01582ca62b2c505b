"""Measures of changed inputs."""

import numpy as np
import pytest
import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.robustness.attacks.base import Problem
from chromattend.robustness.attacks.outcome import outcomes


def score(inputs: Tensor) -> Tensor:
    """Three classes: the sums of the three pixels over the colours."""
    return inputs.sum(dim=1).flatten(1)


# Images of two colours and three pixels, whose class is the brightest pixel.
IMAGES = torch.tensor([[[0.9, 0.0, 0.1], [0.9, 0.0, 0.0]], [[0.0, 0.5, 0.0], [0.0, 1.0, 0.2]], [[0.0] * 3, [0, 0, 1]]])
LABELS = torch.tensor([0, 1, 2])
CHANGED = IMAGES.clone()
CHANGED[0, :, 0] = torch.tensor([0.0, 0.1])  # class 0 becomes 2, by a pixel of two colours
CHANGED[1, 0, 2] = 0.4  # class 1 stays
CHANGED[2, 1, 2], CHANGED[2, 0, 0] = 0.0, 0.5  # class 2 becomes 0, by two pixels of one colour each


def test_measures_of_changed_images() -> None:
    table = outcomes(Problem(score, IMAGES[:, :, None], LABELS, channels=1), CHANGED[:, :, None])
    assert list(table) == ["predicted", "success", "confidence", "l0", "l2", "linf"]
    # The first image has 0.1 in both pixels 0 and 2; the first of equals is predicted.
    assert table["predicted"].tolist() == [0, 1, 0]
    assert table["success"].tolist() == [False, False, True]
    assert table["l0"].tolist() == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert table["l2"].tolist() == pytest.approx([np.hypot(0.9, 0.8), 0.4, np.hypot(1, 0.5)])
    assert table["linf"].tolist() == pytest.approx([0.9, 0.4, 1])
    assert table["confidence"].tolist() == pytest.approx(
        [
            np.exp(0.1) / (2 * np.exp(0.1) + 1),
            np.exp(1.5) / (np.exp(1.5) + np.exp(0.6) + 1),
            np.exp(0.5) / (np.exp(0.5) + 2),
        ]
    )


def test_entries_count_by_themselves_without_channels() -> None:
    table = outcomes(Problem(score, IMAGES, LABELS), CHANGED)
    assert table["l0"].tolist() == pytest.approx([2 / 6, 1 / 6, 2 / 6])


def test_only_the_target_is_a_success_of_an_attack_that_aims() -> None:
    for targets, success in (([1, 0, 0], [False, False, True]), ([1, 0, 1], [False, False, False])):
        table = outcomes(Problem(score, IMAGES, LABELS, torch.tensor(targets)), CHANGED)
        assert table["success"].tolist() == success


def test_inputs_that_were_wrong_before_are_refused() -> None:
    with pytest.raises(UserError) as caught:
        outcomes(Problem(score, IMAGES, torch.tensor([0, 2, 1])), CHANGED)
    assert str(caught.value) == (
        "inputs: input 1 of class 2 is classified as 1 unchanged; attack only inputs that are classified right"
    )
