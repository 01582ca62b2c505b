"""All explanations of one trained network on some genes: a map per method, how far to trust it, and training genes."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from chromattend.chromatin.attention import described
from chromattend.chromatin.importance import importance_table, influential_marks, mark_effects
from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.errors import UserError
from chromattend.interpret import METHODS, methods_of
from chromattend.interpret.attribution import Explained, attribute, randomised
from chromattend.interpret.class_optimization import STATES, class_optima
from chromattend.interpret.faithfulness import (
    curve_table,
    faithfulness_curves,
    faithfulness_table,
    has_learned,
    similarity,
)
from chromattend.interpret.influence import influential
from chromattend.models.base import TrainedModel
from chromattend.models.network import Network, batches, in_batches, network_of
from chromattend.models.registry import REGISTRY

logger = logging.getLogger(__name__)

# A single untrained network can highlight any bin by chance; several show how much their maps vary.
CONTROLS = 3
WEIGHTS = ["trained", *(f"random_{number}" for number in range(1, CONTROLS + 1))]


@dataclass(frozen=True)
class ExplainOptions:
    """Methods and settings of `explain`.

    Attributes:
        methods: names from `chromattend.interpret.METHODS`; methods that are not defined for a network are skipped.
        genes: maximum number of genes; None for all.
        seed: seed of the sample of genes and of the untrained networks.
        window: width of the occluded window (bins).
        penalty, starts, optimiser_steps: settings of class optimisation, see `optimise_input`.
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
    """Results of `explain`.

    Attributes:
        maps: one variable per method with dims weights (`trained`, or `random_1`, ... for untrained networks), gene,
            mark and bin; `optimum[weights, state, mark, bin]` of class optimisation, in units of transformed signal
            above no reads; `effect[gene, mark, other]`, see `mark_effects`; `score[gene]`, P(ON); and
            `beta[gene, mark]` if the network has attention over marks.
        faithfulness: see `faithfulness_table`.
        curves: see `curve_table`.
        importance: see `importance_table`.
        optima: see `influential_marks`.
        influence: see `chromattend.interpret.influence.influential`; the columns of names are gene, symbol, train_gene
            and train_symbol.
    """

    maps: xr.Dataset
    faithfulness: pd.DataFrame
    curves: pd.DataFrame
    importance: pd.DataFrame
    optima: pd.DataFrame
    influence: pd.DataFrame


def sample_genes(dataset: xr.Dataset, number: int | None, seed: int) -> xr.Dataset:
    """Return a random sample of the test genes, in the dataset's order.

    Genes are drawn by a hash of their id, so epigenomes that lack counts for some genes share the rest of the sample.
    """
    test = np.flatnonzero(dataset["split"].values == "test")
    if number is not None and number < len(test):
        drawn = [hashlib.blake2b(f"{seed} {gene}".encode()).digest() for gene in dataset["gene"].values[test]]
        test = np.sort(test[sorted(range(len(test)), key=lambda row: drawn[row])[:number]])
    return dataset.isel(gene=test)


def explain(model: TrainedModel, dataset: xr.Dataset, options: ExplainOptions) -> Explanation:
    """Explain a network on test genes by every method that is defined for it.

    Args:
        model: a network of one epigenome.
        dataset: see `chromattend.chromatin.dataset.build_dataset`.
        options: methods and their settings.

    Raises:
        UserError: the model is not a network, takes the epigenome as input, or was trained on other marks or bins.
    """
    network = network_of(model)
    spec: ChromatinInputs = network.input_spec
    if spec.epigenomes:
        raise UserError(f"{spec.model}: takes the epigenome as a second input; explain models of one epigenome")
    genes = sample_genes(dataset, options.genes, options.seed)
    subjects = _subjects(network, options.seed)
    score = subjects["trained"]
    inputs, reference, highest = _transformed(network, dataset, genes)
    with torch.inference_mode():
        outputs = in_batches(score.mean_output, inputs)
        logits = network.calibrated(outputs)
    learned = 0 not in network.kept_epochs and has_learned(outputs.double().numpy(), genes["label"].values)
    if not learned:
        logger.warning(
            "%s: kept its first epoch, or predicts the %d explained genes hardly better than their share of ON genes;"
            " no method is trustworthy",
            spec.model,
            len(inputs),
        )

    weights: dict[str, dict[str, Tensor]] = {}
    incomplete: dict[str, float] = {}
    for method in methods_of(spec.model, list(options.methods)):
        weights[method] = {
            name: attribute(subject, inputs, reference, method, window=options.window)
            for name, subject in subjects.items()
        }
        logger.info("%s: computed %s for %d genes", spec.model, method, len(inputs))
        if METHODS[method].complete:
            incomplete[method] = incomplete_share(weights[method]["trained"], logits - score(reference).detach())
    optima = [
        class_optima(
            subject, reference, highest, penalty=options.penalty, starts=options.starts, steps=options.optimiser_steps
        )
        for subject in subjects.values()
    ]
    beta = _beta(score, inputs) if REGISTRY[spec.model].attention == "alpha_beta" else None
    variables = _maps(weights, torch.stack(optima), mark_effects(score, inputs, reference), logits)
    maps = described(variables, genes, model).assign_coords(
        weights=WEIGHTS, state=list(STATES), other=genes["mark"].values
    )
    if beta is not None:
        maps["beta"] = (("gene", "mark"), beta.numpy())

    curves = faithfulness_curves(score, inputs, reference, _ranked(weights, beta))
    similarities = {
        name: float(np.mean([abs(similarity(each["trained"].numpy(), each[one].numpy())) for one in WEIGHTS[1:]]))
        for name, each in weights.items()
    }
    return Explanation(
        maps.transpose("weights", "state", "gene", "mark", "bin", "other"),
        faithfulness_table(curves, similarities, incomplete, learned=learned),
        curve_table(curves),
        importance_table(maps["effect"], maps["score"], maps.get("beta")),
        influential_marks(maps["optimum"].sel(weights="trained")),
        influential(network, dataset, genes).rename(columns={"example": "gene", "train_example": "train_gene"}),
    )


