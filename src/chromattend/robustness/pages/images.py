"""The page of one set of images: one self-contained HTML file."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from chromattend.pages import render, table_rows
from chromattend.robustness.attacks.registry import ATTACKS
from chromattend.robustness.images.runs import Run
from chromattend.robustness.study import AIM, ALL, JOINER, LEGITIMATE

MOST_EXAMPLES = 6
# Bytes of all pictures of a page as text; the page itself takes about 100 kB.
MOST_BYTES = 2_000_000
# An attack that the page's first sentence names succeeds for at least this share of the images, if one does.
SUCCEEDS = 0.9
# Rates of false positives that ROC curves are drawn for: no detector is used beyond.
MOST_FALSE_POSITIVES = 0.25
# A pixel that an attack makes darker or brighter: --series-1 and --series-2 of the pages.
DARKER, BRIGHTER = (0, 114, 178), (213, 94, 0)
_LEVELS = 16
_TARGETS = {"next": "next", "least": "least likely"}
_KINDS = {"bits": "{} bit", "median": "median {0} × {0}", "nlm": "non-local means {}-{}-{}"}
NORMS = {"linf": "L∞", "l2": "L2", "l0": "L0"}


def run_names(attacks: pd.DataFrame) -> list[str]:
    """Return the names of runs, such as `fgsm` or `cw2-next`, see `chromattend.robustness.study`.

    Args:
        attacks: attack and target (missing: none), with a row per run.
    """
    targets = attacks["target"].fillna("").astype(str)
    return [
        f"{attack}{AIM}{target}" if target else attack
        for attack, target in zip(attacks["attack"], targets, strict=True)
    ]


def run_title(run: str) -> str:
    """Return the name of a run for readers, such as `CW2 next`."""
    attack, _, target = run.partition(AIM)
    return f"{ATTACKS[attack].title} {_TARGETS[target]}" if target else ATTACKS[attack].title


def detector_title(detector: str) -> str:
    """Return the name of a detector for readers, such as `1 bit + median 2 × 2` for `bits_1 + median_2`."""
    titles = []
    for squeezer in detector.split(JOINER):
        kind, *numbers = squeezer.split("_")
        titles.append(_KINDS[kind].format(*numbers) if kind in _KINDS else squeezer)
    return JOINER.join(titles)


def percent(share: float) -> str:
    """Return a share as a text such as `98.6 %`, which no line break divides."""
    return f"{100 * share:.1f}".removesuffix(".0") + "\u00a0%"


def strongest(attacks: pd.DataFrame) -> int | None:
    """Return the run with the smallest L2 distance of those that succeed for 90 % of the images.

    Args:
        attacks: success and l2, with a row per run.

    Returns:
        The number of its row; if no run succeeds for 90 %, of the one that succeeds most often; None if none succeeds.
    """
    success, distance = (attacks[name].to_numpy(dtype=float) for name in ("success", "l2"))
    if not (success > 0).any():
        return None
    often = success >= SUCCEEDS
    return int(np.where(often, distance, np.inf).argmin() if often.any() else success.argmax())


def known(adaptive: pd.DataFrame) -> dict[str, Any] | None:
    """Return what an attack that knows the detector achieves.

    Args:
        adaptive: success, undetected, l2 and linf, with a row per image; see `chromattend.robustness`.

    Returns:
        images, successes, passed (successes that the detector does not notice), noticed (the share of the successes
        that it does notice; None without any), and the means l2 and linf of those that passed; None for an empty table.
    """
    if adaptive.empty:
        return None
    success = adaptive["success"].astype(bool)
    passed = success & adaptive["undetected"].astype(bool)
    successes, number = int(success.sum()), int(passed.sum())
    return {
        "images": len(adaptive),
        "successes": successes,
        "passed": number,
        "noticed": 1 - number / successes if successes else None,
        "l2": float(adaptive.loc[passed, "l2"].mean()) if number else None,
        "linf": float(adaptive.loc[passed, "linf"].mean()) if number else None,
    }


def verdict(attacks: pd.DataFrame, detection: pd.DataFrame, adaptive: pd.DataFrame, detector: str) -> str:
    """Return the sentences that sum up a set of images.

    Args:
        attacks, detection, adaptive: see `write_page`.
        detector: the detector that the adaptive attack knows.
    """
    place = strongest(attacks)
    if place is None:
        return f"No attack turns any of the {int(attacks['n'].max())} images."
    best = attacks.iloc[place]
    text = (
        f"{run_title(run_names(attacks)[place])} turns {round(best['success'] * best['n'])} of "
        f"{int(best['n'])} images with an L2 distance of {best['l2']:.2g}; "
    )
    row = detection[(detection["detector"] == detector) & (detection["attack"] == ALL)].iloc[0]
    noun = "joint detector" if JOINER in detector else "detector"
    text += (
        f"the {noun} notices {percent(row['detected'])} of all successful ones at {percent(row['false_positives'])} "
        "false alarms"
    )
    tried = known(adaptive)
    if tried is None:
        return f"{text}. No attack that knows the detector was run, so this says nothing about one."
    if not tried["successes"]:
        return f"{text}. An attack that knows the detector turns none of {tried['images']} images."
    noticed = tried["successes"] - tried["passed"]
    return f"{text} – and {noticed or 'none'} of the {tried['successes']} images of an attack that knows the detector."


def difference(original: np.ndarray, adversarial: np.ndarray) -> np.ndarray:
    """Return a picture of what an attack changed, with the largest change in full colour.

    Args:
        original, adversarial: uint8 of shape (height, width, channel).

    Returns:
        uint8 of shape (height, width, 3): of one channel, brighter pixels orange, darker ones blue and the others
        white; of three channels, each one's change around a middle grey.
    """
    change = adversarial.astype(float) - original.astype(float)
    # Few levels, for a small file.
    share = np.round(change / max(np.abs(change).max(), 1) * _LEVELS) / _LEVELS
    if share.shape[-1] != 1:
        return np.round(128 + 127 * share).astype(np.uint8)
    colour = np.where(share > 0, np.array(BRIGHTER), np.array(DARKER))
    return np.round(255 + np.abs(share) * (colour - 255)).astype(np.uint8)


def picture(pixels: np.ndarray) -> str:
    """Return an image as a data URI with a PNG.

    Args:
        pixels: uint8 of shape (height, width, channel), with 1 or 3 channels.
    """
    buffer = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def examples_of(runs: Mapping[str, Run]) -> dict[str, list[dict[str, Any]]]:
    """Return the first successful images of every run for the template: at most six, and as many as a page may hold.

    Args:
        runs: what each run made.

    Returns:
        Run -> label, predicted, confidence, l0, l2 and linf of each example, and its pictures original, adversarial
        and difference as data URIs.
    """
    made: dict[str, list[dict[str, Any]]] = {run: [] for run in runs}
    left = MOST_BYTES
    successes = {run: np.flatnonzero(each.success) for run, each in runs.items()}
    # One more example of every run at a time, so that large images leave some of each.
    for number in range(MOST_EXAMPLES):
        for run, each in runs.items():
            if number >= len(successes[run]):
                continue
            place = int(successes[run][number])
            before, after = each.original[place], each.adversarial[place]
            pictures = {
                "original": picture(before),
                "adversarial": picture(after),
                "difference": picture(difference(before, after)),
            }
            left -= sum(map(len, pictures.values()))
            if left < 0:
                return made
            row = each.outcome.iloc[place]
            numbers = {name: float(row[name]) for name in ("confidence", "l0", "l2", "linf")}
            made[run].append({"label": row["label"], "predicted": row["predicted"], **numbers, **pictures})
    return made


def _detectors(
    detection: pd.DataFrame, runs: Sequence[str], detector: str, tried: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the rows of the tables of detectors: the shares of all runs, and cells with those of each."""
    rows = []
    for name, table in detection.groupby("detector", sort=False):
        cells = {row["attack"]: row for row in table_rows(table)}
        squeezes = all(squeezer.split("_")[0] in _KINDS for squeezer in str(name).split(JOINER))
        rows.append(
            {
                "title": detector_title(str(name)),
                "main": name == detector,
                "control": not squeezes,
                "known": tried["noticed"] if tried and name == detector else None,
                "all": cells[ALL],
                "legitimate": cells[LEGITIMATE],
                "cells": [cells.get(run) for run in runs],
            }
        )
    return rows


