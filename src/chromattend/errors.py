"""The exception whose message is shown to users."""

import difflib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager

# Names that a message lists before it only counts.
NAMED = 5


class UserError(ValueError):
    """An error in the user's data or configuration.

    Its message is one line that names the file, line or key, and the fix; callers print it without a traceback.
    """


def did_you_mean(word: str, known: Iterable[object]) -> str:
    """Return `, did you mean 'x'?` with the closest known word, or an empty string if none is close."""
    by_lower = {str(item).lower(): str(item) for item in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f", did you mean {by_lower[close[0]]!r}?" if close else ""


def listed(names: Collection[str]) -> str:
    """Join names for a message; if there are many, only the first ones and the number of the rest."""
    shown = ", ".join(list(names)[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"


@contextmanager
def located(where: str) -> Iterator[None]:
    """Prefix the messages of a `UserError` with their place, such as a file and a key."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
