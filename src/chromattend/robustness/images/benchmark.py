"""The benchmark of EvadeML-Zoo: attacks on a classifier of images, and what detectors notice of them.

Xu, Evans, Qi, NDSS 2018, sections V and VI: attacks act on the first images of the test that are classified right;
adversarial images are rounded to 8 bits before anything is measured; a detector's threshold comes from images that
nobody changed; and only adversarial images that fool the classifier are to be detected.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.robustness.adaptive import adaptive
from chromattend.robustness.attacks.base import Clock, Problem, run_attack
from chromattend.robustness.attacks.outcome import outcomes
from chromattend.robustness.attacks.registry import ATTACKS, checked_options
from chromattend.robustness.detect import Detection, detect_images, watched
from chromattend.robustness.images.classifier import Classifier, as_inputs, as_pixels
from chromattend.robustness.images.data import ImageSet
from chromattend.robustness.images.runs import Run
from chromattend.robustness.progress import logged
from chromattend.robustness.study import AIM, JOINER
from chromattend.statistics import share

# Target of attacks that aim at no class.
NO_TARGET = -1
# Measures of a run that the paper reports, too.
REPORTED = ("success", "confidence", "linf", "l2", "l0")
# Runs that the published shares of detected images are over.
PUBLISHED_RUNS = {"fgsm", "bim"} | {
    f"{name}{AIM}{target}" for name in ("jsma", "cw2", "cwi", "cw0") for target in ("next", "least")
}
ADAPTIVE = ["row", "success", "undetected", "l2", "linf"]


def first_right(classifier: Classifier, images: ImageSet, most: int) -> ImageSet:
    """Return the first images that a classifier puts into their class.

    Raises:
        UserError: no image is right.
    """
    right = classifier.probabilities(as_inputs(images.pixels)).argmax(dim=1).numpy() == images.labels
    if not right.any():
        raise UserError(f"{classifier.name}: puts none of the test images into its class; train it longer")
    return images.part(np.flatnonzero(right)[:most])


def targets_of(classifier: Classifier, images: ImageSet, target: str) -> Tensor:
    """Return the class to reach for each image, int64, shape (image,).

    Args:
        classifier: the classifier.
        images: images that are classified right.
        target: `next`, the class after the true one, the first after the last; or `least`, the least likely one.
    """
    if target == "next":
        return torch.from_numpy((images.labels + 1) % classifier.classes)
    return classifier.probabilities(as_inputs(images.pixels)).argmin(dim=1)


def attack(
    classifier: Classifier,
    images: ImageSet,
    run: str,
    *,
    options: Mapping[str, Any],
    seed: int,
    seconds: float | None,
) -> Run:
    """Attack images.

    Args:
        classifier: the classifier.
        images: images that are classified right, see `first_right`.
        run: attack and target, such as `fgsm` or `cw2-next`.
        options: options of the attack that differ from their defaults.
        seed: seed of its random numbers.
        seconds: time (s) after which it stops.

    Raises:
        UserError: the attack cannot do what is asked, see `run_attack`.
    """
    name, _, target = run.partition(AIM)
    inputs, labels = as_inputs(images.pixels), torch.from_numpy(images.labels)
    aims = targets_of(classifier, images, target) if target else None
    problem = Problem(classifier, inputs, labels, aims, channels=1)
    attacked = run_attack(
        name,
        problem,
        options=dict(options),
        seed=seed,
        seconds=seconds,
        report=logged(run, "images"),
    )
    adversarial = as_pixels(attacked.inputs)
    outcome = outcomes(problem, as_inputs(adversarial))
    targets = np.full(len(labels), NO_TARGET) if aims is None else aims.numpy()
    first = {"row": images.rows, "label": images.labels, "target": targets}
    last = {"finished": attacked.finished.numpy(), "seconds": attacked.seconds / len(labels)}
    measures = ["predicted", "success", "confidence", "l0", "l2", "linf"]
    return Run(images.pixels, adversarial, pd.DataFrame({**first, **outcome[measures], **last}))


def attack_table(
    runs: Mapping[str, Run],
    options: Mapping[str, Mapping[str, Any]],
    network: str,
    dataset: str,
    reported: pd.DataFrame,
) -> pd.DataFrame:
    """Return a row per run.

    Args:
        runs: what each run made.
        options: attack -> options that differ from their defaults.
        network: name of the classifier's network.
        dataset: data set that published figures are of, or empty for none; see `NetworkSpec.reported_for`.
        reported: published figures: dataset, network, attack, target and the measures `REPORTED`.

    Returns:
        attack, target (empty for none), title, norm, n, success with success_low and success_high (95 %, Wilson);
        confidence, linf, l2 and l0, means over the successful images; unfinished (images), seconds (mean per image),
        options, and each of `REPORTED` as published_ column.
    """
    rows = []
    for run, made in runs.items():
        name, _, target = run.partition(AIM)
        outcome, success = made.outcome, made.success
        succeeded = share("success", success)
        chosen = checked_options(name, dict(options.get(name, {})))
        own = (reported["dataset"] == dataset) & (reported["network"] == network)
        known = reported[own & (reported["attack"] == name) & (reported["target"].fillna("") == target)]
        rows.append(
            {
                "attack": name,
                "target": target,
                "title": ATTACKS[name].title,
                "norm": ATTACKS[name].norm,
                "n": len(success),
                "success": succeeded["success"],
                "success_low": succeeded["low"],
                "success_high": succeeded["high"],
                **{measure: outcome.loc[success, measure].mean() for measure in REPORTED[1:]},
                "unfinished": int((~outcome["finished"].to_numpy(dtype=bool)).sum()),
                "seconds": outcome["seconds"].mean(),
                "options": ", ".join(f"{key} {value:g}" for key, value in chosen.items()),
                **{f"published_{one}": known[one].iloc[0] if len(known) else np.nan for one in REPORTED},
            }
        )
    return pd.DataFrame(rows)


def detect(
    classifier: Classifier,
    detector: ImageSet,
    test: ImageSet,
    runs: Mapping[str, Run],
    squeezers: Sequence[Sequence[str]],
    false_positives: float,
    dataset: str,
    reported: pd.DataFrame,
) -> Detection:
    """Measure detectors on the successful adversarial images of all runs, see `detect_images`.

    Args:
        classifier: the classifier.
        detector: images that give the thresholds.
        test: images that give the false positives.
        runs: what each run made.
        squeezers: squeezers of each detector.
        false_positives: share of the first images that a detector may flag.
        dataset: data set that published figures are of, or empty for none.
        reported: published shares: dataset, network, detector, attack and detected.

    Returns:
        Tables with the published shares as the column `published`. Detectors are the same if they join the same
        squeezers.
    """
    adversarial = {
        run: (as_inputs(made.adversarial[made.success]), made.labels[made.success]) for run, made in runs.items()
    }
    detection = detect_images(
        classifier,
        as_inputs(detector.pixels),
        (as_inputs(test.pixels), test.labels),
        adversarial,
        squeezers,
        false_positives,
    )
    own = reported[(reported["dataset"] == dataset) & (reported["network"] == classifier.name)]
    # The published shares are of all attacks together.
    own = own if set(runs) >= PUBLISHED_RUNS else own.iloc[:0]
    known = {
        (frozenset(row["detector"].split(JOINER)), row["attack"]): row["detected"] for row in own.to_dict("records")
    }
    keys = zip(detection.table["detector"], detection.table["attack"], strict=True)
    published = [known.get((frozenset(name.split(JOINER)), one), np.nan) for name, one in keys]
    return Detection(detection.table.assign(published=published), detection.roc)


def threshold_of(table: pd.DataFrame, squeezers: Sequence[str]) -> float:
    """Return the threshold of a detector in a table of detection."""
    return float(table.loc[table["detector"] == JOINER.join(squeezers), "threshold"].iloc[0])


def attack_detector(
    classifier: Classifier,
    images: ImageSet,
    squeezers: Sequence[str],
    threshold: float,
    *,
    seconds: float | None,
    seed: int,
) -> pd.DataFrame:
    """Attack images by somebody who knows the classifier, the detector and its threshold, see `adaptive`.

    Args:
        classifier: the classifier.
        images: images that are classified right; none leave the table empty.
        squeezers: squeezers that the detector joins.
        threshold: score above which it flags an image.
        seconds: time (s) after which it stops.
        seed: seed of random numbers.

    Returns:
        A row per image: row (place in the source), success, undetected, l2, linf.
    """
    if not len(images.labels):
        return pd.DataFrame(columns=ADAPTIVE)
    clock = Clock(seconds, logged("adaptive attack", "steps"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        look = watched(classifier, squeezers)
        _, table = adaptive(look, as_inputs(images.pixels), torch.from_numpy(images.labels), threshold, clock)
    return table.assign(row=images.rows)[ADAPTIVE]
