"""All views of one trained network, or gapped k-mer SVM, on some test sequences, and how far to trust them."""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from chromattend.interpret.attribution import Explained
from chromattend.interpret.influence import influential
from chromattend.models.base import TrainedModel
from chromattend.models.network import Network, in_batches
from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.attribution import attribute, mean_reference, mutagenesis, observed
from chromattend.sequence.design import optimise_class
from chromattend.sequence.machine import KernelMachine, explainable
from chromattend.sequence.motifs import discover
from chromattend.sequence.temporal import temporal_kinds, temporal_outputs
from chromattend.sequence.trust import trust
from chromattend.sequence.views import RECOMMENDED, TEMPORAL_KINDS, VIEWS

logger = logging.getLogger(__name__)

# Views of more passes than this explain fewer sequences.
COSTLY = 10
# Negatives that are explained for each positive: the tests of trust need both classes.
NEGATIVES = 0.25
# Names of the shown sequences by their place among the positives, strongest first.
STRONGEST, MEDIAN, WEAKEST, MISSED = "strongest", "median", "weakest", "missed"


@dataclass(frozen=True)
class Explanation:
    """Results of `explain`.

    Attributes:
        views: by explained sequence, `letters[sequence, position]`, `score` (calibrated logit), `label`, and
            `weights[view, sequence, position]` at the sequence's own letters, NaN where a costly view was not computed;
            by shown sequence, `shown_sequence` (its
            row), `reason`, `mutagenesis_map[shown, position, letter]` (change of the logit by each substitution), and
            the temporal outputs `forward` and `backward[kind, shown, position]`. Attributes: set, model, and `seconds`
            (JSON: view -> seconds).
        designs: `published[position, letter]`, the class optimum of the paper, and `design[position]`, the letters of
            the sequence designed by substitutions; attributes score_published, score_published_one_hot, score_design,
            highest_training_score (logits), design_start and seconds.
        trust: see `chromattend.sequence.trust.trust_table`.
        influence: see `chromattend.interpret.influence.influential`, for the shown sequences.
    """

    views: xr.Dataset
    designs: xr.Dataset
    trust: pd.DataFrame
    influence: pd.DataFrame


def sample_sequences(dataset: xr.Dataset, positives: int, seed: int) -> xr.Dataset:
    """Return a random sample of the test part in the dataset's order: positives, and a quarter as many negatives."""
    rng = np.random.default_rng(seed)
    test = dataset["split"].values == "test"
    rows = []
    for label, number in ((1, positives), (0, max(1, round(positives * NEGATIVES)))):
        of_class = np.flatnonzero(test & (dataset["label"].values == label))
        rows.append(rng.permutation(of_class)[:number])
    return dataset.isel(sequence=np.sort(np.concatenate(rows)))


def choose_shown(score: np.ndarray, label: np.ndarray, number: int) -> dict[int, str]:
    """Choose the sequences that a page shows: positives, evenly spread from the strongest to the weakest.

    Args:
        score: logits, shape (sequence,).
        label: 1 for bound, shape (sequence,).
        number: how many sequences.

    Returns:
        Row -> why it is shown.
    """
    positives = np.flatnonzero(label == 1)
    order = positives[np.argsort(-score[positives], kind="stable")]
    places = np.unique(np.linspace(0, len(order) - 1, min(number, len(order))).round().astype(int))
    reasons = {}
    for place in places:
        row = int(order[place])
        if place == 0:
            reasons[row] = STRONGEST
        elif place == len(order) - 1:
            reasons[row] = MISSED if score[row] <= 0 else WEAKEST
        else:
            share = place / (len(order) - 1)
            reasons[row] = MEDIAN if abs(share - 0.5) < 0.5 / len(order) + 0.01 else f"{share:.0%} from the strongest"
    return reasons


def explain(
    model: TrainedModel,
    dataset: xr.Dataset,
    views: Sequence[str],
    *,
    sequences: int = 200,
    costly: int = 60,
    shown: int = 3,
    seed: int = 1,
) -> Explanation:
    """Explain a network on test sequences by every view that is defined for it.

    Args:
        model: a network of the track, or a gapped k-mer SVM.
        dataset: see `chromattend.sequence.dataset.build_dataset`.
        views: names from `chromattend.sequence.views.VIEWS`, all defined for the network.
        sequences: number of test positives, for motifs.
        costly: number of them for views of more than `COSTLY` passes, and for the tests of trust.
        shown: number of sequences on the page.
        seed: seed of the sample, of shuffles and of random starts.

    Raises:
        UserError: the model is neither, or was trained on sequences of another alphabet or length.
    """
    network = explainable(model)
    sample = sample_sequences(dataset, sequences, seed)
    train = dataset.isel(sequence=np.flatnonzero(dataset["split"].values == "train"))
    learned, signal = (torch.from_numpy(network.input_spec.signal(part)) for part in (train, sample))
    reference = mean_reference(learned)
    with torch.inference_mode():
        score = in_batches(Explained(network), signal).double().numpy()
    label = sample["label"].values
    chosen = choose_shown(score, label, shown)
    rows = list(chosen)
    few = _few(label, costly, rows)
    own, weights, seconds = _weigh(network, signal, views, reference, few)
    content = {
        "letters": (("sequence", "position"), sample["letters"].values),
        "score": ("sequence", score),
        "label": ("sequence", label),
        "weights": (("view", "sequence", "position"), np.stack(list(own.values()))),
        "shown_sequence": ("shown", np.array(rows)),
        "reason": ("shown", np.array(list(chosen.values()), dtype=object)),
        "mutagenesis_map": (("shown", "position", "letter"), mutagenesis(network, signal[rows]).numpy()),
        **_temporal(network, signal[rows], views, seconds),
    }
    alphabet = ALPHABETS[network.input_spec.alphabet]
    started = time.perf_counter()
    designs = _designs(network, learned, seed)
    seconds["class_optimisation"] = designs.attrs["seconds"] = round(time.perf_counter() - started, 3)
    maps = xr.Dataset(
        content,
        coords={
            "sequence": sample["sequence"].values,
            "view": list(own),
            "letter": list(alphabet.letters),
        },
        attrs={
            "set": dataset.attrs["set"],
            "model": network.input_spec.model,
            "seconds": json.dumps(seconds),
        },
    )
    table, _ = trust(
        network,
        sample["letters"].values[few],
        label[few],
        weights,
        reference,
        motif=_motif_to_plant(signal.numpy(), own, label, alphabet.letters),
        seed=seed,
    )
    few_shown = sample.isel(sequence=rows)
    if isinstance(network, KernelMachine):
        influence = network.influential(dataset, few_shown)
    else:
        influence = influential(network, dataset, few_shown)
    return Explanation(maps, designs, table, influence)


