"""Motifs that a network reads: discovery in attributions, from filters and from class optima; files in MEME format."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.sequence.alphabets import ALPHABETS
from chromattend.text import read_lines

if TYPE_CHECKING:
    from torch import nn

DNA, RNA, PROTEIN = "ACGT", "ACGU", "ACDEFGHIKLMNPQRSTVWY"
TEXT = ALPHABETS["text"].letters
PSEUDOCOUNT = 1.0  # sites, spread evenly over the letters of each position
LEAST_INFORMATION = 0.25  # bits; less at either end is flank
LONGEST = 20  # positions of a motif
LEAST_SITES = 10
STARTS = 12  # windows that an alignment starts from
ROUNDS = 6
# Permutations of a map that its best window must exceed: with 99, one map in 100 does so by chance.
PERMUTATIONS = 99
EXCHANGES = 5  # how often maps are given to other sequences
CHANCE = 0.05  # share of windows of shuffled letters that pass as sites

PLACES = ["sequence", "start", "end", "strand", "score"]


def _no_places() -> pd.DataFrame:
    return pd.DataFrame({"sequence": [], "start": [], "end": [], "strand": [], "score": []}).astype(
        {"sequence": int, "start": int, "end": int, "strand": str, "score": float}
    )


@dataclass(frozen=True, eq=False)
class Motif:
    """A position probability matrix.

    Attributes:
        name: name without spaces, for files and tables; entries of databases have their identifier and name.
        probabilities: shape (position, letter); every position sums to 1.
        sites: number of sites it was made of; 0 if it was not made of sites.
        letters: names of the letters.
        places: the sites: sequence (row), start and end (0-based, end excluded), strand, score (bits, the log odds to
            the background). A site may hang over an end of its sequence. Empty if they are not known.
        control: of a discovered motif, the sites that there would be if every sequence had the map of another one.
        p: of a discovered motif, the probability of as many sites if the maps said nothing about its place (binomial
            test against `control`, on windows that the matrix was not made of). NaN for other motifs.
    """

    name: str
    probabilities: np.ndarray
    sites: int = 0
    letters: str = DNA
    places: pd.DataFrame = field(default_factory=_no_places, repr=False)
    control: float = float("nan")
    p: float = float("nan")

    @property
    def consensus(self) -> str:
        """The likeliest letter at each position, in lower case if it has under half of the probability."""
        return "".join(
            self.letters[best] if row[best] >= 0.5 else self.letters[best].lower()
            for row, best in zip(self.probabilities, self.probabilities.argmax(axis=1), strict=True)
        )

    @property
    def information(self) -> np.ndarray:
        """Information content in bits, shape (position,); see `information`."""
        return information(self.probabilities)

    def reverse_complement(self) -> "Motif":
        """Return the motif of the other strand, for four letters in the order of `DNA`; its places stay."""
        return replace(self, probabilities=self.probabilities[::-1, ::-1].copy())


def information(probabilities: np.ndarray) -> np.ndarray:
    """Return the information content of positions in bits, against equal frequencies of the letters.

    It is log2(letters) less the entropy (Schneider and Stephens, Nucleic Acids Res. 18:6097, 1990), without their
    correction for few sites.

    Args:
        probabilities: shape (position, letter).
    """
    logarithms = np.log2(probabilities, out=np.zeros_like(probabilities), where=probabilities > 0)
    return np.log2(probabilities.shape[1]) + (probabilities * logarithms).sum(axis=1)


def trimmed(probabilities: np.ndarray, least: float = LEAST_INFORMATION, longest: int = LONGEST) -> slice:
    """Return the positions that are the motif, without its flanks.

    The `longest` neighbouring positions with the most information are kept, then positions under `least` bits are cut
    from both ends. If no position has `least` bits, nothing more is cut.

    Args:
        probabilities: shape (position, letter).
        least: bits.
        longest: number of positions.
    """
    bits = information(probabilities)
    start = 0
    if len(bits) > longest:
        start = int(np.convolve(bits, np.ones(longest), mode="valid").round(9).argmax())
    rich = start + np.flatnonzero(bits[start : start + longest] >= least)
    if not len(rich):
        return slice(start, min(start + longest, len(bits)))
    return slice(int(rich[0]), int(rich[-1]) + 1)


def _with_flanks(probabilities: np.ndarray, window: int) -> slice:
    """Return the richest `window` positions, trimmed, and what adjoins them, at most `LONGEST` positions in all.

    One poor position is bridged, not more: rich flanks far away are the composition of the sequences.
    """
    rich = information(probabilities) >= LEAST_INFORMATION
    core = trimmed(probabilities, longest=min(window, LONGEST))
    start, stop = core.start, core.stop
    while stop - start < LONGEST:
        # Positions to add on either side: the next one, or two if only the second is rich.
        left = next((n for n in (1, 2) if start - n >= 0 and rich[start - n]), 0)
        right = next((n for n in (1, 2) if stop + n <= len(rich) and rich[stop + n - 1]), 0)
        steps = [step for step in (left, right) if step and stop - start + step <= LONGEST]
        if not steps:
            break
        if left == min(steps):
            start -= left
        else:
            stop += right
    return slice(start, stop)


def discover(
    signal: np.ndarray,
    weights: np.ndarray,
    *,
    letters: str = DNA,
    both: bool = True,
    number: int = 3,
    support: float = 0.05,
    window: int = 12,
    reach: int = 8,
    seed: int = 1,
) -> list[Motif]:
    """Find the motifs that attributions point to.

    In every sequence the window with the largest sum of attributions is taken, if that sum exceeds those of the same
    map with its positions permuted (p <= .01). The windows are aligned: each on the strand, and with the shift, that
    fit a matrix best, which is then made again of the aligned letters. The alignment starts from several windows, and
    the one with the largest sum of log odds wins. A window is a site if its log odds exceed those of 95 % of the
    windows with their letters shuffled. All occurrences of the motif are then masked, and the search goes on.

    Sequences that share a motif have it in many windows, so that it is found even in maps of a network that learned
    nothing. So each motif has a control: its sites if every sequence is given the map of another sequence.

    The first motif is returned even with little support, so look at its number of sites; later ones only if their
    sites come from at least `support` of the sequences and from `LEAST_SITES`.

    Args:
        signal: one-hot sequences, shape (sequence, position, letter); an unknown letter is zeros.
        weights: their attributions, same shape; only those of the observed letters are used.
        letters: names of the letters.
        both: search both strands. It needs four letters in the order of `DNA`, and is ignored for proteins.
        number: largest number of motifs.
        support: least share of sequences with a site.
        window: positions of the windows.
        reach: largest shift of a window, and the flank on either side that may become part of the motif.
        seed: seed of the permutations.

    Returns:
        Motifs named `motif_1` and so on, with their places; the most sites are on the forward strand. The list is empty
        if the map of no two sequences has a window above chance.
    """
    if signal.shape != weights.shape or signal.shape[2] != len(letters):
        raise ValueError(
            f"signal {signal.shape} and weights {weights.shape} need one shape with {len(letters)} letters"
        )
    both = both and len(letters) == 4
    generator = np.random.default_rng(seed)
    signal = signal.astype(np.float32)
    projected = (signal * weights).sum(axis=2, dtype=np.float64)
    length = signal.shape[1]
    window = min(window, length)
    chance = np.max([_sums(generator.permuted(projected, axis=1), window).max(axis=1) for _ in range(PERMUTATIONS)], 0)
    background = _background(signal, both)
    margin = LONGEST + 2 * reach  # unknown letters on both sides, so that a motif may hang over the end
    padded = np.pad(signal, ((0, 0), (margin, margin), (0, 0)))
    motifs: list[Motif] = []
    needed = max(LEAST_SITES, int(np.ceil(support * len(signal))))
    while len(motifs) < number:
        sums = _sums(projected, window)
        best = sums.argmax(axis=1)
        rows = np.flatnonzero(sums.max(axis=1) > chance)
        if len(rows) < 2:
            break
        strongest = rows[np.argsort(-sums[rows, best[rows]], kind="stable")]
        starts = best[strongest] + margin
        matrix = _align(padded, projected, strongest, starts, margin, window, reach, background, both)
        odds = np.log2(matrix / background)
        # Everything that a window can reach.
        region = padded[strongest[:, None], starts[:, None] + _around(matrix, window, reach)]
        threshold = _threshold(region, odds, both, generator)
        scores = _placed(region, odds, both)
        flat = scores.reshape(len(scores), -1)
        chosen = flat.argmax(axis=1)
        top = flat[np.arange(len(flat)), chosen]
        strand, shift = np.divmod(chosen, scores.shape[2])
        is_site = top > threshold
        if motifs and is_site.sum() < needed:
            break
        width = len(matrix)
        site_rows, site_strand = strongest[is_site], strand[is_site]
        site_starts = (starts + _around(matrix, window, reach)[0] + shift)[is_site]
        cut = padded[site_rows[:, None], site_starts[:, None] + np.arange(width)]
        cut[site_strand == 1] = cut[site_strand == 1][:, ::-1, ::-1]
        probabilities = _probabilities(cut.sum(axis=0))
        if (site_strand == 1).sum() > (site_strand == 0).sum():
            probabilities, site_strand = probabilities[::-1, ::-1].copy(), 1 - site_strand
        places = pd.DataFrame(
            {
                "sequence": site_rows,
                "start": site_starts - margin,
                "end": site_starts - margin + width,
                "strand": np.where(site_strand == 1, "-", "+"),
                "score": top[is_site].astype(float),
            }
        ).sort_values("sequence", ignore_index=True)
        control, p = _control(
            *(padded, projected, strongest, starts, margin, window, reach, background, both, generator)
        )
        motifs.append(
            Motif(f"motif_{len(motifs) + 1}", probabilities, int(is_site.sum()), letters, places, control=control, p=p)
        )
        # Mask the sites, and all other occurrences in any sequence.
        occurrences: np.ndarray = (_placed(padded, odds, both) > threshold).max(axis=1)
        occurrences[site_rows, site_starts] = True
        for row, start in np.argwhere(occurrences):
            padded[row, start : start + width] = 0
        projected = projected * padded[:, margin : margin + length].sum(axis=2)
    return motifs


def _around(matrix: np.ndarray, window: int, reach: int) -> np.ndarray:
    """Positions, from the start of a window, that a matrix over the window can cover when it is shifted."""
    over = max(len(matrix) - window, 0)
    return np.arange(-reach - over, window + reach + over)


def _threshold(region: np.ndarray, odds: np.ndarray, both: bool, generator: np.random.Generator) -> float:
    """Log odds that `CHANCE` of the windows, shape (window, position, letter), exceed with their letters shuffled."""
    order = generator.permuted(np.broadcast_to(np.arange(region.shape[1]), region.shape[:2]), axis=1)
    shuffled = np.take_along_axis(region, order[:, :, None], axis=1)
    return float(np.quantile(_placed(shuffled, odds, both).max(axis=(1, 2)), 1 - CHANCE))


def _control(
    padded: np.ndarray,
    projected: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    margin: int,
    window: int,
    reach: int,
    background: np.ndarray,
    both: bool,
    generator: np.random.Generator,
) -> tuple[float, float]:
    """Compare windows with those that the maps of other sequences choose.

    A matrix fits the windows that it was made of, even if they share nothing. So every other window is aligned alone,
    and the matrix is tested on the rest, in both ways. The arguments are those of `_align`.

    Returns:
        Expected number of sites in windows chosen by other maps, and the p-value of the windows' own number.
    """
    own = exchanged = trials = 0
    even = np.arange(len(rows)) % 2 == 0
    for tested in (even, ~even):
        fitted = (rows[~tested], starts[~tested])
        matrix = _align(padded, projected, *fitted, margin, window, reach, background, both)
        odds = np.log2(matrix / background)
        around = _around(matrix, window, reach)
        region = padded[rows[tested, None], starts[tested, None] + around]
        threshold = _threshold(region, odds, both, generator)
        own += int((_placed(region, odds, both).max(axis=(1, 2)) > threshold).sum())
        for shift in range(1, min(EXCHANGES, len(starts) - 1) + 1):
            other = padded[rows[tested, None], np.roll(starts, shift)[tested, None] + around]
            exchanged += int((_placed(other, odds, both).max(axis=(1, 2)) > threshold).sum())
            trials += len(other)
    share = (exchanged + 1) / (trials + 1)
    from scipy.stats import binomtest  # slow to import, and most jobs with motifs test none

    return share * len(rows), float(binomtest(own, len(rows), min(share, 1.0), alternative="greater").pvalue)


def _sums(values: np.ndarray, window: int) -> np.ndarray:
    """Sum over every window: shape (sequence, position) to (sequence, start)."""
    total = np.pad(values.cumsum(axis=1), ((0, 0), (1, 0)))
    return total[:, window:] - total[:, :-window]


def _background(signal: np.ndarray, both: bool) -> np.ndarray:
    """Frequencies of the letters, shape (letter,); those of both strands together if `both`."""
    counts = signal.sum(axis=(0, 1), dtype=np.float64)
    if both:
        counts = counts + counts[::-1]
    return (counts + 1) / (counts + 1).sum()


def _probabilities(counts: np.ndarray) -> np.ndarray:
    """Turn counts, shape (..., letter), into probabilities with the pseudocount."""
    counts = counts + PSEUDOCOUNT / counts.shape[-1]
    return np.asarray(counts / counts.sum(axis=-1, keepdims=True), dtype=np.float64)


def _placed(letters: np.ndarray, odds: np.ndarray, both: bool) -> np.ndarray:
    """Log odds of a matrix at every place: letters (sequence, position, letter) to (sequence, strand, start)."""
    strands = (odds, odds[::-1, ::-1]) if both else (odds,)
    places = letters.shape[1] - len(odds) + 1
    scores = np.zeros((len(letters), len(strands), places), dtype=np.float32)
    for strand, matrix in enumerate(strands):
        for position, row in enumerate(matrix.astype(np.float32)):
            scores[:, strand] += letters[:, position : position + places] @ row
    return scores


def _align(
    padded: np.ndarray,
    projected: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    margin: int,
    window: int,
    reach: int,
    background: np.ndarray,
    both: bool,
) -> np.ndarray:
    """Align windows, and return the trimmed matrix of the aligned letters, shape (position, letter).

    Args:
        padded: one-hot sequences with `margin` unknown letters at both ends, shape (sequence, position, letter).
        projected: attributions of the letters, shape (sequence, position), without the margin.
        rows, starts: sequence of each window and its start in `padded`, the strongest window first.
        margin, window, reach, background, both: see `discover`.
    """
    letters = padded.shape[2]
    shifts = np.arange(-reach, reach + 1)
    cut = padded[rows[:, None, None], starts[:, None, None] + shifts[:, None] + np.arange(window)]
    options = np.concatenate([cut, cut[:, :, ::-1, ::-1]], axis=1) if both else cut
    options = options.reshape(len(rows), -1, window * letters)  # (window, strand and shift, position and letter)
    # A window that fits one of its alignments no better than chance is not a member.
    least = np.log2(options.shape[1])
    # Start from windows of different strength, each letter as sure as its share of the largest attribution.
    seeds = np.unique(np.linspace(0, (len(rows) - 1) // 2, STARTS).astype(int))
    share = np.take_along_axis(projected[rows[seeds]], starts[seeds, None] - margin + np.arange(window), axis=1)
    share = np.clip(share / np.maximum(share.max(axis=1, keepdims=True), 1e-12), 0, 1)[:, :, None] * 0.9
    known = options.reshape(*options.shape[:2], window, letters)[seeds, reach]
    matrices = share * known + (1 - share * known.sum(axis=2, keepdims=True)) * background

    def refine(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Align all windows to each matrix and make it again, several times: alignment, members and gain of each."""
        for _ in range(ROUNDS):
            odds = np.log2(matrices / background).astype(np.float32).reshape(len(matrices), -1)
            scores = options @ odds.T  # (window, strand and shift, matrix)
            choice = scores.argmax(axis=1)
            top = np.take_along_axis(scores, choice[:, None], axis=1)[:, 0]
            members = top > least
            gain = ((top - least) * members).sum(axis=0, dtype=np.float64)
            counts = [options[every, choice[:, k]].T @ members[:, k] for k in range(len(matrices))]
            matrices = _probabilities(np.stack(counts).reshape(len(matrices), window, letters))
        return choice, members, gain

    def widened(choice: np.ndarray, members: np.ndarray) -> np.ndarray:
        """The same alignment with flanks, which may belong to the motif."""
        kept = members if members.any() else np.ones_like(members)
        strand, shift = np.divmod(choice[kept], len(shifts))
        begin = starts[kept] + shifts[shift] - reach
        wide = padded[rows[kept][:, None], begin[:, None] + np.arange(window + 2 * reach)]
        wide[strand == 1] = wide[strand == 1][:, ::-1, ::-1]
        return _probabilities(wide.sum(axis=0))

    every = np.arange(len(rows))
    choice, members, gain = refine(matrices)
    winner = int(gain.argmax())
    wide = widened(choice[:, winner], members[:, winner])
    # A start beside the motif leaves it at an edge, where windows cannot reach it: align again at its centre.
    centre = min(trimmed(wide, longest=window).start, len(wide) - window)
    choice, members, again = refine(wide[None, centre : centre + window])
    if again[0] > gain[winner]:
        wide = widened(choice[:, 0], members[:, 0])
    return wide[_with_flanks(wide, window)]


