"""Several epigenomes at once: the data of a pan-epigenome model, and a control that uses no chromatin."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.metrics import roc_auc_score

from chromattend.errors import UserError
from chromattend.models.base import TrainedModel
from chromattend.statistics import auc_interval


def join_epigenomes(datasets: Iterable[tuple[str, xr.Dataset]]) -> xr.Dataset:
    """Concatenate the train and valid genes of all epigenomes.

    Args:
        datasets: name and dataset of each epigenome, see `chromattend.chromatin.dataset.build_dataset`, all with the
            same split; read one at a time to save memory.

    Returns:
        `counts`, `rpkm`, `label` and `split` by gene, and `depth[gene, mark]`, the depth of the gene's epigenome; the
        coordinate `epigenome` by gene names the epigenome of each row.

    Raises:
        UserError: the epigenomes differ in their marks or bins.
    """
    parts: list[xr.Dataset] = []
    for epigenome, dataset in datasets:
        chosen = dataset.isel(gene=np.flatnonzero(dataset["split"].values != "test"))
        if parts and not (chosen["mark"].equals(parts[0]["mark"]) and chosen["bin"].equals(parts[0]["bin"])):
            raise UserError(f"{epigenome}: its marks or bins differ from the other epigenomes; build its dataset again")
        genes = chosen.sizes["gene"]
        depth = np.broadcast_to(chosen["depth"].values.astype(np.float32), (genes, chosen.sizes["mark"]))
        chosen = chosen[["counts", "rpkm", "label", "split"]].assign(depth=(("gene", "mark"), depth))
        parts.append(chosen.assign_coords(epigenome=("gene", np.full(genes, epigenome))))
    joined = xr.concat(parts, "gene", combine_attrs="drop_conflicts", coords="minimal", compat="override", join="exact")
    return joined.assign_attrs(epigenome="pan_epigenome")


def labels_of_test(dataset: xr.Dataset) -> pd.Series:
    """Return the labels of the test genes by id; a duplicated gene has one label."""
    test = dataset.isel(gene=np.flatnonzero(dataset["split"].values == "test"))
    labels = pd.Series(test["label"].values, index=test["gene"].values)
    return labels[~labels.index.duplicated()]


def labels_elsewhere(labels: pd.DataFrame) -> pd.DataFrame:
    """Measure how well a gene's labels in the other epigenomes predict its label, without any chromatin.

    Most genes have the same label in most cell types. A model that sees a gene's label in one epigenome can repeat it
    in another, so its scores must be compared with this control.

    Args:
        labels: labels of the test genes, 0 or 1, one row per gene, one column per epigenome; NaN if an epigenome lacks
            the gene.

    Returns:
        Columns epigenome, auc (of the share of the other epigenomes in which the gene is ON) and n.
    """
    rows = []
    for epigenome in labels.columns:
        share = labels.drop(columns=epigenome).mean(axis=1)
        labelled = share.notna() & labels[epigenome].notna()
        auc = roc_auc_score(labels.loc[labelled, epigenome], share[labelled])
        rows.append({"epigenome": epigenome, "auc": float(auc), "n": int(labelled.sum())})
    return pd.DataFrame(rows)


def transfer_aucs(model: TrainedModel, datasets: Iterable[tuple[str, xr.Dataset]]) -> pd.DataFrame:
    """Measure the AUC of a model on the test genes of several epigenomes.

    All epigenomes have the same split, so no test gene was a training gene in any of them.

    Args:
        model: model of one epigenome.
        datasets: name and dataset of each epigenome, see `chromattend.chromatin.dataset.build_dataset`; read one at a
            time.

    Returns:
        Columns tested_on, auc, auc_low and auc_high (95 %, DeLong), n.
    """
    rows = []
    for epigenome, dataset in datasets:
        test = dataset.isel(gene=dataset["split"].values == "test")
        interval = auc_interval(test["label"].values, model.score(test))
        rows.append((epigenome, *interval, test.sizes["gene"]))
    return pd.DataFrame(rows, columns=["tested_on", "auc", "auc_low", "auc_high", "n"])
