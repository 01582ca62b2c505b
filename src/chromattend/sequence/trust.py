"""How far to trust the views of a network: planted motifs, deletion and insertion of letters, untrained networks.

Orders of positions are compared with random ones, as in `chromattend.interpret.faithfulness`, and with the GC content
around each position, which is all that a network of composition would look at.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional

from chromattend.interpret import RANDOM
from chromattend.interpret.attribution import Explained, randomised
from chromattend.interpret.faithfulness import (
    INCOMPLETE,
    SIMILAR,
    area,
    has_learned,
    order_of,
    replaced,
    similarity,
)
from chromattend.models.network import Network, in_batches
from chromattend.sequence.attribution import attribute, incomplete_share, observed
from chromattend.sequence.shuffle import dinucleotide_shuffle
from chromattend.sequence.tables import TRUST
from chromattend.sequence.views import VIEWS
from chromattend.statistics import mean_interval

# Untrained networks that maps are compared with, and random orders of each sequence. The means over dozens of sequences
# hardly change with more.
CONTROLS, RANDOM_ORDERS = 3, 3
# Largest number of sequences that a motif is planted in, and whose maps are compared with those of untrained networks.
FEW = 50
# Largest distance between the start of a planted motif and that of the best window (bp), and the share of sequences
# within it that a trustworthy view reaches.
NEAR, PLANTED = 4, 0.5
# Window of the GC content around a position (letters), odd.
GC_WINDOW = 11
# Name of the order by GC content, beside `RANDOM`.
GC = "gc"


@dataclass(frozen=True)
class Planted:
    """A motif in sequences that had none; all arrays have shape (sequence,) unless they say otherwise.

    Attributes:
        signal: one-hot letters with the motif, shape (sequence, position, letter).
        starts: first position of the motif.
        width: number of its letters.
        gain: logit with the motif minus logit without.
    """

    signal: Tensor
    starts: np.ndarray
    width: int
    gain: np.ndarray

    @property
    def answered(self) -> bool:
        """Whether the network's logit rises with the motif in most sequences; only then should views point to it."""
        return float(np.mean(self.gain > 0)) > 0.5


def plant(network: Network, signal: Tensor, motif: np.ndarray, seed: int = 1) -> Planted:
    """Put a motif at a random place of each sequence.

    Args:
        network: a trained network.
        signal: one-hot letters of sequences without the motif, such as shuffles, shape (sequence, position, letter).
        motif: its letters, int, shape (letter of the motif,).
        seed: seed of the places.
    """
    sequences, positions, letters = signal.shape
    starts = np.random.default_rng(seed).integers(0, positions - len(motif) + 1, size=sequences)
    places = torch.from_numpy(starts)[:, None] + torch.arange(len(motif))
    planted = signal.clone()
    site = functional.one_hot(torch.from_numpy(np.asarray(motif, dtype=np.int64)), letters).to(signal.dtype)
    planted[torch.arange(sequences)[:, None], places] = site
    with torch.inference_mode():
        explained = Explained(network)
        gain = in_batches(explained, planted) - in_batches(explained, signal)
    return Planted(planted, starts, len(motif), gain.double().numpy())


def planted_share(network: Network, view: str, reference: Tensor, planted: Planted) -> float:
    """Return the share of sequences whose best window is within `NEAR` bp of the planted motif.

    The best window has the width of the motif and the largest sum of weights of the sequence's own letters.
    """
    weights = observed(attribute(network, planted.signal, view, reference), planted.signal).double().numpy()
    sums = np.lib.stride_tricks.sliding_window_view(weights, planted.width, axis=1).sum(axis=2)
    return float(np.mean(np.abs(sums.argmax(axis=1) - planted.starts) <= NEAR))


