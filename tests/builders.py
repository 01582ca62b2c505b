"""Small synthetic inputs for several tests."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from sklearn.metrics import roc_auc_score
from torch import nn

from chromattend.chromatin.across import join_epigenomes
from chromattend.figures import save
from chromattend.models.base import TrainedModel
from chromattend.models.registry import REGISTRY
from chromattend.recurrence import BidirectionalLSTM
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train

MARKS = ["H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3"]
# What the published study says of its data, for studies of tests that have the same.
ROADMAP: dict[str, Any] = {
    "mirror": "https://egg2.wustl.edu/roadmap/data",
    "genome": {"name": "hg19"},
    "marks": MARKS,
    "validation_mark": "H3K27ac",
    "sources": {
        "signal": "{mirror}/byFileType/alignments/consolidated/{epigenome}-{mark}.tagAlign.gz",
        "expression": "{mirror}/byDataType/rna/expression/57epigenomes.RPKM.pc.gz",
        "annotation": "{mirror}/byDataType/rna/annotations/gen10.long.gtf.gz",
    },
    "split": {"mode": "sequential", "fractions": [1, 1, 1]},
}
SIZES = {"train": 320, "valid": 160, "test": 160}


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge as Snakemake merges a second configuration file."""
    return base | {
        key: merged(base[key], value) if isinstance(value, dict) and key in base else value
        for key, value in over.items()
    }


