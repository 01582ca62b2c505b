"""The command `chromattend`, for what is not a rule of the pipeline."""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from chromattend import __version__
from chromattend.errors import UserError
from chromattend.simulate import simulate_mirror


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a user's mistake ends it with one line."""
    parser = argparse.ArgumentParser(prog="chromattend", description=__doc__)
    parser.add_argument("--version", action="version", version=f"chromattend {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    simulate = commands.add_parser(
        "simulate", help="write a small synthetic mirror of the Roadmap site, in its formats and paths"
    )
    simulate.add_argument("folder", type=Path, help="the mirror's folder; one that is complete is left as it is")
    simulate.add_argument("--chrom-sizes", type=Path, required=True, help="the synthetic genome: name, length (bp)")
    simulate.add_argument("--genes", type=int, default=2000, help="number of protein-coding genes (%(default)s)")
    simulate.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        simulate_mirror(options.folder, chrom_sizes=options.chrom_sizes, genes=options.genes, seed=options.seed)
    except UserError as error:
        sys.exit(f"Error: {error}")