def deletion_curves(
    network: Network, letters: np.ndarray, weights: Mapping[str, Tensor], seed: int = 1
) -> dict[tuple[str, str], np.ndarray]:
    """Measure the logit while letters are replaced by those of shuffles (deletion), or brought back (insertion).

    Args:
        network: a trained network.
        letters: int8, shape (sequence, position); unknown letters stay.
        weights: view -> weights of the sequences' own letters, see `observed`, shape (sequence, position).
        seed: seed of the shuffles and of the random orders.

    Returns:
        (view, `deletion` or `insertion`) -> decrease (deletion) or increase (insertion) of the logit for the network's
        answer at each of `SHARES`, shape (sequence, share); also for `RANDOM`, the mean over `RANDOM_ORDERS` orders,
        and for `GC`, highest content first in sequences that the network takes for bound, lowest first in others.
        All orders meet the same dinucleotide shuffle of a sequence. Higher is more faithful.
    """
    explained, size = Explained(network), network.input_spec.shape[1]

    def score(numbers: Tensor) -> Tensor:
        # Number 0 is an unknown letter, whose row of the one-hot matrix is left out.
        return explained(functional.one_hot(numbers[:, :, 0].long(), size + 1)[:, :, 1:].float())

    # Positions are replaced as numbers, so that all letters of one are replaced together.
    own = torch.from_numpy(letters.astype(np.float32) + 1)[:, :, None]
    with torch.inference_mode():
        direction = in_batches(score, own).sign()
    generator = torch.Generator().manual_seed(seed)
    orders = {RANDOM: [torch.rand(letters.shape, generator=generator).argsort(dim=1) for _ in range(RANDOM_ORDERS)]}
    if size == 4:
        orders[GC] = [order_of(gc_around(letters), direction, signed=True)]
    orders |= {name: [order_of(each, direction, VIEWS[name].signed)] for name, each in weights.items()}
    other = torch.from_numpy(dinucleotide_shuffle(letters, seed).astype(np.float32) + 1)[:, :, None]
    curves = {}
    for name, each in orders.items():
        deleted = np.mean([replaced(score, own, other, order, direction) for order in each], axis=0)
        inserted = np.mean([replaced(score, other, own, order, direction) for order in each], axis=0)
        curves[name, "deletion"] = deleted[:, :1] - deleted
        curves[name, "insertion"] = inserted - inserted[:, :1]
    return curves


