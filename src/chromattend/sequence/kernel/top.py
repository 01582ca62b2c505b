"""The gapped k-mers that a support vector machine weighs most, and the motif that they make."""

import numpy as np
import pandas as pd

from chromattend.sequence.alphabets import reverse_complement
from chromattend.sequence.kernel.weights import GappedKmerWeights
from chromattend.sequence.motifs import DNA, LONGEST, trimmed

GAP, OTHER_GAP = "-", "·"  # the second for alphabets with a hyphen
# Share of the largest column of weights that is spread over the letters of every position of a motif: positions that
# few gapped k-mers have stay near equal probabilities.
PSEUDOCOUNT = 0.1
# Share of the largest possible log odds that a gapped k-mer needs to join a motif.
JOIN = 0.5


def top_gapped_kmers(weights: GappedKmerWeights, letters: str, number: int = 20) -> pd.DataFrame:
    """List the gapped k-mers with the largest weights.

    A weight is what one occurrence adds to the sum S of `GappedKmerWeights`. Gaps at the ends are left out, so that the
    choices of positions which differ by a shift are one gapped k-mer. With both strands, so are a gapped k-mer and its
    reverse complement; the first one in the order of the alphabet is listed.

    Args:
        weights: the machine.
        letters: letters of the alphabet, in the order of their numbers.
        number: largest number of gapped k-mers.

    Returns:
        Columns rank (from 1), kmer (text with `gap_of(letters)` for positions not compared) and weight, the largest
        first. Only weights above 0 are listed. Empty if the machine has no weights of single gapped k-mers, see
        `GappedKmerWeights.unlisted`.
    """
    if len(letters) != weights.letters:
        raise ValueError(f"letters {letters!r} do not fit a machine of {weights.letters} letters")
    if weights.unlisted:
        return _listed([])
    best: list[tuple[str, float]] = []
    places = weights.letters ** np.arange(weights.k)[::-1]
    for shape, values in weights.patterns():
        mirrored = tuple(shape[-1] - place for place in reversed(shape))
        if weights.strands == "both" and mirrored < shape:
            continue  # the other strand's gapped k-mers have the same weights
        # Twice as many, because a shape that is its own mirror image lists both strands.
        kept = np.argpartition(values, -min(2 * number, len(values)))[-2 * number :]
        least = best[number - 1][1] if len(best) >= number else 0.0
        kept = kept[values[kept] > least]
        digits = kept[:, None] // places % weights.letters
        rows = np.full((len(kept), shape[-1] + 1), -1)
        rows[:, shape] = digits
        merged = dict(best)
        for row, value in zip(rows, values[kept].tolist(), strict=True):
            text = _text(row, letters)
            if weights.strands == "both":
                text = min(text, _text(reverse_complement(row), letters))
            merged[text] = value
        best = sorted(merged.items(), key=lambda one: (-one[1], one[0]))[:number]
    return _listed(best)


def _text(row: np.ndarray, letters: str) -> str:
    return "".join(np.array([*letters, gap_of(letters)])[row])


def gap_of(letters: str) -> str:
    """Return the sign of a position that is not compared."""
    return GAP if GAP not in letters else OTHER_GAP


def _listed(best: list[tuple[str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "rank": np.arange(1, len(best) + 1),
            "kmer": [text for text, _ in best],
            "weight": [value for _, value in best],
        }
    )
    return table.astype({"rank": int, "kmer": str, "weight": float})


def gapped_kmer_motif(table: pd.DataFrame, letters: str, strands: str = "") -> np.ndarray:
    """Align gapped k-mers and return the motif that they make.

    The alignment begins with the first one. The next ones join in their order, each on the strand and at the shift
    with the largest log odds to equal frequencies, and add their weight to their letters. One that has under half of
    the largest possible log odds everywhere is left out: it is of another motif. After the first pass, all of them are
    aligned once more to the whole matrix, so that those before a fitting neighbour join too. This is how gkm-SVM's
    motifs are made of its top k-mers (Ghandi et al., PLoS Computational Biology 10:e1003711, 2014), with the gaps kept.

    Args:
        table: gapped k-mers, the strongest first, see `top_gapped_kmers`; 50 to 200 of them make a smooth motif.
        letters: letters of the alphabet, in the order of their numbers.
        strands: those of the machine, `one`, or `both` to align either strand; by default both for `ACGT`.

    Returns:
        Probabilities, float64, shape (position, letter), trimmed as `chromattend.sequence.motifs.trimmed` does. A tenth
        of the largest column of weights is the pseudocount of each position, spread evenly over the letters. Shape
        (0, letter) for an empty table.
    """
    size, strands = len(letters), strands or ("both" if letters == DNA else "one")
    if not len(table):
        return np.empty((0, size))
    number_of = {letter: number for number, letter in enumerate(letters)} | {gap_of(letters): -1}
    kmers = [np.array([number_of[letter] for letter in text]) for text in table["kmer"]]
    weights = table["weight"].to_numpy(np.float64)
    reach = max(len(kmer) for kmer in kmers)
    # Room for a motif of any length that is kept, with the first gapped k-mer in the middle.
    counts = np.zeros((2 * (LONGEST + reach) + len(kmers[0]), size))
    _add(counts, kmers[0], LONGEST + reach, weights[0])
    for kmer, weight in zip(kmers[1:], weights[1:], strict=True):
        place = _best_place(counts, kmer, strands)
        if place is not None:
            _add(counts, *place, weight)
    whole = np.zeros_like(counts)
    for kmer, weight in zip(kmers, weights, strict=True):
        place = _best_place(counts, kmer, strands)
        if place is not None:
            _add(whole, *place, weight)
    probabilities = _probabilities(whole if whole.any() else counts)
    return probabilities[trimmed(probabilities)]


def _probabilities(counts: np.ndarray) -> np.ndarray:
    """Return probabilities with a pseudocount, shape (position, letter)."""
    spread = PSEUDOCOUNT * counts.sum(axis=1).max() / counts.shape[1]
    return (counts + spread) / (counts + spread).sum(axis=1, keepdims=True)


def _add(counts: np.ndarray, kmer: np.ndarray, start: int, weight: float) -> None:
    place = np.flatnonzero(kmer >= 0)
    counts[start + place, kmer[place]] += weight


def _best_place(counts: np.ndarray, kmer: np.ndarray, strands: str) -> tuple[np.ndarray, int] | None:
    """Return the form of a gapped k-mer and the start where it fits the matrix best, or None if it fits nowhere."""
    odds = np.log2(_probabilities(counts) * counts.shape[1])
    best, choice = -np.inf, None
    for form in (kmer, reverse_complement(kmer)) if strands == "both" else (kmer,):
        place = np.flatnonzero(form >= 0)
        starts = np.arange(len(counts) - len(form) + 1)
        scores = odds[starts[:, None] + place, form[place]].sum(axis=1)
        start = int(scores.argmax())
        if scores[start] > best:
            best, choice = scores[start], (form, start)
    return choice if best >= JOIN * np.count_nonzero(kmer >= 0) * np.log2(counts.shape[1]) else None
