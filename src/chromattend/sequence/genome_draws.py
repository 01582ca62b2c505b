"""Negative sequences drawn from the genome, matched to the positives."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chromattend.errors import UserError
from chromattend.sequence.alphabets import Alphabet
from chromattend.sequence.readers import Sequences, open_genome

# Classes of GC content and of repeats in which negatives are drawn.
GC_CLASSES, REPEAT_CLASSES = 50, 10
# Windows looked at per missing negative in each round, and at least. Windows of CpG islands are one in a hundred.
PER_ROUND, LEAST, ROUNDS = 20, 5000, 25
# A byte of the genome -> whether it is G or C, in lower case, and no letter of the four.
_BYTES = np.arange(256)
_GC = np.isin(_BYTES, [ord(letter) for letter in "GCgc"])
_MASKED = (ord("a") <= _BYTES) & (ord("z") >= _BYTES)
_UNKNOWN = ~np.isin(_BYTES, [ord(letter) for letter in "ACGTacgt"])
# All three as one number, so that windows are read once: counts up to a width of 2^20 do not mix.
_BITS = 20
_PACKED = _GC + (_MASKED.astype(np.int64) << _BITS) + (_UNKNOWN.astype(np.int64) << 2 * _BITS)


def draw_negatives(
    positives: Sequence[str],
    genome: str | Path,
    alphabet: Alphabet,
    seed: int,
    avoid: Sequence[str] = (),
    source: str = "genome",
) -> Sequences:
    """Draw one negative for each positive, from the same chromosome, with the same GC content and share of repeats.

    Windows are drawn at random, and kept if they have no unknown letter, overlap neither a positive nor another
    negative, and are in the same class of GC content (width 0.02) and share of soft-masked letters (0.1) as a positive
    that has none yet. Where a chromosome has too few of a class, the closest windows that were seen fill it up, and a
    note says how many.

    Args:
        positives: coordinates of the positives, such as `chr1:100-201`, all of the same width.
        genome: FASTA file of the genome, with its index.
        alphabet: alphabet of the letters.
        seed: seed of the draws.
        avoid: coordinates of further intervals that negatives do not overlap.
        source: name of the draws in messages.

    Returns:
        The negatives in the order of the positives that they are matched to, with the label 0.

    Raises:
        UserError: a chromosome is too small for as many negatives, or the genome cannot be read.
    """
    rng = np.random.default_rng(seed)
    of_chromosome: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for row, place in enumerate(positives):
        chrom, start, stop = split_place(place)
        of_chromosome[chrom].append((row, start, stop))
    avoided = defaultdict(list)
    for place in avoid:
        chrom, start, stop = split_place(place)
        avoided[chrom].append((start, stop))
    texts, places, loose, masked_bases = [""] * len(positives), [""] * len(positives), 0, 0
    with open_genome(genome) as fasta:
        for chrom, windows in of_chromosome.items():
            text = fasta.fetch(chrom)
            rows, starts, stops = np.array(windows).T
            width = int(stops[0] - starts[0])
            taken = _Taken(width)
            for start, stop in [*zip(starts.tolist(), stops.tolist(), strict=True), *avoided[chrom]]:
                taken.add(start, stop)
            bases = np.frombuffer(text.encode("latin-1", "replace"), dtype=np.uint8)
            drawn, unmatched = _draw(bases, starts, width, taken, rng)
            if len(drawn) < len(rows):
                raise UserError(
                    f"{source}: {chrom} has only {len(drawn)} windows of {width} bp beside the positives, but "
                    f"{len(rows)} negatives are to be drawn from it; remove positives, or choose shuffle as negatives"
                )
            loose += unmatched
            for row, start in zip(rows, drawn, strict=True):
                texts[row], places[row] = text[start : start + width], f"{chrom}:{start}-{start + width}"
    negatives = Sequences(source)
    for text, place in zip(texts, places, strict=True):
        masked = int(_MASKED[np.frombuffer(text.encode(), dtype=np.uint8)].sum())
        masked_bases += masked
        negatives.add(0, f"genome_{place}", alphabet.encode(text, place), masked, place, 0)
    if loose:
        negatives.notes.append(
            "Negatives from the genome of another class of GC content or repeats than their positive, because the "
            f"chromosome has too few such windows: {loose} of {len(negatives)}."
        )
    if not masked_bases:
        negatives.notes.append("No negative from the genome is soft-masked, so repeats may not have been matched.")
    return negatives


def split_place(place: str) -> tuple[str, int, int]:
    """Return chromosome, start and end of coordinates such as `chr1:100-201`."""
    chrom, _, interval = place.rpartition(":")
    start, _, stop = interval.partition("-")
    return chrom, int(start), int(stop)


class _Taken:
    """Intervals that are taken, as cells of the width of a window: a window lies in two at most."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.cells: dict[int, list[tuple[int, int]]] = defaultdict(list)

    def _touched(self, start: int, stop: int) -> range:
        return range(start // self.width, (stop - 1) // self.width + 1)

    def add(self, start: int, stop: int) -> None:
        for cell in self._touched(start, stop):
            self.cells[cell].append((start, stop))

    def has(self, start: int) -> bool:
        stop = start + self.width
        return any(
            start < other_stop and other_start < stop
            for cell in self._touched(start, stop)
            for other_start, other_stop in self.cells.get(cell, ())
        )


def _shares(bases: np.ndarray, starts: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return GC content and soft-masked share of windows, and whether all of their letters are known."""
    counts = np.empty(len(starts), dtype=np.int64)
    step = max(2_000_000 // width, 1)  # bounds the memory
    for first in range(0, len(starts), step):
        some = slice(first, first + step)
        counts[some] = _PACKED[bases[starts[some, None] + np.arange(width)]].sum(axis=1)
    least = (1 << _BITS) - 1
    return (counts & least) / width, (counts >> _BITS & least) / width, counts >> 2 * _BITS == 0


def _classes(gc: np.ndarray, masked: np.ndarray) -> np.ndarray:
    return np.minimum((gc * GC_CLASSES).astype(int), GC_CLASSES - 1) * REPEAT_CLASSES + np.minimum(
        (masked * REPEAT_CLASSES).astype(int), REPEAT_CLASSES - 1
    )


def _draw(
    bases: np.ndarray, positives: np.ndarray, width: int, taken: _Taken, rng: np.random.Generator
) -> tuple[list[int], int]:
    """Return the start of a window for each positive of a chromosome, and how many are of another class.

    The list is shorter than the positives if the chromosome has too few windows.
    """
    gc, masked, _ = _shares(bases, positives, width)
    waiting: dict[int, list[int]] = defaultdict(list)
    for row, one in enumerate(_classes(gc, masked).tolist()):
        waiting[one].append(row)
    wanted = np.zeros(GC_CLASSES * REPEAT_CLASSES, dtype=int)
    for one, rows in waiting.items():
        wanted[one] = len(rows)
    chosen = np.full(len(positives), -1)
    seen: list[np.ndarray] = []
    for _ in range(ROUNDS):
        starts = rng.integers(0, max(len(bases) - width + 1, 1), max(PER_ROUND * int(wanted.sum()), LEAST))
        window_gc, window_masked, known = _shares(bases, starts, width)
        classes = _classes(window_gc, window_masked)
        for place in np.flatnonzero(known & (wanted[classes] > 0)).tolist():
            number, start = int(classes[place]), int(starts[place])
            if waiting[number] and not taken.has(start):
                taken.add(start, start + width)
                wanted[number] -= 1
                chosen[waiting[number].pop()] = start
        if not wanted.any():
            break
        rest = np.flatnonzero(known)[: 4 * len(positives) + 1000]
        seen.append(np.stack([starts[rest], window_gc[rest], window_masked[rest]], axis=1))
    left = np.flatnonzero(chosen < 0)
    windows = np.unique(np.concatenate(seen), axis=0) if len(left) else np.empty((0, 3))
    windows = windows[[not taken.has(int(start)) for start in windows[:, 0]]]
    used = np.zeros(len(windows), dtype=bool)
    for row in left.tolist():
        distance = np.abs(windows[:, 1] - gc[row]) + np.abs(windows[:, 2] - masked[row]) / 5
        distance[used] = np.inf
        while len(distance) and distance[nearest := int(distance.argmin())] < np.inf:
            used[nearest], distance[nearest] = True, np.inf
            if not taken.has(start := int(windows[nearest, 0])):
                taken.add(start, start + width)
                chosen[row] = start
                break
        else:
            return [int(start) for start in chosen if start >= 0], len(left)
    return chosen.tolist(), len(left)
