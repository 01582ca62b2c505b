"""The exception whose message is shown to users."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

# Names that a message lists before it only counts.
NAMED = 5
# Errors that are printed at once.
PRINTED = 50


class UserError(ValueError):
    """An error in the user's data or configuration.

    Its message is one line that names the file, line or key, and the fix; callers print it without a traceback.
    """


class UserErrors(UserError):
    """Several errors in the user's data or configuration, each of one line.

    Attributes:
        errors: the single errors.
    """

    def __init__(self, errors: Sequence[UserError]) -> None:
        """Join errors, which may be several themselves."""
        self.errors = [single for error in errors for single in getattr(error, "errors", [error])]
        super().__init__("\n".join(map(str, self.errors)))


class Collected:
    """Errors of several checks, so that a user sees all of them at once.

    Attributes:
        errors: what was collected so far.
    """

    def __init__(self) -> None:
        """Begin without an error."""
        self.errors: list[UserError] = []

    @contextmanager
    def check(self) -> Iterator[None]:
        """Keep the `UserError` of a check, whose rest is left out, and go on behind it."""
        try:
            yield
        except UserError as error:
            self.errors.append(error)

    def add(self, message: str) -> None:
        """Keep an error of its own."""
        self.errors.append(UserError(message))

    def __bool__(self) -> bool:
        """Return whether there are errors."""
        return bool(self.errors)

    def report(self) -> None:
        """Raise what was collected, if anything was."""
        if self.errors:
            raise UserErrors(self.errors) from None


def printed(error: UserError) -> str:
    """Return what a user sees of an error: one line for each, and the number of several."""
    errors = getattr(error, "errors", [error])
    lines = [f"Error: {single}" for single in errors[:PRINTED]]
    if len(errors) > 1:
        more = f" (the first {PRINTED} are above)" if len(errors) > PRINTED else ""
        lines.append(f"{len(errors)} errors{more}; correct them and give the command again")
    return "\n".join(lines)


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
    except UserErrors as several:
        raise UserErrors([UserError(f"{where}: {error}") for error in several.errors]) from None
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
