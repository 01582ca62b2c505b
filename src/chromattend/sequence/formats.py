"""Formats of files of sequences, told by their content."""

import re
from contextlib import closing
from pathlib import Path

from chromattend.errors import UserError
from chromattend.text import read_lines

FORMATS = ("fasta", "seq", "bed")
# Columns of DeepBind's files; Bound is the label.
SEQ_COLUMNS = ("FoldID", "EventID", "seq", "Bound")
# First words of lines of a BED file that are for a genome browser.
BROWSER = ("track", "browser")


def is_browser_line(line: str) -> bool:
    """Return whether a line of a BED file is a comment, or tells a genome browser how to draw it."""
    return line.startswith("#") or line.split(maxsplit=1)[0] in BROWSER


def format_of(path: str | Path, name: str | Path = "") -> str:
    """Return the format of a file by its first line: `fasta`, `seq` (DeepBind) or `bed`.

    Args:
        path: the file, compressed or not.
        name: its name in messages; by default the path.

    Raises:
        UserError: the file is empty, or of another format.
    """
    name = name or path
    with closing(read_lines(path, name)) as lines:
        for number, line in lines:
            if not line.strip():
                continue
            if line.startswith(">"):
                return "fasta"
            if line.startswith(SEQ_COLUMNS[0]):
                return "seq"
            if is_browser_line(line):
                continue
            cells = line.split("\t")
            if len(cells) >= 3 and cells[1].strip().isdecimal() and cells[2].strip().isdecimal():
                return "bed"
            raise UserError(f"{name}: line {number}: {_explain(line)}")
    raise UserError(f"{name}: is empty; give FASTA, BED or DeepBind's .seq")


def _explain(line: str) -> str:
    if re.fullmatch(r"[A-Za-z*-]+\s*", line):
        return "is a sequence without a header line; begin each record of a FASTA file with a line such as >name"
    if re.match(r"\S+ +\d+ +\d+\b", line):
        return "separates columns by blanks; separate the columns of a BED file by tabs"
    return (
        f"{line[:40]!r} begins neither FASTA (>name) nor BED (chromosome, start and end, separated by tabs) nor a "
        f".seq file ({', '.join(SEQ_COLUMNS)}); give one of these"
    )


def check_index(path: Path, name: str | Path) -> None:
    """Raise a `UserError` if a genome lacks the index that reading it needs."""
    if not path.is_file():
        raise UserError(f"{name}: does not exist; correct the path of the genome")
    with open(path, "rb") as file:
        head = file.read(18)
    endings = [".fai"]
    if head.startswith(b"\x1f\x8b"):
        if head[12:14] != b"BC":
            raise UserError(
                f"{name}: is compressed by gzip, which allows no jumps; decompress it, or compress it by bgzip, and "
                f"index it: samtools faidx {name}"
            )
        endings.append(".gzi")
    for ending in endings:
        if not Path(f"{path}{ending}").is_file():
            raise UserError(f"{name}: has no index {name}{ending}; make it: samtools faidx {name}")
