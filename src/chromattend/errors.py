"""The one kind of error that is meant for the user's eyes."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake in the user's data or configuration.

    Its message is one line that names the file, line or key, and the mend; callers print it without a
    traceback.
    """


def did_you_mean(word: str, known: Iterable[object]) -> str:
    """Return `, did you mean 'x'?` for the known word that is closest, or nothing if none is close."""
    close = difflib.get_close_matches(word, [str(item) for item in known], n=1, cutoff=0.6)
    return f", did you mean {close[0]!r}?" if close else ""
