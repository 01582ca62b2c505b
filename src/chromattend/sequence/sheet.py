"""The sheet of the sequence track, with one row per set of sequences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend.errors import UserError
from chromattend.pipeline.sheet import read_rows

# Other names in the folder of the track, which no set's folder can have.
RESERVED_NAMES = ("tables", "figures", "motifs", "index.html", "report.html", "quality.html")
# Rules by which negative sequences are made, instead of a file that has them.
RULES = ("shuffle", "genome")
GREY = "#808080"


@dataclass(frozen=True)
class SequenceSet:
    """One row of the sheet; paths are relative to the working folder.

    Attributes:
        name: name of the set, of its folder and of its pages.
        tf: transcription factor whose motif is expected; empty if none is.
        group, colour: shown in reports and figures.
        positives: file of the positive sequences, or of both classes with labels.
        negatives: file of the negatives, `shuffle`, `genome`, or empty if `positives` has labels.
        test: file of test sequences, as `positives`; empty if the set is divided by a rule.
        test_negatives: as `negatives`, for the test sequences.
        format: `fasta`, `seq` or `bed`; empty for what each file's content says.
        genome: FASTA file of the genome, for BED.
        width: width of the windows around the middle of BED intervals (bp); 0 for other formats.
        alphabet: `dna`, `rna`, `protein` or `text`.
    """

    name: str
    positives: str
    negatives: str = ""
    test: str = ""
    test_negatives: str = ""
    tf: str = ""
    group: str = ""
    colour: str = GREY
    format: str = ""
    genome: str = ""
    width: int = 0
    alphabet: str = "dna"

    @property
    def files(self) -> dict[str, str]:
        """Column -> path of every file of sequences that the row gives."""
        cells = {column: getattr(self, column) for column in ("positives", "negatives", "test", "test_negatives")}
        return {column: cell for column, cell in cells.items() if cell and cell not in RULES}

    @property
    def inputs(self) -> list[str]:
        """Paths of all files that the dataset is made from."""
        genome = [self.genome, f"{self.genome}.fai"] if self.genome else []
        return list(dict.fromkeys([*self.files.values(), *genome]))


def read_sheet(path: Path, name: str, schema: dict[str, Any]) -> dict[str, SequenceSet]:
    """Read the sheet into sets by name.

    Args:
        path: the sheet, tab-separated; lines that begin with # are comments.
        name: its name in messages.
        schema: schema of a row, `sequences.schema.yaml`.

    Raises:
        UserError: a column is unknown or missing, or a cell is invalid.
    """
    sets: dict[str, SequenceSet] = {}
    lines: dict[str, int] = {}
    for number, where, row in read_rows(path, name, schema, "set of sequences", "set"):
        one = parse_set(row)
        # On file systems that ignore case, two such folders would be one.
        same = next((other for other in sets if other.lower() == one.name.lower()), None)
        if same is not None:
            what = "is given twice, also" if same == one.name else f"differs from {same!r} only in its case,"
            raise UserError(f"{where}: set {one.name!r} {what} in line {lines[same]}; remove or rename one row")
        if one.name.lower() in RESERVED_NAMES:
            raise UserError(f"{where}: set name {one.name!r} is reserved for another result; rename it")
        sets[one.name], lines[one.name] = one, number
    if not sets:
        raise UserError(f"{name}: has a header line but no set of sequences; add a row for each")
    return sets


def parse_set(row: dict[str, str]) -> SequenceSet:
    """Return the set of a checked row; empty cells have their default."""
    given = {column: cell for column, cell in row.items() if cell and cell != "auto"}
    for column in ("negatives", "test_negatives"):
        if given.get(column) == "given":
            del given[column]
    width = int(given.pop("width", "0"))
    return SequenceSet(name=given.pop("set"), width=width, **given)
