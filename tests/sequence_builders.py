"""Synthetic inputs of the pages of the sequence track, for the tests of their text and those in a browser."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.evaluate import calibration_table, metrics, scores_of_test
from chromattend.sequence.pages.dashboard import write_dashboard
from chromattend.sequence.pages.explained import ExplainedNetwork
from chromattend.statistics import compare_aucs

EVIL = "</script><script>alert(1)</script>"
LENGTH = 101
MODELS = {"gapped_kmer_logistic": 3.4, "cnn": 3.0, "cnn_rnn": 2.6, "kmer_logistic": 2.4, "rnn": 2.0}
NETWORKS = ["cnn", "cnn_rnn", "rnn"]
VIEWS = ["saliency", "gradient_x_input", "corrected_gradient", "integrated_gradients", "deeplift", "mutagenesis"]
EBOX = "GGTCACGTGACC"
SENTENCE = (
    "E-box of bHLH-ZIP factors (family), q 1.2e-07; nearest entries TFEC, TFE3, MITF; "
    "the factor's own USF1 MA0093.4 is ranked 6, q 2.0e-05."
)


def one_hot(text: str, strength: float = 0.85) -> np.ndarray:
    codes = np.array(["ACGT".index(letter) for letter in text])
    return np.eye(4)[codes] * strength + (1 - strength) / 4


def dataset_of(rng: np.random.Generator, evil: str = "") -> xr.Dataset:
    """A set of sequences whose positives hold an E-box."""
    size = {"train": 600, "valid": 120, "test": 400}
    split = np.repeat(list(size), list(size.values()))
    label = np.tile([1, 0], len(split) // 2).astype(np.int8)
    letters = rng.integers(0, 4, (len(split), LENGTH)).astype(np.int8)
    letters[label == 1, 44:56] = ["ACGT".index(letter) for letter in EBOX]
    letters[7, :6] = -1
    start = rng.integers(1e5, 1e8, len(split))
    return xr.Dataset(
        {
            "letters": (("sequence", "position"), letters),
            "label": ("sequence", label),
            "split": ("sequence", split),
            "length": ("sequence", (letters >= 0).sum(axis=1).astype(np.int32)),
            "origin": ("sequence", np.where(label == 1, "given", "shuffle")),
            "template": ("sequence", np.where(label == 1, -1, np.arange(len(split)) - 1).astype(np.int32)),
            "place": ("sequence", [f"chr{1 + n % 22}:{s}-{s + LENGTH}" for n, s in enumerate(start)]),
        },
        coords={"sequence": [f"peak_{number:05d}{evil}" for number in range(len(split))]},
        attrs={
            "set": f"USF1{evil}",
            "alphabet": "dna",
            "genome": f"hg19{evil}",
            "split_rule": "given",
        },
    )


def predictions_of(dataset: xr.Dataset, models: dict[str, float], rng: np.random.Generator) -> dict[str, pd.DataFrame]:
    label = dataset["label"].values
    return {
        model: pd.DataFrame(
            {
                "sequence": dataset["sequence"].values,
                "split": dataset["split"].values,
                "label": label,
                "score": 1 / (1 + np.exp(-rng.normal(strength * (label - 0.5), 1))),
            }
        )
        for model, strength in models.items()
    }


def network_of(dataset: xr.Dataset, model: str, rng: np.random.Generator, evil: str = "") -> ExplainedNetwork:
    """Explanations that point to the E-box."""
    rows = np.flatnonzero(dataset["split"].values == "test")[::2][:40]
    rows = np.concatenate([[7], rows])
    codes = dataset["letters"].values[rows]
    views = [view for view in VIEWS if model == "cnn" or view != "deeplift"]
    bump = np.zeros(LENGTH)
    bump[44:56] = [0.5, 0.6, 0.9, 1.6, 1.8, 1.7, 1.5, 1.8, 1.6, 0.9, 0.5, 0.4]
    noise = rng.normal(0, 0.12, (len(views), len(rows), LENGTH))
    weights = (noise + bump).astype(np.float32)
    weights[0] = np.abs(weights[0])
    shown = [1, 17, 0]
    maps = -np.abs(rng.normal(0.1, 0.15, (3, LENGTH, 4))) * (0.4 + 2 * bump[:, None]) + 0.15
    for number, row in enumerate(shown):
        seen = codes[row] >= 0
        maps[number, np.flatnonzero(seen), codes[row][seen]] = 0
    steps = np.cumsum(bump) / bump.sum()
    forward = np.stack([-1.8 + 6 * steps, -2.2 + 6.4 * steps])[:, None] + rng.normal(0, 0.05, (2, 3, LENGTH))
    backward = np.stack([-1.8 + 6 * (1 - steps), -2.2 + 6.4 * (1 - steps)])[:, None]
    backward = backward + rng.normal(0, 0.05, (2, 3, LENGTH))
    forward[1, :, :20] = np.nan
    backward[1, :, -20:] = np.nan
    if model == "cnn":
        forward[0], backward[0] = np.nan, np.nan
    explanation = xr.Dataset(
        {
            "letters": (("sequence", "position"), codes),
            "score": ("sequence", np.full(len(rows), 4.2, np.float32)),
            "label": ("sequence", dataset["label"].values[rows]),
            "weights": (("view", "sequence", "position"), weights),
            "shown_sequence": ("shown", np.array(shown)),
            "reason": ("shown", ["strongest", "median", "missed"]),
            "mutagenesis_map": (("shown", "position", "letter"), maps.astype(np.float32)),
            "forward": (("kind", "shown", "position"), forward.astype(np.float32)),
            "backward": (("kind", "shown", "position"), backward.astype(np.float32)),
        },
        coords={
            "sequence": dataset["sequence"].values[rows],
            "view": views,
            "kind": ["whole", "prefix"],
        },
        attrs={"set": "USF1", "model": model, "seconds": json.dumps({view: 1.4 for view in views})},
    )
    published = np.clip(rng.random((LENGTH, 4)) * 0.15 + 0.9 * bump[:, None] * 0, 0, 1)
    published[44:56] += one_hot(EBOX) * 0.8
    designs = xr.Dataset(
        {
            "published": (("position", "letter"), published.clip(0, 1)),
            "design": ("position", np.where(bump > 0, codes[1], rng.integers(0, 4, LENGTH)).astype(np.int8)),
        },
        attrs={
            "score_published": 12.1,
            "score_published_one_hot": 8.56,
            "score_design": 9.2,
            "highest_training_score": 9.0,
        },
    )
    best = {"entry": "MA0871.3", "name": f"TFEC{evil}", "family": "bHLH-ZIP factors", "p": 1e-10, "e": 1e-7, "q": 1e-7}
    own = {"own_entry": "MA0093.4", "own_rank": 6, "own_q": 2e-5, "own_e": 3e-3, "recovered": 1}
    nothing = dict.fromkeys(("own_entry", "own_rank", "own_q", "own_e", "recovered"))
    motifs = [
        {"route": view, "motif": f"{view}_1", "consensus": EBOX, "sites": 287, "seconds": 1.9, **best, **own}
        | {"sentence": SENTENCE + evil}
        for view in [*views, "class_optimisation"]
    ]
    motifs += [
        {"route": "filters", "motif": f"filter_{number}", "consensus": "CCACCAGGG", "sites": 90 + number}
        | {"seconds": 1.2, "entry": "MA0139.2", "name": "CTCF", "family": "More than 3 adjacent zinc fingers"}
        | {"p": 1e-6, "e": 1e-3 * 10 ** (number % 4), "q": 1e-3, "sentence": ""}
        | nothing
        for number in range(24)
    ]
    matches = [
        {"route": view, "motif": f"{view}_1", "rank": 1, **best, "offset": 1, "strand": "-"} for view in views
    ] + [
        {"route": view, "motif": f"{view}_1", "rank": 6, "entry": "MA0093.4", "name": "USF1", "offset": -2}
        | {"family": "bHLH-ZIP factors", "p": 2e-8, "e": 3e-3, "q": 2e-5, "strand": "+"}
        for view in views
    ]
    names = explanation["sequence"].values
    hits = [
        {"sequence": names[row], "entry": entry, "name": name, "start": start, "end": start + 10, "strand": strand}
        | {"score": 12.0, "p": 1e-6 * (1 + order)}
        for row in shown
        for order, (entry, name, start, strand) in enumerate(
            [
                ("MA0871.3", f"TFEC{evil}", 45, "+"),
                ("MA0093.4", "USF1", 44, "+"),
                ("MA0831.3", "TFE3", 45, "-"),
                ("MA0620.3", "MITF", 45, "+"),
                ("MA0079.5", "SP1", 12, "-"),
                ("MA0472.2", "EGR2", 90, "+"),
            ]
        )
    ]
    sites = [
        {"route": view, "motif": f"{view}_1", "sequence": name, "start": 44, "end": 56, "strand": "+", "score": 3.1}
        for view in views
        for name in names
    ]
    influence = [
        {"example": names[row], "rank": rank, "train_example": f"peak_{rank:05d}{evil}", "label": int(rank < 6)}
        | {"influence": 0.08 / rank * (1 if rank < 6 else -1), "similarity": 0.95 - 0.02 * rank}
        | {"effect": "supports" if rank < 6 else "opposes", "agreement": 0.997 if row != shown[1] else 0.8}
        for row in shown
        for rank in range(1, 11)
    ]
    matrices = {row["motif"]: one_hot(EBOX if row["route"] != "filters" else "CCACCAGGG") for row in motifs}
    return ExplainedNetwork(
        explanation=explanation,
        designs=designs,
        trust=trust_of(views),
        motifs=pd.DataFrame(motifs),
        matrices=matrices,
        matches=pd.DataFrame(matches),
        entries={"MA0871.3": one_hot("GTCACGTGAC"), "MA0093.4": one_hot("GGGTCACGTGACC")},
        hits=pd.DataFrame(hits),
        sites=pd.DataFrame(sites),
        influence=pd.DataFrame(influence),
    )


def trust_of(views: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"view": view, "measure": measure, "sequences": 200, "area": 2.1, "random": 0.8, "difference": 1.3}
            | {"low": 1.2, "high": 1.4, "gc": 0.9, "gc_difference": 1.2, "gc_low": 1.1, "gc_high": 1.3}
            | {"planted": np.nan, "similarity": 0.1 + 0.1 * number, "incomplete": np.nan, "learned": 1}
            | {"trustworthy": int(number < 4)}
            for number, view in enumerate(views)
            for measure in ("deletion", "insertion")
        ]
    )


def quality_of(evil: str) -> dict[str, Any]:
    """Quality of the form that `build_dataset` gives."""
    return {
        "counts": {part: {"positive": half, "negative": half} for part, half in (("train", 300), ("test", 200))},
        "origins": {"given": 560, "shuffle": 560},
        "lengths": {"shortest": 95, "median": 101.0, "longest": 101, "used": LENGTH},
        "padded": 1,
        "cropped": 0,
        "dropped": 3,
        "gc": {"positive": 0.512, "negative": 0.498},
        "unknown": 0.0004,
        "soft_masked": 0.21,
        "duplicates": {"same_strand": 1, "other_strand": 2, "across_parts": 0, "both_labels": 0},
        "shared_stretches": {"letters": 40, "positive": 21, "negative": 0},
        "unchanged_shuffles": 0,
        "notes": [
            f"1 of 1120 sequences are shorter than 101 letters.{evil}",
            "21 positive test sequences share 40 letters.",
        ],
    }


def page_of(folder: Path, evil: str = "", networks: Sequence[str] = NETWORKS, **changes: Any) -> Path:
    """Write a dashboard with the explanations of some networks."""
    rng = np.random.default_rng(1)
    dataset = dataset_of(rng, evil)
    predictions = predictions_of(dataset, MODELS, rng)
    values: dict[str, Any] = {
        "dataset": dataset,
        "quality": quality_of(evil),
        "metrics": {model: metrics(table) for model, table in predictions.items()},
        "predictions": predictions,
        "comparisons": compare_aucs(*scores_of_test(predictions)),
        "calibration": calibration_table(predictions),
        "explained": {model: network_of(dataset, model, rng, evil) for model in networks},
        "seconds": {"cnn": 76.2, "cnn_rnn": 126.0, "rnn": 71.0},
        "tf": f"USF1{evil}",
        "group": f"bHLH{evil}",
        "command": f"snakemake results/sequence/USF1/report.html{evil}",
    }
    write_dashboard(folder / "report.html", **(values | changes))
    return folder / "report.html"
