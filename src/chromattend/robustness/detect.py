"""Detection of changed inputs by feature squeezing (Xu, Evans, Qi, NDSS 2018, section V), beside a control.

A detector learns its threshold from legitimate inputs alone: no changed input is ever shown to it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.models.network import in_batches
from chromattend.robustness.attacks.base import Score
from chromattend.robustness.squeeze import Squeezer, largest_logs, squeeze_counts
from chromattend.robustness.study import ALL, CONTROL, JOINER, LEGITIMATE
from chromattend.robustness.subject import CountModel
from chromattend.statistics import share


@dataclass(frozen=True)
class Answers:
    """What a model says of inputs and of their squeezed copies.

    Attributes:
        plain: probabilities of all classes, shape (example, class).
        squeezed: name of a squeezer -> probabilities, shape (example, class).
    """

    plain: Tensor
    squeezed: Mapping[str, Tensor]

    @classmethod
    def joined(cls, several: Sequence["Answers"]) -> "Answers":
        """Return the answers of several sets of inputs as those of one."""
        names = several[0].squeezed
        return cls(
            torch.cat([one.plain for one in several]),
            {name: torch.cat([one.squeezed[name] for one in several]) for name in names},
        )


def distance(plain: Tensor, squeezed: Sequence[Tensor]) -> Tensor:
    """Return the largest L1 distance of the answer from the answers to squeezed copies, from 0 to 2, shape (example,).

    Section V.A of the paper. Differentiable.

    Args:
        plain: probabilities of all classes, shape (example, class).
        squeezed: the same for each squeezer.
    """
    return torch.stack([(plain - one).abs().sum(dim=1) for one in squeezed]).amax(dim=0)


@dataclass(frozen=True)
class Detector:
    """A detector, which flags inputs with a score above its threshold.

    Attributes:
        squeezers: names of the squeezers that it joins; the control has none, and its score is 1 minus the largest
            probability. Attacks that stop at the boundary leave inputs of low confidence, which the control finds
            without squeezing.
    """

    squeezers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name in tables."""
        return JOINER.join(self.squeezers) or CONTROL

    def scores(self, answers: Answers) -> np.ndarray:
        """Return the score of each input, float64, shape (example,); see `distance`."""
        if not self.squeezers:
            scores = 1 - answers.plain.amax(dim=1)
        else:
            scores = distance(answers.plain, [answers.squeezed[name] for name in self.squeezers])
        return scores.double().numpy()

    def repaired(self, answers: Answers, labels: np.ndarray) -> float:
        """Return the share of inputs whose class is right after squeezing; NaN for the control or without inputs.

        A joint detector takes the class with the largest mean probability over its squeezers, so their order does not
        matter and each has the same weight.

        Args:
            answers: answers to the inputs.
            labels: true classes, shape (example,).
        """
        if not self.squeezers or not len(labels):
            return np.nan
        mean = torch.stack([answers.squeezed[name] for name in self.squeezers]).mean(dim=0)
        return float((mean.argmax(dim=1).numpy() == labels).mean())


def fit_threshold(legitimate: np.ndarray, false_positives: float) -> float:
    """Return the threshold of a detector: the ceil((1 - false_positives) n)-th smallest score of legitimate inputs.

    Section V.B of the paper. Inputs with a score above it are flagged, so at most the given share of these n is.

    Args:
        legitimate: scores of inputs that nobody changed, shape (example,).
        false_positives: share of them that may be flagged.

    Raises:
        UserError: `legitimate` is empty.
    """
    if not len(legitimate):
        raise UserError("detector: has no legitimate inputs to learn its threshold from; give its part more of them")
    # Without rounding, the 42nd of 100 scores would be taken for a share of 0.59: 0.41 * 100 is 41.00000000000001.
    kept = math.ceil(round((1 - false_positives) * len(legitimate), 9))
    return float(np.sort(legitimate)[kept - 1])


