"""Invented results of the track robustness, with the columns and scale of real ones, for tests of its pages."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.robustness.pages.report import Worst, write_page
from chromattend.robustness.tables import Result

EVIL = "</script><script>alert(1)</script><img src=x onerror=\"document.title='x'\">"
MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
BUDGET = 500
SETTINGS: dict[str, Any] = {
    "genes": 500,
    "seed": 1,
    "noise": {"repeats": 5, "keep": [0.5, 0.25, 0.1, 0.05, 0.02], "strand": True},
    "worst_case": {"reads": BUDGET, "entries": 40},
    "certificate": {"keep": 0.02, "samples": 1000, "confidence": 0.999},
    "detection": {"squeezers": [["bits_3"], ["bits_3", "median_3"]]},
}
# Mean reads of a bin by mark, of ON and OFF genes.
_ON = (1.4, 3.0, 3.4, 22.0, 1.2)
_OFF = (7.5, 0.9, 2.0, 2.8, 2.0)


def edited_dataset(genes: int, rng: np.random.Generator, slow: float, evil: str = "") -> xr.Dataset:
    """Counts of genes, and the same with the fewest reads or entries changed that turn each call.

    Args:
        genes: number of genes; odd ones are ON.
        rng: source of random numbers.
        slow: median number of reads that turn a call.
        evil: added to the names of genes.
    """
    bins = np.arange(-5000, 5000, 100)
    on = np.arange(genes) % 2 == 1
    near = np.exp(-(((bins + 50) / 900.0) ** 2))
    shape = np.stack([1 + 0 * bins, 0.4 + (bins > 0), 0.5 + near, 0.15 + 4 * near, 1 + 0 * bins], axis=1)
    depth = np.where(on[:, None], _ON, _OFF) * rng.lognormal(0, 0.5, (genes, 5))
    original = rng.poisson(depth[:, None, :] * shape / shape.mean(axis=0)).astype(np.int32)
    wanted = np.rint(rng.lognormal(np.log(slow), 0.9, genes)).astype(int).clip(1)
    turned = (wanted <= BUDGET) & (rng.random(genes) < 0.97)
    called_right = rng.random(genes) < 0.8
    reads, entries = original.copy(), original.copy()
    for gene in np.flatnonzero(turned & called_right):
        added, removed = ((0, 4), (3, 1)) if on[gene] else ((3, 2), (0, 4))
        for step in range(wanted[gene]):
            place = int(np.clip(rng.normal(50, 12), 0, 99))
            if step % 3 == 2:
                holders = np.argwhere(reads[gene][:, list(removed)] > 0)
                if len(holders):
                    place, mark = holders[rng.integers(len(holders))]
                    reads[gene, place, removed[mark]] -= 1
                    continue
            reads[gene, place, added[rng.integers(2)]] += 1
    for gene in np.flatnonzero(called_right):
        for _ in range(int(rng.integers(2, 8))):
            entries[gene, int(rng.integers(40, 60)), 0 if on[gene] else 3] = 90
    return xr.Dataset(
        {
            "original": (("gene", "bin", "mark"), original),
            "reads": (("gene", "bin", "mark"), reads),
            "entries": (("gene", "bin", "mark"), entries),
            "reads_turned": ("gene", turned & called_right),
            "entries_turned": ("gene", called_right),
            "right": ("gene", called_right),
        },
        coords={
            "gene": [f"ENSG{number:011d}" for number in range(genes)],
            "bin": bins,
            "mark": list(MARKS),
            "symbol": ("gene", [f"{'PAX' if number < 9 else 'GENE'}{number}{evil}" for number in range(genes)]),
            "label": ("gene", on.astype(int)),
        },
    )


def worst_case_of(edited: xr.Dataset, rng: np.random.Generator) -> pd.DataFrame:
    """Return worst_case.tsv, of `edited_dataset`."""
    original = edited["original"].values
    right, label = edited["right"].values, edited["label"].values
    turned, entered = edited["reads_turned"].values, edited["entries_turned"].values
    window = original.sum(axis=(1, 2))
    reads = np.where(turned, np.abs(edited["reads"].values - original).sum(axis=(1, 2)), np.nan)
    confidence = np.clip(0.55 + 0.07 * np.log(np.where(turned, reads, 900)), 0.51, 0.999)
    call = np.where(right, label, 1 - label)
    table = pd.DataFrame(
        {
            "gene": edited["gene"].values,
            "symbol": edited["symbol"].values,
            "label": label,
            "score": np.where(call == 1, confidence, 1 - confidence),
            "call": np.where(call == 1, "ON", "OFF"),
            "right": right,
            "window_reads": window,
            "reads": reads,
            "reads_share": reads / window,
            "moves": np.where(turned, np.ceil(reads * 0.8), np.nan),
            "entries": np.where(entered, (edited["entries"].values != original).sum(axis=(1, 2)), np.nan),
            "factor": np.where(turned, rng.choice([1.1, 1.2, 1.5, 2.0], len(right)), np.nan),
        }
    )
    for number, mark in enumerate(MARKS):
        alone = np.rint(reads * (1.2 + 0.5 * number))
        table[f"reads_{mark}"] = np.where(alone <= BUDGET, alone, np.nan)
    return table


def edits_of(edited: xr.Dataset) -> pd.DataFrame:
    """Return edits.tsv, of `edited_dataset`."""
    rows = []
    label = edited["label"].values
    for threat in ("reads", "entries"):
        difference = edited[threat].values - edited["original"].values
        for direction, value in (("ON to OFF", 1), ("OFF to ON", 0)):
            chosen = edited[f"{threat}_turned"].values & (label == value)
            for number, mark in enumerate(MARKS):
                change = difference[chosen, :, number]
                rows.append(
                    {
                        "threat": threat,
                        "direction": direction,
                        "mark": mark,
                        "genes": int(chosen.sum()),
                        "added": np.maximum(change, 0).sum(axis=1).mean(),
                        "removed": np.maximum(-change, 0).sum(axis=1).mean(),
                    }
                )
    return pd.DataFrame(rows)


def noise_table(attention: bool, changed: float = 0.018) -> pd.DataFrame:
    """Return noise.tsv: conditions with the values of a real network, `changed` by a Poisson redraw."""
    conditions: list[tuple[str, str, str, Any, float, float, float, float]] = [
        ("undisturbed", "none", "", None, 0, 0.862, 0.0, 1.0),
        ("Poisson redraw", "redraw", "", None, 490, 0.854, changed, 0.946),
    ]
    for value, auc, new, old_auc, old, r in (
        (0.5, 0.858, 0.018, 0.856, 0.079, 0.944),
        (0.25, 0.849, 0.036, 0.85, 0.31, 0.846),
        (0.1, 0.839, 0.062, 0.853, 0.582, 0.643),
        (0.05, 0.835, 0.09, 0.81, 0.6, 0.49),
        (0.02, 0.831, 0.14, 0.77, 0.61, 0.348),
    ):
        share, reads = f"{100 * value:g} % of the reads", 2030 * (1 - value)
        conditions.append((share, "keep", "", value, reads, auc, new, r))
        conditions.append((f"{share}, old depth", "keep_old_depth", "", value, reads, old_auc, old, r - 0.02))
    conditions += [
        ("30 % duplicates", "duplicates", "", 0.3, 420, 0.859, 0.01, 0.95),
        ("TSS off by 100 bp", "shift", "", 100, 930, 0.86, 0.013, 0.83),
        ("TSS off by 500 bp", "shift", "", 500, 1600, 0.852, 0.053, 0.526),
        ("TSS off by 1,000 bp", "shift", "", 1000, 1900, 0.84, 0.105, 0.41),
        ("strand flipped", "strand", "", None, 1700, 0.835, 0.112, 0.3),
        ("H3K4me3 with 20 % H3K27me3", "cross_talk", "H3K4me3", 0.2, 380, 0.858, 0.023, 0.91),
        ("H3K4me1 with 20 % H3K4me3", "cross_talk", "H3K4me1", 0.2, 120, 0.86, 0.026, 0.93),
    ]
    absent = {"H3K4me3": (0.751, 0.586), "H3K36me3": (0.82, 0.11), "H3K9me3": (0.86, 0.02)}
    for mark in MARKS:
        conditions.append((f"{mark} at 50 % efficiency", "efficiency", mark, 0.5, 300, 0.85, 0.05, 0.88))
        auc, share = absent.get(mark, (0.84, 0.07))
        conditions.append((f"{mark} absent", "absent", mark, None, 500, auc, share, 0.6))
    conditions.append(("another seed", "seed", "", 2, 0, 0.859, 0.033, 0.904))
    names = ["condition", "kind", "mark", "value", "reads", "auc", "changed", "alpha_r"]
    table = pd.DataFrame(conditions, columns=names)
    table["draws"] = np.where(table["kind"].isin(["redraw", "keep", "keep_old_depth", "duplicates"]), 5, 1)
    table["auc_low"], table["auc_high"] = table["auc"] - 0.05, table["auc"] + 0.045
    table["accuracy"], table["share_on"] = 0.796 - table["changed"] / 2, 0.5 + table["changed"] / 3
    table["changed_low"] = (table["changed"] * 0.5).round(4)
    table["changed_high"] = table["changed"] * 1.4 + 0.02 * (table["changed"] > 0)
    table["alpha_r_low"] = table["alpha_r"] - 0.2
    table["alpha_top"], table["beta_top"] = table["alpha_r"] * 0.8, 0.5 + table["alpha_r"] / 2
    table["attribution_r"], table["attribution_r_low"] = table["alpha_r"] - 0.05, table["alpha_r"] - 0.3
    if not attention:
        table[["alpha_r", "alpha_r_low", "alpha_top", "beta_top"]] = np.nan
    return table


def chromatin_result(
    model: str = "deepchrome",
    genes: int = 152,
    slow: float = 63,
    attention: bool = False,
    changed: float = 0.018,
    evil: str = "",
    seed: int = 3,
) -> dict[str, Any]:
    """Return the tables of one model and epigenome by the names of their files, and `edited`, the content of edited.nc.

    Args:
        model: name of the model.
        genes, slow, evil: see `edited_dataset`.
        attention: whether the model has attention.
        changed: share of the calls that change in a Poisson redraw.
        seed: of the invented numbers.
    """
    rng = np.random.default_rng(seed)
    edited = edited_dataset(genes, rng, slow, evil)
    worst_case = worst_case_of(edited, rng)
    certified = np.rint(rng.beta(6, 1.2, genes) * 34)
    voted = np.where(rng.random(genes) < 0.97, worst_case["call"], np.where(worst_case["call"] == "ON", "OFF", "ON"))
    abstains = rng.random(genes) < 0.06
    first = worst_case[["gene", "symbol", "label"]]
    certificate = first.assign(
        call=worst_case["call"],
        voted=voted,
        votes=0.5 + certified / 70,
        votes_low=0.48 + certified / 70,
        certified_reads=np.where(abstains, np.nan, certified),
    )
    stability = first.assign(
        score=worst_case["score"],
        call=worst_case["call"],
        stability=np.where(worst_case["reads"] < 10, 0.8, 1.0),
        alpha_r=rng.normal(0.93, 0.03, genes) if attention else np.nan,
    )
    factors = pd.DataFrame(
        {"factor": [1.05, 1.1, 1.2, 1.5, 2.0], "genes": 119, "turned": [0.03, 0.08, 0.34, 0.94, 1.0]}
    )
    factors["low"], factors["high"] = factors["turned"] * 0.8, (factors["turned"] * 1.1 + 0.03).clip(upper=1)
    explanation = pd.DataFrame(
        {"factor": [1.2, 1.5], "genes": 119, "kept": [1.0, 0.98], "alpha_r": [0.96, 0.73], "alpha_r_low": [0.8, 0.4]}
    ).assign(reads=[316.0, 955.0])
    rows = []
    edits = ["reads", "entries", "factor 1.2", "factor 1.5", "factor 2", "redraw"]
    for detector, shares in {
        "bits_3": (0.56, 0.67, 0.38, 0.2, 0.02, 0.04),
        "median_3": (0.94, 0.87, 0.97, 0.87, 0.33, 0.09),
        "bits_3 + median_3": (0.95, 0.91, 0.93, 0.81, 0.27, 0.09),
        "low confidence": (0.98, 0.9, 0.6, 0.3, 0.05, 0.06),
    }.items():
        for kind, detected in zip(edits, shares, strict=True):
            rows.append(
                {
                    "detector": detector,
                    "edits": kind,
                    "threshold": 0.12,
                    "false_positives": 0.046,
                    "genes": 119,
                    "detected": detected,
                    "auc": 0.5 + detected / 2 - 0.01,
                    "repaired": np.nan if detector == "low confidence" else detected * 0.98,
                }
            )
    return {
        "noise": noise_table(attention, changed),
        "stability": stability,
        "worst_case": worst_case,
        "certificate": certificate,
        "edits": edits_of(edited),
        "factors": factors,
        "explanation": explanation if attention else explanation.iloc[:0],
        "detection": pd.DataFrame(rows),
        "edited": edited.drop_vars("right").assign_attrs(epigenome="E003", model=model, threshold=0.46),
    }


def transfer_table(models: tuple[str, ...] = ("deepchrome", "attentivechrome", "random_forest")) -> pd.DataFrame:
    """Return transfer.tsv of an epigenome."""
    rows = [
        {"threat": threat, "from_model": one, "to_model": other, "genes": 110}
        for threat in ("reads", "entries")
        for one in models
        for other in models
        if one != other
    ]
    table = pd.DataFrame(rows)
    table["fooled"] = np.resize([0.0, 0.01, 0.10, 0.05, 0.03, 0.02], len(table))
    return table.assign(low=table["fooled"] * 0.4, high=table["fooled"] * 1.7 + 0.03)


def together_table() -> pd.DataFrame:
    """Return together.tsv of an epigenome."""
    models = "deepchrome + attentivechrome"
    rows = [
        (models, "reads", "ON to OFF", 55, 0.72, 0.58, 0.82, 294.0, 120.0, np.nan, 0.03),
        (models, "reads", "OFF to ON", 52, 0.25, 0.15, 0.38, np.nan, 210.0, np.nan, 0.04),
        (models, "entries", "ON to OFF", 55, 0.99, 0.9, 1.0, 7.0, 3.0, 21.0, 0.03),
    ]
    names = ["models", "threat", "direction", "genes", "turned", "low", "high", "median", "p10", "p90", "others_fooled"]
    return pd.DataFrame(rows, columns=names)


def letters_table(sequences: int = 60, length: int = 101, evil: str = "") -> pd.DataFrame:
    """Return letters.tsv of a network: half of the predictions turn with one to four letters."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(sequences):
        letters = rng.choice(list("ACGT"), length)
        right = rng.random() < 0.85
        changes = int(rng.integers(1, 6)) if right and rng.random() < 0.95 else None
        edited, substitutions = "", ""
        if changes:
            places = np.sort(rng.choice(length, changes, replace=False))
            changed = letters.copy()
            for place in places:
                changed[place] = {"A": "G", "C": "T", "G": "C", "T": "A"}[letters[place]]
            edited = "".join(changed)
            substitutions = ",".join(f"{letters[place]}{place + 1}{changed[place]}" for place in places)
        label = number % 2
        call = label if right else 1 - label
        confidence = 0.6 + 0.07 * (changes or 0)
        rows.append(
            {
                "sequence": f"chr1:{1000 * number}-{1000 * number + length}{evil}",
                "label": label,
                "score": confidence if call else 1 - confidence,
                "call": "ON" if call else "OFF",
                "right": right,
                "length": length,
                "changes": changes,
                "edited": edited,
                "substitutions": substitutions,
            }
        )
    return pd.DataFrame(rows)


