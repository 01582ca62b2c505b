"""Builders that several test files share."""

import gzip
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest

from chromattend.chromatin.genes import build_gene_table, read_annotation


@pytest.fixture
def genes() -> Callable[..., pd.DataFrame]:
    """Make a gene table of (chrom, tss, strand) rows."""

    def make(*rows: tuple[str, int, str]) -> pd.DataFrame:
        table = pd.DataFrame(rows, columns=["chrom", "tss", "strand"])
        table.insert(0, "gene", [f"ENSG{number:011d}" for number in range(1, len(rows) + 1)])
        table.insert(1, "symbol", [f"GENE{number}" for number in range(1, len(rows) + 1)])
        return table

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes | Sequence[tuple]], Path]:
    """Write a file, gzip-compressed if its name says so; rows of tuples become tab-separated lines."""

    def make(name: str, content: str | bytes | Sequence[tuple]) -> Path:
        if not isinstance(content, str | bytes):
            content = "".join("\t".join(map(str, row)) + "\n" for row in content)
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.lower().endswith(".gz") else data)
        return path

    return make


@pytest.fixture
def write_bam(tmp_path: Path) -> Callable[[str, Sequence[tuple], dict[str, int]], Path]:
    """Write reads (chrom, start, end or CIGAR, flag) as a sorted and indexed BAM file."""

    def make(name: str, rows: Sequence[tuple], sizes: dict[str, int]) -> Path:
        header = pysam.AlignmentHeader.from_references(list(sizes), list(sizes.values()))
        path, unsorted = tmp_path / name, tmp_path / "unsorted.bam"
        with pysam.AlignmentFile(str(unsorted), "wb", header=header) as file:
            for number, (chrom, start, end, flag) in enumerate(rows):
                read = pysam.AlignedSegment(header)
                read.query_name, read.flag, read.mapping_quality = f"read{number}", flag, 20
                read.reference_name, read.reference_start = chrom, start
                if not flag & pysam.FUNMAP:
                    read.cigarstring = end if isinstance(end, str) else f"{end - start}M"
                file.write(read)
        pysam.sort("-o", str(path), str(unsorted))
        pysam.index(str(path))
        return path

    return make


@pytest.fixture(scope="session")
def covered(real_data: Path) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The real genes whose windows the real reads cover, with their published counts by mark, label and RPKM."""
    truth = np.load(real_data / "chromatin" / "E003_union_counts.npz", allow_pickle=True)
    annotation = read_annotation(real_data / "roadmap" / "gencode_10_genes.gtf.gz")
    table = build_gene_table(annotation, pd.Index(truth["gene"]))
    assert table["gene"].tolist() == truth["gene"].tolist()
    regions = pd.read_csv(real_data / "chromatin" / "demo_regions.bed", sep="\t", names=["chrom", "start", "end"])
    pairs = table.reset_index().merge(regions, on="chrom")
    inside = pairs[(pairs["start"] <= pairs["tss"] - 5000) & (pairs["end"] >= pairs["tss"] + 5000)]
    rows = np.sort(inside["index"].unique())
    published = {mark: truth["X"][rows, :, index] for index, mark in enumerate(truth["marks"])}
    published |= {name: truth[name][rows] for name in ("label", "rpkm")}
    return table.iloc[rows].reset_index(drop=True), published


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads in the recurrence in C."""
    # Most tests here do not need torch, which takes seconds to import.
    import torch

    from chromattend.recurrence import use_threads

    before = torch.get_num_threads()
    use_threads(2)
    yield
    use_threads(1)
    torch.set_num_threads(before)