def detection_rows(
    detectors: Sequence[Sequence[str]],
    fitted: Answers,
    legitimate: Answers,
    changed: Mapping[str, tuple[Answers, np.ndarray]],
    false_positives: float,
) -> pd.DataFrame:
    """Return how well detectors and the control flag sets of changed inputs.

    Args:
        detectors: squeezers of each detector.
        fitted: answers to the legitimate inputs that give the thresholds.
        legitimate: answers to other legitimate inputs, which give the false positives.
        changed: name -> answers to changed inputs, and their true classes.
        false_positives: share of `fitted` that may be flagged.

    Returns:
        One row per detector and name: detector, attack (the name), threshold, false_positives (flagged share of
        `legitimate`), n (changed inputs), detected (flagged share of them), low, high (95 %, Wilson), auc (of the
        scores, changed against `legitimate`) and repaired (see `Detector.repaired`). Shares of no inputs are NaN.
    """
    rows = []
    for detector in _with_control(detectors):
        threshold = fit_threshold(detector.scores(fitted), false_positives)
        others = detector.scores(legitimate)
        for name, (answers, labels) in changed.items():
            scores = detector.scores(answers)
            rows.append(
                {
                    "detector": detector.name,
                    "attack": name,
                    "threshold": threshold,
                    "false_positives": float((others > threshold).mean()),
                    "n": len(scores),
                    **share("detected", scores > threshold),
                    "auc": _auc(others, scores),
                    "repaired": detector.repaired(answers, labels),
                }
            )
    return pd.DataFrame(rows)


class Detection(NamedTuple):
    """Detection of adversarial images.

    Attributes:
        table: see `detect_images`.
        roc: detector, false_positives, detected: the ROC curve of all adversarial images, a row per step.
    """

    table: pd.DataFrame
    roc: pd.DataFrame


def detect_images(
    score: Score,
    fitted: Tensor,
    legitimate: tuple[Tensor, np.ndarray],
    adversarial: Mapping[str, tuple[Tensor, np.ndarray]],
    detectors: Sequence[Sequence[str]],
    false_positives: float,
) -> Detection:
    """Measure detectors and the control on images.

    Args:
        score: the classifier, images to logits.
        fitted: legitimate images that give the thresholds, shape (image, channel, height, width), from 0 to 1.
        legitimate: other legitimate images, which give the false positives, and their true classes, shape (image,).
        adversarial: run -> adversarial images that fool the classifier, and their true classes.
        detectors: squeezers of each detector.
        false_positives: share of `fitted` that a detector may flag.

    Returns:
        `Detection`, whose table is that of `detection_rows`, with the attacks `ALL` (images of all runs), `LEGITIMATE`
        (where detected is the share of false positives, auc is empty, and repaired is the accuracy after squeezing)
        and each run.
    """
    names = {name for detector in detectors for name in detector}

    def answers(images: Tensor) -> Answers:
        return answers_of(score, images, names)

    fitted_answers, other_answers = answers(fitted), answers(legitimate[0])
    runs = {run: (answers(images), labels) for run, (images, labels) in adversarial.items()}
    everything = (
        Answers.joined([one for one, _ in runs.values()]),
        np.concatenate([labels for _, labels in runs.values()]),
    )
    sets = {ALL: everything, LEGITIMATE: (other_answers, legitimate[1]), **runs}
    table = detection_rows(detectors, fitted_answers, other_answers, sets, false_positives)
    table.loc[table["attack"] == LEGITIMATE, "auc"] = np.nan
    curves = [
        _curve(detector, other_answers, everything[0]) for detector in _with_control(detectors) if len(everything[1])
    ]
    empty = pd.DataFrame(columns=["detector", "false_positives", "detected"])
    return Detection(table, pd.concat(curves, ignore_index=True) if curves else empty)


def answers_of(score: Score, images: Tensor, names: set[str]) -> Answers:
    """Return what a classifier says of images and their squeezed copies.

    Args:
        score: the classifier, images to logits, shape (image, class).
        images: shape (image, channel, height, width), from 0 to 1.
        names: names of squeezers.
    """

    def probabilities(some: Tensor) -> Tensor:
        return in_batches(lambda batch: score(batch).softmax(dim=1), some)

    with torch.inference_mode():
        squeezed = {name: probabilities(Squeezer.parse(name)(images)) for name in sorted(names)}
        return Answers(probabilities(images), squeezed)


