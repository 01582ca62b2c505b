"""The study's tables: AUCs of all epigenomes and models, with AUCs that others report; attention to named genes."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import xarray as xr

from chromattend.chromatin.dataset import match_genes
from chromattend.models.registry import REGISTRY
from chromattend.statistics import median_interval

REFERENCE = "deepchrome"


def auc_table(results: Mapping[tuple[str, str], Mapping[str, Any]], split_rule: str) -> pd.DataFrame:
    """Put the test metrics of all epigenomes and models into one table.

    Args:
        results: (epigenome, model) -> `metrics`.
        split_rule: how the genes were split, for the column of that name: test sets of different rules cannot
            be compared.
    """
    rows = [
        {"epigenome": epigenome, "model": model, **metrics["test"], "split_rule": split_rule}
        for (epigenome, model), metrics in results.items()
    ]
    return pd.DataFrame(rows).astype({"kept_epoch": "Int64"})


def summary_table(auc: pd.DataFrame, published: pd.DataFrame, retrained: pd.DataFrame) -> pd.DataFrame:
    """Summarise test AUCs per model, next to the published values.

    Args:
        auc: see `auc_table`.
        published: columns model, mean, median, max, min, better_than_deepchrome, of 56 epigenomes.
        retrained: see `published_table`.

    Returns:
        One row per model: title, epigenomes, mean, median with its bootstrap interval, max, min,
        better_than_deepchrome (number of epigenomes with a higher AUC; empty if DeepChrome was not run), the same
        values as published, and the mean AUC of others' retrained models over all 56 epigenomes.
    """
    wide = auc.pivot(index="epigenome", columns="model", values="auc")
    published_values = published.set_index("model")
    retrained_means = retrained[retrained["kind"] == "retrained"].groupby("model")["auc"].mean()
    rows = []
    for model in dict.fromkeys(auc["model"]):
        values, spec = wide[model].dropna(), REGISTRY[model]
        row: dict[str, Any] = {"model": model, "title": spec.title, "epigenomes": len(values)}
        row |= {name: getattr(values, name)() for name in ("mean", "median", "max", "min")}
        row["median_low"], row["median_high"] = median_interval(values)
        if REFERENCE in wide and model != REFERENCE:
            row["better_than_deepchrome"] = int((values > wide[REFERENCE].loc[values.index]).sum())
        if spec.published:
            row |= {f"published_{name}": value for name, value in published_values.loc[spec.published].items()}
        row["retrained_mean"] = retrained_means.get(model)
        rows.append(row)
    table = pd.DataFrame(rows).reindex(columns=SUMMARY)
    counts = [name for name in SUMMARY if name.endswith("better_than_deepchrome")]
    return table.astype({name: "Int64" for name in counts})


_FIGURES = ("mean", "median", "max", "min", "better_than_deepchrome")
SUMMARY = [
    *("model", "title", "epigenomes", "mean", "median", "median_low", "median_high", "max", "min"),
    *("better_than_deepchrome", *(f"published_{name}" for name in _FIGURES), "retrained_mean"),
]


def published_table(auc: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """Put each AUC next to the AUCs that others report for the same epigenome and model.

    Args:
        auc: see `auc_table`.
        known: columns epigenome, model, kind (`published` by the model's authors, or `retrained` by others), source
            and auc.

    Returns:
        One row per epigenome, model and source: epigenome, model, kind, source, reported, auc, auc_low, auc_high
        and difference (auc - reported); no row if nothing is reported.
    """
    own = auc[["epigenome", "model", "auc", "auc_low", "auc_high"]]
    table = known.rename(columns={"auc": "reported"}).merge(own, on=["epigenome", "model"])
    return table.assign(difference=table["auc"] - table["reported"])


NAMED_GENES = ["epigenome", "model", "gene", "symbol", "split", "label", "rpkm", "score", "mark", "beta"]


def beta_table(
    attention: Mapping[tuple[str, str], xr.Dataset], datasets: Mapping[str, xr.Dataset], genes: pd.DataFrame
) -> pd.DataFrame:
    """Tabulate the attention to the marks of named genes.

    Args:
        attention: (epigenome, model) -> see `chromattend.chromatin.attention.attention_maps`; maps without beta are
            skipped.
        datasets: epigenome -> see `chromattend.chromatin.dataset.build_dataset`.
        genes: gene table of the named genes.

    Returns:
        One row per epigenome, model, gene and mark: epigenome, model, gene, symbol, split, label, rpkm, score (P(ON)),
        mark, beta. A gene without counts in an epigenome has no row for it.
    """
    rows = []
    for (epigenome, model), maps in attention.items():
        if "beta" not in maps:
            continue
        dataset = datasets[epigenome]
        places = zip(match_genes(genes, maps), match_genes(genes, dataset), strict=True)
        for gene, (row, row_of_dataset) in zip(genes.to_dict("records"), places, strict=True):
            if row < 0:
                continue
            attended = maps.isel(gene=row)
            for mark in maps["mark"].values:
                rows.append(
                    {
                        "epigenome": epigenome,
                        "model": model,
                        "gene": gene["gene"],
                        "symbol": gene["symbol"],
                        "split": str(attended["split"].item()),
                        "label": int(attended["label"]),
                        "rpkm": float(dataset["rpkm"].values[row_of_dataset]),
                        "score": float(attended["score"]),
                        "mark": str(mark),
                        "beta": float(attended["beta"].sel(mark=mark)),
                    }
                )
    return pd.DataFrame(rows, columns=NAMED_GENES)