def gc_around(letters: np.ndarray, window: int = GC_WINDOW) -> Tensor:
    """Return the share of C and G in a window around each position, among all its places, shape (sequence, position).

    Args:
        letters: DNA or RNA, int8, shape (sequence, position).
        window: number of letters, odd.
    """
    strong = torch.from_numpy(((letters == 1) | (letters == 2)).astype(np.float32))
    return functional.avg_pool1d(strong[:, None], window, stride=1, padding=window // 2)[:, 0]


def trust(
    network: Network,
    letters: np.ndarray,
    label: np.ndarray,
    weights: Mapping[str, Tensor],
    reference: Tensor,
    *,
    motif: np.ndarray | None = None,
    seed: int = 1,
) -> tuple[pd.DataFrame, dict[tuple[str, str], np.ndarray]]:
    """Test the views of one network on some sequences.

    Args:
        network: a trained network.
        letters: sequences of the test part, int8, shape (sequence, position).
        label: 1 for bound and 0 for not bound, shape (sequence,), to tell whether the network has learned.
        weights: view of the shape `weights` -> see `attribute`, shape (sequence, position, letter).
        reference: see `attribute`.
        motif: letters of a motif to plant in shuffles of the sequences; without it, the column `planted` is empty.
        seed: seed of shuffles, random orders and untrained networks.

    Returns:
        table: see `trust_table`.
        curves: see `deletion_curves`; `chromattend.interpret.faithfulness.curve_table` makes a table of them.
    """
    size = network.input_spec.shape[1]
    signal = _signal(letters, size)
    with torch.inference_mode():
        explained = Explained(network)
        logits = in_batches(explained.mean_output, signal).double().numpy()
    learned = 0 not in network.kept_epochs and has_learned(logits, label)
    own = {view: observed(each, signal) for view, each in weights.items()}
    curves = deletion_curves(network, letters, own, seed)
    few = np.unique(np.linspace(0, len(letters) - 1, FEW).astype(np.int64))
    planted: dict[str, float] = {}
    if motif is not None:
        test = plant(network, _signal(dinucleotide_shuffle(letters[few], seed), size), motif, seed)
        if test.answered:
            planted = {view: planted_share(network, view, reference, test) for view in weights}
    controls = [randomised(network, seed, number) for number in range(1, CONTROLS + 1)]
    similarities = {}
    for view, each in own.items():
        others = [observed(attribute(one, signal[few], view, reference), signal[few]) for one in controls]
        similarities[view] = float(np.mean([abs(similarity(each[few].numpy(), one.numpy())) for one in others]))
    incomplete = {
        # The weights of gapped k-mers are counted from a sequence without letters.
        view: incomplete_share(network, signal, each, reference * (VIEWS[view].needs != "kernel"))
        for view, each in weights.items()
        if VIEWS[view].complete
    }
    return trust_table(curves, similarities, incomplete, planted, learned=learned), curves


def _signal(letters: np.ndarray, size: int) -> Tensor:
    return functional.one_hot(torch.from_numpy(letters.astype(np.int64) + 1), size + 1)[:, :, 1:].float()


def trust_table(
    curves: Mapping[tuple[str, str], np.ndarray],
    similarities: Mapping[str, float],
    incomplete: Mapping[str, float],
    planted: Mapping[str, float],
    *,
    learned: bool,
) -> pd.DataFrame:
    """Compare every view with random orders and with the order by GC content.

    Args:
        curves: see `deletion_curves`.
        similarities: view -> mean absolute rank correlation with the maps of untrained networks.
        incomplete: view -> share of sequences whose weights do not add up, for views whose weights should.
        planted: view -> share of sequences whose best window is near the planted motif; empty if none was planted, or
            the network does not answer to it.
        learned: see `chromattend.interpret.faithfulness.has_learned`.

    Returns:
        One row per view and measure: view, measure, sequences, area (mean change of the logit over all shares), random
        (area of random orders), difference with its bootstrap interval low and high; gc (area of the order by GC
        content), gc_difference with its interval gc_low and gc_high; planted, similarity, incomplete, learned (1 or 0),
        and trustworthy: 1 if the view's first letters matter more than random ones and than those in GC-rich places,
        its maps depend on what the network has learned (similarity at most `SIMILAR`), its weights add up if they
        should (for all but `INCOMPLETE` of the sequences), it points to planted motifs if they were planted (share of
        at least `PLANTED`), and the network has learned something; otherwise 0.
    """
    rows = []
    for (view, measure), changes in curves.items():
        if view in (RANDOM, GC):
            continue
        # Proteins have no GC content.
        areas = {name: area(curves[name, measure]) for name in (RANDOM, GC) if (name, measure) in curves}
        gain = area(changes) - areas[RANDOM]
        over_gc = area(changes) - areas.get(GC, np.nan)
        low, high = mean_interval(gain)
        gc_low, gc_high = mean_interval(over_gc) if GC in areas else (np.nan, np.nan)
        similar, missed, near = similarities[view], incomplete.get(view, np.nan), planted.get(view, np.nan)
        trusted = learned and low > 0 and not gc_low <= 0 and similar <= SIMILAR
        trusted = trusted and not missed > INCOMPLETE and not near < PLANTED
        rows.append(
            {
                "view": view,
                "measure": measure,
                "sequences": len(changes),
                "area": area(changes).mean(),
                "random": areas[RANDOM].mean(),
                "difference": gain.mean(),
                "low": low,
                "high": high,
                "gc": np.mean(areas.get(GC, np.nan)),
                "gc_difference": over_gc.mean(),
                "gc_low": gc_low,
                "gc_high": gc_high,
                "planted": near,
                "similarity": similar,
                "incomplete": missed,
                "learned": int(learned),
                "trustworthy": int(trusted),
            }
        )
    return pd.DataFrame(rows, columns=TRUST)


def permute_labels(dataset: xr.Dataset, seed: int = 1, parts: Sequence[str] = ("train", "valid")) -> xr.Dataset:
    """Return a dataset whose labels are permuted within each of some parts, as a control of the whole training.

    A network that is trained on them should have a test AUC near .5: an AUC above it in many permutations means that
    something else than the labels tells the classes apart. One permutation can differ from .5 by more than the
    interval of its AUC, because all of its errors come from one training set.

    No sequence counts as a shuffle of another any more: shuffles that are drawn again in every epoch would otherwise
    tell the network which sequences had the label 0.
    """
    label, rng = dataset["label"].values.copy(), np.random.default_rng(seed)
    for part in parts:
        rows = np.flatnonzero(dataset["split"].values == part)
        label[rows] = label[rng.permutation(rows)]
    origin = dataset["origin"].copy(data=np.full(dataset.sizes["sequence"], "given"))
    template = dataset["template"].copy(data=np.full(dataset.sizes["sequence"], -1, dtype=np.int32))
    return dataset.assign(label=dataset["label"].copy(data=label), origin=origin, template=template)
