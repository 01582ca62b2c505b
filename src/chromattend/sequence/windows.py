"""Parameters of the gapped k-mer kernel: the letters g of a window and the k positions that are compared.

NumPy is not imported: these are checked when a study is planned.
"""

import itertools
from collections.abc import Sequence

from chromattend.errors import UserError

# Longest window: its number of matches fits into five bits.
LONGEST_WINDOW = 31
# Where the configuration has the parameters of the model.
KEY = "sequence.model_options.gkm_svm."
# Letters of a window and compared positions, by number of letters of the alphabet up to which they are tried.
WINDOWS = {
    4: ((8, 6), (10, 6), (11, 7), (13, 6)),
    20: ((6, 4), (8, 4), (10, 5)),
    128: ((5, 3), (8, 4), (8, 6)),
}
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)


def check_sizes(g: int, k: int, key: str = "") -> None:
    """Check the length of windows and the number of compared positions.

    Args:
        g: letters of a window.
        k: positions that are compared.
        key: prefix of the names in messages, such as `KEY`.

    Raises:
        UserError: they are not 1 <= k <= g <= `LONGEST_WINDOW`.
    """
    if not 1 <= g <= LONGEST_WINDOW:
        raise UserError(f"{key}g is {g}; give the letters of a window, from 1 to {LONGEST_WINDOW}")
    if not 1 <= k <= g:
        raise UserError(f"{key}k is {k}; give the number of compared positions, from 1 to g, {g}")


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
        check_sizes(*pair, key=KEY)
    return tried
