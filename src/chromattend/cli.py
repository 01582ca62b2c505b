"""The command `chromattend`, for what is not a rule of the pipeline."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chromattend import __version__
from chromattend.errors import UserError

CHROM_SIZES = Path("resources/hg19.chrom.sizes")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a user's mistake ends it with one line."""
    options = _parser().parse_args(arguments)
    # A second call in one process logs to where standard error is now.
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    try:
        options.run(options)
    except UserError as error:
        # The library names the configuration's key.
        sys.exit(f"Error: {str(error).replace('genome.chrom_sizes', '--chrom-sizes')}")
    except BrokenPipeError:
        # What reads the output, such as head, has enough; Python would complain on closing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.exit(f"Error: {error.filename}: {error.strerror}; correct the path or its permissions")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chromattend", description=__doc__)
    parser.add_argument("--version", action="version", version=f"chromattend {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    simulate = commands.add_parser(
        "simulate", help="write a small synthetic mirror of the Roadmap site, in its formats and paths"
    )
    simulate.set_defaults(run=_simulate)
    simulate.add_argument("folder", type=Path, help="the mirror's folder; one that is complete is left as it is")
    simulate.add_argument("--chrom-sizes", type=Path, required=True, help="the synthetic genome: name, length (bp)")
    simulate.add_argument("--genes", type=int, default=2000, help="number of protein-coding genes (%(default)s)")
    simulate.add_argument("--seed", type=int, default=1, help="(%(default)s)")

    predict = commands.add_parser(
        "predict", help="score the genes of a sample without RNA-seq with trained models", description=_PREDICT
    )
    predict.set_defaults(run=_predict)
    predict.add_argument(
        "--checkpoint",
        action="append",
        required=True,
        metavar="FILE",
        help="a trained model, such as results/E003/attentivechrome/model.ckpt; once for each model",
    )
    predict.add_argument(
        "--signal",
        action="append",
        required=True,
        metavar="MARK=FILE",
        help="tagAlign or BED (.gz), BAM or bigWig of a mark, once for each mark; or a path with {mark} in it for all "
        "of them; or one file of all marks: a dataset.nc, or the authors' binned CSV, with {part} if it is in parts",
    )
    predict.add_argument(
        "--genes", metavar="FILE", help="the study's genes.tsv, or a GTF (.gz); not needed with a dataset.nc"
    )
    predict.add_argument(
        "--chrom-sizes", metavar="FILE", help=f"chromosome names and lengths (bp); {CHROM_SIZES} where that exists"
    )
    predict.add_argument("--epigenome", metavar="NAME", help="name of the sample, for models that know epigenomes")
    predict.add_argument("--output", type=Path, metavar="FILE", help="table of scores, tab-separated; standard output")

    verify = commands.add_parser(
        "verify", help="check results against the records of what made them", description=_VERIFY
    )
    verify.set_defaults(run=_verify)
    verify.add_argument("paths", nargs="+", metavar="PATH", help="a folder of results, such as results/, or a file")
    return parser


_PREDICT = """Count the signal of a sample in the bins, and with the options, that the checkpoints were trained on, and
score every gene. The table has gene, symbol, chrom, tss, strand and a column of scores for each checkpoint."""
_VERIFY = """Compare every file with its record, and with those of the files that it was made of. Each file that is
damaged, missing or stale has a line: state, path and reason, tab-separated; so has one without a record, which is no
error. The exit status is 0 if all files are as written."""


def _simulate(options: argparse.Namespace) -> None:
    from chromattend.chromatin.simulate import simulate_mirror

    simulate_mirror(options.folder, chrom_sizes=options.chrom_sizes, genes=options.genes, seed=options.seed)


def _predict(options: argparse.Namespace) -> None:
    from chromattend.chromatin.predict import predict
    from chromattend.files import check_writable, write_table

    if options.output:
        check_writable(options.output)
    sizes = options.chrom_sizes
    if sizes is None and CHROM_SIZES.is_file():
        sizes = CHROM_SIZES
    table = predict(
        options.checkpoint, options.signal, genes=options.genes, chrom_sizes=sizes, epigenome=options.epigenome
    )
    if options.output:
        write_table(table, options.output)
    else:
        table.to_csv(sys.stdout, sep="\t", index=False, lineterminator="\n")
        sys.stdout.flush()


def _verify(options: argparse.Namespace) -> None:
    from chromattend.pipeline.verify import verify

    found = verify(options.paths)
    for finding in found.findings:
        print(finding.state, finding.path, finding.reason, sep="\t")
    print(found.summary, flush=True)
    found.check()