def first_convolution(network: "nn.Module") -> "nn.Conv1d | None":
    """Return the first convolution of a network, which reads the one-hot letters; None if there is none."""
    from torch import nn

    return next((module for module in network.modules() if isinstance(module, nn.Conv1d)), None)


def filter_motifs(
    convolution: "nn.Conv1d", signal: np.ndarray, *, letters: str = DNA, share: float = 0.5, batch: int = 256
) -> list[Motif]:
    """Make a motif of each filter of a first layer (DeepBind: Alipanahi et al., Nat. Biotechnol. 33:831, 2015).

    The windows whose activation is above `share` of the filter's largest activation are averaged. Filters that respond
    to no window are left out. A network has many filters, and short GC-rich ones match entries of databases by
    chance: they don't say which factor a network learned.

    Args:
        convolution: first layer of a network, on (sequence, letter, position).
        signal: one-hot sequences, shape (sequence, position, letter).
        letters: names of the letters.
        share: share of the largest activation.
        batch: sequences at a time.

    Returns:
        Motifs named `filter_1` and so on by their place in the layer, of the filter's width.

    Raises:
        ValueError: the layer is dilated or strided, or the sequences are shorter than its filters.
    """
    if any(value != 1 for value in (*convolution.dilation, *convolution.stride)) or convolution.groups != 1:
        raise ValueError("motifs of filters need a convolution without dilation, stride and groups")
    width = int(convolution.kernel_size[0])
    if signal.shape[1] < width:
        raise ValueError(f"sequences of {signal.shape[1]} letters are shorter than the filters of {width}")
    weight = convolution.weight.detach().cpu().float().numpy()  # (filter, letter, position)
    weight = weight.transpose(2, 1, 0).reshape(-1, weight.shape[0])
    bias = 0.0 if convolution.bias is None else convolution.bias.detach().cpu().float().numpy()

    def windows(start: int) -> np.ndarray:
        part = signal[start : start + batch].astype(np.float32)
        view = np.lib.stride_tricks.sliding_window_view(part, width, axis=1)  # (sequence, start, letter, position)
        return view.transpose(0, 1, 3, 2).reshape(-1, width * part.shape[2])

    starts = range(0, len(signal), batch)
    largest = np.max([(windows(start) @ weight + bias).max(axis=0) for start in starts], axis=0)
    counts = np.zeros(weight.shape, dtype=np.float64)
    sites = np.zeros(weight.shape[1], dtype=int)
    for start in starts:
        part = windows(start)
        active = part @ weight + bias > share * largest
        counts += part.T @ active.astype(np.float32)
        sites += active.sum(axis=0)
    return [
        Motif(
            f"filter_{index + 1}",
            _probabilities(counts[:, index].reshape(width, signal.shape[2])),
            int(sites[index]),
            letters,
        )
        for index in np.flatnonzero(largest > 0)
    ]


