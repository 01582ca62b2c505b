"""What the script of every rule imports first: a start and an end that cost little, and a record of the outputs.

A job imports thousands of modules, and often ends a second later. Nearly all that they make stays, so Python's search
for cycles of garbage, after every 700 new objects, finds nothing: with PyTorch it takes a third of the start, and once
more at the end. It is made rare here, and spared at the end.
"""

import gc
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromattend.errors import UserError
from chromattend.pipeline.records import recorded

# Cycles that a script leaves behind, as a Trainer does, are still found: a training makes more objects than this.
gc.set_threshold(50_000)


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send log records and warnings of the block to the file `path`; end with one line on a `UserError`.

    Other exceptions are written to the log with their traceback and raised on: they are our mistakes.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    # Appending, so that a program which the script runs can write to the same file.
    handler = logging.FileHandler(path, mode="a", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    try:
        yield
    except UserError as error:
        logging.error("%s", error)
        sys.exit(f"Error: {error}")
    except Exception:
        logging.exception("failed")
        raise


@contextmanager
def job(snakemake: Any) -> Iterator[None]:
    """Run a rule's script: `logged` to its log file and `recorded`.

    Args:
        snakemake: the object of this name that Snakemake gives every script.
    """
    try:
        with logged(snakemake.log[0]), recorded(snakemake):
            yield
    finally:
        # The process ends: nothing is searched for garbage any more.
        gc.freeze()