def synthetic_dataset(
    *,
    sizes: dict[str, int] | None = None,
    bins: int = 20,
    marks: list[str] | None = None,
    effect: float = 2.0,
    seed: int = 1,
    epigenome: str = "E003",
) -> xr.Dataset:
    """Build a dataset as `build_dataset` does, with counts that predict the label.

    Args:
        sizes: genes of each part.
        bins: number of bins of 100 bp, half of them before the TSS.
        marks: names of the marks; the last but one is high at the TSS of ON genes, the first at the TSS of OFF genes.
        effect: difference between ON and OFF in reads per bin there; with 0 the label cannot be predicted.
        seed: seed of labels and counts.
        epigenome: name of the epigenome.
    """
    rng = np.random.default_rng(seed)
    split = np.repeat(list(SIZES), list((sizes or SIZES).values()))
    names = MARKS if marks is None else marks
    label = rng.integers(0, 2, len(split)).astype(np.int8)
    rate = np.ones((len(split), bins, len(names)))
    middle = slice(bins // 4, max(3 * bins // 4, bins // 4 + 1))
    rate[:, middle, max(len(names) - 2, 0)] += effect * label[:, None]
    rate[:, middle, 0] += effect * (1 - label[:, None]) * (len(names) > 1)
    counts = rng.poisson(rate).astype(np.int32)
    genes = [f"ENSG{number:011d}" for number in range(len(split))]
    return xr.Dataset(
        {
            "counts": (("gene", "bin", "mark"), counts),
            "depth": ("mark", counts.mean(axis=(0, 1))),
            "rpkm": ("gene", np.where(label == 1, 10.0, 0.1)),
            "label": ("gene", label),
            "split": ("gene", split),
        },
        coords={
            "gene": genes,
            "bin": 100 * np.arange(bins) - 100 * (bins // 2),
            "mark": names,
            "symbol": ("gene", [f"GENE{number}" for number in range(len(split))]),
        },
        attrs={
            "epigenome": epigenome,
            "genome": "hg19",
            "split_rule": "sequential",
            "labels": "rpkm_median",
            "expression_source": "https://mirror.example/57epigenomes.RPKM.pc.gz",
            "expression_sha256": "ab" * 32,
            "genes_left_out": 0,
        },
    )


def epigenomes(model: str) -> list[xr.Dataset]:
    """Build datasets of different difficulty for a model, so that their trainings differ in their number of epochs."""
    datasets = [
        synthetic_dataset(epigenome=name, effect=effect, seed=seed)
        for name, effect, seed in (("A", 0.3, 2), ("B", 0.0, 4), ("C", 1.0, 6))
    ]
    if model == "pan_epigenome":
        return [join_epigenomes([("X", dataset), ("Y", dataset)]) for dataset in datasets]
    return datasets


def deepening_epigenomes(number: int = 2, **options: object) -> dict[str, xr.Dataset]:
    """Build datasets of the same genes; each is twice as deep as the previous one."""
    datasets = {}
    for k in range(number):
        dataset = synthetic_dataset(seed=k + 1, epigenome=f"E{k}", **options)  # type: ignore[arg-type]
        datasets[f"E{k}"] = dataset.assign(counts=dataset["counts"] * 2**k, depth=dataset["depth"] * 2**k)
    return datasets


def synthetic_predictions(models: Sequence[str], seed: int = 1, separation: float = 1.5) -> dict[str, pd.DataFrame]:
    """Build predictions of models as `predict` does, with scores that predict the label better from model to model."""
    rng = np.random.default_rng(seed)
    split = np.repeat(list(SIZES), list(SIZES.values()))
    label = rng.integers(0, 2, len(split))
    predictions = {}
    for number, model in enumerate(models, start=1):
        score = 1 / (1 + np.exp(-rng.normal(label * separation * number / len(models))))
        predictions[model] = pd.DataFrame({"gene": "g", "symbol": "s", "split": split, "label": label, "score": score})
    return predictions


def texts(figure: Figure, path: Path) -> list[str]:
    """Save a figure and return the texts of the SVG."""
    save(figure, path)
    root = ElementTree.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]


MODELS = [name for name, spec in REGISTRY.items() if spec.scope == "epigenome"]
NETWORKS = [name for name in MODELS if REGISTRY[name].kind == "network"]
SMALL = {
    "random_forest": {"n_estimators": 30},
    "random_forest_best_bins": {"n_estimators": 30},
    "deepchrome": {"hidden1": 40, "hidden2": 20},
}
# Gene counts of a study whose annotation and matrix have the same genes.
ALL_GENES = pd.DataFrame([{"annotated": 640, "expressed": 640, "both": 640, "share": 1.0}])
QUICK = TrainingOptions(max_epochs=3, learning_rate=0.01, batch_size=16, warmup=0, accelerator="cpu")
Trained = tuple[TrainedModel, pd.DataFrame]


def quick(name: str, dataset: xr.Dataset, work_folder: Path | None = None, **options: Any) -> Trained:
    """Train a small model for a few epochs."""
    return train(name, dataset, SMALL.get(name, {}), TrainingOptions(**(vars(QUICK) | options)), work_folder)


def of_part(dataset: xr.Dataset, part: str) -> xr.Dataset:
    return dataset.isel(gene=np.flatnonzero(dataset["split"].values == part))


def scores_of(model: TrainedModel, dataset: xr.Dataset) -> np.ndarray:
    return model.score(dataset)


def auc(model: TrainedModel, dataset: xr.Dataset, part: str) -> float:
    chosen = of_part(dataset, part)
    return float(roc_auc_score(chosen["label"], scores_of(model, chosen)))


class Killed(BaseException):
    """A training is killed at any moment."""


def kill_at(monkeypatch: pytest.MonkeyPatch, training: type, hook: str, call: int) -> None:
    """Kill a training when one of its methods is called for the n-th time."""
    original: Callable[..., Any] = getattr(training, hook)
    calls = iter(range(1, 10**6))

    def counted(*arguments: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return original(*arguments)

    monkeypatch.setattr(training, hook, counted)


# Parameters of a BidirectionalLSTM and their names in torch.
LSTM_PARTS = {
    "input_weight": "weight_ih",
    "state_weight": "weight_hh",
    "input_bias": "bias_ih",
    "state_bias": "bias_hh",
}


def separate(batched: BidirectionalLSTM) -> list[nn.LSTM]:
    """Return one torch LSTM per group, with the same weights."""
    groups, _, _, features = batched.input_weight.shape
    lstms = [nn.LSTM(features, batched.units, batch_first=True, bidirectional=True) for _ in range(groups)]
    for group, lstm in enumerate(lstms):
        lstm.to(batched.input_weight.dtype).load_state_dict(
            {
                f"{theirs}_l0{suffix}": getattr(batched, ours)[group, direction].detach()
                for ours, theirs in LSTM_PARTS.items()
                for direction, suffix in enumerate(("", "_reverse"))
            }
        )
    return lstms
