"""The command `chromattend`: tasks outside the Snakemake pipeline."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chromattend import __version__
from chromattend.errors import UserError, did_you_mean, printed

if TYPE_CHECKING:
    import pandas as pd

    from chromattend.models.base import TrainedModel

logger = logging.getLogger(__name__)

CHROM_SIZES = Path("resources/hg19.chrom.sizes")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a `UserError` ends it with a one-line message."""
    options = _parser().parse_args(arguments)
    # force: a second call in one process logs to the current standard error.
    logging.basicConfig(level=logging.INFO, format="%(message)s", force=True)
    try:
        options.run(options)
    except UserError as error:
        sys.exit(printed(error))
    except BrokenPipeError:
        # The reader of the output, such as head, has closed it; without this, Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        sys.exit(f"Error: {error.filename}: {error.strerror}; correct the path or its permissions")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="chromattend", description=__doc__)
    parser.add_argument("--version", action="version", version=f"chromattend {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)

    simulate = commands.add_parser(
        "simulate", help="write a small synthetic mirror of the Roadmap site, with its formats and paths"
    )
    simulate.set_defaults(run=_simulate)
    simulate.add_argument("folder", type=Path, help="folder of the mirror; a complete mirror is left unchanged")
    simulate.add_argument("--chrom-sizes", type=Path, required=True, help="synthetic genome: names and lengths (bp)")
    simulate.add_argument("--genes", type=int, default=2000, help="number of protein-coding genes (%(default)s)")
    simulate.add_argument("--seed", type=int, default=1, help="random seed (%(default)s)")

    sequences = commands.add_parser(
        "simulate-sequences", help="write a small synthetic set of sequences with three motifs at known places"
    )
    sequences.set_defaults(run=_simulate_sequences)
    sequences.add_argument("folder", type=Path, help="folder of the set; a complete set is left unchanged")
    sequences.add_argument("--seed", type=int, default=1, help="random seed (%(default)s)")

    graphs = commands.add_parser(
        "simulate-graphs", help="write a small synthetic set of three contexts whose true graphs are known"
    )
    graphs.set_defaults(run=_simulate_graphs)
    graphs.add_argument("folder", type=Path, help="folder of the set; a complete set is left unchanged")
    graphs.add_argument("--seed", type=int, default=1, help="random seed (%(default)s)")
    graphs.add_argument("--kind", default="random", help="shape of the graph: random, hub or small_world (%(default)s)")

    init = commands.add_parser(
        "init", help="write a sample sheet and a configuration for files of reads and signal, found by their names"
    )
    init.set_defaults(run=_init)
    init.add_argument("folder", type=Path, help="folder of the study, for both files and the results")
    init.add_argument("--genome", required=True, help="genome of the reads: hg19, hg38, mm10, or another")
    init.add_argument(
        "--samples",
        nargs="+",
        type=Path,
        required=True,
        metavar="PATH",
        help="files, or folders to search, with names such as liver1_H3K4me3.bam or liver1/H3K4me3.bw",
    )
    init.add_argument(
        "--expression", type=Path, metavar="FILE", help="matrix of expression values; default: looked for in --samples"
    )
    init.add_argument("--genes", type=Path, metavar="FILE", help="ids or symbols of the genes to study, one per line")
    init.add_argument("--force", action="store_true", help="replace the files of an earlier call")

    crate = commands.add_parser(
        "crate", help="describe the files of a results folder as an RO-Crate (Workflow Run Crate 0.5)"
    )
    crate.set_defaults(run=_crate)
    crate.add_argument("results", help="results folder of a study that has run")

    checks = commands.add_parser(
        "check", help="check a configuration and its sheets as Snakemake does before the first job, and more of YAML"
    )
    checks.set_defaults(run=_check)
    checks.add_argument(
        "files", nargs="+", type=Path, metavar="CONFIG", help="configuration; of several, the last wins"
    )

    predict = commands.add_parser(
        "predict", help="score the genes of a sample without RNA-seq, using trained models", description=_PREDICT
    )
    predict.set_defaults(run=_predict)
    predict.add_argument(
        "--checkpoint",
        action="append",
        required=True,
        metavar="FILE",
        help="trained model, such as results/E003/attentivechrome/model.ckpt; repeat for each model",
    )
    predict.add_argument(
        "--signal",
        action="append",
        required=True,
        metavar="MARK=FILE",
        help="tagAlign or BED (.gz), BAM or bigWig file of one mark; repeat for each mark. Or one path with {mark} for "
        "all marks; or one file with all marks: a dataset.nc, or the authors' binned CSV, with {part} if it is split",
    )
    predict.add_argument(
        "--genes", metavar="FILE", help="genes.tsv of the study, or a GTF or GFF3 file; not needed with a dataset.nc"
    )
    predict.add_argument(
        "--chrom-sizes", metavar="FILE", help=f"chromosome names and lengths (bp); default: {CHROM_SIZES} if it exists"
    )
    predict.add_argument("--epigenome", metavar="NAME", help="epigenome of the sample, for pan-epigenome models")
    predict.add_argument(
        "--redraws",
        type=int,
        default=0,
        metavar="N",
        help="draw all reads again N times, and add the share of draws that keep the call of each gene",
    )
    predict.add_argument(
        "--certify",
        action="store_true",
        help="add the number of reads that provably do not turn the vote of thinned copies of each gene; takes a "
        "thousand times as long as the scores",
    )
    predict.add_argument(
        "--call-at",
        type=float,
        metavar="P",
        help="P(ON) above which --redraws and --certify call a gene ON; default: 0.5",
    )
    predict.add_argument("--output", type=Path, metavar="FILE", help="TSV table of scores; default: standard output")

    variants = commands.add_parser(
        "variants", help="score the alleles of variants by models of DNA sequences", description=_VARIANTS
    )
    variants.set_defaults(run=_variants)
    _add_checkpoints(variants)
    variants.add_argument("--vcf", required=True, metavar="FILE", help="variants, VCF, plain or compressed")
    variants.add_argument(
        "--genome", required=True, metavar="FILE", help="FASTA file of the genome, with its index (samtools faidx)"
    )
    _add_output(variants)

    score = commands.add_parser(
        "score-sequences", help="score sequences of FASTA, DeepBind or BED files", description=_SCORE_SEQUENCES
    )
    score.set_defaults(run=_score_sequences)
    _add_checkpoints(score)
    score.add_argument(
        "--sequences", action="append", required=True, metavar="FILE", help="FASTA, .seq or BED; repeat for each file"
    )
    score.add_argument("--genome", default="", metavar="FILE", help="FASTA file of the genome with its index, for BED")
    score.add_argument(
        "--width",
        type=int,
        default=0,
        metavar="BP",
        help="score a window of this width around the middle or summit of each BED interval; by default the interval",
    )
    _add_output(score)

    verify = commands.add_parser("verify", help="check results against their provenance records", description=_VERIFY)
    verify.set_defaults(run=_verify)
    verify.add_argument("paths", nargs="+", metavar="PATH", help="results file, or folder such as results/")
    return parser


def _add_checkpoints(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--checkpoint",
        action="append",
        required=True,
        metavar="FILE",
        help="trained model, such as results/sequence/USF1/cnn/model.ckpt; repeat for each model",
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument("--output", type=Path, metavar="FILE", help="TSV table of scores; default: standard output")


_VARIANTS = """Score the reference and the alternative allele of each variant in its place in the genome, both strands.
The table has the columns chrom, pos, id, ref and alt, and for each checkpoint the logits of both alleles and their
difference, which is above 0 if the variant strengthens binding."""
_SCORE_SEQUENCES = """Score sequences of any length. One that is longer than those of the training gets the score of its
best window. The table has the columns file, sequence, place and length, and for each checkpoint the logit, the
probability, and where the best window starts."""
_PREDICT = """Count a sample's signal in the bins and with the options that the checkpoints were trained with, and score
every gene. The table has the columns gene, symbol, chrom, tss and strand, and one column of scores per checkpoint;
with --redraws and --certify also the columns stability and certified_reads of each checkpoint, after its name."""
_VERIFY = """Compare every file with its record, and with the records of its inputs. Each damaged, missing or stale file
is reported on one line: state, path and reason, tab-separated. A file without a record is listed too, but is not an
error. The exit status is 0 if all files are as written."""


def _simulate(options: argparse.Namespace) -> None:
    from chromattend.chromatin.simulate import simulate_mirror

    simulate_mirror(options.folder, chrom_sizes=options.chrom_sizes, genes=options.genes, seed=options.seed)


def _init(options: argparse.Namespace) -> None:
    from chromattend.chromatin.draft import draft_of, summary_of, write_draft

    draft = draft_of(options.samples, options.expression)
    config, sheet = write_draft(options.folder, draft, options.genome, genes=options.genes, force=options.force)
    for sample, marks in summary_of(draft).items():
        print(f"{sample}: {marks}")
    print(f"expression: {draft.matrix or 'none'}")
    if draft.annotation:
        print(f"annotation: {draft.annotation}")
    for note in draft.notes:
        print(f"Note: {note}", file=sys.stderr)
    print(f"\nWritten: {config}, {sheet}. Look at both, then:")
    snakefile = "" if Path("workflow/Snakefile").is_file() else f" --snakefile {_checkout() / 'workflow/Snakefile'}"
    print(f"  chromattend check {config}\n  snakemake --cores all{snakefile} --configfile {config}")


def _crate(options: argparse.Namespace) -> None:
    from chromattend.pipeline.crate import write_crate

    print(f"Written: {write_crate(options.results, _checkout() / 'workflow/Snakefile')}")


def _check(options: argparse.Namespace) -> None:
    from chromattend.chromatin.configuration import shared_files
    from chromattend.chromatin.preview import has_genes
    from chromattend.pipeline.config import read_merged
    from chromattend.studies import load_studies

    config = read_merged(options.files)
    schemas = _checkout() / "workflow/schemas"
    studies = load_studies(config, options.files[::-1], schemas, Path.cwd(), genes=has_genes)
    for warning in shared_files(studies.chromatin):
        print(f"Warning: {warning}", file=sys.stderr)
    print(f"{options.files[0]}: no errors")


def _checkout() -> Path:
    """Return the checkout that this program is of."""
    checkout = Path(__file__).resolve().parents[2]
    if not (checkout / "workflow/Snakefile").is_file():
        raise UserError(f"{checkout}: is not a checkout of chromattend; run make install in one")
    return checkout


def _predict(options: argparse.Namespace) -> None:
    from chromattend.chromatin.predict import Recipe, is_dataset, load_models, read_sample, score
    from chromattend.files import check_writable

    if options.output:
        check_writable(options.output)
    tested = _check_reliability(options)
    models = load_models(options.checkpoint)
    if tested:
        from chromattend.robustness.stability import check_models

        check_models(models)
    signals = signal_files(options.signal, Recipe.of(models).marks)
    sizes = options.chrom_sizes or (CHROM_SIZES if CHROM_SIZES.is_file() else None)
    if options.genes:
        _check_file(options.genes, "--genes")
    elif not is_dataset(signals):
        raise UserError("--genes: is needed to count around each TSS; give the study's genes.tsv, or a GENCODE GTF")
    if not isinstance(signals, str):
        if sizes is None:
            raise UserError("--chrom-sizes: is needed to count; give the chromosome sizes of the reads' genome build")
        _check_file(sizes, "--chrom-sizes")
        if options.chrom_sizes is None:
            logger.warning("--chrom-sizes: is not given, so %s is used; give it if the reads are not of hg19", sizes)
    dataset = read_sample(models, signals, genes=options.genes, chrom_sizes=sizes, epigenome=options.epigenome)
    table = score(models, dataset)
    if tested:
        from chromattend.robustness.stability import sample_columns

        columns = sample_columns(
            models,
            dataset,
            redraws=options.redraws,
            certificate={} if options.certify else None,
            call_at=0.5 if options.call_at is None else options.call_at,
        )
        table = table.assign(**columns)
    _write(table, options.output)


def _check_reliability(options: argparse.Namespace) -> bool:
    """Return whether calls are tested, after a check of the options that say how."""
    if options.redraws < 0:
        raise UserError(f"--redraws: {options.redraws} is below 0; give the number of times to draw the reads again")
    tested = bool(options.redraws or options.certify)
    if options.call_at is not None:
        if not tested:
            raise UserError("--call-at: does nothing without --redraws or --certify; add one of them, or leave it out")
        if not 0 < options.call_at < 1:
            raise UserError(f"--call-at: {options.call_at:g} is not a probability; give a number between 0 and 1")
    return tested


def _write(table: "pd.DataFrame", output: Path | None) -> None:
    from chromattend.files import write_table

    if output:
        write_table(table, output)
    else:
        table.to_csv(sys.stdout, sep="\t", index=False, lineterminator="\n")
        sys.stdout.flush()


def _simulate_sequences(options: argparse.Namespace) -> None:
    from chromattend.sequence.simulate import simulate_sequences

    simulate_sequences(options.folder, options.seed)


def _simulate_graphs(options: argparse.Namespace) -> None:
    from chromattend.graphs.simulate import simulate_graphs

    simulate_graphs(options.folder, options.seed, kind=options.kind)


def _variants(options: argparse.Namespace) -> None:
    from chromattend.sequence.variants import score_variants

    _check_file(options.vcf, "--vcf")
    models = _sequence_models(options)
    _write(score_variants(models, options.vcf, options.genome), options.output)


def _score_sequences(options: argparse.Namespace) -> None:
    from chromattend.sequence.variants import score_sequences

    for path in options.sequences:
        _check_file(path, "--sequences")
    if options.width < 0:
        raise UserError(f"--width: {options.width} is below 0; give a number of bp")
    models = _sequence_models(options)
    table = score_sequences(models, options.sequences, genome=options.genome, width=options.width)
    _write(table, options.output)


def _sequence_models(options: argparse.Namespace) -> "dict[str, TrainedModel]":
    """Read the checkpoints, after a check of the other paths, which takes no time."""
    from chromattend.files import check_writable
    from chromattend.models import load_models

    if options.genome:
        _check_file(options.genome, "--genome")
    if options.output:
        check_writable(options.output)
    return load_models(options.checkpoint, "sequence")


def signal_files(given: Sequence[str], marks: Sequence[str]) -> dict[str, str] | str:
    """Return the file of each mark, or the one file of all marks, from the values of `--signal`.

    Args:
        given: `MARK=FILE` for each mark, or a path with {mark} for all of them; or one file of all marks.
        marks: marks that the models take.

    Raises:
        UserError: a mark has no file, several or an unknown one; a file does not exist.
    """
    from chromattend.chromatin.formats import format_of, part_files
    from chromattend.chromatin.predict import is_dataset
    from chromattend.chromatin.study import MARK_NAME
    from chromattend.pipeline.locations import fill

    named: dict[str, str] = {}
    whole: list[str] = []
    for text in given:
        mark, equals, path = text.partition("=")
        if not (equals and MARK_NAME.fullmatch(mark)):
            whole.append(text)
            continue
        if mark not in marks:
            raise UserError(
                f"--signal {text}: no checkpoint takes the mark {mark!r}{did_you_mean(mark, marks)}; "
                f"they take {', '.join(marks)}"
            )
        if mark in named:
            raise UserError(f"--signal {text}: {mark} is given twice; leave one out")
        named[mark] = path
    if len(whole) > 1:
        raise UserError(
            f"--signal {whole[1]}: is given in addition to {whole[0]}; give MARK=FILE for each mark, or one of them"
        )
    if whole and "{mark}" not in whole[0]:
        path = whole[0]
        if named:
            raise UserError(f"--signal {path}: is given in addition to files of single marks; give it alone, or not")
        if not is_dataset(path) and format_of(path) != "binned":
            raise UserError(f"--signal {path}: holds one mark, but which one is not given; write MARK={path}")
        for file in part_files(path):
            _check_file(file, "--signal")
        return path
    if whole:
        named = {mark: fill(whole[0], mark=mark) for mark in marks} | named
    missing = [mark for mark in marks if mark not in named]
    if missing:
        raise UserError(f"--signal: {', '.join(missing)} is missing; give {missing[0]}=FILE")
    marks_of: dict[Path, str] = {}
    for mark, path in named.items():
        _check_file(path, f"--signal {mark}")
        if format_of(path) == "binned":
            raise UserError(f"--signal {mark}={path}: holds all marks; give it without {mark}=")
        other = marks_of.setdefault(Path(path).resolve(), mark)
        if other != mark:
            raise UserError(f"--signal {mark}={path}: is also the file of {other}; correct one of them")
    return {mark: named[mark] for mark in marks}


def _check_file(path: str | Path, option: str) -> None:
    from chromattend.pipeline.locations import is_url

    if is_url(str(path)):
        raise UserError(f"{option}: {str(path)!r} is a URL; download it and give the path of the file")
    if not Path(path).is_file():
        raise UserError(f"{option}: file {str(path)!r} does not exist; correct the path")


def _verify(options: argparse.Namespace) -> None:
    from chromattend.pipeline.verify import verify

    verification = verify(options.paths)
    for finding in verification.findings:
        print(finding.state, finding.path, finding.reason, sep="\t")
    print(verification.summary, flush=True)
    verification.check()
