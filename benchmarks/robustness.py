"""Robustness of four models on real genes: noise, the fewest reads that turn a call, certificates.

    .venv/bin/python benchmarks/robustness.py --data ../shared/data --seeds 0 1 2 --output build/robustness.json

Models are trained by the default protocol on 759 genes of E003, divided at random into 60, 20 and 20 %. A call is ON
above the threshold that makes the validation genes' calls balanced. Only test genes that a model calls right count.
Each section is a function of the study that returns figures for the output and prints them.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import xarray as xr
import yaml
from models import SCHEMA, training_defaults
from sklearn.metrics import roc_auc_score

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.dataset import part_sizes
from chromattend.chromatin.expression import read_matrix
from chromattend.files import write_json
from chromattend.pipeline.config import with_defaults
from chromattend.robustness.certify import certify
from chromattend.robustness.configuration import CROSS_TALK, read_schema
from chromattend.robustness.explanation import attack_explanation
from chromattend.robustness.maps import Maps
from chromattend.robustness.noise import noise_table
from chromattend.robustness.subject import CountModel, call_threshold
from chromattend.robustness.together import EditedGenes, attack_together, transfer
from chromattend.robustness.worst_case import WorstCaseOptions, ceilings_of, summary, worst_case
from chromattend.training.protocols import TrainingOptions, resolve
from chromattend.training.train import train

MODELS = ("random_forest", "logistic_regression", "deepchrome", "attentivechrome")
NETWORKS = ("deepchrome", "attentivechrome")
FACTORS = (1.05, 1.1, 1.2, 1.5, 2.0)
# Medians of a first measurement, on split 0: plain greedy steps of single reads; an attack on entries that was shrunk
# for the reads of the random forest; factors without rounding to whole reads.
BEFORE = {
    "reads": {"deepchrome": 63, "attentivechrome": 388, "random_forest": 515},
    "entries": {"deepchrome": 4, "attentivechrome": 5, "random_forest": 8},
    "factors": {"deepchrome": [0.03, 0.08, 0.34, 0.94, 1.0], "attentivechrome": [0.02, 0.07, 0.14, 0.36, 0.66]},
    "alpha_r": {"1.1": 1.0, "1.2": 0.96, "1.5": 0.73},
}


@dataclass(frozen=True)
class Study:
    """A split of the genes with its trained models.

    Attributes:
        dataset: counts, labels and parts of all genes.
        models: the models by name.
        counts, labels: of the test genes, shapes (gene, bin, mark) and (gene,).
    """

    dataset: xr.Dataset
    models: dict[str, CountModel]
    counts: np.ndarray
    labels: np.ndarray

    @property
    def ceilings(self) -> np.ndarray:
        """Largest count of each mark that the worst case uses."""
        return ceilings_of(self.dataset["counts"].values[self.dataset["split"].values == "train"])

    @property
    def marks(self) -> list[str]:
        """Names of the marks."""
        return self.dataset["mark"].values.tolist()


def real_genes(folder: Path, seed: int) -> xr.Dataset:
    """Return the 759 genes of E003 with a random split of 60, 20 and 20 %."""
    with np.load(folder / "chromatin/E003_union_counts.npz", allow_pickle=True) as file:
        genes, marks, counts = file["gene"].astype(str), file["marks"].astype(str), file["X"].astype(np.int32)
        label, rpkm = file["label"], file["rpkm"].astype(float)
    split = np.empty(len(genes), dtype="<U5")
    order = np.random.default_rng(seed).permutation(len(genes))
    split[order] = np.repeat(["train", "valid", "test"], part_sizes(len(genes), (3, 1, 1)))
    return xr.Dataset(
        {
            "counts": (("gene", "bin", "mark"), counts),
            "depth": ("mark", counts.mean(axis=(0, 1))),
            "label": ("gene", label),
            "rpkm": ("gene", rpkm),
            "split": ("gene", split),
        },
        coords={"gene": genes, "bin": Bins().offsets, "mark": marks},
    )


def whole_epigenome(folder: Path, seed: int) -> xr.Dataset:
    """Return the 18,421 genes of E012 in bins of 100 bp: 150 for the test, 2,000 for validation, the rest for training.

    The file has the sum of the depth of each base of 50 bp; a read has 36 of them. A gene is ON above the median.
    """
    with np.load(folder / "epigenomes/E012_promoters_50bp.npz") as file:
        genes, marks = file["genes"].astype(str), file["marks"].astype(str)
        # In this file the gene body is at low bins; upstream comes first here.
        counts = file["coverage"].astype(np.int32).transpose(1, 2, 0)[:, ::-1]
    counts = np.rint(counts.reshape(len(genes), 100, 2, len(marks)).sum(axis=2) / 36).astype(np.int32)
    rpkm = read_matrix(folder / "roadmap/57epigenomes.RPKM.pc.gz", ["E012"]).loc[genes, "E012"].to_numpy(dtype=float)
    split = np.full(len(genes), "train", dtype="<U5")
    chosen = np.random.default_rng(seed).permutation(len(genes))[:2150]
    split[chosen[:2000]], split[chosen[2000:]] = "valid", "test"
    return xr.Dataset(
        {
            "counts": (("gene", "bin", "mark"), counts),
            "depth": ("mark", counts.mean(axis=(0, 1))),
            "label": ("gene", (rpkm > np.median(rpkm)).astype(np.int8)),
            "rpkm": ("gene", rpkm),
            "split": ("gene", split),
        },
        coords={"gene": genes, "bin": Bins().offsets, "mark": marks},
    )


def trained(dataset: xr.Dataset, names: tuple[str, ...]) -> Study:
    """Train models by the default protocol, and choose the threshold of their calls on the validation genes."""
    config = with_defaults({}, yaml.safe_load(SCHEMA.read_text()))
    split, labels = dataset["split"].values, dataset["label"].values
    valid, test = split == "valid", split == "test"
    models = {}
    for name in names:
        training = training_defaults(config) | {"protocol": "default"}
        settled, options = resolve(name, training, config["model_options"].get(name, {}))
        model, _ = train(name, dataset, options, TrainingOptions(**settled, accelerator="cpu"))
        scores = model.score(dataset)
        models[name] = CountModel.of(model, dataset, call_threshold(labels[valid], scores[valid]))
        calls = scores[test] > models[name].threshold
        auc, accuracy = roc_auc_score(labels[test], scores[test]), np.mean(calls == labels[test])
        print(f"{name}: AUC {auc:.3f}, accuracy {accuracy:.3f}, called ON {calls.mean():.3f}")
    return Study(dataset, models, dataset["counts"].values[test].astype(np.int64), labels[test])


def worst_case_section(study: Study) -> dict[str, Any]:
    """Fewest reads, moves, entries and factors; attention; transfer; two networks at once."""
    figures: dict[str, Any] = {}
    edited = {}
    for name, model in study.models.items():
        clock = time.process_time()
        options = WorstCaseOptions(factors=FACTORS, marks=False)
        worst = worst_case(model, study.counts, study.labels, options, study.ceilings, study.marks)
        seconds = time.process_time() - clock
        table = summary(worst.examples, worst.searched)
        before = ", ".join(f"{BEFORE[what][name]} {what}" for what in ("reads", "entries") if name in BEFORE[what])
        print(f"\n{name}: {seconds:.0f} s; before: {before or 'not measured'}")
        print(table.round(3).to_string(index=False))
        print(worst.edits.round(1).to_string(index=False))
        right = worst.examples[worst.examples["right"]]
        shares = {threat: quantiles(right[threat]) for threat in ("reads", "entries", "reads_share")}
        print("all right calls, median, p10, p90:", shares)
        figures[name] = {"summary": rows_of(table), "edits": rows_of(worst.edits), "all": shares, "seconds": seconds}
        if len(worst.factors):
            print(worst.factors.round(3).assign(before=BEFORE["factors"][name]).to_string(index=False))
            figures[name]["factors"] = rows_of(worst.factors)
        edited["reads", name] = EditedGenes(worst.reads, worst.reads_turned)
        edited["entries", name] = EditedGenes(worst.entries, worst.entries_turned)
    table = transfer(study.models, edited, study.counts, study.labels)
    print("\n" + table.round(3).to_string(index=False))
    figures["transfer"] = rows_of(table)
    if "attentivechrome" in study.models:
        model = study.models["attentivechrome"]
        table, _ = attack_explanation(model, Maps(model).alpha, study.counts, (1.1, 1.2, 1.5))
        print("\n" + table.assign(before=list(BEFORE["alpha_r"].values())).round(3).to_string(index=False))
        figures["explanation"] = rows_of(table)
    if set(NETWORKS) <= set(study.models):
        others = [model for name, model in study.models.items() if name not in NETWORKS]
        pair = [study.models[name] for name in NETWORKS]
        table, _ = attack_together(pair, others, study.counts, study.labels, 500, 40, study.ceilings)
        print("\n" + table.round(3).to_string(index=False))
        figures["together"] = rows_of(table)
    return figures


def noise_section(study: Study) -> dict[str, Any]:
    """Noise that happens: AUC, changed calls, attention."""
    schema = read_schema(SCHEMA.parent)["properties"]["noise"]
    settings = with_defaults({}, schema) | {"cross_talk": CROSS_TALK}
    figures = {}
    for name, model in study.models.items():
        maps = Maps.of(model)
        attend = maps.attend if maps and maps.attentive else None
        clock = time.process_time()
        table = noise_table(model, study.counts, study.labels, settings, study.marks, 100, attend)
        print(f"\n{name}: {time.process_time() - clock:.0f} s")
        shown = ["condition", "reads", "auc", "accuracy", "share_on", "changed", "alpha_r", "alpha_r_low", "beta_top"]
        print(table[shown].round(3).to_string(index=False))
        figures[name] = rows_of(table)
    return figures


def certificate_section(study: Study) -> dict[str, Any]:
    """Reads that provably do not turn the vote, of right votes; the vote of forests is slow, so it has fewer copies."""
    figures: dict[str, Any] = {}
    for name, model in study.models.items():
        for keep in (0.1, 0.05, 0.02, 0.01):
            clock = time.process_time()
            table = certify(model, study.counts, keep, samples=400 if model.differentiable else 300)
            right = (table["voted"] == "ON") == (study.labels == 1)
            reads = table["certified_reads"].fillna(-1).where(right, -1).astype(int)
            row = {
                "keep": keep,
                "accuracy": float(right.mean()),
                "abstains": float(table["certified_reads"].isna().mean()),
            }
            row["median"] = float(reads[reads >= 0].median())
            row |= {f"at {k}": float((reads >= k).mean()) for k in (5, 10, 20, 50)}
            figures.setdefault(name, []).append(row | {"seconds": time.process_time() - clock})
        print(f"\n{name}\n{pd.DataFrame(figures[name]).round(3).to_string(index=False)}")
    return figures


def quantiles(values: pd.Series) -> list[float | None]:
    """Return median, 10th and 90th percentile, where missing values are beyond the budget (None)."""
    filled = values.fillna(np.inf).quantile([0.5, 0.1, 0.9], interpolation="lower")
    return [round(float(value), 4) if np.isfinite(value) else None for value in filled]


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table for JSON."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


SECTIONS: dict[str, Callable[[Study], dict[str, Any]]] = {
    "noise": noise_section,
    "worst_case": worst_case_section,
    "certificate": certificate_section,
}
GENES = {"E003": real_genes, "E012": whole_epigenome}


def main() -> None:
    """Train, run the sections for every seed, and write their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with chromatin, epigenomes and roadmap")
    parser.add_argument("--epigenome", default="E003", choices=list(GENES), help="its genes (%(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="seeds of the split (%(default)s)")
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS, metavar="MODEL")
    parser.add_argument("--sections", nargs="+", default=list(SECTIONS), choices=SECTIONS, metavar="SECTION")
    parser.add_argument("--output", type=Path, default=Path("build/robustness.json"), help="figures (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    for seed in arguments.seeds:
        print(f"\nsplit {seed}")
        study = trained(GENES[arguments.epigenome](arguments.data, seed), tuple(arguments.models))
        figures[f"split {seed}"] = {name: SECTIONS[name](study) for name in arguments.sections}
        write_json(figures, arguments.output)


if __name__ == "__main__":
    main()