def _subjects(network: Network, seed: int) -> dict[str, Explained]:
    """Return the trained network and the untrained controls, named as in `WEIGHTS`."""
    controls = {name: randomised(network, seed, number) for number, name in enumerate(WEIGHTS[1:], start=1)}
    return {name: Explained(subject) for name, subject in {"trained": network, **controls}.items()}


def _transformed(network: Network, dataset: xr.Dataset, genes: xr.Dataset) -> tuple[Tensor, Tensor, Tensor]:
    """Return the transformed signal of the genes and of no reads, and the highest transformed value of each mark.

    Returns:
        Shapes (gene, bin, mark), (1, bin, mark) and (mark,); the highest values are over all genes of the dataset.
    """
    (signal,), (all_signal,) = network.arrays(genes), network.arrays(dataset)
    with torch.inference_mode():
        highest = network.transform(all_signal).amax(dim=(0, 1))
        inputs = network.transform(signal)
        reference = network.transform(torch.zeros_like(signal[:1]))
    # Tensors made in inference mode cannot be differentiated.
    return inputs.clone(), reference.clone(), highest.clone()


def _beta(score: Explained, inputs: Tensor) -> Tensor:
    """Return the attention over the marks, shape (gene, mark)."""
    with torch.inference_mode():
        betas = [score.attend(part)[1] for (part,) in batches(inputs)]
    return torch.cat([beta for beta in betas if beta is not None])


def _maps(
    weights: Mapping[str, Mapping[str, Tensor]], optima: Tensor, effects: np.ndarray, logits: Tensor
) -> dict[str, tuple]:
    """Return the variables of `Explanation.maps` except beta."""
    variables: dict[str, tuple] = {
        method: (("weights", "gene", "bin", "mark"), np.stack([each[name].numpy() for name in WEIGHTS]))
        for method, each in weights.items()
    }
    variables["optimum"] = (("weights", "state", "bin", "mark"), optima.numpy())
    variables["effect"] = (("gene", "mark", "other"), effects)
    variables["score"] = ("gene", torch.sigmoid(logits).numpy(), {"long_name": "P(ON)"})
    return variables


def _ranked(weights: Mapping[str, Mapping[str, Tensor]], beta: Tensor | None) -> dict[str, Tensor]:
    """Return the trained weights that rank the bins, shape (gene, bin, mark) for each method."""
    ranked = {name: each["trained"] for name, each in weights.items()}
    # With attention over marks, the weight of a bin is alpha times beta.
    if beta is not None and "alpha" in ranked:
        ranked["alpha"] = ranked["alpha"] * beta[:, None]
    return ranked


def incomplete_share(weights: Tensor, change: Tensor, tolerance: float = 1e-3) -> float:
    """Return the share of genes whose weights do not add up to the change of the logit.

    Args:
        weights: weights of a method that should add up (integrated gradients, DeepLIFT), shape (gene, bin, mark).
        change: f(inputs) - f(reference), shape (gene,).
        tolerance: largest allowed difference between sum and change.
    """
    missing = (weights.sum(dim=(1, 2)) - change).abs()
    logger.info(
        "sums of weights miss the logit change by %.2g (median), %.2g (largest)",
        missing.median(),
        missing.max(),
    )
    return float((missing > tolerance).double().mean())