def _weigh(
    network: Network, signal: Tensor, views: Sequence[str], reference: Tensor, few: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Tensor], dict[str, float]]:
    """Weigh the letters of sequences by each view of letters.

    Args:
        network, views: see `explain`.
        signal: one-hot letters, shape (sequence, position, letter).
        reference: see `attribute`.
        few: rows of the sequences for costly views.

    Returns:
        View -> weights of the sequences' own letters, shape (sequence, position), NaN where there are none; view ->
        weights of all letters of the few sequences, shape (few, position, letter); and view -> seconds.
    """
    own: dict[str, np.ndarray] = {}
    weights: dict[str, Tensor] = {}
    seconds: dict[str, float] = {}
    for view in (view for view in views if VIEWS[view].shape == "weights"):
        started = time.perf_counter()
        part = few if VIEWS[view].cost > COSTLY else np.arange(len(signal))
        maps = attribute(network, signal[part], view, reference)
        seconds[view] = round(time.perf_counter() - started, 3)
        logger.info("%s: %d sequences in %.1f s", view, len(part), seconds[view])
        own[view] = np.full(signal.shape[:2], np.nan, dtype=np.float32)
        own[view][part] = observed(maps, signal[part]).numpy()
        weights[view] = maps[np.isin(part, few)]
    return own, weights, seconds


def _few(label: np.ndarray, positives: int, rows: Sequence[int]) -> np.ndarray:
    """Return the rows of the sequences that costly views explain: the shown ones, and the first of each class."""
    others = [row for row in np.flatnonzero(label == 1) if row not in rows]
    bound = [*rows, *others][: max(positives, len(rows))]
    rest = np.flatnonzero(label == 0)[: max(1, round(positives * NEGATIVES))]
    return np.sort(np.concatenate([np.array(bound, dtype=int), rest]))


def _motif_to_plant(
    signal: np.ndarray, weights: dict[str, np.ndarray], label: np.ndarray, letters: str
) -> np.ndarray | None:
    """Return the letters of the strongest motif of the positives, which the test of trust plants; None without one."""
    view = RECOMMENDED if RECOMMENDED in weights else next(iter(weights))
    bound = (label == 1) & np.isfinite(weights[view]).all(axis=1)
    maps = signal[bound] * weights[view][bound, :, None]
    motifs = discover(signal[bound], maps, letters=letters, both=letters == ALPHABETS["dna"].letters, number=1)
    return motifs[0].probabilities.argmax(axis=1) if motifs else None


def _temporal(
    network: Network, signal: Tensor, views: Sequence[str], seconds: dict[str, float]
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Return the variables of temporal outputs, NaN for kinds that a network does not have, and note their time."""
    outputs = np.full((2, len(TEMPORAL_KINDS), *signal.shape[:2]), np.nan, dtype=np.float32)
    if "temporal" in views:
        started = time.perf_counter()
        for kind in temporal_kinds(network):
            forward, backward = temporal_outputs(network, signal, kind)
            outputs[:, list(TEMPORAL_KINDS).index(kind)] = torch.stack([forward, backward]).numpy()
        seconds["temporal"] = round(time.perf_counter() - started, 3)
    dims = ("kind", "shown", "position")
    return {
        "forward": (dims, outputs[0]),
        "backward": (dims, outputs[1]),
        "kind": (("kind",), np.array(list(TEMPORAL_KINDS), dtype=object)),
    }


def _designs(network: Network, learned: Tensor, seed: int) -> xr.Dataset:
    design = optimise_class(network, learned, seed=seed)
    return xr.Dataset(
        {
            "published": (("position", "letter"), design.published),
            "design": ("position", design.letters),
        },
        attrs={
            "score_published": design.score_published,
            "score_published_one_hot": design.score_published_one_hot,
            "score_design": design.score,
            "highest_training_score": design.highest_training,
            "design_start": design.start,
        },
    )
