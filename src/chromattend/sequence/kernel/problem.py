"""What an algorithm of the exact kernel has to count."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chromattend.errors import UserError
from chromattend.sequence.kernel.strings import Strings

# Integers up to this one are exact in float64.
EXACT = 2**53


@dataclass(frozen=True)
class Problem:
    """A kernel of counts.

    Attributes:
        rows: the strings of the rows.
        strands: the strings of the columns, once per strand whose windows are counted.
        g: letters of a window.
        k: positions that are compared.
        square: the columns are the rows, so that the upper triangle, diagonal included, is enough.
    """

    rows: Strings
    strands: tuple[Strings, ...]
    g: int
    k: int
    square: bool

    @classmethod
    def of(cls, rows: Strings, others: Strings | None, g: int, k: int, *, both: bool) -> "Problem":
        """Pose a problem.

        Args:
            rows: the strings of the rows.
            others: the strings of the columns; None for those of the rows.
            g, k: see the class.
            both: count both strands of DNA.

        Raises:
            UserError: a count could be above 2 ** 53, from where on float64 is not exact.
        """
        columns = rows if others is None else others
        strands = (columns, columns.reverse_complement()) if both else (columns,)
        problem = cls(rows, strands, g, k, others is None)
        if problem.largest > EXACT:
            raise UserError(
                f"strings of {rows.lengths.max()} and {columns.lengths.max()} letters can have {problem.largest:.1e} "
                f"matches for g = {g} and k = {k}, and counts are exact up to 2 ** 53 = {EXACT:.1e}; give shorter "
                "strings, a smaller g, or a k further from g / 2"
            )
        return problem

    @property
    def columns(self) -> Strings:
        """The strings of the columns."""
        return self.strands[0]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        return len(self.rows), len(self.columns)

    @property
    def choices(self) -> int:
        """Number of choices of positions."""
        return math.comb(self.g, self.k)

    @cached_property
    def row_windows(self) -> int:
        """Number of windows of all rows."""
        return int(self.rows.windows(self.g).sum())

    @cached_property
    def column_windows(self) -> int:
        """Number of windows of all columns, of all counted strands."""
        return len(self.strands) * int(self.columns.windows(self.g).sum())

    @property
    def window_pairs(self) -> float:
        """Number of pairs of windows that are compared: half of all of a square kernel."""
        return self.row_windows * self.column_windows / (1 + self.square)

    @property
    def largest(self) -> int:
        """Bound of all counts."""
        longest = [int(strings.windows(self.g).max(initial=0)) for strings in (self.rows, self.columns)]
        return math.prod(longest) * self.choices * len(self.strands)

    @cached_property
    def same_letter(self) -> float:
        """Probability that a letter of a row and one of a column match."""
        shares = [
            np.bincount(strings.letters[strings.letters >= 0], minlength=strings.size) / max(1, len(strings.letters))
            for strings in (self.rows, self.columns)
        ]
        return float(shares[0] @ shares[1])
