"""Files of reads and signal that do not hold what the study takes them for: refused, warned of, or read rightly."""

import bz2
import gzip
import logging
import lzma
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pysam
import pytest
import xarray as xr
from builders import ALL_GENES

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.dataset import build_dataset
from chromattend.chromatin.quality import quality_table, sources_table, warnings_table
from chromattend.chromatin.reads import ReadOptions
from chromattend.chromatin.signal import count_signal, join_marks
from chromattend.errors import UserError

SIZES = {"chr1": 40_000, "chr2": 30_000, "chrY": 20_000, "chrM": 16_571}
BINS = Bins(upstream=500, downstream=500, size=100)
MARK = "H3K4me3"
NO_OVERLAPS = pd.DataFrame(columns=["gene", "split", "other_gene", "other_split", "chrom", "shared_bp"])

Row = tuple[str, int, int]
# Reads of 36 bp over the windows of all genes on chr1 and chr2.
ONE = [("chr1", start, start + 36) for start in range(500, 9_000, 17)]
TWO = [("chr2", start, start + 36) for start in range(500, 9_000, 17)]
READS = [*ONE, *TWO]


def bed(rows: Sequence[Row], *more: object, names: dict[str, str] | None = None) -> bytes:
    """Write intervals with further columns; numbers in braces differ from line to line."""
    cells = [[(names or {}).get(chrom, chrom), start, end, *more] for chrom, start, end in rows]
    lines = ["\t".join(str(cell).format(line=line) for cell in row) for line, row in enumerate(cells)]
    return ("\n".join(lines) + "\n").encode()


def bam(rows: Sequence[Row], sizes: dict[str, int] = SIZES, flag: int = 0) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        header = pysam.AlignmentHeader.from_references(list(sizes), list(sizes.values()))
        with pysam.AlignmentFile(str(path), "wb", header=header) as file:
            for chrom, start, end in rows:
                read = pysam.AlignedSegment(header)
                read.query_name, read.flag, read.mapping_quality = "read", flag, 20
                read.reference_name, read.reference_start, read.cigarstring = chrom, start, f"{end - start}M"
                file.write(read)

    return write


def unaligned_bam(path: Path) -> None:
    with pysam.AlignmentFile(str(path), "wb", header=pysam.AlignmentHeader()) as file:
        read = pysam.AlignedSegment()
        read.query_name, read.flag, read.query_sequence = "read", pysam.FUNMAP, "ACGT"
        file.write(read)


def bigwig(values: dict[str, float], sizes: dict[str, int] = SIZES, raised: float = 2) -> Callable[[Path], None]:
    """Write one value over all of each chromosome, but `raised` times it in some windows."""

    def write(path: Path) -> None:
        with pyBigWig.open(str(path), "w") as file:
            file.addHeader(list(sizes.items()))
            for chrom, value in values.items():
                bounds = [0, 4_000, 8_000, sizes[chrom]]
                levels = [float(value), float(raised * value), float(value)]
                file.addEntries([chrom] * 3, bounds[:-1], ends=bounds[1:], values=levels)

    return write


@dataclass(frozen=True)
class Case:
    """A file, and what must come of it.

    Attributes:
        what: name of the case.
        name: file name, which sets the format.
        content: bytes, or a function that writes the file.
        refused: regular expression of the error.
        log: regular expression of a warning in the log; no warning if None.
        page: names of the warnings on the quality page.
        others: chromosomes with genes besides chr1 and chr2.
        counted: the reads that the counts are of.
    """

    what: str
    name: str
    content: bytes | Callable[[Path], None]
    refused: str | None = None
    log: str | None = None
    page: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    counted: Sequence[Row] | None = None


