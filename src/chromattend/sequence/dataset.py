"""One dataset per set of sequences: letters, labels, negatives and parts, and what the quality page says of them."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from chromattend import __version__
from chromattend.errors import UserError
from chromattend.sequence.alphabets import ALPHABETS, Alphabet, reverse_complement
from chromattend.sequence.genome_draws import draw_negatives
from chromattend.sequence.readers import Sequences, read_sequences
from chromattend.sequence.sheet import RULES, SequenceSet
from chromattend.sequence.shuffle import dinucleotide_shuffle

logger = logging.getLogger(__name__)

SPLITS = ("train", "valid", "test")
# Fewer sequences of a class in a part than this make its AUC uncertain by more than .1.
FEW = 30
# Shorter sequences do not fit the networks' convolutions.
SHORTEST = 30
# Length of stretches whose presence in training and test is counted.
SHARED = 40
# Difference of the mean GC content of both classes that a model may use alone.
GC_DIFFERENCE = 0.05
# Ratio of the mean lengths of both classes, before padding, below which a model may use the length alone.
LENGTHS = 0.95
# Share of unknown letters that is worth a note.
MANY_UNKNOWN = 0.02


@dataclass(frozen=True)
class Choices:
    """How a set is made into a dataset: the keys of the section `sequence` that do not depend on a model.

    Attributes:
        length: length of all sequences: longer ones are cropped around their centre, shorter ones padded at both ends;
            None for the longest sequence of the set.
        valid_fraction: share of the training sequences that choose the epoch, if the set has a test file.
        mode: how a set without a test file is divided: `random` or `chromosome`.
        fractions: shares of train, valid and test (random).
        valid_chromosomes, test_chromosomes: chromosomes held out (chromosome).
        duplicates: what happens to test sequences that are also in training: `error`, `drop` removes them from
            training, `keep`.
        seed: seed of shuffles, draws and parts.
    """

    length: int | None = None
    valid_fraction: float = 0.1
    mode: str = "random"
    fractions: Sequence[float] = (8, 1, 1)
    valid_chromosomes: Sequence[str] = ()
    test_chromosomes: Sequence[str] = ()
    duplicates: str = "error"
    seed: int = 1

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Choices":
        """Return the choices of the section `sequence` of a configuration."""
        direct = {name: config[name] for name in ("length", "valid_fraction", "duplicates", "seed")}
        return cls(**direct, **config["split"])


@dataclass(frozen=True)
class _Rows:
    """Sequences of a set as arrays; every field has one row per sequence.

    `letters` are padded or cropped; `kept` is the number of letters that are left, `full` the number in the file.
    """

    letters: np.ndarray
    kept: np.ndarray
    full: np.ndarray
    masked: np.ndarray
    label: np.ndarray
    split: np.ndarray
    origin: np.ndarray
    template: np.ndarray
    name: np.ndarray
    place: np.ndarray
    at: np.ndarray

    def take(self, rows: np.ndarray) -> "_Rows":
        """Return some rows; templates follow their rows, which must be among them."""
        new = np.full(len(self.label) + 1, -1, dtype=np.int32)
        new[rows] = np.arange(len(rows))
        parts = {one.name: getattr(self, one.name)[rows] for one in dataclasses.fields(self)}
        parts["template"] = new[parts["template"]]  # -1 is the last row, which stays -1
        return _Rows(**parts)


def build_dataset(
    source: SequenceSet,
    workdir: str | Path = ".",
    choices: Choices | None = None,
    attributes: Mapping[str, object] | None = None,
) -> tuple[xr.Dataset, dict[str, Any]]:
    """Read a set, make its negatives, divide it into parts and check it.

    - A set with a test file keeps it; a random `valid_fraction` of the rest is for validation. Other sets are divided
      by `mode`. Sequences that are equal, on either strand, are always in the same random part.
    - A negative that was shuffled from a positive is in the part of that positive.
    - A name that is given again gets a number: `peak`, `peak.2`.

    Args:
        source: row of the sheet.
        workdir: folder that its paths are relative to.
        choices: see `Choices`.
        attributes: further attributes of the dataset.

    Returns:
        The dataset, and its quality. The dataset has, by sequence, `letters[sequence, position]` (int8, number in
        the alphabet, -1 unknown or padding), `label` (0 or 1), `split`, `length` (letters before padding), `origin`
        (given, shuffle or genome), `template` (row of the positive that a shuffle was made from, or -1) and `place`
        (coordinates before padding and cropping, or empty). The quality is a mapping for JSON: `counts` by part and
        label, `lengths`, `padded`, `cropped`, `gc` by label, `unknown` and `soft_masked` (shares of the letters),
        `duplicates`, `shared_stretches`, `unchanged_shuffles` and `notes`, a list of sentences.

    Raises:
        UserError: a file is invalid, a part has only one class, or a test sequence is also in training.
    """
    choices, workdir = choices or Choices(), Path(workdir)
    alphabet = ALPHABETS[source.alphabet]
    notes: list[str] = []
    given = [_read(source, workdir, alphabet, False)]
    if source.test:
        given.append(_read(source, workdir, alphabet, True))
    for files in given:
        for sequences in files:
            notes += sequences.notes
    rows, lengths = _join(source, given, choices, notes)
    rows = _divide(source, rows, choices, alphabet)
    rows, drops = _separate(source, rows, choices, alphabet, notes)
    rows, draws = _draw(source, workdir, rows, choices, alphabet)
    notes += draws
    rows = _shuffle(source, rows, choices)
    rows = dataclasses.replace(rows, name=_numbered(rows.name, notes))
    _check_classes(source, rows)
    quality = {"set": source.name, **_measure(source, rows, alphabet, notes), **lengths, "dropped": drops}
    for note in notes:
        logger.warning("%s: %s", source.name, note)
    rule = "given" if source.test else choices.mode
    dataset = xr.Dataset(
        {
            "letters": (("sequence", "position"), rows.letters, {"long_name": f"number in {alphabet.letters}, from 0"}),
            "label": ("sequence", rows.label, {"long_name": "1: positive"}),
            "split": ("sequence", rows.split),
            "length": ("sequence", rows.kept),
            "origin": ("sequence", rows.origin),
            "template": ("sequence", rows.template),
            "place": ("sequence", rows.place),
        },
        coords={"sequence": rows.name},
        attrs={
            "set": source.name,
            "alphabet": alphabet.name,
            "genome": source.genome,
            "split_rule": rule,
            "seed": choices.seed,
            **(attributes or {}),
            "program": f"chromattend {__version__}",
        },
    )
    return dataset, {**quality, "split_rule": rule, "notes": notes}


def _read(source: SequenceSet, workdir: Path, alphabet: Alphabet, test: bool) -> list[Sequences]:
    """Read the files of the training or the test sequences: one with labels, or positives and maybe negatives."""
    positives, negatives = (source.test, source.test_negatives) if test else (source.positives, source.negatives)

    def read(path: str, **label: Any) -> Sequences:
        return read_sequences(
            workdir / path,
            alphabet,
            name=path,
            form=source.format,
            genome=workdir / source.genome if source.genome else "",
            width=source.width,
            **label,
        )

    if not negatives:
        return [read(positives, labelled=True)]
    files = [read(positives, label=1)]
    return files if negatives in RULES else [*files, read(negatives, label=0)]


def _join(
    source: SequenceSet, given: list[list[Sequences]], choices: Choices, notes: list[str]
) -> tuple[_Rows, dict[str, Any]]:
    """Join all files into rows of one length, and describe the lengths."""
    files = [(sequences, part) for part, read in enumerate(given) for sequences in read]
    full = np.array([len(letters) for sequences, _ in files for letters in sequences.letters], dtype=np.int32)
    length = choices.length or int(full.max())
    fitted = np.full((len(full), length), -1, dtype=np.int8)
    row = 0
    for sequences, _ in files:
        for letters in sequences.letters:
            _fit(letters, fitted[row])
            row += 1
    number = len(full)
    rows = _Rows(
        letters=fitted,
        kept=np.minimum(full, length).astype(np.int32),
        full=full,
        masked=np.array([masked for sequences, _ in files for masked in sequences.masked]),
        label=np.array([label for sequences, _ in files for label in sequences.labels], dtype=np.int8),
        split=np.repeat(
            np.array(["train", "test"]),
            [sum(len(sequences) for sequences, of in files if of == part) for part in (0, 1)],
        ),
        origin=np.full(number, "given", dtype="U7"),
        template=np.full(number, -1, dtype=np.int32),
        name=np.array([name for sequences, part in files for name in _names(sequences, ("train", "test")[part])]),
        place=np.array([place for sequences, _ in files for place in sequences.places]),
        at=np.array([f"{sequences.source} line {line}" for sequences, _ in files for line in sequences.lines]),
    )
    # The order of the dataset: parts as given, and in them the positives first.
    rows = rows.take(np.lexsort((-rows.label, rows.split == "test")))
    padded, cropped = int((full < length).sum()), int((full > length).sum())
    if padded:
        notes.append(
            f"Sequences shorter than {length} letters, which were padded at both ends with unknown letters: "
            f"{padded} of {number}."
        )
    if cropped:
        notes.append(
            f"Sequences longer than {length} letters, which were cropped to their centre: {cropped} of {number}."
        )
    if length < SHORTEST:
        notes.append(f"Sequences have {length} letters; the networks need at least {SHORTEST}.")
    shortest, median, longest = int(full.min()), float(np.median(full)), int(full.max())
    lengths = {"shortest": shortest, "median": median, "longest": longest, "used": length}
    return rows, {"lengths": lengths, "padded": padded, "cropped": cropped}


def _names(sequences: Sequences, part: str) -> list[str]:
    """Return names in which a mere place in the file says which part it is of."""
    return [f"{part}_{name}" if name == str(number) else name for number, name in enumerate(sequences.names, start=1)]


def _fit(letters: np.ndarray, row: np.ndarray) -> None:
    """Write letters into the middle of a row of unknown letters, or the middle of the letters into it."""
    missing = len(row) - len(letters)
    if missing >= 0:
        row[missing // 2 : missing // 2 + len(letters)] = letters
    else:
        row[:] = letters[-missing // 2 : -missing // 2 + len(row)]


def _keys(rows: _Rows, alphabet: Alphabet) -> tuple[list[bytes], list[bytes]]:
    """Return the letters of each row as bytes, and those of the strand that sorts first, which both strands share.

    Only DNA has two.
    """
    length = rows.letters.shape[1]
    left = (length - rows.kept) // 2  # of the padding
    own = _without_padding(rows.letters, left, rows.kept)
    if alphabet.name != "dna":
        return own, own
    other = _without_padding(reverse_complement(rows.letters), length - left - rows.kept, rows.kept)
    return own, [min(pair) for pair in zip(own, other, strict=True)]


def _without_padding(letters: np.ndarray, left: np.ndarray, kept: np.ndarray) -> list[bytes]:
    return [
        row[start : start + number].tobytes()
        for row, start, number in zip(letters, left.tolist(), kept.tolist(), strict=True)
    ]


def _groups(rows: _Rows, alphabet: Alphabet) -> np.ndarray:
    """Return a number for each row that equal sequences share."""
    numbers: dict[bytes, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in _keys(rows, alphabet)[1]])


def _divide(source: SequenceSet, rows: _Rows, choices: Choices, alphabet: Alphabet) -> _Rows:
    """Assign given sequences to parts."""
    split = rows.split.astype("U5")
    rng = np.random.default_rng([choices.seed, 1])
    if source.test:
        pool = np.flatnonzero(split == "train")
        fractions: Sequence[float] = (1 - choices.valid_fraction, choices.valid_fraction)
    elif choices.mode == "chromosome":
        return dataclasses.replace(rows, split=_by_chromosome(source, rows, choices))
    else:
        pool, fractions = np.arange(len(split)), choices.fractions
    groups = _groups(rows, alphabet)
    for label in (1, 0):
        chosen = pool[rows.label[pool] == label]
        _, first, group, size = np.unique(groups[chosen], return_index=True, return_inverse=True, return_counts=True)
        order = rng.permutation(len(first))
        # Whole groups, in a random order, until a part has its share.
        ends = np.cumsum(fractions) / np.sum(fractions) * len(chosen)
        middle = np.cumsum(size[order]) - size[order] / 2
        part = np.empty(len(first), dtype=int)
        part[order] = np.minimum(np.searchsorted(ends, middle, side="right"), len(fractions) - 1)
        split[chosen] = np.array(SPLITS)[part[group]]
    # A sequence with both labels is in one part.
    return dataclasses.replace(rows, split=_together(split, groups, pool))


def _together(split: np.ndarray, groups: np.ndarray, pool: np.ndarray) -> np.ndarray:
    """Move every row of the pool into the part of the first row of its group."""
    split = split.copy()
    _, first, inverse = np.unique(groups[pool], return_index=True, return_inverse=True)
    split[pool] = split[pool][first][inverse]
    return split


def _by_chromosome(source: SequenceSet, rows: _Rows, choices: Choices) -> np.ndarray:
    if (rows.place == "").any():
        row = int(np.argmax(rows.place == ""))
        raise UserError(
            f"{source.name}: {rows.at[row]}: record {str(rows.name[row])!r} has no coordinates, so the set cannot be "
            "divided by chromosome; name records such as chr1:100-201, or set sequence.split.mode: random"
        )
    chrom = np.array([place.rpartition(":")[0] for place in rows.place])
    split = np.full(len(chrom), "train", dtype="U5")
    split[np.isin(chrom, list(choices.valid_chromosomes))] = "valid"
    split[np.isin(chrom, list(choices.test_chromosomes))] = "test"
    for part in SPLITS:
        if not (split == part).any():
            names = ", ".join(np.unique(chrom)[:5])
            raise UserError(
                f"{source.name}: no sequence is in the {part} part; the set has the chromosomes {names}: change "
                "sequence.split.valid_chromosomes or test_chromosomes"
            )
    return split


def _separate(
    source: SequenceSet, rows: _Rows, choices: Choices, alphabet: Alphabet, notes: list[str]
) -> tuple[_Rows, int]:
    """Treat test sequences that are also in training or validation, on either strand; return how many were dropped."""
    own, keys = _keys(rows, alphabet)
    tested = {key: row for row, key in reversed([*enumerate(keys)]) if rows.split[row] == "test"}
    both = [row for row, key in enumerate(keys) if rows.split[row] != "test" and key in tested]
    if not both:
        return rows, 0
    row, other = both[0], tested[keys[both[0]]]
    strand = "" if own[row] == own[other] else " on the other strand"
    pair = (
        f"test sequence {str(rows.name[other])!r} ({rows.at[other]}) is also the {rows.split[row]} sequence "
        f"{str(rows.name[row])!r} ({rows.at[row]}){strand}"
    )
    if choices.duplicates == "error":
        more = f" (and {len(both) - 1} more)" if len(both) > 1 else ""
        raise UserError(
            f"{source.name}: {pair}{more}; remove it from one of them, or set sequence.duplicates: drop, which removes "
            "such sequences from training"
        )
    if choices.duplicates == "keep":
        notes.append(f"The {pair}; such sequences, which were kept: {len(both)}. The test AUC may be too high.")
        return rows, 0
    notes.append(f"Sequences that were removed from training because they are also in the test part: {len(both)}.")
    return rows.take(np.setdiff1d(np.arange(len(keys)), both)), len(both)


def _rules(source: SequenceSet) -> dict[bool, str]:
    """Return the rule that makes negatives of training and of test sequences: shuffle, genome or empty."""
    both = {False: source.negatives, True: source.test_negatives if source.test else source.negatives}
    return {test: rule if rule in RULES else "" for test, rule in both.items()}


def _templates(source: SequenceSet, rows: _Rows, rule: str) -> np.ndarray:
    """Return the rows of positives that a rule makes negatives for."""
    rules = _rules(source)
    made = np.array([rules[part == "test"] == rule for part in rows.split])
    return np.flatnonzero(made & (rows.label == 1))


def _append(rows: _Rows, templates: np.ndarray, **changes: Any) -> _Rows:
    """Append a negative for each template, which differs from it in the given fields."""
    more = {one.name: getattr(rows, one.name)[templates] for one in dataclasses.fields(rows)}
    more |= {"label": np.zeros(len(templates), dtype=np.int8), **changes}
    joined = {name: np.concatenate([getattr(rows, name), values]) for name, values in more.items()}
    return _Rows(
        **{
            name: values.astype(getattr(rows, name).dtype, copy=False) if values.dtype.kind != "U" else values
            for name, values in joined.items()
        }
    )


def _draw(
    source: SequenceSet, workdir: Path, rows: _Rows, choices: Choices, alphabet: Alphabet
) -> tuple[_Rows, list[str]]:
    """Append negatives that are drawn from the genome."""
    templates = _templates(source, rows, "genome")
    if not len(templates):
        return rows, []
    drawn = draw_negatives(
        rows.place[templates].tolist(),
        workdir / source.genome,
        alphabet,
        choices.seed,
        avoid=rows.place.tolist(),
        source=f"{source.name}: negatives from {source.genome}",
    )
    length = rows.letters.shape[1]
    letters = np.full((len(drawn), length), -1, dtype=np.int8)
    for row, values in zip(letters, drawn.letters, strict=True):
        _fit(values, row)
    origin = np.full(len(drawn), "genome")
    at = np.full(len(drawn), source.genome)
    names, places = np.array(drawn.names), np.array(drawn.places)
    masked = np.array(drawn.masked)
    rows = _append(rows, templates, letters=letters, origin=origin, name=names, place=places, at=at, masked=masked)
    return rows, drawn.notes


def _shuffle(source: SequenceSet, rows: _Rows, choices: Choices) -> _Rows:
    """Append negatives that are shuffled positives."""
    templates = _templates(source, rows, "shuffle")
    if not len(templates):
        return rows
    letters = dinucleotide_shuffle(rows.letters[templates], np.random.default_rng([choices.seed, 2]))
    names = np.array([f"{name}_shuffle" for name in rows.name[templates]])
    blank = np.full(len(templates), "")
    return _append(
        rows,
        templates,
        letters=letters,
        origin=np.full(len(templates), "shuffle"),
        template=templates,
        name=names,
        place=blank,
        masked=np.zeros(len(templates), dtype=rows.masked.dtype),
    )


def _numbered(names: np.ndarray, notes: list[str]) -> np.ndarray:
    """Return unique names: one that is given again gets a number."""
    used, again, unique = set(names.tolist()), 0, []
    given: dict[str, int] = {}
    for name in names.tolist():
        given[name] = given.get(name, 0) + 1
        new = name
        while given[name] > 1 and (new := f"{name}.{given[name]}") in used:
            given[name] += 1
        again += new != name
        used.add(new)
        unique.append(new)
    if again:
        notes.append(f"Names that were given before, to which a number was added: {again}.")
    return np.array(unique)


def _check_classes(source: SequenceSet, rows: _Rows) -> None:
    for part in SPLITS:
        labels = rows.label[rows.split == part]
        positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
        if positives and negatives:
            continue
        fix = "add sequences, or change sequence.valid_fraction or sequence.split"
        if positives and part != "valid":
            column = "test_negatives" if part == "test" and source.test else "negatives"
            fix = f"give a file of negatives, shuffle or genome in the column {column!r} of the sheet"
        raise UserError(
            f"{source.name}: the {part} part has {positives} positive and {negatives} negative sequences, but needs "
            f"both; {fix}"
        )


def _measure(source: SequenceSet, rows: _Rows, alphabet: Alphabet, notes: list[str]) -> dict[str, Any]:
    """Describe the sequences, and add notes on what may mislead."""
    labels = {"positive": rows.label == 1, "negative": rows.label == 0}
    parts = {part: rows.split == part for part in SPLITS}
    counts = {part: {name: int((of & is_).sum()) for name, is_ in labels.items()} for part, of in parts.items()}
    for part, number in counts.items():
        if min(number.values()) < FEW:
            notes.append(
                f"The {part} part has only {number['positive']} positive and {number['negative']} negative sequences, "
                "so its AUC is uncertain."
            )
    short, long = sorted(float(rows.kept[is_].mean()) for is_ in labels.values())
    if short < LENGTHS * long:
        first, second = (float(rows.kept[is_].mean()) for is_ in labels.values())
        notes.append(
            f"The mean length is {first:.0f} letters in positives and {second:.0f} in negatives, so a model can tell "
            "them apart by length alone."
        )
    known = (rows.letters >= 0).sum()
    measured: dict[str, Any] = {
        "counts": counts,
        "origins": {
            str(name): int(number) for name, number in zip(*np.unique(rows.origin, return_counts=True), strict=True)
        },
        "unknown": float(1 - known / rows.kept.sum()),
        "soft_masked": float(rows.masked.sum() / max(rows.full[rows.origin != "shuffle"].sum(), 1)),
        "gc": {},
    }
    if measured["unknown"] > MANY_UNKNOWN:
        notes.append(f"{100 * measured['unknown']:.0f} % of the letters are unknown.")
    if alphabet.complement:
        is_gc = (rows.letters == 1) | (rows.letters == 2)
        known_letters = (rows.letters >= 0).sum(axis=1)
        gc = is_gc.sum(axis=1) / np.maximum(known_letters, 1)
        measured["gc"] = {
            name: float(gc[is_ & (known_letters > 0)].mean()) if known_letters[is_].any() else 0.0
            for name, is_ in labels.items()
        }
        positive, negative = measured["gc"].values()
        if abs(positive - negative) > GC_DIFFERENCE:
            notes.append(
                f"The mean GC content is {100 * positive:.0f} % in positives and {100 * negative:.0f} % in negatives, "
                "so a model can tell them apart by composition alone."
            )
    return measured | _repeats(rows, alphabet, notes)


def _repeats(rows: _Rows, alphabet: Alphabet, notes: list[str]) -> dict[str, Any]:
    """Count equal sequences, stretches that parts share, and shuffles that changed nothing."""
    shuffles = np.flatnonzero(rows.origin == "shuffle")
    unchanged = int((rows.letters[shuffles] == rows.letters[rows.template[shuffles]]).all(axis=1).sum())
    if unchanged:
        notes.append(
            "Shuffled negatives that equal their positive, which has hardly another order with the same pairs of "
            f"neighbours: {unchanged}."
        )
    real = rows.take(np.flatnonzero(rows.origin != "shuffle"))
    own, keys = _keys(real, alphabet)
    first: dict[bytes, int] = {}
    repeats = {"same_strand": 0, "other_strand": 0, "across_parts": 0, "both_labels": 0}
    for row, key in enumerate(keys):
        before = first.setdefault(key, row)
        if before != row:
            repeats["same_strand" if own[row] == own[before] else "other_strand"] += 1
            repeats["across_parts"] += bool(real.split[row] != real.split[before])
            repeats["both_labels"] += bool(real.label[row] != real.label[before])
    equal = repeats["same_strand"] + repeats["other_strand"]
    if equal:
        strand = f"{repeats['other_strand']} on the other strand, " if alphabet.name == "dna" else ""
        notes.append(
            f"Sequences that equal an earlier one: {equal}, {strand}{repeats['both_labels']} with the other label."
        )
    shared = _shared_stretches(real, alphabet)
    if shared["positive"]:
        notes.append(
            f"Positive test sequences that share {SHARED} letters in a row with a training or validation sequence: "
            f"{shared['positive']}."
        )
    return {"duplicates": repeats, "shared_stretches": {"letters": SHARED, **shared}, "unchanged_shuffles": unchanged}


def _shared_stretches(rows: _Rows, alphabet: Alphabet) -> dict[str, int]:
    """Count the test sequences of each label that share a long stretch with another part, on either strand."""
    test = rows.split == "test"
    seen = np.sort(_stretches(rows.letters[~test]), axis=None)
    strands = [rows.letters[test]]
    if alphabet.name == "dna":
        strands.append(reverse_complement(rows.letters[test]))
    shares = np.zeros(int(test.sum()), dtype=bool)
    for letters in strands:
        numbers = _stretches(letters)
        if seen.size:
            place = np.minimum(np.searchsorted(seen, numbers), seen.size - 1)
            shares |= ((seen[place] == numbers) & (numbers != 0)).any(axis=1)
    return {name: int(shares[rows.label[test] == label].sum()) for name, label in (("positive", 1), ("negative", 0))}


def _stretches(letters: np.ndarray) -> np.ndarray:
    """Return a 64-bit number of every stretch, shape (sequence, stretch); 0 for one with an unknown letter.

    Equal stretches have equal numbers; different ones practically never do.
    """
    windows = max(letters.shape[1] - SHARED + 1, 0)
    number = np.zeros((len(letters), windows), dtype=np.uint64)
    known = np.ones((len(letters), windows), dtype=bool)
    codes, legal = letters.astype(np.uint64) + np.uint64(1), letters >= 0
    for offset in range(SHARED):
        number *= np.uint64(0x9E3779B97F4A7C15)
        number += codes[:, offset : offset + windows]
        known &= legal[:, offset : offset + windows]
    number[~known] = 0
    return number