def pwm_of_optimum(
    optimum: np.ndarray, *, letters: str = DNA, name: str = "optimum", longest: int | None = LONGEST
) -> Motif:
    """Turn a class optimum into a motif: negative values are 0, each position is divided by its sum.

    Args:
        optimum: shape (position, letter); a position without a positive value becomes even.
        letters: names of the letters.
        name: name of the motif.
        longest: positions to keep, see `trimmed`; None keeps all, for a logo of the whole optimum.
    """
    positive = np.clip(np.asarray(optimum, dtype=np.float64), 0, None)
    total = positive.sum(axis=1, keepdims=True)
    even = np.full_like(positive, 1 / positive.shape[1])
    probabilities = np.divide(positive, total, out=even, where=total > 0)
    if longest is not None:
        probabilities = probabilities[trimmed(probabilities, longest=longest)]
    return Motif(name, probabilities, 0, letters)


def write_meme(
    motifs: Sequence[Motif], path: str | Path, background: Sequence[float] | np.ndarray | None = None
) -> None:
    """Write motifs in the minimal MEME format, version 4, which the MEME suite and Bio.motifs read.

    That format has no signs for the characters of texts. A file of their motifs names the alphabet, `TEXT`, instead of
    its letters and frequencies, and is read by `read_meme` only.

    Args:
        motifs: motifs of one alphabet.
        path: output file.
        background: frequencies of the letters, shape (letter,); equal ones by default.
    """
    letters = motifs[0].letters if motifs else DNA
    if any(motif.letters != letters for motif in motifs):
        raise ValueError("motifs of different alphabets need a file each")
    frequencies = np.full(len(letters), 1 / len(letters)) if background is None else np.asarray(background, dtype=float)
    lines = ["MEME version 4", "", f"ALPHABET= {'TEXT' if letters == TEXT else letters}", ""]
    if letters == DNA:
        lines += ["strands: + -", ""]
    if letters != TEXT:
        pairs = " ".join(f"{letter} {value:.6f}" for letter, value in zip(letters, frequencies, strict=True))
        lines += ["Background letter frequencies", pairs, ""]
    for motif in motifs:
        width = len(motif.probabilities)
        lines += [
            f"MOTIF {motif.name}",
            f"letter-probability matrix: alength= {len(letters)} w= {width} nsites= {motif.sites} E= 0",
            *(" " + " ".join(f"{value:.6f}" for value in row) for row in motif.probabilities),
            "",
        ]
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def read_meme(path: str | Path) -> list[Motif]:
    """Read the motifs of a file in MEME format, version 4 or later, minimal or the output of MEME.

    A motif's name is the rest of its `MOTIF` line, its fields joined by one space. Positions are divided by their sum.

    Raises:
        UserError: the file is not in MEME format, its alphabet is not DNA, RNA, protein or text, or a matrix is broken.
    """
    motifs: list[Motif] = []
    letters, name, started = "", "", False
    matrix: _Matrix | None = None
    number = 0
    for number, raw in read_lines(path):
        line, where = raw.strip(), f"{path}: line {number}"
        if not started:
            if line and not line.startswith("MEME version"):
                raise UserError(
                    f"{where}: is not in MEME format, which begins with 'MEME version 4'; convert the motifs, for "
                    "example by jaspar2meme"
                )
            started = bool(line)
        elif matrix and _NUMBERS.match(line):
            matrix.rows.append(_row(line, len(matrix.letters), where))
        elif matrix and (line or matrix.rows):
            motifs.append(matrix.motif(where))
            matrix = None
        if line.startswith("ALPHABET"):
            letters = _alphabet(line, where)
        elif line.startswith("MOTIF"):
            name = " ".join(line.split()[1:]) or str(len(motifs) + 1)
        elif line.startswith("letter-probability matrix"):
            matrix = _Matrix.of_header(line, name, letters, where)
    if matrix:
        motifs.append(matrix.motif(f"{path}: line {number}"))
    if not motifs:
        raise UserError(f"{path}: has no motif with a letter-probability matrix; give a file in MEME format")
    return motifs


