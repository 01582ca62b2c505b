"""What the rule that keeps an epoch is worth: networks trained to the end, and every rule applied to the same epochs.

    .venv/bin/python benchmarks/kept_epoch.py real --counts E003_759genes_deepchrome.csv.gz --splits 5
    .venv/bin/python benchmarks/kept_epoch.py datasets --epigenomes results/E003/dataset.nc

For every network: test AUC, Brier score and accuracy of the epoch with the highest validation AUC and of the epoch with
the lowest validation loss, with and without early stopping, each with the network's own P(ON) and with a logistic curve
fitted to the validation genes. Early stopping is applied afterwards, so all rules see the same training.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
import yaml
from models import SCHEMA, real_splits, training_defaults
from sklearn.metrics import brier_score_loss, roc_auc_score

from chromattend.files import read_netcdf
from chromattend.models.baseline import calibrate
from chromattend.models.network import Network
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.config import with_defaults
from chromattend.training.callbacks import Progress
from chromattend.training.protocols import TrainingOptions, resolve
from chromattend.training.train import train

NETWORKS = [name for name, spec in REGISTRY.items() if spec.kind == "network" and spec.scope == "epigenome"]
# Epochs of patience with early stopping, 8 for other networks; the protocols themselves train to the end.
PATIENCE = {"lstm": 15}


def every_epoch(
    model: str, dataset: xr.Dataset, model_options: dict, options: TrainingOptions
) -> tuple[pd.DataFrame, np.ndarray]:
    """Train a network without early stopping.

    Returns:
        Its history, and the logit of every gene after every epoch, shape (epoch, gene).
    """
    states: list[dict[str, torch.Tensor]] = []
    original = Progress.on_train_epoch_end

    def remember(self: Progress, trainer: object, pl_module: torch.nn.Module) -> None:
        states.append(pl_module.stack.states()[0])  # type: ignore[union-attr, operator]
        original(self, trainer, pl_module)  # type: ignore[arg-type]

    Progress.on_train_epoch_end = remember  # type: ignore[method-assign, assignment]
    try:
        trained, history = train(model, dataset, model_options, options)
    finally:
        Progress.on_train_epoch_end = original  # type: ignore[method-assign]
    assert isinstance(trained, Network)
    network = Network(trained.input_spec, trained.options)
    logits = []
    for state in states:
        network.load_state_dict(state)
        probability = network.score(dataset)
        logits.append(np.log(probability) - np.log1p(-probability))
    return history, np.stack(logits)


def kept(values: np.ndarray, patience: int | None) -> int:
    """Return the first epoch with the highest value among the epochs before early stopping."""
    best = 0
    for epoch, value in enumerate(values):
        if value > values[best]:
            best = epoch
        elif patience is not None and epoch - best >= patience:
            break
    return best


def rows_of(
    model: str, name: str, dataset: xr.Dataset, patience: int, history: pd.DataFrame, logits: np.ndarray
) -> Iterator[dict]:
    """Yield the test metrics of every rule, without and with calibration."""
    labels, split = dataset["label"].values, dataset["split"].values
    valid, test = split == "valid", split == "test"
    base = labels[test].mean()
    values = {"auc": history["valid_auc"].to_numpy(), "loss": -history["valid_loss"].to_numpy()}
    for rule, stop in itertools.product(values, (patience, None)):
        epoch = kept(values[rule], stop)
        curve = calibrate(logits[epoch, valid], labels[valid])
        own = 1 / (1 + np.exp(-logits[epoch]))
        for calibration, scores in (("none", own), ("platt", curve.predict_proba(logits[epoch, :, None])[:, 1])):
            p = scores[test]
            yield {
                "dataset": name,
                "model": model,
                "rule": rule,
                "patience": stop,
                "calibration": calibration,
                "epoch": epoch,
                "auc": roc_auc_score(labels[test], p),
                "brier": brier_score_loss(labels[test], p),
                "constant_brier": base * (1 - base),
                "accuracy": ((p > 0.5) == labels[test]).mean(),
                "slope": curve[-1].coef_[0, 0] / curve[0].scale_[0],
            }


def main() -> None:
    """Measure, append each training's rows to the output, and print the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = parser.add_subparsers(dest="data", required=True)
    real = data.add_parser("real", help="random splits of the genes of a binned CSV")
    real.add_argument("--counts", type=Path, required=True, help="binned CSV (.gz)")
    real.add_argument("--splits", type=int, default=5, help="number of splits (%(default)s)")
    datasets = data.add_parser("datasets", help="datasets made by the pipeline")
    datasets.add_argument("--epigenomes", type=Path, nargs="+", required=True, help="dataset.nc of each epigenome")
    for part in (real, datasets):
        part.add_argument("--models", nargs="+", default=NETWORKS, choices=NETWORKS, metavar="MODEL")
        part.add_argument("--output", type=Path, default=Path("kept_epoch.tsv"), help="table (%(default)s)")
    options = parser.parse_args()
    config = with_defaults({}, yaml.safe_load(SCHEMA.read_text()))
    if options.data == "real":
        named = list(real_splits(options.counts, options.splits))
    else:
        named = [(path.parent.name, read_netcdf(path)) for path in options.epigenomes]
    for name, dataset in named:
        for model in options.models:
            training = training_defaults(config) | {"protocol": "default"}
            settled, model_options = resolve(model, training, config["model_options"].get(model, {}))
            history, logits = every_epoch(
                model, dataset, model_options, TrainingOptions(**settled | {"patience": None}, accelerator="cpu")
            )
            table = pd.DataFrame(rows_of(model, name, dataset, PATIENCE.get(model, 8), history, logits))
            table.to_csv(options.output, sep="\t", index=False, mode="a", header=not options.output.exists())
            print(table.to_string(index=False, header=False), flush=True)
    table = pd.read_csv(options.output, sep="\t")  # noqa: TID251
    groups = table.groupby(["model", "rule", "patience", "calibration"], dropna=False)
    print(groups[["epoch", "auc", "brier", "accuracy"]].mean().round(4).to_string())


if __name__ == "__main__":
    main()
