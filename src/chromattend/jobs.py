"""What the script of every rule imports first: a start and an end that cost little, and a record of the outputs.

A job imports thousands of modules, and often ends a second later. Nearly all that they make stays, so Python's search
for cycles of garbage, after every 700 new objects, finds nothing: with PyTorch it takes a third of the start, and once
more at the end. It is made rare here, and spared at the end.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chromattend.records import recorded

# Cycles that a script leaves behind, as a Trainer does, are still found: a training makes more objects than this.
gc.set_threshold(50_000)


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run a rule's script as `chromattend.records.recorded` does.

    Args:
        snakemake: the object of this name that Snakemake gives every script.
    """
    try:
        with recorded(snakemake):
            yield
    finally:
        # The process ends: nothing is searched for garbage any more.
        gc.freeze()