def _curves(roc: pd.DataFrame, detection: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the ROC curves from 0 to `MOST_FALSE_POSITIVES`, each with title, auc and points of the unit square."""
    curves = []
    for name, table in roc.groupby("detector", sort=False):
        table = table.sort_values(["false_positives", "detected"])
        x, y = table["false_positives"].to_numpy(dtype=float), table["detected"].to_numpy(dtype=float)
        inside = x < MOST_FALSE_POSITIVES
        end = np.interp(MOST_FALSE_POSITIVES, x, y)
        # No two points of the drawing are the same pixel.
        points = dict.fromkeys(
            (round(a / MOST_FALSE_POSITIVES, 3), round(b, 3))
            for a, b in [*zip(x[inside], y[inside], strict=True), (MOST_FALSE_POSITIVES, end)]
        )
        whole = detection[(detection["detector"] == name) & (detection["attack"] == ALL)]
        curves.append(
            {
                "title": detector_title(str(name)),
                "auc": float(whole["auc"].iloc[0]) if len(whole) else None,
                "points": list(points),
            }
        )
    return curves


def _setting(value: Any) -> str:
    """Return the value of a key of the configuration for readers."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_setting(each)}" for key, each in value.items()) or "defaults"
    if isinstance(value, list | tuple):
        nested = any(isinstance(each, list | tuple) for each in value)
        return (
            ", ".join(JOINER.join(map(str, each)) for each in value if each) if nested else ", ".join(map(str, value))
        )
    return "none" if value is None else str(value)


