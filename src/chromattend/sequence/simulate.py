"""A small set of DNA sequences with three planted motifs, for the demo and the tests.

Sequences are random with the dinucleotides of the human genome. The negatives are shuffles that keep them, so that only
the motifs tell the classes apart.
"""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chromattend.errors import UserError
from chromattend.files import atomic
from chromattend.sequence.shuffle import dinucleotide_shuffle

logger = logging.getLogger(__name__)

# Recorded in simulation.json: raise it whenever the output changes, so that older sets are written again.
VERSION = 1
LETTERS = "ACGT"
# Letters that a letter of a consensus stands for (IUPAC).
IUPAC = {"A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "N": "ACGT"}
# Share of each dinucleotide's second letter after A, C, G and T, rounded from the human genome: CG is rare.
FOLLOWS = np.array([[33, 17, 24, 26], [35, 26, 5, 34], [29, 21, 26, 24], [22, 20, 25, 33]]) / 100
SHORTEST = 60  # bp that three motifs fit into beside each other


@dataclass(frozen=True)
class PlantedMotif:
    """A motif that the sequences get.

    Attributes:
        name: the factor whose sites it resembles.
        consensus: its letters (IUPAC).
        purity: probability of a letter of the consensus; the other letters share the rest.
        share: share of the positive sequences with a site.
    """

    name: str
    consensus: str
    purity: float
    share: float

    @property
    def probabilities(self) -> np.ndarray:
        """Probability of each letter, float64, shape (position, letter)."""
        allowed = np.array([[letter in IUPAC[code] for letter in LETTERS] for code in self.consensus])
        kinds = allowed.sum(axis=1, keepdims=True)
        rest = (1 - self.purity) / np.maximum(4 - kinds, 1)
        return np.where(kinds == 4, 0.25, np.where(allowed, self.purity / kinds, rest))


# A strong one, one of two halves with a gap that is not read, and a weak one.
MOTIFS = (
    PlantedMotif("CTCF", "TGGCCASCAGRKGGCGCTA", 0.94, 0.94),
    PlantedMotif("NFIC", "TTGGCNNNNNGCCAA", 0.94, 0.5),
    PlantedMotif("USF1", "GTCACGTGAC", 0.82, 0.4),
)
SET, TF = "synthetic", "CTCF"
COLUMNS = ("set", "tf", "group", "colour", "positives", "negatives", "test")


def simulate_sequences(
    folder: str | Path, seed: int = 1, *, positives: int = 1500, test: int = 250, length: int = 101
) -> None:
    """Write sequences, their sheet and the truth behind them.

    The same arguments give the same bytes. A folder that is complete for these arguments is not changed; a folder that
    is incomplete, or was written for other arguments, is written again.

    Args:
        folder: folder of the set: `positives.fa`, the training positives; `test.fa`, positives (label 1 in the header)
            and a dinucleotide shuffle of each (0); `truth.tsv`, a row per site: sequence, motif, start (0-based), end,
            strand and letters of the site on its strand; `sequences.tsv`, the sheet of the set, with its files in
            `folder`; and `simulation.json`, the arguments, written last.
        seed: non-negative integer.
        positives: number of training positives.
        test: number of test positives.
        length: of each sequence (bp).

    Raises:
        UserError: the arguments cannot give a set.
    """
    folder = Path(folder)
    if positives < 10 or test < 10 or length < SHORTEST or seed < 0:
        raise UserError(
            f"positives {positives}, test {test}, length {length}, seed {seed}: out of range; give at least 10 "
            f"sequences, a length of at least {SHORTEST}, and a seed of at least 0"
        )
    arguments = {"seed": seed, "positives": positives, "test": test, "length": length, "folder": folder.as_posix()}
    record, content = folder / "simulation.json", json.dumps({"version": VERSION, **arguments}, indent=1) + "\n"
    paths = [folder / name for name in ("positives.fa", "test.fa", "truth.tsv", "sequences.tsv")]
    if record.exists() and record.read_text() == content and all(path.exists() for path in paths):
        logger.info("%s: is complete", folder)
        return
    record.unlink(missing_ok=True)

    rng = np.random.default_rng(seed)
    letters = background(rng, positives + test, length)
    names = [f"train_{number:05d}" for number in range(1, positives + 1)]
    names += [f"test_{number:05d}" for number in range(1, test + 1)]
    sites = [site for row, name in enumerate(names) for site in _plant(rng, letters[row], name)]
    shuffles = dinucleotide_shuffle(letters[positives:], rng)

    bound = _fasta(names[positives:], letters[positives:], " 1")
    unbound = _fasta([f"{name}_shuffle" for name in names[positives:]], shuffles, " 0")
    cells = [SET, TF, "demo", "#0072b2", paths[0].as_posix(), "shuffle", paths[1].as_posix()]
    texts = [
        _fasta(names[:positives], letters[:positives]),
        bound + unbound,
        "\n".join(["sequence\tmotif\tstart\tend\tstrand\tsite", *sites]) + "\n",
        "\t".join(COLUMNS) + "\n" + "\t".join(cells) + "\n",
    ]
    for path, text in zip([*paths, record], [*texts, content], strict=True):
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    logger.info("%s: %d training and %d test positives with %d sites written", folder, positives, test, len(sites))


def background(rng: np.random.Generator, sequences: int, length: int) -> np.ndarray:
    """Return random sequences with the dinucleotides of the human genome, int8, shape (sequence, position)."""
    letters = np.empty((sequences, length), dtype=np.int8)
    letters[:, 0] = rng.integers(0, 4, size=sequences)
    limits = FOLLOWS.cumsum(axis=1)[:, :3]
    for position in range(1, length):
        drawn = rng.random(sequences)[:, None]
        letters[:, position] = (drawn >= limits[letters[:, position - 1]]).sum(axis=1)
    return letters


def _plant(rng: np.random.Generator, letters: np.ndarray, name: str) -> list[str]:
    """Put sites into one sequence, in place and without overlap; return their rows of the truth."""
    chosen = [motif for motif in MOTIFS if rng.random() < motif.share]
    rng.shuffle(chosen)
    widths = [len(motif.consensus) for motif in chosen]
    # The free letters are dealt out to the gaps before, between and after the sites.
    cuts = np.sort(rng.integers(0, len(letters) - sum(widths) + 1, size=len(chosen)))
    rows = []
    for number, (motif, cut) in enumerate(zip(chosen, cuts.tolist(), strict=True)):
        start = cut + sum(widths[:number])
        limits = motif.probabilities.cumsum(axis=1)[:, :3]
        site = (rng.random(widths[number])[:, None] >= limits).sum(axis=1)
        forward = rng.random() < 0.5
        letters[start : start + len(site)] = site if forward else 3 - site[::-1]
        text = "".join(LETTERS[letter] for letter in site)
        rows.append(f"{name}\t{motif.name}\t{start}\t{start + len(site)}\t{'+' if forward else '-'}\t{text}")
    return rows


def _fasta(names: list[str], letters: np.ndarray, label: str = "") -> str:
    texts = np.array(list(LETTERS))[letters]
    return "".join(f">{name}{label}\n{''.join(text)}\n" for name, text in zip(names, texts, strict=True))
