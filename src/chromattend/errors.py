"""The one kind of error that is meant for the user's eyes."""


class UserError(ValueError):
    """A mistake in the user's data or configuration.

    Its message is one line that names the file, line or key, and the mend; callers print it without a
    traceback.
    """
