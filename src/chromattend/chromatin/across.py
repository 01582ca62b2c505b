"""Many epigenomes at once: the data of a pan-epigenome model, and the control that needs no chromatin."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
import xarray as xr
from sklearn.metrics import roc_auc_score

from chromattend.errors import UserError
from chromattend.models.base import TrainedModel
from chromattend.statistics import auc_interval


def join_epigenomes(datasets: Iterable[tuple[str, xr.Dataset]]) -> xr.Dataset:
    """Put the train and valid genes of all epigenomes below each other.

    Args:
        datasets: name and dataset of each epigenome, see `chromattend.chromatin.dataset.build_dataset`, all with the
            same split; taken one after the other, so that not all of them need be held.

    Returns:
        `counts`, `rpkm`, `label` and `split` by gene, and `depth[gene, mark]`, each gene's the one of its
        epigenome; the coordinate `epigenome` by gene tells whose row it is.

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
    """Return the labels of the test genes by id; a gene that is listed twice has one label."""
    test = dataset.isel(gene=np.flatnonzero(dataset["split"].values == "test"))
    labels = pd.Series(test["label"].values, index=test["gene"].values)
    return labels[~labels.index.duplicated()]


def labels_elsewhere(labels: pd.DataFrame) -> pd.DataFrame:
    """Return how well a gene's label follows from its labels in the other epigenomes, without any chromatin.

    Most genes are ON, or OFF, in most cells. A model that sees a gene's label in one epigenome can repeat it in
    another: whatever such a model scores must be compared with this control.

    Args:
        labels: of the test genes, 0 or 1, one row a gene, one column an epigenome; NaN where it has no such gene.

    Returns:
        Columns epigenome, auc (of the share of the other epigenomes in which the gene is ON) and n.
    """
    rows = []
    for epigenome in labels.columns:
        share = labels.drop(columns=epigenome).mean(axis=1)
        known = share.notna() & labels[epigenome].notna()
        auc = roc_auc_score(labels.loc[known, epigenome], share[known])
        rows.append({"epigenome": epigenome, "auc": float(auc), "n": int(known.sum())})
    return pd.DataFrame(rows)


def transfer_aucs(model: TrainedModel, datasets: Iterable[tuple[str, xr.Dataset]]) -> pd.DataFrame:
    """Measure a model on the test genes of epigenomes.

    Genes are split alike in all epigenomes, so no test gene was trained on in any of them.

    Args:
        model: trained on one epigenome.
        datasets: name and dataset of each epigenome, see `chromattend.chromatin.dataset.build_dataset`; taken one
            after the other.

    Returns:
        Columns tested_on, auc, auc_low and auc_high (95 %, DeLong), n.
    """
    rows = []
    for epigenome, dataset in datasets:
        test = dataset.isel(gene=dataset["split"].values == "test")
        interval = auc_interval(test["label"].values, model.score(test))
        rows.append((epigenome, *interval, test.sizes["gene"]))
    return pd.DataFrame(rows, columns=["tested_on", "auc", "auc_low", "auc_high", "n"])