_NUMBERS = re.compile(r"[0-9.]")
_PROPERTY = re.compile(r"(alength|w|nsites)=\s*(\S+)")
_NAMED_ALPHABETS = {"DNA": DNA, "RNA": RNA, "PROTEIN": PROTEIN, "TEXT": TEXT}


@dataclass
class _Matrix:
    """A matrix that is being read: its header and the rows so far."""

    name: str
    letters: str
    width: int
    sites: int
    rows: list[list[float]] = field(default_factory=list)

    @classmethod
    def of_header(cls, line: str, name: str, letters: str, where: str) -> "_Matrix":
        given = dict(_PROPERTY.findall(line))
        try:
            size = int(given.get("alength", len(letters) or 4))
            width, sites = int(given.get("w", 0)), round(float(given.get("nsites", 0)))
        except ValueError:
            raise UserError(f"{where}: {line!r} has a value that is not a number; correct it") from None
        letters = letters or {4: DNA, 20: PROTEIN}.get(size, "")
        if size != len(letters):
            raise UserError(f"{where}: alength= {size} does not fit the alphabet; correct it, or the ALPHABET line")
        return cls(name, letters, width, sites)

    def motif(self, where: str) -> Motif:
        if not self.rows or self.width not in (0, len(self.rows)):
            raise UserError(
                f"{where}: the matrix of motif {self.name!r} ends after {len(self.rows)} positions, its header says "
                f"w= {self.width}; complete it"
            )
        table = np.array(self.rows)
        return Motif(self.name, table / table.sum(axis=1, keepdims=True), self.sites, self.letters)


