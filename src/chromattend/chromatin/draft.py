"""A first sample sheet and configuration for the files of a folder: what `chromattend init` writes."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from chromattend.chromatin.formats import format_of
from chromattend.chromatin.sheet import FEATURE_COUNTS, ROADMAP_MARKS, is_feature_counts, stem_of
from chromattend.errors import UserError, did_you_mean, listed
from chromattend.files import atomic
from chromattend.text import read_cells

# A histone mark or variant within a file's name.
_MARK = re.compile(
    r"(?<![A-Za-z0-9])(H(?:2A|2B|3|4)[A-Z]\d{1,3}(?:ac|me[123]|ub|ph)|H2A[._]?Z)(?![A-Za-z0-9])", re.IGNORECASE
)
_ANNOTATION = re.compile(r"\.(gtf|gff3?)(\.(gz|bz2|xz))?$", re.IGNORECASE)
_KNOWN = {mark.lower(): mark for mark in ROADMAP_MARKS}
_MATRIX = (".tsv", ".txt", ".pc")
_PANEL = """
genes:
  include: {}
# The genes of a panel may be on too few chromosomes for the split of the genome.
split:
  mode: random
"""
# The marks of the papers come first, in their order.
_FIRST = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
VALIDATION = "H3K27ac"


@dataclass(frozen=True)
class Draft:
    """What was found in a folder.

    Attributes:
        samples: sample -> mark -> file.
        matrix: file of expression values, if one was found.
        annotation: GTF or GFF3 file of the genes, if one was found.
        notes: what could not be placed, and what is missing, a line each.
    """

    samples: dict[str, dict[str, Path]]
    matrix: Path | None
    annotation: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def marks(self) -> list[str]:
        """All marks, those of the papers first."""
        names = {mark for files in self.samples.values() for mark in files}
        return [mark for mark in _FIRST if mark in names] + sorted(names.difference(_FIRST))

    @property
    def validation_mark(self) -> str | None:
        """The mark that explanations are validated against, if a sample has it and models have others."""
        return VALIDATION if VALIDATION in self.marks and len(self.marks) > 1 else None


def draft_of(places: Sequence[Path], matrix: Path | None = None) -> Draft:
    """Find samples and their marks by the names of files, such as `liver1_H3K4me3.bam` or `liver1/H3K4me3.bam`.

    Args:
        places: files, and folders that are searched with their subfolders.
        matrix: file of expression values; None to look for it. Samples are named as its columns where these occur in
            the names of files.

    Raises:
        UserError: a place does not exist; no file of reads or signal names a histone mark.
    """
    notes: list[str] = []
    found: list[tuple[Path, str]] = []
    for path in _files(places):
        try:
            kind = format_of(str(path))
        except UserError:
            continue
        mark = _MARK.search(path.name) if kind != "binned" else None
        if mark:
            found.append((path, mark[0]))
        elif kind != "binned":
            notes.append(f"{path}: names no histone mark; add it to the sheet by hand if it is one")
    if not found:
        raise UserError(
            f"{listed([str(place) for place in places])}: no BAM, bigWig, tagAlign or BED file names a histone mark; "
            "name the files after sample and mark, such as liver1_H3K4me3.bam, or write the sheet by hand"
        )
    columns: list[str] = []
    if matrix is None:
        matrix = next((path for path in _files(places) if _is_matrix(path)), None)
    if matrix is not None:
        columns = _columns(matrix)
        if not columns:
            raise UserError(
                f"{matrix}: has no column 'gene_id' in its header line; give a tab-separated matrix with it"
            )
    samples = _samples(found, columns, notes)
    for sample, files in samples.items():
        for lacking in sorted({mark for each in samples.values() for mark in each} - {*files, VALIDATION}):
            notes.append(f"sample {sample}: has no file of {lacking}; add it, or take the mark out of 'marks'")
        if columns and sample not in columns:
            notes.append(
                f"sample {sample}: is not a column of {matrix}{did_you_mean(sample, columns)}; rename it in the sheet, "
                "or list it under predict.epigenomes"
            )
    if matrix is None:
        notes.append("no matrix of expression values was found; give sources.expression, which models are trained on")
    annotation = next((path for path in _files(places) if _ANNOTATION.search(path.name)), None)
    return Draft(samples, matrix, annotation, notes)


def write_draft(
    folder: Path, draft: Draft, genome: str, *, genes: Path | None = None, force: bool = False
) -> tuple[Path, Path]:
    """Write `config.yaml` and `samples.tsv` into a folder.

    Args:
        folder: where to; the results of the study will be there, too.
        draft: what was found.
        genome: name of the genome.
        genes: file with the ids or symbols of the genes to study; None for all.
        force: replace files of these names.

    Returns:
        The paths of both files.

    Raises:
        UserError: one of them exists, unless `force`.
    """
    config, sheet = folder / "config.yaml", folder / "samples.tsv"
    for path in (config, sheet):
        if path.exists() and not force:
            raise UserError(f"{path}: exists already; add --force to write it again, or give another folder")
    rows = ["\t".join(["epigenome", "name", *draft.marks])]
    for sample, files in draft.samples.items():
        cells = [str(files.get(mark, "none" if mark == draft.validation_mark else "")) for mark in draft.marks]
        rows.append("\t".join([sample, sample, *cells]))
    for path, text in ((sheet, "\n".join(rows) + "\n"), (config, _configuration(folder, draft, genome, genes))):
        with atomic(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return config, sheet


def _configuration(folder: Path, draft: Draft, genome: str, genes: Path | None) -> str:
    marks = [mark for mark in draft.marks if mark != draft.validation_mark]
    validation = draft.validation_mark or "null"
    expression = (
        _quoted(str(draft.matrix)) if draft.matrix else "null    # a matrix with gene_id and a column per sample"
    )
    annotation = f"\n  annotation: {_quoted(str(draft.annotation))}" if draft.annotation else ""
    panel = _PANEL.format(_quoted(str(genes))) if genes else ""
    return f"""# Written by `chromattend init`. Its config/README.md explains every key, and has the defaults.
