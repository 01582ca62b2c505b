"""Transfer: models trained on one epigenome and tested on the others."""

from collections.abc import Iterable

import pandas as pd
import xarray as xr

from chromattend.models.base import TrainedModel
from chromattend.statistics import auc_interval


def transfer_aucs(model: TrainedModel, datasets: Iterable[tuple[str, xr.Dataset]]) -> pd.DataFrame:
    """Measure a model on the test genes of epigenomes.

    Genes are split alike in all epigenomes, so no test gene was trained on in any of them.

    Args:
        model: trained on one epigenome.
        datasets: name and dataset of each epigenome, see `chromattend.dataset.build_dataset`; taken one after the
            other.

    Returns:
        Columns tested_on, auc, auc_low and auc_high (95 %, DeLong), n.
    """
    rows = []
    for epigenome, dataset in datasets:
        test = dataset.isel(gene=dataset["split"].values == "test")
        score = model.score(model.contract.signal(test), model.contract.context(test))
        found = auc_interval(test["label"].values, score)
        rows.append((epigenome, *found, test.sizes["gene"]))
    return pd.DataFrame(rows, columns=["tested_on", "auc", "auc_low", "auc_high", "n"])
