"""Detection of changed inputs: thresholds, scores, tables of images and counts."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm
from torch import Tensor

from chromattend.errors import UserError
from chromattend.models.base import Scores
from chromattend.robustness.detect import (
    Answers,
    Detector,
    detect_counts,
    detect_images,
    detection_rows,
    distance,
    fit_threshold,
    watched,
)
from chromattend.robustness.squeeze import Squeezer
from chromattend.robustness.subject import CountModel


def answers(*scores: float) -> Answers:
    """Return answers of two classes whose L1 distance from those of the squeezer `s` are the scores."""
    moved = torch.tensor(scores, dtype=torch.float64) / 2
    plain = torch.stack([1 - moved, moved], dim=1)
    return Answers(plain, {"s": torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(len(scores), -1)})


@pytest.mark.parametrize(
    ("number", "false_positives", "place"),
    [(100, 0.05, 95), (20, 0.05, 19), (10, 0.1, 9), (100, 0.59, 41), (7, 0.05, 7), (1, 0.5, 1), (1100, 0.05, 1045)],
)
def test_threshold_is_the_score_of_its_place(number: int, false_positives: float, place: int) -> None:
    scores = np.random.default_rng(1).permutation(np.arange(1, number + 1)).astype(float)
    assert fit_threshold(scores, false_positives) == place


@settings(max_examples=50, deadline=None)
@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 2.0]), min_size=1, max_size=60),
    false_positives=st.floats(0.01, 0.99),
)
def test_at_most_the_given_share_of_legitimate_inputs_is_flagged(scores: list[float], false_positives: float) -> None:
    threshold = fit_threshold(np.array(scores), false_positives)
    assert (np.array(scores) > threshold).mean() <= false_positives + 1e-9


def test_threshold_needs_legitimate_inputs() -> None:
    with pytest.raises(UserError, match=r"^detector: has no legitimate inputs"):
        fit_threshold(np.zeros(0), 0.05)


def test_score_is_the_largest_distance_over_the_squeezers() -> None:
    plain = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0]])
    first = torch.tensor([[0.7, 0.1, 0.2], [1.0, 0.0, 0.0]])
    second = torch.tensor([[0.4, 0.5, 0.1], [0.0, 0.0, 1.0]])
    both = Answers(plain, {"a": first, "b": second})
    assert distance(plain, [first]).tolist() == pytest.approx([0.2, 2.0])
    assert Detector(("b",)).scores(both).tolist() == pytest.approx([0.6, 0.0])
    assert Detector(("a", "b")).scores(both).tolist() == pytest.approx([0.6, 2.0])
    assert Detector().scores(both).tolist() == pytest.approx([0.3, 0.0])
    # Means over the squeezers: .55, .3, .15 and .5, 0, .5; the first of two equal ones is taken.
    assert Detector(("a", "b")).repaired(both, np.array([0, 2])) == 0.5
    assert Detector(("b",)).repaired(both, np.array([1, 2])) == 1.0
    assert np.isnan(Detector().repaired(both, np.array([0, 2])))


def test_rows_of_detection() -> None:
    fitted, legitimate = answers(*np.arange(1, 21) / 20), answers(0.1, 0.2, 0.96, 1.0)
    changed = {"fgsm": (answers(0.5, 0.97, 1.2, 1.5), np.array([0, 0, 1, 1]))}
    table = detection_rows([["s"]], fitted, legitimate, changed, 0.05)
    assert table["detector"].tolist() == ["s", "low confidence"]
    row = table.iloc[0]
    assert (row["attack"], row["n"], row["detected"]) == ("fgsm", 4, 0.75)
    assert (row["threshold"], row["false_positives"], row["repaired"]) == (0.95, 0.5, 0.5)
    # 14 of 16 pairs: .5 is below two legitimate ones, .97 below one.
    assert row["auc"] == pytest.approx(13 / 16)
    z = norm.ppf(0.975)
    centre, width = (0.75 + z**2 / 8) / (1 + z**2 / 4), z * np.sqrt(0.75 * 0.25 / 4 + z**2 / 64) / (1 + z**2 / 4)
    assert [row["low"], row["high"]] == pytest.approx([centre - width, centre + width])


@settings(max_examples=20, deadline=None)
@given(scores=st.lists(st.floats(0, 2), min_size=0, max_size=8))
def test_changed_inputs_never_move_the_threshold(scores: list[float]) -> None:
    fitted, legitimate = answers(0.1, 0.2, 0.3, 0.4), answers(0.1, 0.35)
    table = detection_rows([["s"]], fitted, legitimate, {"bim": (answers(*scores), np.zeros(len(scores), int))}, 0.25)
    assert table["threshold"].tolist() == pytest.approx([0.3, 0.15])
    assert table["false_positives"].tolist() == [0.5, 0.5]
    assert table["detected"].isna().tolist() == [not scores] * 2


def brightness(images: Tensor) -> Tensor:
    """Return the logits of two classes, dark and bright, of images."""
    bright = 8 * (images.mean(dim=(1, 2, 3)) - 0.5)
    return torch.stack([-bright, bright], dim=1)


def test_detection_of_images() -> None:
    generator = torch.Generator().manual_seed(1)
    # Nearly black and nearly white images.
    labels = torch.arange(40) % 2
    images = labels[:, None, None, None] * 0.9 + 0.1 * torch.rand(40, 1, 6, 6, generator=generator)
    # Grey ones, which one bit turns black or white.
    grey = {"cw2-next": (torch.full((5, 1, 6, 6), 0.51), np.zeros(5, int)), "none": (images[:0], np.zeros(0, int))}
    detection = detect_images(brightness, images[:20], (images[20:], labels[20:].numpy()), grey, [["bits_1"]], 0.1)
    table = detection.table.set_index(["detector", "attack"])
    assert list(table.index) == [
        (name, attack) for name in ("bits_1", "low confidence") for attack in ("all", "legitimate", "cw2-next", "none")
    ]
    bits = table.loc["bits_1"]
    assert bits["n"].tolist() == [5, 20, 5, 0]
    assert bits["detected"].tolist()[:3] == [1.0, bits["false_positives"].iloc[0], 1.0]
    assert bits["auc"].isna().tolist() == [False, True, False, True]
    # Squeezed grey is white, as wrong as before; legitimate images keep their class.
    assert bits["repaired"].tolist()[:3] == [0.0, 1.0, 0.0]
    roc = detection.roc
    assert list(roc.columns) == ["detector", "false_positives", "detected"]
    assert roc["detector"].unique().tolist() == ["bits_1", "low confidence"]
    area = roc[roc["detector"] == "bits_1"]
    assert np.trapezoid(area["detected"], area["false_positives"]) == pytest.approx(bits["auc"].iloc[0])


def test_detection_of_images_without_adversarial_ones() -> None:
    images, labels = torch.rand(10, 1, 4, 4), np.zeros(10, int)
    detection = detect_images(
        brightness, images, (images, labels), {"fgsm": (images[:0], labels[:0])}, [["median_3"]], 0.2
    )
    assert detection.roc.empty
    legitimate = detection.table.query("attack == 'legitimate' and detector == 'median_3'")
    assert legitimate["detected"].tolist() == [0.2]


def test_watched_gives_the_detectors_own_score() -> None:
    images = torch.rand(6, 1, 5, 5, generator=torch.Generator().manual_seed(2), requires_grad=True)
    logits, score = watched(brightness, ["bits_1", "median_2"])(images)
    squeezed = [brightness(Squeezer.parse(name)(images)).softmax(1) for name in ("bits_1", "median_2")]
    assert torch.equal(logits, brightness(images))
    assert torch.equal(score, distance(brightness(images).softmax(1), squeezed))
    score.sum().backward()
    assert images.grad.abs().sum() > 0


class Spikes:
    """A model that calls a gene ON if a bin of the first mark has many reads."""

    input_spec = SimpleNamespace(model="spikes", noun="gene")

    def scores_of(self, signal: np.ndarray) -> Scores:
        probability = 1 / (1 + np.exp(4 - signal[..., 0].max(axis=1)))
        return Scores(probability, probability[None])


def test_detection_of_edited_counts() -> None:
    generator = np.random.default_rng(4)
    valid, test = (generator.poisson(1.0, (40, 20, 2)) for _ in range(2))
    labels = np.zeros(40, dtype=int)
    # One bin with many reads, which a median removes.
    spiked = test.copy()
    spiked[:, 7, 0] = 12
    turned = np.arange(40) < 25
    model = CountModel("spikes", Spikes(), np.ones((1, 1, 2), dtype=np.float32), threshold=0.9)  # type: ignore[arg-type]
    table = detect_counts(
        model,
        valid,
        test,
        labels,
        {"reads": (spiked, turned), "redraw": (test, ~turned), "entries": (test, np.zeros(40, dtype=bool))},
        [["median_3"], ["bits_3", "nlm_5_3_4"]],
        0.05,
    )
    assert list(table.columns) == [
        *("detector", "edits", "threshold", "false_positives", "genes", "detected", "low", "high", "auc", "repaired"),
    ]
    assert table["detector"].unique().tolist() == ["median_3", "bits_3 + nlm_5_3_4", "low confidence"]
    rows = table.set_index(["detector", "edits"])
    assert rows.loc["median_3", "genes"].to_dict() == {"reads": 25, "redraw": 15, "entries": 0}
    assert rows.loc[("median_3", "reads"), ["detected", "auc", "repaired"]].tolist() == [1.0, 1.0, 1.0]
    assert rows.loc[("median_3", "redraw"), "detected"] < 0.3
    assert pd.isna(rows.loc[("median_3", "entries"), "detected"])
    # A spike of 12 is a sure call: its probability leaves no doubt.
    assert rows.loc[("low confidence", "reads"), "detected"] == 0.0


def test_confidence_of_counts_is_relative_to_the_threshold_of_calls() -> None:
    """A gene at the threshold has the lowest confidence, whatever the threshold."""
    counts = np.zeros((3, 4, 1), dtype=int)
    counts[:, 0, 0] = [2, 4, 6]
    probabilities = Spikes().scores_of(counts.astype(float)).joint
    model = CountModel("spikes", Spikes(), np.ones((1, 1, 1), dtype=np.float32), threshold=float(probabilities[2]))  # type: ignore[arg-type]
    table = detect_counts(model, counts[2:], counts, np.zeros(3), {"reads": (counts, np.ones(3, bool))}, [], 0.05)
    assert table["threshold"].tolist() == pytest.approx([0.5])
    assert table["false_positives"].tolist() == [0.0]
