"""Reading of sequences with labels: FASTA, DeepBind's .seq, and BED intervals of a genome."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from chromattend.errors import UserError, did_you_mean, listed
from chromattend.sequence.alphabets import Alphabet, reverse_complement
from chromattend.sequence.formats import SEQ_COLUMNS, check_index, format_of, is_browser_line
from chromattend.text import find_columns, read_cells, read_lines

# Coordinates in a name, as bedtools getfasta writes them: chr1:100-201, name::chr1:100-201(+).
_PLACE = re.compile(r"(?:.*::)?(([\w.]+):(\d+)-(\d+))(?:\([+.-]\))?")


@dataclass
class Sequences:
    """Sequences of one file, in its order.

    Attributes:
        source: name of the file in messages.
        names: name of each sequence, as written, or its number in the file.
        letters: letters of each sequence, int8, see `chromattend.sequence.alphabets`.
        labels: 1 or 0, or None for sequences without labels.
        masked: number of lower-case letters of each sequence.
        places: coordinates of each sequence, such as `chr1:100-201`, 0-based and without their end; empty if unknown.
        lines: line of each sequence.
        notes: sentences on what was left out.
    """

    source: str
    names: list[str] = field(default_factory=list)
    letters: list[np.ndarray] = field(default_factory=list)
    labels: list[int | None] = field(default_factory=list)
    masked: list[int] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.names)

    def add(self, line: int, name: str, letters: np.ndarray, masked: int, place: str, label: int | None) -> None:
        """Append a sequence."""
        self.lines.append(line)
        self.names.append(name)
        self.letters.append(letters)
        self.masked.append(masked)
        self.places.append(place)
        self.labels.append(label)


def read_sequences(
    path: str | Path,
    alphabet: Alphabet,
    *,
    name: str = "",
    form: str = "",
    label: int | None = None,
    labelled: bool = False,
    genome: str | Path = "",
    width: int = 0,
) -> Sequences:
    """Read a file of sequences; its content tells compression and, without `form`, the format.

    Args:
        path: the file.
        alphabet: alphabet of the letters.
        name: name of the file in messages; by default its path.
        form: `fasta`, `seq` or `bed`.
        label: label of all sequences; a header or column that says another one is an error.
        labelled: read the label of each sequence from the header or column.
        genome: FASTA file of the genome, for BED.
        width: width of windows around the middle of BED intervals, or the summit of a narrowPeak (bp); 0 takes the
            intervals as they are.

    Raises:
        UserError: the file has no sequence, or one that is empty or has illegal letters, or a label is missing or
            not 0 or 1; for BED, see `read_bed`.
    """
    name = name or str(path)
    form = form or format_of(path, name)
    if form == "fasta":
        sequences = read_fasta(path, alphabet, name, label, labelled)
    elif form == "seq":
        sequences = read_seq(path, alphabet, name, label)
    elif labelled:
        raise UserError(
            f"{name}: is a BED file, which has no labels; give the negatives as another file, shuffle or genome"
        )
    else:
        sequences = read_bed(path, alphabet, name, label, genome, width)
    if not len(sequences):
        if sequences.notes:
            raise UserError(
                f"{name}: every window of {width} bp reaches beyond the end of its chromosome; give a smaller width, "
                "or the right genome"
            )
        raise UserError(f"{name}: has no sequence; give at least one")
    return sequences


def _label(text: str, where: str, wanted: int | None) -> int:
    if text not in ("0", "1"):
        raise UserError(
            f"{where}: label {text!r} is not valid; give 1 for a positive sequence, 0 for a negative one, or, if all "
            "are positive, negatives in the sheet"
        )
    if wanted is not None and int(text) != wanted:
        other = ("negatives", "positives")[wanted]
        raise UserError(
            f"{where}: label {text} is in a file of {other} only; if the file has both classes, leave the column of "
            "its negatives empty"
        )
    return int(text)


def read_fasta(
    path: str | Path, alphabet: Alphabet, name: str, label: int | None = None, labelled: bool = False
) -> Sequences:
    """Read a FASTA file.

    A header line has a name, or coordinates as its name, and, if `labelled`, the label as its last word: `>peak7 1`,
    or only `>1`, as in the files of gkm-SVM. The lines of a record are joined: letters of sequences without anything
    between them, lines of text by one blank. Blanks around a line, and empty lines, are left out. See `read_sequences`
    for arguments and errors.
    """
    sequences = Sequences(name)
    for number, header, parts in _records(path, name):
        words = header.split()
        own = label
        if labelled:
            if not words:
                raise UserError(f"{name}: line {number}: the header has no label; end it with 0 or 1")
            own = _label(words.pop(), f"{name}: line {number}", None)
        elif words in (["0"], ["1"]) and label is not None:
            _label(words.pop(), f"{name}: line {number}", label)
        title = words[0] if words else str(len(sequences) + 1)
        where = f"{name}: line {number}: record {title!r}"
        encoded = [
            alphabet.encode(f"{alphabet.joint if place else ''}{text}", f"{name}: line {line}: record {title!r}")
            for place, (line, text) in enumerate(parts)
        ]
        if not any(map(len, encoded)):
            raise UserError(f"{where}: has no letters; give its sequence or remove the record")
        coordinates = _PLACE.fullmatch(title)
        masked = sum(alphabet.soft_masked(text) for _, text in parts)
        letters = encoded[0] if len(encoded) == 1 else np.concatenate(encoded)
        sequences.add(number, title, letters, masked, coordinates[1] if coordinates else "", own)
    return sequences


def _records(path: str | Path, name: str) -> Iterator[tuple[int, str, list[tuple[int, str]]]]:
    """Yield line, header and lines of sequence of each record of a FASTA file."""
    record: tuple[int, str, list[tuple[int, str]]] | None = None
    with closing(read_lines(path, name)) as lines:
        for number, line in lines:
            if line.startswith(">"):
                if record:
                    yield record
                record = number, line[1:].strip(), []
            elif text := line.strip():
                if record is None:
                    raise UserError(
                        f"{name}: line {number}: is a sequence without a header line; begin each record with a line "
                        "such as >name"
                    )
                record[2].append((number, text))
    if record:
        yield record


def read_seq(path: str | Path, alphabet: Alphabet, name: str, label: int | None = None) -> Sequences:
    """Read a DeepBind file: a table with the columns FoldID, EventID, seq and Bound, which is the label.

    See `read_sequences` for arguments and errors.
    """
    sequences = Sequences(name)
    with closing(read_cells(path, name)) as rows:
        number, header = next(rows, (1, []))
        if not header:
            raise UserError(f"{name}: is empty; give a table with the columns {', '.join(SEQ_COLUMNS)}")
        expected = f"the columns {', '.join(SEQ_COLUMNS)} of DeepBind's files, separated by tabs"
        _, event, text, bound = find_columns(f"{name}: line {number}", header, SEQ_COLUMNS, expected)
        for number, cells in rows:
            title, letters = cells[event].strip() or str(len(sequences) + 1), cells[text].strip()
            where = f"{name}: line {number}: record {title!r}"
            if not letters:
                raise UserError(f"{where}: has no letters; give its sequence or remove the row")
            sequences.add(
                number,
                title,
                alphabet.encode(letters, where),
                alphabet.soft_masked(letters),
                "",
                _label(cells[bound].strip(), where, label),
            )
    return sequences


@contextmanager
def open_genome(path: str | Path, name: str | Path = "") -> Iterator[Any]:
    """Open an indexed FASTA file of a genome (`pysam.FastaFile`). No index is written into the user's folder.

    Raises:
        UserError: the file or its index is missing, or it is compressed otherwise than by bgzip.
    """
    import pysam

    path, name = Path(path), name or path
    check_index(path, name)
    try:
        file = pysam.FastaFile(str(path))
    except (OSError, ValueError):
        raise UserError(
            f"{name}: cannot be read with its index {name}.fai; make the index again: samtools faidx {name}"
        ) from None
    with closing(file):
        yield file


def read_bed(
    path: str | Path,
    alphabet: Alphabet,
    name: str,
    label: int | None = None,
    genome: str | Path = "",
    width: int = 0,
) -> Sequences:
    """Read BED intervals and their sequences from a genome.

    A window of `width` is centred on the middle of the interval, or on the summit in the 10th column of a narrowPeak.
    A window beyond an end of its chromosome is left out and counted. An interval on the minus strand gives its reverse
    complement. Names come from the 4th column, or are the coordinates. See `read_sequences` for arguments.

    Raises:
        UserError: a line does not give an interval, its chromosome is not in the genome, or the genome cannot be read.
    """
    sequences, beyond = Sequences(name), 0
    if not genome:
        raise UserError(f"{name}: is a BED file, but no genome is given; give its FASTA file")
    with open_genome(genome) as fasta, closing(read_lines(path, name)) as lines:
        sizes = dict(zip(fasta.references, fasta.lengths, strict=True))
        columns = 0
        for number, line in lines:
            if not line.strip() or is_browser_line(line):
                continue
            where = f"{name}: line {number}"
            cells = [cell.strip() for cell in line.split("\t")]
            columns = columns or len(cells)
            if len(cells) != columns or columns < 3:
                raise UserError(
                    f"{where}: has {len(cells)} columns instead of {max(columns, 3)}; separate the columns of a BED "
                    "file by tabs, and give every line the same number"
                )
            chrom, start, stop = cells[0], *_interval(cells, where)
            if chrom not in sizes:
                raise UserError(
                    f"{where}: chromosome {chrom!r} is not in {genome}, which has {listed(list(sizes))}"
                    f"{_other_name(chrom, sizes)}; use the names of the genome, or give the right genome"
                )
            if width:
                start += _summit(cells, stop - start, where) - width // 2
                stop = start + width
            if start < 0 or stop > sizes[chrom]:
                beyond += 1
                continue
            text = fasta.fetch(chrom, start, stop)
            if len(text) != stop - start or not text.isalpha():
                raise UserError(
                    f"{genome}: its index does not fit the file at {chrom}:{start}-{stop}; make it again: "
                    f"samtools faidx {genome}"
                )
            letters = alphabet.encode(text, f"{genome}: {chrom}:{start}-{stop}")
            if len(cells) > 5 and cells[5] == "-" and alphabet.complement:
                letters = np.ascontiguousarray(reverse_complement(letters))
            place = f"{chrom}:{start}-{stop}"
            title = cells[3] if len(cells) > 3 and cells[3] not in ("", ".") else place
            sequences.add(number, title, letters, alphabet.soft_masked(text), place, label)
    if beyond:
        sequences.notes.append(f"Windows of {name} beyond the end of their chromosome, which were left out: {beyond}.")
    return sequences


def _interval(cells: list[str], where: str) -> tuple[int, int]:
    start, stop = cells[1], cells[2]
    if not (start.isdecimal() and stop.isdecimal()):
        raise UserError(f"{where}: start {start!r} or end {stop!r} is not a whole number; correct the line")
    if int(start) >= int(stop):
        raise UserError(f"{where}: start {start} is not before the end {stop}; correct the line")
    return int(start), int(stop)


def _summit(cells: list[str], length: int, where: str) -> int:
    """Return the position to centre on, from the start of the interval."""
    if len(cells) != 10 or cells[9] == "-1":  # a narrowPeak has 10 columns; -1 says that no summit was called
        return length // 2
    if not cells[9].isdecimal() or int(cells[9]) >= length:
        raise UserError(
            f"{where}: column 10, the summit of a narrowPeak, is {cells[9]!r}; give its distance from the start, below "
            f"{length}, or -1"
        )
    return int(cells[9])


def _other_name(chrom: str, sizes: dict[str, int]) -> str:
    """Return a question for the genome's name of a chromosome: UCSC writes chr1, Ensembl 1."""
    other = chrom.removeprefix("chr") if chrom.startswith("chr") else f"chr{chrom}"
    other = {"chrM": "MT", "MT": "chrM"}.get(chrom, other)
    return f", did you mean {other!r}?" if other in sizes else did_you_mean(chrom, sizes)