EMPTY = "chromosomes without data"
RENAMED = {"chr2": "2"}
LENGTHS = {name: size for name, size in SIZES.items() if name != "chr2"}
SAM = b"read\t0\tchr1\t100\t60\t4M\t*\t0\t0\tACGT\tFFFF\n"
PEAK = ("name", 500, ".", "7.5", "12.1", "9.9")
VALUES = [(chrom, start, start + 50) for chrom in ("chr1", "chr2") for start in range(0, 9_000, 50)]
CASES = [
    # Good files stay silent.
    Case("tagAlign", "a.tagAlign", bed(READS, "N", 1000, "+"), counted=READS),
    Case("three columns", "a.bed", bed(READS), counted=READS),
    Case("BAM", "a.bam", bam(READS), counted=READS),
    Case("names that are numbers", "a.bed", bed(READS, "{line}"), counted=READS),
    Case("BED9 of reads", "a.bed", bed(READS, "n", 0, "+", 0, 0, "0"), counted=READS),
    Case("BED12 of reads", "a.bed", bed(READS, "n", 0, "+", 0, 0, "0", 1, "36,", "0,"), counted=READS),
    Case("reads of 500 bp", "a.bed", bed([(chrom, start, start + 500) for chrom, start, _ in READS])),
    Case("bigWig", "a.bw", bigwig({"chr1": 1, "chr2": 2})),
    Case("no chrY", "a.bed", bed(READS), others=("chrY",), counted=READS),
    Case("no chrY in a bigWig", "a.bw", bigwig({"chr1": 1, "chr2": 2}), others=("chrY",)),
    Case("gzip without its name", "a.bed", gzip.compress(bed(READS)), counted=READS),
    Case("gzip by name only", "a.bed.gz", bed(READS), counted=READS),
    # Chromosomes without data.
    Case("BED cut off", "a.bed", bed(ONE), log=r"nothing on chr2, where 3 genes have 0 .* cut off", page=(EMPTY,)),
    Case("BAM cut off", "a.bam", bam(ONE), log=r"holds nothing on chr2, where 3 genes", page=(EMPTY,)),
    Case("bigWig cut off", "a.bw", bigwig({"chr1": 1}), log=r"holds nothing on chr2, where 3", page=(EMPTY,)),
    Case("bigWig of 0", "a.bw", bigwig({"chr1": 1, "chr2": 0}), log=r"holds nothing on chr2", page=(EMPTY,)),
    Case(
        "bigWig whose header lacks it",
        *("a.bw", bigwig({"chr1": 1}, LENGTHS)),
        log=r"holds nothing on chr2",
        page=(EMPTY,),
    ),
    Case(
        "cut off, without chrY",
        *("a.bed", bed(ONE)),
        others=("chrY",),
        log=r"on chr2, chrY, where 5",
        page=(EMPTY, "genes without signal"),
    ),
    Case("no chrM", "a.bed", bed(READS), others=("chrM",), log=r"on chrM, .*mitochondrial reads", page=(EMPTY,)),
    # Other names of chromosomes.
    Case("BED with 2", "a.bed", bed(READS, names=RENAMED), refused=r"chr2, .*\(3\), is called '2' .*rename"),
    Case("BED with Chr2", "a.bed", bed(READS, names={"chr2": "Chr2"}), refused=r"is called 'Chr2'"),
    Case("BED with chr02", "a.bed", bed(READS, names={"chr2": "chr02"}), refused=r"is called 'chr02'"),
    Case("BED with both", "a.bed", bed(READS) + bed(TWO, names=RENAMED), refused=r"called both 'chr2' and '2'"),
    Case("BED with MT", "a.bed", bed([*READS, ("MT", 1, 37)]), others=("chrM",), refused=r"chrM, .* is called 'MT'"),
    Case("BAM with 2", "a.bam", bam(ONE, LENGTHS | {"2": 30_000}), refused=r"is called '2'"),
    Case("BAM with an accession", "a.bam", bam(ONE, LENGTHS | {"NC_2.1": 30_000}), refused=r"is called 'NC_2.1'"),
    Case("BAM with a spike-in", "a.bam", bam(READS, SIZES | {"2": 99}), counted=READS),
    Case("bigWig with 2", "a.bw", bigwig({"chr1": 1, "2": 1}, LENGTHS | {"2": 30_000}), refused=r"is called '2'"),
    Case(
        "BAM with another mitochondrial sequence",
        *("a.bam", bam(READS, {name: SIZES[name] for name in ("chr1", "chr2")} | {"chrMT": 16_569})),
        others=("chrM",),
        log=r"on chrM, .*mitochondrial reads",
        page=(EMPTY,),
    ),
    Case(
        "all names differ",
        *("a.bed", bed(READS, names={"chr1": "1", "chr2": "2"})),
        refused=r"called 1, 2, the genome's chr1, chr2, chrY; rename",
    ),
    # Other genome builds.
    Case("BAM of another build", "a.bam", bam(ONE, SIZES | {"chr2": 31_000}), refused=r"chr2 is 31000 .*but 30000"),
    Case("bigWig of another build", "a.bw", bigwig({"chr1": 1}, SIZES | {"chr2": 31_000}), refused=r"31000 .*30000"),
    # No reads at all.
    Case("empty", "a.bed", b"", refused=r"is empty; give a file with reads"),
    Case("empty gzip", "a.bed.gz", gzip.compress(b""), refused=r"is empty; give a file with reads"),
    Case("BAM of a header", "a.bam", bam([]), refused=r"has a header but no reads"),
    Case("BAM of duplicates", "a.bam", bam(ONE, flag=1024), refused=r"none of its 500 .*duplicates"),
    Case("BAM that is not aligned", "a.bam", unaligned_bam, refused=r"reads that are not aligned; align them"),
    Case("bigWig with inf", "a.bw", bigwig({"chr1": 1, "chr2": np.inf}), refused=r"an infinite value in chr2:\d+-\d+"),
    Case("peaks of MACS as BED5", "a.bed", bed(READS, "run_peak_{line}", 87), refused=r"holds peaks"),
    Case(
        "summits of MACS",
        "a.bed",
        bed([(c, s, s + 1) for c, s, _ in READS], "a_peak_{line}", 7.5),
        refused=r"holds peaks",
    ),
    Case("bigWig without values", "a.bw", bigwig({"chrY": 1}), refused=r"only 0 or no value on the genes' chromosomes"),
    # Intervals that are no reads.
    Case("bedGraph", "a.bed", bed(VALUES, "{line}"), refused=r"holds signal \(bedGraph\), no reads; convert it"),
    Case("bedGraph of decimals", "a.bed", bed(READS, "1.5"), refused=r"bedGraph"),
    Case("bedGraph with spaces", "a.bed", bed(VALUES, 3).replace(b"\t", b" "), refused=r"bedGraph"),
    Case("bedGraph with gaps", "a.bed", b"chr1\t5\t90\t4\nchr1\t95\t99\t7\n", refused=r"bedGraph"),
    Case("states", "a.bed", bed(VALUES, "E1", 0, "."), refused=r"follow each other without a gap"),
    Case("bedGraph named bigWig", "a.bw", bed(VALUES, 3), refused=r"is text; convert wiggle or bedGraph to bigWig"),
    Case("bigBed named bigWig", "a.bw", b"\xeb\xf2\x89\x87", refused=r"is a bigBed file"),
    Case("track of a bedGraph", "a.bed", b"track type=bedGraph\n" + bed(READS, 1), refused=r"wiggle or bedGraph"),
    Case("wiggle", "a.bed", b"track type=wiggle_0\nfixedStep chrom=chr1 start=1 step=1\n5\n", refused=r"wiggle"),
    Case("wiggle without a track", "a.bed", b"variableStep chrom=chr1\n5 1.5\n", refused=r"wiggle"),
    Case("narrowPeak", "a.bed", bed(READS, *PEAK, 90), refused=r"holds peaks, no reads; give the aligned reads"),
    Case("broadPeak", "a.bed", bed(READS, *PEAK), refused=r"holds peaks"),
    Case("track of peaks", "a.bed", b'track type="narrowPeak"\n' + bed(READS), refused=r"holds peaks"),
    Case("BEDPE", "a.bed", bed(READS, "chr1", 900, 936, "n", 9, "+", "-"), refused=r"pairs of intervals \(BEDPE\)"),
    Case("SAM", "a.bed", b"@SQ\tSN:chr1\tLN:40000\n" + SAM, refused=r"is SAM text.*samtools view"),
    Case("SAM without a header", "a.bed", SAM, refused=r"is SAM text without a header"),
    Case("SAM with numbers for names", "a.bed", SAM.replace(b"chr1", b"1"), refused=r"is SAM text without a header"),
    Case("SAM named BAM", "a.bam", b"@SQ\tSN:chr1\tLN:40000\n" + SAM, refused=r"is SAM text.*samtools view"),
    Case("BED named BAM", "a.bam", bed(READS), refused=r"is text, no BAM file; name tagAlign or BED"),
    Case("empty BAM", "a.bam", b"", refused=r"is empty; give a file with reads"),
    Case("FASTQ", "a.bed", b"@read\nACGT\n+\nFFFF\n", refused=r"not aligned \(FASTQ\)"),
    Case("FASTA", "a.bed", b">chr1\nACGT\n", refused=r"sequences \(FASTA\)"),
    Case("GTF", "a.bed", b'chr1\tx\tgene\t5\t90\t.\t+\t.\tgene_id "g";\n', refused=r"annotation \(GTF or GFF\)"),
    Case("VCF", "a.bed", b"##fileformat=VCFv4.2\n#CHROM\tPOS\n", refused=r"variants \(VCF\)"),
    Case("web page", "a.bed.gz", b"<!DOCTYPE html><html>404</html>", refused=r"web page.*download the file again"),
    Case("CRAM", "a.bam", b"CRAM\3\0", refused=r"is a CRAM file.*samtools view -b"),
    Case("bzip2", "a.bed", bz2.compress(bed(READS)), refused=r"compressed by bzip2"),
    Case("xz", "a.bed.gz", lzma.compress(bed(READS)), refused=r"compressed by xz"),
    Case("gzip twice", "a.bed.gz", gzip.compress(gzip.compress(bed(READS))), refused=r"compressed twice"),
    Case("BAM named BED", "a.bed", bam(READS), refused=r"is a BAM file; name it .bam"),
    Case("bigWig named BED", "a.bed", bigwig({"chr1": 1}), refused=r"is a bigWig"),
    Case("UTF-16", "a.bed", bed(READS).decode().encode("utf-16"), refused=r"is UTF-16 text"),
    # Intervals that may be reads.
    Case(
        "domains",
        *("a.bed", bed([(chrom, start, start + 5_000) for chrom, start, _ in READS])),
        log=r"intervals are 5000 bp long in the median",
        page=("intervals longer than reads",),
    ),
    Case(
        "one start",
        *("a.bed", bed([(chrom, 3_400, 3_436) for chrom, _, _ in READS])),
        log=r"all 1000 reads start at 3400",
        page=("genes without signal", "all reads start at one position", "all counts even"),
    ),
    Case(
        "no read near a gene",
        *("a.bed", bed([(chrom, 20_000 + start, 20_036 + start) for chrom, start in (("chr1", 0), ("chr2", 9))])),
        log=r"H3K4me3 is 0 in every bin of every gene",
        page=("few reads", "genes without signal"),
    ),
    Case(
        "the same value everywhere",
        *("a.bw", bigwig({"chr1": 1, "chr2": 1}, raised=1)),
        log=r"H3K4me3 is 1 in every bin of every gene",
        page=("same value in every bin",),
    ),
    Case(
        "half of the reads on contigs",
        *("a.bed", bed([*READS, *(("chrUn_1", start, end) for _, start, end in READS)])),
        log=r"1000 reads left out.*chrUn_1",
        page=("reads elsewhere",),
    ),
]


