"""What figures and tables show of attention that was computed before; without torch, which takes longer to import."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.signal import first_rows

NAMED_GENES = ["epigenome", "model", "gene", "symbol", "split", "label", "rpkm", "score", "mark", "beta"]


def mean_maps(alpha: xr.DataArray, score: xr.DataArray) -> xr.DataArray:
    """Average maps over the genes predicted ON and over those predicted OFF (AttentiveChrome, figure 2).

    Args:
        alpha: dims gene, mark, bin.
        score: P(ON) by gene.

    Returns:
        dims state (ON, OFF), mark, bin; NaN where no gene is predicted so.
    """
    on = score.values > 0.5
    parts = [alpha.isel(gene=np.flatnonzero(chosen)).mean("gene") for chosen in (on, ~on)]
    return xr.concat(parts, "state").assign_coords(state=["ON", "OFF"])


def beta_table(
    attention: Mapping[tuple[str, str], xr.Dataset], datasets: Mapping[str, xr.Dataset], genes: pd.DataFrame
) -> pd.DataFrame:
    """Tabulate the attention to the marks of named genes.

    Args:
        attention: (epigenome, model) -> see `chromattend.interpret.attention.attention_maps`; those without beta are
            passed over.
        datasets: epigenome -> see `chromattend.dataset.build_dataset`.
        genes: gene table of the named genes.

    Returns:
        One row an epigenome, model, gene and mark: epigenome, model, gene, symbol, split, label, rpkm, score (P(ON)),
        mark, beta. A gene without counts in an epigenome has no row there.
    """
    rows = []
    for (epigenome, model), maps in attention.items():
        if "beta" not in maps:
            continue
        dataset = datasets[epigenome]
        for gene, symbol in zip(genes["gene"], genes["symbol"], strict=True):
            if gene not in maps["gene"].values:
                continue
            found = maps.isel(gene=first_rows(maps, [gene])[0])
            rpkm = dataset["rpkm"].values[first_rows(dataset, [gene])[0]]
            for mark in maps["mark"].values:
                rows.append(
                    {
                        "epigenome": epigenome,
                        "model": model,
                        "gene": gene,
                        "symbol": symbol,
                        "split": str(found["split"].item()),
                        "label": int(found["label"]),
                        "rpkm": float(rpkm),
                        "score": float(found["score"]),
                        "mark": str(mark),
                        "beta": float(found["beta"].sel(mark=mark)),
                    }
                )
    return pd.DataFrame(rows, columns=NAMED_GENES)
