"""Snakemake in a fork of a process that has imported it: its imports take longer than planning a small study."""

import multiprocessing
import os
import sys
import tempfile
from pathlib import Path

# What Snakemake imports before it looks at a Snakefile, and nothing of the program under test.
IMPORTED = ["snakemake.cli", "jsonschema", "nbformat", "smart_open"]


def call_snakemake(arguments: list[str], folder: Path, environment: dict[str, str], limit: float) -> tuple[int, str]:
    """Call Snakemake as `python -m snakemake` does, in a process of its own.

    Args:
        arguments: of the command line.
        folder: working directory.
        environment: all variables.
        limit: seconds, after which Snakemake is killed.

    Returns:
        The exit code, and what Snakemake and its jobs printed.

    Raises:
        TimeoutError: Snakemake was killed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with tempfile.NamedTemporaryFile() as output:
        process = context.Process(target=_main, args=(arguments, folder, environment, output.name))
        process.start()
        process.join(limit)
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutError(f"snakemake {' '.join(arguments)}: killed after {limit} seconds")
        assert process.exitcode is not None
        return process.exitcode, Path(output.name).read_text()


def _main(arguments: list[str], folder: Path, environment: dict[str, str], output: str) -> None:
    with open(output, "w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["snakemake", *arguments]
    from snakemake.cli import main

    main()
