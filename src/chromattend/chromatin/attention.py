"""Attention of trained networks: the weight of each bin and each mark of a gene."""

from collections.abc import Sequence

import numpy as np
import torch
import xarray as xr

from chromattend.models.attention import Attention
from chromattend.models.base import TrainedModel
from chromattend.models.network import batches, network_of


@torch.inference_mode()
def attention_maps(model: TrainedModel, dataset: xr.Dataset) -> xr.Dataset:
    """Return the attention of a network for every gene of a dataset.

    Attention is averaged over replicates. A network that attends to all marks at once (LSTM-Attn, CNN-Attn) has the
    same alpha for every mark.

    Args:
        model: a network with attention.
        dataset: see `chromattend.chromatin.dataset.build_dataset`.

    Returns:
        `alpha[gene, mark, bin]`, float32, sums to 1 over the bins; `beta[gene, mark]` sums to 1 over the marks, if the
        network has attention over marks (AttentiveChrome, equations 3 to 6); `score[gene]`, P(ON).

    Raises:
        UserError: the model has no attention, or was trained on other marks or bins.
    """
    network = network_of(model, needs_attention=True)
    network.eval()
    alphas, betas, logits = [], [], []
    for signal, *context in batches(*network.arrays(dataset)):
        inputs = network.transform(signal)
        attention: list[Attention] = [
            replicate.attend(inputs, *context)  # type: ignore[operator]
            for replicate in network.replicates
        ]
        alphas.append(torch.stack([part.alpha.expand_as(inputs) for part in attention]).mean(dim=0))
        logits.append(network.calibrated(torch.stack([part.logit for part in attention]).mean(dim=0)))
        if attention[0].beta is not None:
            betas.append(torch.stack([part.beta for part in attention if part.beta is not None]).mean(dim=0))
    variables = {
        "alpha": (("gene", "bin", "mark"), torch.cat(alphas).numpy(), {"long_name": "weight of each bin of a mark"}),
        "score": ("gene", torch.sigmoid(torch.cat(logits)).numpy(), {"long_name": "P(ON)"}),
    }
    if betas:
        variables["beta"] = (("gene", "mark"), torch.cat(betas).numpy(), {"long_name": "weight of each mark"})
    return described(variables, dataset, model).transpose("gene", "mark", "bin")


def described(variables: dict, dataset: xr.Dataset, model: TrainedModel) -> xr.Dataset:
    """Return variables with the coordinates of their dataset, and epigenome and model as attributes."""
    coordinates = {
        name: dataset[name] for name in ("gene", "mark", "bin", "symbol", "label", "split") if name in dataset
    }
    return xr.Dataset(
        variables,
        coordinates,
        {"epigenome": dataset.attrs.get("epigenome", ""), "model": model.input_spec.model},
    )


def select_genes(dataset: xr.Dataset, part: str, named: Sequence[str] = ()) -> xr.Dataset:
    """Return the genes of a part of the split (`all` for every gene), and named genes of any part.

    Args:
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        part: train, valid, test or all.
        named: ids of the named genes.
    """
    chosen = np.isin(dataset["gene"].values, list(named))
    chosen |= (dataset["split"].values == part) if part != "all" else True
    return dataset.isel(gene=np.flatnonzero(chosen))