def study_genes(others: Sequence[str] = ()) -> pd.DataFrame:
    places = [(chrom, 1_000 + 2_500 * number) for number in range(3) for chrom in ("chr1", "chr2")]
    places += [(chrom, tss) for chrom in others for tss in (5_000, 9_000)]
    table = pd.DataFrame(places, columns=["chrom", "tss"]).assign(strand="+")
    names = [f"ENSG{number:011d}" for number in range(len(table))]
    return table.assign(gene=names, symbol=names)


def dataset_of(path: Path, genes: pd.DataFrame) -> xr.Dataset:
    attributes = {"epigenome": "E1", "mark": MARK, "source": "data/reads.file"}
    signal = count_signal(path, genes, BINS, SIZES, options=ReadOptions(), statistic="mean", attributes=attributes)
    counts, labels, provenance = join_marks([signal], [MARK])
    split = pd.Series(np.repeat(["train", "valid", "test"], 2).tolist() + ["train"] * (len(genes) - 6))
    rpkm = pd.Series(np.arange(len(genes)) % 2 * 10.0 + np.arange(len(genes)) / 100, index=genes["gene"])
    expression = {"expression_source": "rpkm.tsv", "expression_sha256": "ab"}
    return build_dataset(genes, split, counts, rpkm, labels, {"epigenome": "E1", **expression, **provenance})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_file_is_read_rightly_warned_of_or_refused(
    case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / case.name
    if isinstance(case.content, bytes):
        path.write_bytes(case.content)
    else:
        case.content(path)
    genes = study_genes(case.others)
    if case.refused:
        with pytest.raises(UserError) as caught:
            dataset_of(path, genes)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert re.search(case.refused, message), message
        assert "; " in message
        assert "\n" not in message
        return
    with caplog.at_level(logging.INFO):
        dataset = dataset_of(path, genes)
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    if case.log:
        assert re.search(case.log, "\n".join(warned)), warned
        assert len(warned) == 1
    else:
        assert warned == []
    quality = quality_table(dataset, [], NO_OVERLAPS, ALL_GENES).assign(train_genes=1000)
    warnings = warnings_table(quality, sources_table(dataset, []))
    assert set(warnings["what"]) == set(case.page)
    assert all(advice.startswith("data/reads.file: ") for advice in warnings["advice"])
    if case.counted is not None:
        for (_, gene), row in zip(genes.iterrows(), dataset["counts"].sel(mark=MARK).values, strict=True):
            borders = gene.tss - 500 + 100 * np.arange(11)
            near = [(start, end) for chrom, start, end in case.counted if chrom == gene.chrom]
            assert row.tolist() == [
                sum(start < high and end > low for start, end in near) for low, high in pairwise(borders)
            ]
