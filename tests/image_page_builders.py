"""A synthetic set of attacked images for the tests of its page: digits of scikit-learn, and tables as of a real run."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from chromattend.robustness.images.runs import Run
from chromattend.robustness.pages.images import run_names, write_page

# attack, target, success, confidence, linf, l2, l0, and success, linf and l2 as reported
RUNS = [
    ("fgsm", "", 0.46, 0.946, 0.302, 5.93, 0.559, 0.46, 0.302, 5.905),
    ("bim", "", 0.94, 0.997, 0.302, 5.28, 0.702, 0.91, 0.302, 4.758),
    ("jsma", "next", 0.80, 0.589, 1.0, 4.68, 0.044, 0.71, 1.0, 4.328),
    ("deepfool", "", 0.0, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan, np.nan),
    ("cw2", "next", 0.98, 1.0, 0.718, 2.89, 0.379, 0.99, 0.656, 2.866),
    ("cw2", "least", 1.0, 1.0, 0.758, 3.31, 0.377, 0.99, 0.734, 3.218),
    ("cwi", "next", 1.0, 1.0, 0.277, 3.87, 0.547, 1.0, 0.251, 4.091),
    ("cw0", "next", 0.98, 1.0, 0.990, 4.80, 0.047, 1.0, 0.996, 4.538),
]
DETECTORS = {
    "bits_1": (0.00087, 0.047, 0.904),
    "median_2": (0.0026, 0.049, 0.844),
    "median_3": (0.0099, 0.049, 0.785),
    "bits_1 + median_2": (0.0034, 0.053, 0.986),
    "low confidence": (0.02, 0.05, 0.312),
}
SETTINGS = {
    "images": "t10k-images-idx3-ubyte.gz",
    "labels": "t10k-labels-idx1-ubyte.gz",
    "network": "carlini",
    "weights": "MNIST_carlini.keras_weights.h5",
    "parts": [0, 0.5, 0.5],
    "epochs": 30,
    "attacks": ["fgsm", "bim", "jsma", "deepfool", "cw2", "cwi", "cw0"],
    "options": {"cw2": {"iterations": 200}},
    "targets": ["next", "least"],
    "examples": 100,
    "seconds": 600,
    "squeezers": [["bits_1"], ["median_2"], ["median_3"], ["bits_1", "median_2"]],
    "false_positives": 0.05,
    "adaptive": 40,
    "seed": 1,
}
METRICS = {
    "accuracy": 0.9943,
    "confidence": 0.9939,
    "parameters": 312202,
    "train": 0,
    "detector": 5000,
    "test": 5000,
    "unseen": 10000,
}


def tables_of() -> dict[str, pd.DataFrame]:
    """The tables attacks, detection, roc and adaptive; the adaptive attack passes with all of its 40 images."""
    rng = np.random.default_rng(1)
    attacks = pd.DataFrame(
        [
            {
                **{"attack": attack, "target": target or None, "title": attack, "norm": "l2", "n": 100},
                **{"success": success, "success_low": max(success - 0.08, 0), "success_high": min(success + 0.07, 1)},
                **dict(zip(("confidence", "linf", "l2", "l0"), numbers[:4], strict=True)),
                **{"unfinished": 0, "seconds": 0.1234, "options": "iterations 200, confidence 10"},
                **dict(zip(("published_success", "published_linf", "published_l2"), numbers[4:], strict=True)),
            }
            for attack, target, success, *numbers in RUNS
        ]
    )
    rows, curves = [], []
    for detector, (threshold, false, detected) in DETECTORS.items():
        common = {"detector": detector, "threshold": threshold, "false_positives": false}
        for attack in ("all", "legitimate", *run_names(attacks)):
            share = {"all": detected, "legitimate": false}.get(attack, round(float(rng.uniform(0.4, 1)), 3))
            none = attack == "deepfool"
            rows.append(
                {
                    **common,
                    **{"attack": attack, "n": 0 if none else 100, "detected": np.nan if none else share},
                    **{
                        "low": np.nan if none else max(share - 0.03, 0),
                        "high": np.nan if none else min(share + 0.03, 1),
                    },
                    "auc": np.nan if attack == "legitimate" or none else 0.5 + share / 2,
                    "repaired": 0.9895 if attack == "legitimate" else np.nan if none else 0.78,
                    "published": 0.982 if (detector, attack) == ("bits_1 + median_2", "all") else np.nan,
                }
            )
        false_positives = np.linspace(0, 1, 200)
        curves.append(
            pd.DataFrame(
                {
                    "detector": detector,
                    "false_positives": false_positives,
                    "detected": detected * (1 - np.exp(-false_positives / 0.01)) + (1 - detected) * false_positives,
                }
            )
        )
    adaptive = pd.DataFrame({"row": range(40), "success": True, "undetected": True, "l2": 2.27, "linf": 0.72})
    return {"attacks": attacks, "detection": pd.DataFrame(rows), "roc": pd.concat(curves), "adaptive": adaptive}


def runs_of(size: int = 24, channels: int = 1, number: int = 8) -> dict[str, Run]:
    """Digits with noise, of every run; the second image of every run is not turned, and deepfool turns none."""
    rng = np.random.default_rng(1)
    digits = load_digits()
    images = np.kron(digits.images[:number] * 15.9, np.ones((size // 8, size // 8)))[..., None].astype(np.uint8)
    images = np.repeat(images, channels, axis=-1)
    labels = digits.target[:number]
    made = {}
    names = run_names(tables_of()["attacks"])
    for name, (attack, target, _, confidence, linf, l2, l0, *_) in zip(names, RUNS, strict=True):
        noise = rng.integers(-90, 91, images.shape) * (rng.random(images.shape) < (0.05 if attack == "cw0" else 0.5))
        outcome = pd.DataFrame(
            {
                **{"row": range(number), "label": labels, "target": (labels + 1) % 10 if target else -1},
                "predicted": (labels + 1) % 10,
                "success": (np.arange(number) != 1) & (attack != "deepfool"),
                **{"confidence": confidence, "l0": l0, "l2": l2, "linf": linf, "finished": True, "seconds": 0.5},
            }
        )
        adversarial = np.clip(images.astype(int) + noise, 0, 255).astype(np.uint8)
        made[name] = Run(images, adversarial, outcome)
    return made


def image_page_of(folder: Path, **changed: Any) -> Path:
    """Write the page of the set into a folder."""
    path = folder / "report.html"
    arguments = {
        **{"images": "mnist", "metrics": METRICS, "runs": runs_of(), "settings": SETTINGS, **tables_of()},
        **{"links": [("All results", "../../index.html")], "command": "chromattend run results/x.html", **changed},
    }
    write_page(path, **arguments)
    return path
