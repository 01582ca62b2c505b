"""Progress of long searches in the log."""

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

# Seconds between two lines.
INTERVAL = 10


def logged(what: str, unit: str = "") -> Callable[[int, int], None]:
    """Return a function of the numbers that are done and of all, which logs them every ten seconds and at the end.

    Args:
        what: what is done, such as the name of a model and of its test.
        unit: noun of the numbers.
    """
    last = time.monotonic()

    def report(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last >= INTERVAL:
            last = time.monotonic()
            logger.info("%s: %s", what, f"{done} of {total} {unit}".rstrip())

    return report