# Paths start from the folder that Snakemake runs in.
pathvars:
  results: {_quoted(str(folder / "results"))}
  logs: {_quoted(str(folder / "logs"))}
  benchmarks: {_quoted(str(folder / "logs" / "benchmarks"))}

epigenomes: {_quoted(str(folder / "samples.tsv"))}

# hg19, hg38 and mm10 give chromosome sizes, the chromosomes of the split and, without sources.annotation, GENCODE's
# annotation, which is downloaded. Another genome needs genome.chrom_sizes, sources.annotation and split.
genome:
  name: {_quoted(genome)}

marks: [{", ".join(map(_quoted, marks))}]
# A mark that no model sees, which explanations are compared with.
validation_mark: {validation}

sources:
  # A gene is ON if its value is above the sample's median, in any unit that ranks genes, such as RPKM or TPM.
  expression: {expression}{annotation}
{panel}
models: [logistic_regression, random_forest, deepchrome, attentivechrome]
interpret:
  named_genes: []    # ids or symbols of genes to show attention for
"""


def _quoted(text: str) -> str:
    """Return text as a YAML scalar, in quotes only where it needs them."""
    return yaml.safe_dump(text, default_flow_style=True, allow_unicode=True, width=10_000).split("\n...")[0].strip()


def _files(places: Iterable[Path]) -> Iterator[Path]:
    """Yield files of places in the order of their names, without those of hidden folders."""
    for place in places:
        if place.is_file():
            yield place
        elif place.is_dir():
            for folder, folders, names in os.walk(place, followlinks=True):
                folders[:] = sorted(name for name in folders if not name.startswith("."))
                yield from (Path(folder) / name for name in sorted(names) if not name.startswith("."))
        else:
            raise UserError(f"--samples {place}: does not exist; give a folder of files, or files")


def _is_matrix(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith(_MATRIX) and bool(_columns(path))


def _columns(path: Path) -> list[str]:
    """Return the samples of an expression matrix, or nothing if the file has no column `gene_id`."""
    try:
        with closing(read_cells(path)) as rows:
            _, header = next(rows, (1, []))
    except UserError:
        return []
    if is_feature_counts(header):
        return [stem_of(name) for name in header[len(FEATURE_COUNTS) :]]
    return [name for name in header if name != "gene_id"] if "gene_id" in header else []


def _samples(found: Sequence[tuple[Path, str]], columns: Sequence[str], notes: list[str]) -> dict[str, dict[str, Path]]:
    """Return sample -> mark -> file of files and the marks in their names."""
    words = [_words(path, mark) for path, mark in found]
    # What all names share, such as the assay or the genome, says nothing of the sample.
    common = Counter(word for each in words for word in set(each))
    shared = {word for word, number in common.items() if number == len(words)} if len(words) > 1 else set()
    samples: dict[str, dict[str, Path]] = {}
    for (path, mark), each in zip(found, words, strict=True):
        own = [word for word in each if word not in shared] or each or _words(path.parent / "x", "x") or ["sample"]
        names = ["_".join(own), *(column for column in columns if set(_split(column)) <= set(each))]
        sample = next((name for name in sorted(names, key=len, reverse=True) if name in columns), names[0])
        files = samples.setdefault(re.sub(r"^[^\w]+", "", sample), {})
        name = _KNOWN.get(mark.lower().replace("_", "."), mark)
        if name in files:
            notes.append(f"{path}: sample {sample} has another file of {name}, {files[name]}; merge them, or name one")
        else:
            files[name] = path
    return samples


def _words(path: Path, mark: str) -> list[str]:
    """Return the words of a file's name without mark and ending; those of its folder if there are no others."""
    stem = re.sub(r"\.(tagalign|bed|bam|bigwig|bw)(\.gz)?$", "", path.name, flags=re.IGNORECASE)
    return _split(stem.replace(mark, " ")) or _split(path.parent.name)


def _split(text: str) -> list[str]:
    return [word for word in re.split(r"[^\w+]+|_", text) if word]


def summary_of(draft: Draft) -> Mapping[str, str]:
    """Return what was found, a line per sample."""
    return {sample: ", ".join(mark for mark in draft.marks if mark in files) for sample, files in draft.samples.items()}
