"""The first import of every rule's script: a cheap start and end, and a record of the outputs.

A job imports thousands of modules and often ends a second later. Nearly all their objects stay alive, so Python's
garbage collector, which runs after every 700 new objects, finds no cycles: with PyTorch it takes a third of the start,
and the same again at the end. Here it runs rarely, and not at all at the end.
"""

import gc
import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromattend.errors import UserError
from chromattend.pipeline.records import recorded

# Still collects the cycles that a script leaves, such as a Trainer's: a training makes more objects than this.
gc.set_threshold(50_000)
# Ctrl-C reaches every job; what a job was importing or computing is not worth a traceback.
if hasattr(sys.modules["__main__"], "snakemake"):
    signal.signal(signal.SIGINT, lambda *_: sys.exit(128 + signal.SIGINT))


@contextmanager
def logged(path: str | Path) -> Iterator[None]:
    """Send log records and warnings of the block to the file `path`; exit with one line on a `UserError`.

    Other exceptions are bugs of the program: they are logged with their traceback and raised again.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).unlink(missing_ok=True)
    # Append, so that a program started by the script can write to the same file.
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
        snakemake: the `snakemake` object of the script.
    """
    try:
        with logged(snakemake.log[0]), recorded(snakemake):
            yield
    finally:
        # The process ends: skip the last garbage collection.
        gc.freeze()
