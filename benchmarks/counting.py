"""Speed and memory of counting reads and of averaging a bigWig, compared with programs that do the same or less.

    .venv/bin/python benchmarks/counting.py --reads 5 --output counting.json
    .venv/bin/python benchmarks/counting.py --reads 5 --read-curve 1 3 10 30 --gene-curve 2000 6000 20000 60000

Reads of 36 bp and genes are placed at random on hg19, in temporary files. The library runs in one process on one core,
and is timed within it, without the start-up of Python. Programs that are not installed are skipped with a message.
"""

import argparse
import functools
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyBigWig
import pysam
from isal import igzip
from side_by_side import Program, median_ratio, side_by_side

from chromattend.chromatin.bigwig import bin_bigwig
from chromattend.chromatin.bins import Bins
from chromattend.chromatin.count import count_reads
from chromattend.chromatin.genes import read_chrom_sizes
from chromattend.chromatin.reads import read_bam, read_intervals

SIZES = read_chrom_sizes(Path(__file__).parents[1] / "resources/hg19.chrom.sizes")
LENGTHS = np.array(list(SIZES.values()))
READ = 36
RUN = 500  # mean length of a bigWig's runs of one value (bp)
# Number of genes for programs that look up every bin in an index, which take minutes for all genes.
INDEXED_GENES = 500
# Fields of a BAM record of one CIGAR operation (SAM specification, section 4.2).
RECORD = np.dtype(
    [
        *(("length", "<i4"), ("chrom", "<i4"), ("start", "<i4"), ("name_length", "u1"), ("mapq", "u1"), ("bin", "<u2")),
        *(("operations", "<u2"), ("flag", "<u2"), ("bases", "<i4"), ("mate", "<i4"), ("mate_start", "<i4")),
        *(
            ("template", "<i4"),
            ("name", "S13"),
            ("cigar", "<u4"),
            ("sequence", "u1", READ // 2),
            ("quality", "u1", READ),
        ),
    ]
)


def random_places(number: int, room: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw positions at least `room` bp before the chromosome's end: chromosome index, and bp from 0."""
    generator = np.random.default_rng(seed)
    codes = generator.choice(len(LENGTHS), number, p=LENGTHS / LENGTHS.sum())
    return codes, (generator.random(number) * (LENGTHS[codes] - room)).astype(np.int64)


def random_reads(number: int, in_order: bool) -> tuple[np.ndarray, np.ndarray]:
    """Draw reads: chromosome index, and first base."""
    codes, starts = random_places(number, READ, seed=3)
    order = np.lexsort((starts, codes)) if in_order else np.arange(number)
    return codes[order], starts[order]


def random_genes(number: int) -> pd.DataFrame:
    """Draw a table of genes."""
    codes, tss = random_places(number, 1, seed=1)
    strand = np.random.default_rng(2).choice(["+", "-"], number)
    return pd.DataFrame({"chrom": np.array(list(SIZES))[codes], "tss": tss + 1, "strand": strand})


def write_tag_align(path: Path, number: int, in_order: bool = True) -> Path:
    """Write reads as tagAlign, compressed with gzip."""
    codes, starts = random_reads(number, in_order)
    chroms = pa.DictionaryArray.from_arrays(codes.astype(np.int32), list(SIZES)).cast(pa.string())
    strand = pa.array(np.random.default_rng(4).choice(["+", "-"], number))
    columns = [chroms, starts, starts + READ, pa.array(["N"]).take(np.zeros(number, np.int32))]
    table = pa.table([*columns, pa.array(np.full(number, 1000)), strand], names=list("abcdef"))
    options = pa.csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    with pa.CompressedOutputStream(str(path), "gzip") as stream:
        pa.csv.write_csv(table, stream, options)
    return path


def write_bam(path: Path, number: int, in_order: bool = True) -> Path:
    """Write reads with random bases and qualities as BAM, in blocks that start with a record, as htslib's do."""
    codes, starts = random_reads(number, in_order)
    generator = np.random.default_rng(4)
    header = pysam.AlignmentHeader.from_references(list(SIZES), list(SIZES.values()))
    with pysam.AlignmentFile(str(path), "wb", header=header):
        pass
    records = np.zeros(number, RECORD)
    records["length"], records["chrom"], records["start"] = RECORD.itemsize - 4, codes, starts
    records["name_length"], records["mapq"], records["operations"], records["cigar"] = 13, 30, 1, READ << 4
    records["bases"], records["mate"], records["mate_start"] = READ, -1, -1
    records["flag"] = generator.choice([0, 16], number)
    records["name"] = np.char.zfill(np.arange(number).astype("S12"), 12)
    bases = generator.choice(np.array([1, 2, 4, 8], np.uint8), (number, READ))
    records["sequence"] = bases[:, ::2] << 4 | bases[:, 1::2]
    records["quality"] = generator.integers(30, 41, (number, READ), dtype=np.uint8)
    whole = path.read_bytes()
    end = 28  # bytes of the empty block that ends a BAM file
    with open(path, "wb") as file:
        file.write(whole[:-end])
        at_once = 65_280 // RECORD.itemsize
        for row in range(0, number, at_once):
            data = records[row : row + at_once].tobytes()
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            packed = packer.compress(data) + packer.flush()
            file.write(b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + (len(packed) + 25).to_bytes(2, "little"))
            file.write(packed + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little"))
        file.write(whole[-end:])
    return path


def write_bigwig(path: Path) -> Path:
    """Write a signal without gaps, in runs of one value."""
    generator = np.random.default_rng(5)
    with pyBigWig.open(str(path), "w") as file:
        file.addHeader(list(SIZES.items()))
        for chrom, size in SIZES.items():
            ends = np.cumsum(generator.geometric(1 / RUN, max(size // RUN, 1)))
            ends = np.append(ends[ends < size], size)
            begins, values = np.append(0, ends[:-1]), np.round(generator.exponential(1.0, len(ends)), 4)
            file.addEntries([chrom] * len(ends), begins.tolist(), ends=ends.tolist(), values=values.tolist())
    return path


def write_bins(path: Path, genes: pd.DataFrame) -> Path:
    """Write the bins as BED, one line per bin; a bin before a chromosome's start becomes its first base."""
    bins = Bins()
    starts = (bins.starts(genes)[:, None] + np.arange(bins.number) * bins.size).ravel()
    chroms = np.repeat(genes["chrom"].to_numpy(), bins.number)
    table = pd.DataFrame({"chrom": chroms, "start": starts.clip(0), "end": (starts + bins.size).clip(1)})
    table.to_csv(path, sep="\t", header=False, index=False)
    return path


def count(path: Path, genes: pd.DataFrame) -> np.ndarray:
    """Count reads, or average a bigWig, with the library."""
    if path.suffix == ".bw":
        return bin_bigwig(path, genes, Bins(), SIZES)[0]
    reader = read_bam if path.suffix == ".bam" else read_intervals
    return count_reads(reader(path, None, SIZES), genes, Bins(), SIZES, path)[0]


def decompress(path: Path) -> None:
    """Decompress with isal and discard the text, as a lower bound."""
    buffer = bytearray(1 << 20)
    with igzip.open(path) as stream:
        while stream.readinto(buffer):
            pass


def read_windows(path: Path, genes: pd.DataFrame) -> None:
    """Read a bigWig's values around genes and discard them."""
    width = Bins().number * Bins().size
    with pyBigWig.open(str(path)) as file:
        for chrom, start in zip(genes["chrom"], Bins().starts(genes), strict=True):
            file.values(chrom, max(start, 0), min(start + width, SIZES[chrom]), numpy=True)


def peak_memory(path: Path, genes: int) -> float:
    """Count in a separate process, and return its peak memory (MB)."""
    command = [sys.executable, __file__, "--child", str(path), str(genes)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def child(path: Path, genes: int) -> None:
    """Do the work of `peak_memory`; getrusage would start at the parent's memory and be too high."""
    count(path, random_genes(genes))
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(int(peak[1]) / 1024 if peak else "nan")


def installed(*command: str | Path) -> list[str] | None:
    """Return the command line, or None if its program is not on PATH."""
    return [str(part) for part in command] if shutil.which(str(command[0])) else None


def measure(
    name: str, path: Path, reads: int, genes: int, repeats: int, others: Mapping[str, Program | None]
) -> list[dict]:
    """Time the counting of a file against other programs (None: not installed), and print and return the rows."""
    available = {other: program for other, program in others.items() if program is not None}
    for other in others.keys() - available.keys():
        print(f"{name}\t{other}\tnot installed", flush=True)
    if not available:
        return []
    seconds = side_by_side({"ours": functools.partial(count, path, random_genes(genes)), **available}, repeats)
    memory, rows = peak_memory(path, genes), []
    for other in available:
        ours, theirs = statistics.median(seconds["ours"]), statistics.median(seconds[other])
        ratio = median_ratio(seconds["ours"], seconds[other])
        about = {"name": name, "beside": other, "reads": reads, "genes": genes, "repeats": repeats}
        rows.append({**about, "ours_s": ours, "other_s": theirs, "ratio": ratio, "memory_mb": memory})
        print(f"{name}\t{other}\t{ours:.3f}\t{theirs:.3f}\t{ratio:.3f}\t{memory:.0f}", flush=True)
    return rows


def measure_all(options: argparse.Namespace, folder: Path) -> list[dict]:
    """Create the data and run all measurements."""
    number, genes, repeats = int(options.reads * 1e6), options.genes, options.repeats
    bins = write_bins(folder / "bins.bed", random_genes(genes))
    few_bins = write_bins(folder / "few.bed", random_genes(INDEXED_GENES))
    print("what\tbeside\tours_s\tother_s\tratio\tmemory_mb", flush=True)
    rows = []
    for order in ("sorted", "unsorted"):
        tags = write_tag_align(folder / f"{order}.tagAlign.gz", number, order == "sorted")
        others: dict[str, Program | None] = {
            "isal": functools.partial(decompress, tags),
            "zcat": installed("zcat", tags),
            "bedtools intersect -c": installed("bedtools", "intersect", "-c", "-a", bins, "-b", tags),
        }
        rows += measure(f"{order} tagAlign.gz", tags, number, genes, repeats, others)
        bam = write_bam(folder / f"{order}.bam", number, order == "sorted")
        rows += measure(
            f"{order} BAM", bam, number, genes, repeats, {"samtools view -c": installed("samtools", "view", "-c", bam)}
        )
    bam = folder / "sorted.bam"
    pysam.index(str(bam))
    deeptools = ("multiBamSummary", "BED-file", "--bamfiles", bam, "--BED", few_bins, "-o", folder / "few.npz")
    others = {
        "bedtools multicov": installed("bedtools", "multicov", "-bams", bam, "-bed", few_bins),
        "multiBamSummary": installed(*deeptools),
    }
    rows += measure(f"sorted BAM, {INDEXED_GENES} genes", bam, number, INDEXED_GENES, repeats, others)
    signal = write_bigwig(folder / "signal.bw")
    others = {"pyBigWig values": functools.partial(read_windows, signal, random_genes(genes))}
    rows += measure("bigWig", signal, 0, genes, repeats, others)
    curves = [(f"{reads:g} M reads", int(reads * 1e6), genes) for reads in options.read_curve]
    curves += [(f"{some} genes", number, some) for some in options.gene_curve]
    for name, reads, some in curves:
        path = folder / f"{reads}.tagAlign.gz"
        if not path.exists():
            write_tag_align(path, reads)
        rows += measure(name, path, reads, some, repeats, {"isal": functools.partial(decompress, path)})
    return rows


def main() -> None:
    """Parse the command line, measure, and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reads", type=float, default=2.0, help="reads per file, in millions")
    parser.add_argument("--genes", type=int, default=19_802)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--read-curve", type=float, nargs="*", default=[1, 2, 4], help="numbers of reads, in millions")
    parser.add_argument("--gene-curve", type=int, nargs="*", default=[2_000, 20_000, 60_000], help="numbers of genes")
    parser.add_argument("--output", type=Path, help="JSON file for the rows")
    parser.add_argument("--child", nargs=2, metavar=("FILE", "GENES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(Path(options.child[0]), int(options.child[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = measure_all(options, Path(folder))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