def image_result(n: int = 100) -> dict[str, Any]:
    """Return metrics, attacks, detection, roc and adaptive of one set of images, as in the files of their names."""
    runs = {
        "fgsm": ("FGSM", "linf", "", 0.46, 0.94, 0.302, 5.93, 0.559, 1.0),
        "bim": ("BIM", "linf", "", 0.94, 0.99, 0.302, 5.28, 0.702, 0.98),
        "cw2-next": ("CW2", "l2", "next", 0.96, 0.99, 0.718, 2.89, 0.379, 1.0),
        "cw2-least": ("CW2", "l2", "least", 1.0, 0.99, 0.758, 3.31, 0.377, 1.0),
        "cw0-next": ("CW0", "l0", "next", 0.98, 0.99, 0.99, 4.8, 0.047, 0.94),
        "jsma-next": ("JSMA", "l0", "next", 0.8, 0.59, 1.0, 4.68, 0.044, 1.0),
    }
    attacks, detection, roc = [], [], []
    for run, (title, norm, target, success, confidence, linf, l2, l0, _) in runs.items():
        attacks.append(
            {
                **{"attack": run.partition("-")[0], "target": target, "title": title, "norm": norm, "n": n},
                **{"success": success, "success_low": max(success - 0.1, 0), "success_high": min(success + 0.08, 1)},
                **{"confidence": confidence, "linf": linf, "l2": l2, "l0": l0, "unfinished": 0, "seconds": 0.4},
                **{"options": "", "published_success": success - 0.01, "published_confidence": confidence - 0.02},
                **{"published_linf": linf, "published_l2": l2 - 0.05, "published_l0": l0},
            }
        )
    for detector, weight, published in (
        ("bits_1", 0.92, 0.903),
        ("median_2", 0.85, 0.868),
        ("bits_1 + median_2", 1, 0.982),
    ):
        rates = {run: weight * values[-1] for run, values in runs.items()}
        rates |= {"all": float(np.mean(list(rates.values()))), "legitimate": 0.053}
        for run, rate in rates.items():
            detection.append(
                {
                    **{"detector": detector, "attack": run, "threshold": 0.0034, "false_positives": 0.05, "n": n},
                    **{"detected": rate, "low": max(rate - 0.06, 0), "high": min(rate + 0.04, 1)},
                    "auc": np.nan if run == "legitimate" else min(0.5 + rate / 2, 0.999),
                    "repaired": np.nan if run in ("all", "legitimate") else rate * 0.8,
                    "published": published if run == "all" else np.nan,
                }
            )
        for rate in np.linspace(0, 1, 21):
            roc.append({"detector": detector, "false_positives": rate, "detected": rate ** (0.15 / weight)})
    adaptive = pd.DataFrame({"row": range(40), "success": True, "undetected": True, "l2": 2.27, "linf": 0.72})
    return {
        "metrics": {
            "accuracy": 0.9943,
            "confidence": 0.9939,
            "parameters": 312202,
            "train": 0,
            "detector": 1100,
            "test": 8900,
        },
        "attacks": pd.DataFrame(attacks),
        "detection": pd.DataFrame(detection),
        "roc": pd.DataFrame(roc),
        "adaptive": adaptive,
    }


def result_of(model: str = "deepchrome", **given: Any) -> tuple[Result, Worst]:
    """Return what a page shows of one model in E003; see `chromatin_result`."""
    made = chromatin_result(model=model, **given)
    tables = (made[name] for name in ("noise", "stability", "certificate", "worst_case"))
    result = Result("E003", model, *tables, transfer_table(), made["edited"].attrs["threshold"], BUDGET)
    parts = {name: made[name] for name in ("edits", "factors", "explanation", "detection", "edited")}
    return result, Worst(together=together_table(), **parts)


def page_of(path: Path, model: str = "deepchrome", **given: Any) -> Path:
    """Write the page of one model in E003 and return its path; see `chromatin_result`."""
    result, worst = result_of(model, **given)
    write_page(
        path,
        result=result,
        worst=worst,
        settings=SETTINGS,
        named=["PAX5"],
        links=[("All pages of robustness", "../../../index.html")],
        command="snakemake -- results/robustness/chromatin/E003/deepchrome/report.html",
    )
    return path