def watched(score: Score, squeezers: Sequence[str]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return a function from images to their logits and to the score of a detector, both differentiable.

    Args:
        score: the classifier, images to logits.
        squeezers: names of the squeezers that the detector joins.
    """
    parsed = [Squeezer.parse(name) for name in squeezers]

    def look(images: Tensor) -> tuple[Tensor, Tensor]:
        logits = score(images)
        squeezed = [score(squeezer(images)).softmax(dim=1) for squeezer in parsed]
        return logits, distance(logits.softmax(dim=1), squeezed)

    return look


def detect_counts(
    model: CountModel,
    valid: np.ndarray,
    test: np.ndarray,
    labels: np.ndarray,
    edits: Mapping[str, tuple[np.ndarray, np.ndarray]],
    detectors: Sequence[Sequence[str]],
    false_positives: float,
) -> pd.DataFrame:
    """Measure detectors and the control on edited counts.

    A model of two classes has the probabilities (1 - P, P). They are taken relative to the threshold of calls: the odds
    are divided by those of the threshold, so that the likelier class is the call, and a gene at the threshold has
    the lowest confidence.

    Args:
        model: the model under test.
        valid: legitimate counts that give the thresholds and the ranges of the counts, shape (example, position,
            channel).
        test: other legitimate counts, which give the false positives.
        labels: 0 or 1, shape (example,), of `test`.
        edits: name -> counts after the edit, of the shape of `test`, and the examples to detect, bool, shape
            (example,), such as those whose call it turned.
        detectors: squeezers of each detector.
        false_positives: share of `valid` that a detector may flag.

    Returns:
        One row per detector and edit: detector, edits, threshold, false_positives, genes, detected, low, high, auc,
        repaired; see `detection_rows`.
    """
    names = sorted({name for detector in detectors for name in detector})
    largest = torch.from_numpy(largest_logs(valid))

    def answers(counts: np.ndarray) -> Answers:
        values = torch.from_numpy(np.ascontiguousarray(counts, dtype=np.float32))
        squeezed = {name: squeeze_counts(Squeezer.parse(name), values, largest).numpy() for name in names}
        return Answers(_of_calls(model, counts), {name: _of_calls(model, one) for name, one in squeezed.items()})

    changed = {name: (answers(counts[turned]), labels[turned]) for name, (counts, turned) in edits.items()}
    table = detection_rows(detectors, answers(valid), answers(test), changed, false_positives)
    return table.rename(columns={"attack": "edits", "n": "genes"})


def _of_calls(model: CountModel, counts: np.ndarray) -> Tensor:
    """Return the probabilities of both calls, relative to the threshold, shape (example, 2)."""
    if not len(counts):
        return torch.zeros(0, 2, dtype=torch.float64)
    on = torch.from_numpy(model.probability(counts)).double()
    on, off = on * (1 - model.threshold), (1 - on) * model.threshold
    return torch.stack([off, on], dim=1) / (on + off)[:, None]


def _with_control(detectors: Sequence[Sequence[str]]) -> list[Detector]:
    return [*(Detector(tuple(squeezers)) for squeezers in detectors), Detector()]


def _auc(legitimate: np.ndarray, changed: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score  # slow to import, and the attacks themselves do not need it

    if not len(changed):
        return np.nan
    is_changed = np.repeat([0, 1], [len(legitimate), len(changed)])
    return float(roc_auc_score(is_changed, np.concatenate([legitimate, changed])))


def _curve(detector: Detector, legitimate: Answers, changed: Answers) -> pd.DataFrame:
    from sklearn.metrics import roc_curve

    scores = [detector.scores(legitimate), detector.scores(changed)]
    false_positives, detected, _ = roc_curve(np.repeat([0, 1], [len(one) for one in scores]), np.concatenate(scores))
    return pd.DataFrame({"detector": detector.name, "false_positives": false_positives, "detected": detected})
