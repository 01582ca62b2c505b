"""All explanations of one trained network on some genes: maps of every method, and how far to trust them."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr

from chromattend.chromatin.attention import described
from chromattend.chromatin.importance import importance_table, influential_marks, mark_effects
from chromattend.errors import UserError
from chromattend.interpret import METHODS, methods_of
from chromattend.interpret.attribution import Explained, attribute, randomised
from chromattend.interpret.class_optimization import STATES, class_optima
from chromattend.interpret.faithfulness import curve_table, faithfulness_curves, faithfulness_table, similarity
from chromattend.models.base import TrainedModel
from chromattend.models.network import SCORING_BATCH, in_batches, network_of
from chromattend.models.registry import REGISTRY

logger = logging.getLogger(__name__)

# One network without training can point anywhere; several show how far.
CONTROLS = 3
WEIGHTS = ["trained", *(f"random_{number}" for number in range(1, CONTROLS + 1))]


@dataclass(frozen=True)
class ExplainOptions:
    """How a network is explained.

    Attributes:
        methods: names of `chromattend.interpret.METHODS`; those that a network has no use for are left out.
        genes: largest number of genes; None for all.
        seed: of their choice.
        window: width of occlusion (bins).
        penalty, starts, optimiser_steps: of class optimisation, see `optimise_input`.
    """

    methods: Sequence[str]
    genes: int | None = 500
    seed: int = 1
    window: int = 5
    penalty: float = 0.009
    starts: int = 4
    optimiser_steps: int = 300


@dataclass(frozen=True)
class Explanation:
    """What `explain` found.

    Attributes:
        maps: one variable a method with dims weights (`trained`, or `random_1`, ...: of networks without training),
            gene, mark and bin; `optimum[weights, state, mark, bin]` of class optimisation, in units of transformed
            signal above no reads; `effect[gene, mark, other]`, see `mark_effects`; `score[gene]`, P(ON); and
            `beta[gene, mark]` where the network has it.
        faithfulness: see `faithfulness_table`.
        curves: see `curve_table`.
        importance: see `importance_table`.
        influence: see `influential_marks`.
    """

    maps: xr.Dataset
    faithfulness: pd.DataFrame
    curves: pd.DataFrame
    importance: pd.DataFrame
    influence: pd.DataFrame


def sample_genes(dataset: xr.Dataset, number: int | None, seed: int) -> xr.Dataset:
    """Return test genes drawn at random, in their order.

    The draw is by the gene's id, so that epigenomes of which some genes have no counts get the same ones otherwise.
    """
    test = np.flatnonzero(dataset["split"].values == "test")
    if number is not None and number < len(test):
        drawn = [hashlib.blake2b(f"{seed} {gene}".encode()).digest() for gene in dataset["gene"].values[test]]
        test = np.sort(test[sorted(range(len(test)), key=lambda row: drawn[row])[:number]])
    return dataset.isel(gene=test)


def explain(model: TrainedModel, dataset: xr.Dataset, options: ExplainOptions) -> Explanation:
    """Explain a network by every method that is defined for it, on test genes.

    Args:
        model: a network of one epigenome.
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        options: methods and their settings.

    Raises:
        UserError: the model is no network or knows epigenomes, or was trained on other marks or bins.
    """
    network = network_of(model)
    contract = network.contract
    if contract.epigenomes:
        raise UserError(f"{contract.model}: takes the epigenome as a second input; explain models of one epigenome")
    chosen = sample_genes(dataset, options.genes, options.seed)
    signal = torch.from_numpy(np.ascontiguousarray(contract.signal(chosen)))
    with torch.inference_mode():
        highest = network.transform(torch.from_numpy(contract.signal(dataset))).amax(dim=(0, 1))
        inputs = network.transform(signal)
        baseline = network.transform(torch.zeros_like(signal[:1]))
    # Tensors made in inference mode cannot be differentiated.
    inputs, baseline, highest = inputs.clone(), baseline.clone(), highest.clone()
    subjects = {"trained": Explained(network)}
    for number, name in enumerate(WEIGHTS[1:], start=1):
        subjects[name] = Explained(randomised(network, options.seed, number))
    score = subjects["trained"]
    with torch.inference_mode():
        logits = in_batches(score, inputs)

    methods = methods_of(contract.model, list(options.methods))
    weights: dict[str, dict[str, torch.Tensor]] = {}
    incomplete: dict[str, float] = {}
    for method in methods:
        weights[method] = {
            name: attribute(subject, inputs, baseline, method, window=options.window)
            for name, subject in subjects.items()
        }
        logger.info("%s: %s of %d genes", contract.model, method, len(inputs))
        if METHODS[method].complete:
            incomplete[method] = incomplete_share(weights[method]["trained"], logits - score(baseline).detach())
    optima = [
        class_optima(
            subject, baseline, highest, penalty=options.penalty, starts=options.starts, steps=options.optimiser_steps
        )
        for subject in subjects.values()
    ]
    effects = mark_effects(score, inputs, baseline)

    variables = {
        method: (
            ("weights", "gene", "mark", "bin"),
            np.stack([found[name].transpose(1, 2).numpy() for name in WEIGHTS]),
        )
        for method, found in weights.items()
    }
    maps = described(
        {
            **variables,
            "optimum": (("weights", "state", "mark", "bin"), torch.stack(optima).transpose(2, 3).numpy()),
            "effect": (("gene", "mark", "other"), effects),
            "score": ("gene", torch.sigmoid(logits).numpy(), {"long_name": "P(ON)"}),
        },
        chosen,
        model,
    ).assign_coords(weights=WEIGHTS, state=list(STATES), other=chosen["mark"].values)
    if REGISTRY[contract.model].attention == "alpha_beta":
        with torch.inference_mode():
            marks = [score.attend(part)[1] for part in inputs.split(SCORING_BATCH)]
        maps["beta"] = (("gene", "mark"), np.concatenate([part.numpy() for part in marks if part is not None]))
    beta = maps.get("beta")

    # Where marks are weighed too, a bin weighs as much as both together.
    ranked = {name: found["trained"] for name, found in weights.items()}
    if beta is not None and "alpha" in ranked:
        ranked["alpha"] = ranked["alpha"] * torch.from_numpy(beta.values)[:, None]
    curves = faithfulness_curves(score, inputs, baseline, ranked)
    similarities = {
        name: float(np.mean([abs(similarity(found["trained"].numpy(), found[one].numpy())) for one in WEIGHTS[1:]]))
        for name, found in weights.items()
    }
    return Explanation(
        maps,
        faithfulness_table(curves, similarities, incomplete),
        curve_table(curves),
        importance_table(maps["effect"], maps["score"], beta),
        influential_marks(maps["optimum"].sel(weights="trained")),
    )


def incomplete_share(weights: torch.Tensor, change: torch.Tensor, tolerance: float = 1e-3) -> float:
    """Return the share of genes whose weights do not add up to what they explain.

    Args:
        weights: of a method whose weights should (integrated gradients, DeepLIFT), shape (gene, bin, mark).
        change: f(inputs) - f(baseline), shape (gene,).
        tolerance: how far the sum may be from it.
    """
    missing = (weights.sum(dim=(1, 2)) - change).abs()
    logger.info("sums miss the change of the logit by %.2g (median), %.2g (largest)", missing.median(), missing.max())
    return float((missing > tolerance).double().mean())
