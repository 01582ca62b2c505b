"""Parameters of the gapped k-mer kernel: the letters g of a window and the k positions that are compared.

NumPy is not imported: these are checked when a study is planned.
"""

import itertools
import operator
from collections.abc import Sequence

from chromattend.errors import UserError

# Longest window: its number of matches fits into five bits.
LONGEST_WINDOW = 31
# Letters of a window and compared positions, by number of letters of the alphabet up to which they are tried.
WINDOWS = {
    4: ((8, 6), (10, 6), (11, 7), (13, 6)),
    20: ((6, 4), (8, 4), (10, 5)),
    128: ((5, 3), (8, 4), (8, 6)),
}
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)


def check_sizes(g: int, k: int) -> tuple[int, int]:
    """Check the length of windows and the number of compared positions, and return both as plain integers.

    Args:
        g: letters of a window.
        k: positions that are compared.

    Raises:
        UserError: they are not whole numbers, or not 1 <= k <= g <= `LONGEST_WINDOW`.
    """
    g, k = whole(g, "g"), whole(k, "k")
    if not 1 <= g <= LONGEST_WINDOW:
        raise UserError(f"g is {g}; give the letters of a window, from 1 to {LONGEST_WINDOW}")
    if not 1 <= k <= g:
        raise UserError(f"k is {k}; give the number of compared positions, from 1 to g, {g}")
    return g, k


def whole(value: int, name: str) -> int:
    """Return a whole number, also one of NumPy, as a plain integer.

    Raises:
        UserError: it is something else, such as 6.0 or a text.
    """
    if isinstance(value, bool):
        raise UserError(f"{name} is {value}; give a whole number")
    try:
        return operator.index(value)
    except TypeError:
        raise UserError(f"{name} is {value!r}; give a whole number") from None


def pairs(letters: int, g: Sequence[int] = (), k: Sequence[int] = ()) -> list[tuple[int, int]]:
    """Return the pairs of g and k that are tried.

    Args:
        letters: number of letters of the alphabet, which chooses the defaults.
        g, k: lengths of windows and numbers of positions; every valid pair of both is tried. If one is empty, it has
            the values of the defaults.

    Raises:
        UserError: a value is not valid, or no pair has k <= g.
    """
    defaults = next(each for size, each in WINDOWS.items() if letters <= size)
    if not g and not k:
        return list(defaults)
    lengths = sorted(set(g or (one for one, _ in defaults)))
    numbers = sorted(set(k or (one for _, one in defaults)))
    tried = [pair for pair in itertools.product(lengths, numbers) if pair[1] <= pair[0]]
    for pair in tried or [(lengths[-1], numbers[0])]:
        check_sizes(*pair)
    return tried