def write_page(
    path: str | Path,
    *,
    images: str,
    metrics: Mapping[str, Any],
    attacks: pd.DataFrame,
    detection: pd.DataFrame,
    roc: pd.DataFrame,
    adaptive: pd.DataFrame,
    runs: Mapping[str, Run],
    settings: Mapping[str, Any],
    links: Sequence[tuple[str, str]] = (),
    command: str,
) -> None:
    """Write the page of one set of images.

    Args:
        path: the HTML file, beside the tables.
        images: name of the set.
        metrics: of the classifier: accuracy and confidence (mean probability of the true class) on the images that it
            did not learn from, their number unseen, parameters, and the numbers of images train, detector and test.
        attacks: attack, target, n, success with success_low and success_high, confidence, linf, l2, l0 (share of the
            pixels), unfinished, seconds (mean of an image) and options of each run, and the published_ columns.
        detection: detector, attack (all, legitimate or a run), threshold, false_positives, n, detected with low and
            high, auc, repaired and published.
        roc: detector, false_positives and detected.
        adaptive: see `known`; it knows the last detector of `settings`.
        runs: what each run made, in the order of `attacks`.
        settings: of the set, with all keys of the configuration.
        links: other pages: title and address.
        command: command that writes the page again.

    The page takes at most 3 MB.
    """
    detector = JOINER.join(settings["squeezers"][-1])
    tried = known(adaptive)
    best = strongest(attacks)
    rows, names = table_rows(attacks), run_names(attacks)
    for row, name in zip(rows, names, strict=True):
        row["run"] = name
        row["title"], row["aim"] = ATTACKS[row["attack"]].title, _TARGETS.get(row["target"] or "", "any other")
        row["norm"], row["source"] = NORMS[ATTACKS[row["attack"]].norm], ATTACKS[row["attack"]].source
    reported = [
        name
        for name in ("success", "confidence", "linf", "l2", "l0")
        if f"published_{name}" in attacks and attacks[f"published_{name}"].notna().any()
    ]
    render(
        path,
        __package__,
        "images.html",
        images=images,
        sentence=verdict(attacks, detection, adaptive, detector),
        metrics=metrics,
        attacks=rows,
        reported=reported,
        detectors=_detectors(detection, names, detector, tried),
        detector=detector_title(detector),
        tried=tried,
        examples=examples_of(runs),
        titles={run: run_title(run) for run in names},
        chosen=names[best or 0],
        curves=_curves(roc, detection),
        most_false_positives=MOST_FALSE_POSITIVES,
        false_positives=settings["false_positives"],
        settings={key.replace("_", " "): _setting(value) for key, value in settings.items()},
        percent=percent,
        links=links,
        command=command,
    )
