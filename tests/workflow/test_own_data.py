"""A lab's own files, in every format, by editing the configuration and the sheet."""

import gzip
from pathlib import Path

import pandas as pd
import pysam

from chromattend.files import read_netcdf

from .conftest import MODEL_MARKS, Workspace


def bam_of(reads: Path, chrom_sizes: Path, target: Path) -> None:
    """Write the reads of a tagAlign file as BAM."""
    sizes = pd.read_csv(chrom_sizes, sep="\t", names=["name", "length"])
    header = pysam.AlignmentHeader.from_references(sizes["name"].tolist(), sizes["length"].tolist())
    with gzip.open(reads, "rt") as lines, pysam.AlignmentFile(str(target), "wb", header=header) as file:
        for line in lines:
            chrom, start, end, _, _, strand = line.split()
            read = pysam.AlignedSegment(header)
            read.query_name = "read"
            read.reference_name = chrom
            read.reference_start = int(start)
            read.cigartuples = [(0, int(end) - int(start))]
            read.is_reverse = strand == "-"
            read.mapping_quality = 30
            file.write(read)


def test_marks_in_different_formats(
    workspace: Workspace, repository: Path, small_mirror: Path, small_study: Workspace
) -> None:
    sizes = repository / "config/demo/synthetic.chrom.sizes"
    reads = small_mirror / "byFileType/alignments/consolidated"
    signal = small_mirror / "byFileType/signal/consolidated/macs2signal/pval"
    bam_of(reads / "SYN1-H3K4me3.tagAlign.gz", sizes, workspace / "my reads.bam")
    (workspace / "peaks.bed").write_bytes(gzip.decompress((reads / "SYN1-H3K27me3.tagAlign.gz").read_bytes()))
    own = {
        "H3K27me3": "peaks.bed",
        "H3K36me3": str(signal / "SYN1-H3K36me3.pval.signal.bigwig"),
        "H3K4me1": "",
        "H3K4me3": "my reads.bam",
        "H3K9me3": f"file://{reads}/SYN1-H3K9me3.tagAlign.gz",
        "H3K27ac": "none",
    }
    rows = [["epigenome", "name", *own], ["SYN1", "own files", *own.values()], ["SYN2", "the mirror's", *[""] * 6]]
    workspace.configure(
        {
            "mirror": f"file://{small_mirror}",
            "genome": {"name": "synthetic", "chrom_sizes": str(sizes)},
            "models": ["logistic_regression"],
        },
        "".join("\t".join(row) + "\n" for row in rows),
    )
    workspace.succeed("results/SYN1/report.html", "results/SYN2/signal/H3K27ac.nc")

    own_counts = read_netcdf(workspace / "results/SYN1/dataset.nc")
    formats = [own_counts.attrs[f"{mark}_format"] for mark in MODEL_MARKS]
    assert formats == ["reads", "bigwig", "reads", "bam", "reads"]
    # The same reads give the same counts, whatever file they come in.
    counts = read_netcdf(small_study / "results/SYN1/dataset.nc")["counts"]
    for mark in ("H3K27me3", "H3K4me1", "H3K4me3", "H3K9me3"):
        assert own_counts["counts"].sel(mark=mark).values.tolist() == counts.sel(mark=mark).values.tolist()
    assert not (workspace / "results/SYN1/signal/H3K27ac.nc").exists()
