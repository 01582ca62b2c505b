"""Formats of signal files, identified by the file extension."""

from urllib.parse import urlsplit

from chromattend.errors import UserError
from chromattend.pipeline.locations import fill, is_url

FORMATS = {
    "reads": (".tagalign", ".tagalign.gz", ".bed", ".bed.gz"),
    "bam": (".bam",),
    "bigwig": (".bigwig", ".bw"),
    "binned": (".csv", ".csv.gz"),
}
# Separates the files of one mark in a cell of the sheet, and in provenance.
FILES = ";"
PARTS = ("train", "valid", "test")
# Formats that users may take for reads or signal: what to do.
OTHER_FORMATS = {
    (".narrowpeak", ".broadpeak", ".gappedpeak"): "holds peaks, no reads; give the aligned reads",
    (".bedgraph", ".bdg", ".wig"): "is text of a signal; convert it to bigWig (bedGraphToBigWig, wigToBigWig)",
    (".bedpe",): "holds pairs of intervals; give the reads as BAM, or one line per fragment as BED",
    (".bb", ".bigbed"): "is a bigBed file; convert it by bigBedToBed if it holds reads",
    (".cram", ".sam"): "is not read; convert it to BAM by 'samtools view -b'",
    (".fastq", ".fq"): "holds reads that are not aligned; align them and give the BAM file",
    (".bed.bz2", ".bed.xz", ".bed.zst", ".bed.zip"): "is not compressed by gzip; decompress it, or compress it by gzip",
}
# Marks of the authors' binned CSV files, in the order of their columns.
PUBLISHED_MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")


def part_files(template: str) -> list[str]:
    """Return the files of a binned CSV: train, valid and test if its path has {part}, else the path itself."""
    return [fill(template, part=part) for part in PARTS] if "{part}" in template else [template]


def format_of(location: str) -> str:
    """Return `reads`, `bam`, `bigwig` or `binned` by the file extension of a URL or path.

    Raises:
        UserError: the extension is unknown, or that of a format without reads or signal.
    """
    name = urlsplit(location).path.lower() if is_url(location) else location.lower()
    for kind, suffixes in FORMATS.items():
        if name.endswith(suffixes):
            return kind
    for suffixes, reason in OTHER_FORMATS.items():
        if name.removesuffix(".gz").endswith(suffixes):
            raise UserError(f"{location}: {reason}")
    extensions = ", ".join(suffix for suffixes in FORMATS.values() for suffix in suffixes)
    raise UserError(f"{location}: has an unknown file extension; rename the file to end in one of {extensions}")