def _alphabet(line: str, where: str) -> str:
    """Return the letters that an ALPHABET line names."""
    text = line.removeprefix("ALPHABET").lstrip("= ").strip()
    letters = _NAMED_ALPHABETS.get(text.split()[0].strip('"').upper() if text else "", text.upper())
    if letters not in _NAMED_ALPHABETS.values():
        raise UserError(f"{where}: alphabet {text!r} is not supported; give motifs of {DNA}, {RNA} or {PROTEIN}")
    return letters


def _row(line: str, size: int, where: str) -> list[float]:
    """Return the probabilities of a line."""
    try:
        row = [float(value) for value in line.split()]
    except ValueError:
        row = []
    if len(row) != size or not all(0 <= value <= 1.01 for value in row) or abs(sum(row) - 1) > 0.05:
        raise UserError(f"{where}: expected {size} probabilities with sum 1, got {line!r}; correct the matrix")
    return row


def as_arrays(motifs: Sequence[Motif]) -> list[np.ndarray]:
    """Return matrices as other tools want them, shape (letter, position) each."""
    return [np.ascontiguousarray(motif.probabilities.T, dtype=np.float64) for motif in motifs]


def site_table(motifs: Sequence[Motif], names: Sequence[Any]) -> pd.DataFrame:
    """Put the places of motifs into one table.

    Args:
        motifs: motifs with places.
        names: names of the sequences, by row.

    Returns:
        Columns motif, sequence (name), start, end (0-based, end excluded), strand, score (bits).
    """
    parts = [
        motif.places.assign(motif=motif.name, sequence=[str(names[row]) for row in motif.places["sequence"]])
        for motif in motifs
    ]
    columns = ["motif", *PLACES]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
