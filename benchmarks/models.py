"""Test AUC of every model under both protocols, on the demo's epigenomes and on real genes; a table for docs/.

    .venv/bin/python benchmarks/models.py demo --epigenomes results/demo/SYN?/dataset.nc
    .venv/bin/python benchmarks/models.py real --counts E003_759genes_deepchrome.csv.gz --splits 5

The real genes come from the authors' binned CSV; each split divides them at random into thirds. Every row is appended
to the output when it is measured; rows that are already in the output are not measured again.
"""

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
import yaml
from sklearn.metrics import roc_auc_score

from chromattend.chromatin.binned import read_binned
from chromattend.chromatin.bins import Bins
from chromattend.chromatin.dataset import part_sizes
from chromattend.chromatin.formats import PUBLISHED_MARKS
from chromattend.files import read_netcdf, read_table
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.config import with_defaults
from chromattend.training.protocols import TrainingOptions, resolve
from chromattend.training.train import train

SCHEMA = Path(__file__).parents[1] / "workflow/schemas/config.schema.yaml"


def real_splits(path: Path, number: int) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield one dataset per split of the genes of a binned CSV; expression is 1 for ON and 0 for OFF."""
    bins = Bins()
    genes, counts, labels = read_binned([path], bins)
    for seed in range(1, number + 1):
        order = np.random.default_rng(seed).permutation(len(genes))
        split = np.empty(len(genes), dtype="<U5")
        split[order] = np.repeat(["train", "valid", "test"], part_sizes(len(genes), (1, 1, 1)))
        yield (
            f"split {seed}",
            xr.Dataset(
                {
                    "counts": (("gene", "bin", "mark"), counts),
                    "label": ("gene", np.asarray(labels)),
                    "rpkm": ("gene", np.asarray(labels, dtype=float)),
                    "split": ("gene", split),
                },
                coords={"gene": genes.to_numpy(str), "bin": bins.offsets, "mark": list(PUBLISHED_MARKS)},
            ),
        )


def training_defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a configuration's section `training` that the result depends on."""
    wanted = {"protocol", *(field.name for field in fields(TrainingOptions))} - {"threads", "accelerator"}
    return {key: value for key, value in config["training"].items() if key in wanted}


def main() -> None:
    """Measure all combinations that are not in the output yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    data = parser.add_subparsers(dest="data", required=True)
    demo = data.add_parser("demo", help="datasets made by the pipeline")
    demo.add_argument("--epigenomes", type=Path, nargs="+", required=True, help="dataset.nc of each epigenome")
    real = data.add_parser("real", help="random splits of the genes of a binned CSV")
    real.add_argument("--counts", type=Path, required=True, help="binned CSV (.gz)")
    real.add_argument("--splits", type=int, default=5, help="number of splits (%(default)s)")
    models = [name for name, spec in REGISTRY.items() if spec.scope == "epigenome"]
    for part in (demo, real):
        part.add_argument("--models", nargs="+", default=models, choices=models, metavar="MODEL")
        part.add_argument("--protocols", nargs="+", default=["default", "paper"])
        part.add_argument("--seeds", type=int, nargs="+", default=[1], help="seeds of training")
        part.add_argument("--output", type=Path, default=Path("models.tsv"), help="table of AUCs (%(default)s)")
    options = parser.parse_args()

    config = with_defaults({}, yaml.safe_load(SCHEMA.read_text()))
    if options.data == "demo":
        datasets = [(path.parent.name, read_netcdf(path)) for path in options.epigenomes]
    else:
        datasets = list(real_splits(options.counts, options.splits))
    done = read_table(options.output) if options.output.exists() else pd.DataFrame(columns=COLUMNS)
    keys = set(done[COLUMNS[:5]].astype(str).itertuples(index=False, name=None))
    work = itertools.product(options.protocols, options.models, options.seeds, datasets)
    for protocol, model, seed, (name, dataset) in work:
        key = (options.data, protocol, model, str(seed if REGISTRY[model].random else 1), name)
        if key in keys:
            continue
        keys.add(key)
        settled, model_options = resolve(
            model,
            training_defaults(config) | {"protocol": protocol, "seed": seed},
            config["model_options"].get(model, {}),
        )
        started = time.monotonic()
        trained, history = train(model, dataset, model_options, TrainingOptions(**settled, accelerator="cpu"))
        seconds = time.monotonic() - started
        test = dataset["split"].values == "test"
        scores = trained.score(dataset)
        auc = roc_auc_score(dataset["label"].values[test], scores[test])
        row = pd.DataFrame([[*key, round(auc, 4), round(seconds, 1), len(history)]], columns=COLUMNS)
        row.to_csv(options.output, sep="\t", index=False, mode="a", header=not options.output.exists())
        print("\t".join(map(str, row.iloc[0])), flush=True)

    table = read_table(options.output)
    print(table.groupby(["data", "model", "protocol"], sort=False)["auc"].agg(["mean", "std", "count"]).round(4))


COLUMNS = ["data", "protocol", "model", "seed", "dataset", "auc", "seconds", "epochs"]

if __name__ == "__main__":
    main()
