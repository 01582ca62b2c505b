"""The sheet of the track graphs, with one row per context of a set."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend.errors import UserError
from chromattend.pipeline.sheet import read_rows

# Other names in the folder of the track, which no set's folder can have.
RESERVED_NAMES = ("tables", "figures", "index.html", "report.html")
# Colours of contexts whose row gives none, by their order in the set; colour-blind people tell them apart, and they are
# dark enough for text on white.
COLOURS = ("#0072b2", "#d55e00", "#007a5a", "#a8457f", "#6b6100", "#5b4bb5", "#5f6b78", "#a33a3a")
# Built-in sources, which the study's epigenomes give instead of a file.
EPIGENOME, EXPRESSION = "epigenome", "expression"
LABELS = ("ON", "OFF")
# Begins the name of a column of the matrix that has the blocks.
COLUMN = "column:"


@dataclass(frozen=True)
class Context:
    """One row of the sheet; paths are relative to the working folder.

    Attributes:
        name: name of the context.
        data: file of its matrix, or a built-in source: `epigenome:E003`, `epigenome:E003:ON`, `expression`,
            `expression:GROUP`.
        group, colour: shown on pages.
        block: file with the block of each sample, `column:NAME` of the matrix, or empty.
    """

    name: str
    data: str
    group: str = ""
    colour: str = COLOURS[0]
    block: str = ""

    @property
    def kind(self) -> str:
        """`epigenome`, `expression` or `matrix`."""
        word = self.data.partition(":")[0]
        return word if word in (EPIGENOME, EXPRESSION) else "matrix"

    @property
    def epigenome(self) -> str:
        """The epigenome of a source `epigenome:ID`, and of `epigenome:ID:ON`."""
        return self.data.split(":")[1]

    @property
    def label(self) -> str:
        """ON or OFF if the source is the genes of one class only, else empty."""
        return "".join(self.data.split(":")[2:])

    @property
    def lineage(self) -> str:
        """The group of epigenomes of a source `expression:GROUP`; empty for all."""
        return self.data.partition(":")[2]

    @property
    def block_column(self) -> str:
        """The column of the matrix that has the blocks, or empty."""
        return self.block.removeprefix(COLUMN) if self.block.startswith(COLUMN) else ""

    @property
    def block_file(self) -> str:
        """The file that has the blocks, or empty."""
        return "" if self.block.startswith(COLUMN) else self.block

    @property
    def files(self) -> dict[str, str]:
        """Column -> path of every file that the row gives."""
        cells = {"data": self.data if self.kind == "matrix" else "", "block": self.block_file}
        return {column: path for column, path in cells.items() if path}


@dataclass(frozen=True)
class GraphSet:
    """The rows of one set.

    Attributes:
        name: name of the set, of its folder and of its page.
        contexts: its contexts, in the order of the sheet; the difference of two is second minus first.
        truth: file of the true edges, or empty.
    """

    name: str
    contexts: tuple[Context, ...]
    truth: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the contexts."""
        return [context.name for context in self.contexts]

    @property
    def kind(self) -> str:
        """`epigenome`, `expression` or `matrix`: the source of all its contexts."""
        return self.contexts[0].kind


def read_sheet(path: Path, name: str, schema: dict[str, Any]) -> dict[str, GraphSet]:
    """Read the sheet into sets by name.

    Args:
        path: the sheet, tab-separated; lines that begin with # are comments.
        name: its name in messages.
        schema: schema of a row, `contexts.schema.yaml`.

    Raises:
        UserError: a column is unknown or missing, a cell is invalid, or two rows contradict each other.
    """
    rows: dict[str, list[Context]] = {}
    truths: dict[str, str] = {}
    lines: dict[tuple[str, str], int] = {}
    for number, where, row in read_rows(path, name, schema, "context", "context"):
        of_set = row["set"]
        # On file systems that ignore case, two such folders would be one.
        same = next((other for other in rows if other.lower() == of_set.lower()), of_set)
        if same != of_set:
            line = next(line for (one, _), line in lines.items() if one == same)
            raise UserError(
                f"{where}: set {of_set!r} differs from {same!r} in line {line} only in its case; write it alike, or "
                "rename one"
            )
        if of_set.lower() in RESERVED_NAMES:
            raise UserError(f"{where}: set name {of_set!r} is reserved for another result; rename it")
        contexts = rows.setdefault(of_set, [])
        context = row["context"]
        twice = next((other.name for other in contexts if other.name.lower() == context.lower()), None)
        if twice is not None:
            what = "is given twice, also" if twice == context else f"differs from {twice!r} only in its case,"
            raise UserError(
                f"{where}: context {context!r} of set {of_set!r} {what} in line {lines[of_set, twice]}; remove or "
                "rename one row"
            )
        truth = row.get("truth", "")
        if truths.setdefault(of_set, truth) != truth:
            raise UserError(
                f"{where}: truth {truth!r} is not that of the first row of set {of_set!r}, {truths[of_set]!r}; give "
                "all rows of a set the same file"
            )
        contexts.append(
            Context(
                context,
                row["data"],
                group=row.get("group", ""),
                colour=row.get("colour") or COLOURS[len(contexts) % len(COLOURS)],
                block=row.get("block", ""),
            )
        )
        lines[of_set, context] = number
    if not rows:
        raise UserError(f"{name}: has a header line but no context; add a row for each")
    return {of_set: GraphSet(of_set, tuple(contexts), truths[of_set]) for of_set, contexts in rows.items()}
