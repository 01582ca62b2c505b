"""Signal of marks in any format, and how it is joined into one epigenome's dataset."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pytest
import xarray as xr

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.dataset import build_dataset
from chromattend.chromatin.expression import read_rpkm
from chromattend.chromatin.formats import PUBLISHED_MARKS
from chromattend.chromatin.genes import read_chrom_sizes
from chromattend.chromatin.reads import ReadOptions
from chromattend.chromatin.signal import PER_MARK, count_replicates, count_signal, import_binned, join_marks
from chromattend.errors import UserError
from chromattend.files import read_netcdf, write_netcdf

SIZES = {"chr1": 2000, "chr2": 900}
BINS = Bins(upstream=300, downstream=300, size=100)
READS = [("chr1", 690, 726), ("chr1", 1000, 1036), ("chr1", 1010, 1046), ("chr2", 5, 41)]


def signal_of(path: Path, genes: pd.DataFrame, statistic: str = "mean", **attributes: str) -> xr.Dataset:
    return count_signal(path, genes, BINS, SIZES, options=ReadOptions(), statistic=statistic, attributes=attributes)


@pytest.fixture
def table(genes: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return genes(("chr1", 1000, "+"), ("chr2", 100, "-"))


@pytest.fixture
def reads_file(write: Callable[..., Path], write_bam: Callable[..., Path]) -> Callable[[str], Path]:
    """Write `READS` under a name whose extension determines the format."""

    def make(name: str) -> Path:
        if name.endswith(".bam"):
            return write_bam(name, [(*read, 0) for read in READS], SIZES)
        return write(name, READS)

    return make


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("E003-H3K4me3.tagAlign.gz", "reads"),
        ("a.tagAlign", "reads"),
        ("a.bed", "reads"),
        ("a.BED.gz", "reads"),
        ("a.bam", "bam"),
    ],
)
def test_the_extension_determines_how_reads_are_read(
    reads_file: Callable[[str], Path], table: pd.DataFrame, name: str, kind: str
) -> None:
    path = reads_file(name)
    signal = signal_of(path, table, mark="H3K4me3", source="https://mirror.example/x")
    assert signal["counts"].dims == ("gene", "bin")
    assert signal["counts"].dtype == np.int32
    assert signal["counts"].values.tolist() == [[1, 0, 0, 2, 0, 0], [0, 0, 1, 0, 0, 0]]
    assert signal["gene"].values.tolist() == table["gene"].tolist()
    assert signal["bin"].values.tolist() == [-300, -200, -100, 0, 100, 200]
    assert signal["bin"].attrs["units"] == "bp"
    program = signal.attrs.pop("program")
    assert program.startswith("chromattend ")
    assert signal.attrs == {
        "mark": "H3K4me3",
        "source": "https://mirror.example/x",
        "format": kind,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "reads": 4,
        "reads_elsewhere": 0,
        "empty_chromosomes": "",
        "median_length": 36.0,
        "one_start": 0,
    }


@pytest.mark.parametrize("text", ["", "0" * 64 + "  a.bed\n", "SHA256 (a.bed) = " + "0" * 64 + "\n"])
def test_a_checksum_that_a_user_keeps_beside_a_file_is_not_trusted(
    reads_file: Callable[[str], Path], table: pd.DataFrame, text: str
) -> None:
    path = reads_file("a.bed")
    Path(f"{path}.sha256").write_text(text)
    assert signal_of(path, table).attrs["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(("statistic", "value"), [("mean", 1.25), ("sum", 125.0)])
@pytest.mark.parametrize("name", ["a.bw", "a.bigWig"])
def test_a_bigwig_gives_averages_and_no_number_of_reads(
    tmp_path: Path, table: pd.DataFrame, name: str, statistic: str, value: float
) -> None:
    with pyBigWig.open(str(tmp_path / name), "w") as file:
        file.addHeader(list(SIZES.items()))
        file.addEntries(["chr1"], [1050], ends=[1100], values=[2.5])
    signal = signal_of(tmp_path / name, table, statistic)
    assert signal["counts"].dtype == np.float32
    assert signal["counts"].values.tolist() == [[0, 0, 0, value, 0, 0], [0] * 6]
    assert signal.attrs["format"] == "bigwig"
    assert "reads" not in signal.attrs


def test_an_unknown_extension_is_refused(write: Callable[..., Path], table: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="has an unknown file extension"):
        signal_of(write("reads.txt", READS), table)


def test_marks_are_joined_in_their_order_with_the_provenance_of_each(
    reads_file: Callable[[str], Path], write: Callable[..., Path], table: pd.DataFrame
) -> None:
    marks = ["H3K4me3", "H3K27me3"]
    paths = [reads_file("one.bed"), write("two.bed", READS[1:2])]
    signals = [
        signal_of(path, table, mark=mark, epigenome="E003", source=f"of {mark}")
        for path, mark in zip(paths, marks, strict=True)
    ]
    counts, labels, provenance = join_marks(signals, marks)
    assert counts.dims == ("gene", "bin", "mark")
    assert counts.dtype == np.int32
    assert counts["mark"].values.tolist() == marks
    for mark, signal in zip(marks, signals, strict=True):
        np.testing.assert_array_equal(counts.sel(mark=mark), signal["counts"])
    assert labels is None
    assert provenance["H3K4me3_reads"] == 4
    assert provenance["H3K27me3_reads"] == 1
    assert provenance["H3K27me3_source"] == "of H3K27me3"
    assert provenance["H3K27me3_empty_chromosomes"] == "chr2"
    assert set(provenance) == {f"{mark}_{name}" for mark in marks for name in set(PER_MARK) - {"reads_excluded"}}


def test_marks_counted_around_other_genes_are_not_joined(
    reads_file: Callable[[str], Path], table: pd.DataFrame
) -> None:
    signals = [signal_of(reads_file("a.bed"), genes) for genes in (table, table.iloc[:1])]
    with pytest.raises(ValueError, match="gene"):
        join_marks(signals, ["H3K4me3", "H3K27me3"])


def test_marks_of_duplicated_genes_are_joined(reads_file: Callable[[str], Path], table: pd.DataFrame) -> None:
    twice = table.iloc[[0, 0, 1]].reset_index(drop=True)
    signals = [signal_of(reads_file(name), twice) for name in ("a.bed", "b.bed")]
    counts, _, _ = join_marks(signals, ["H3K4me3", "H3K27me3"])
    assert counts.sizes == {"gene": 3, "bin": 6, "mark": 2}
    np.testing.assert_array_equal(counts[0], counts[1])


def test_real_reads_become_the_published_dataset(
    real_data: Path, repository: Path, tmp_path: Path, covered: tuple[pd.DataFrame, dict[str, np.ndarray]]
) -> None:
    """All steps of one epigenome, through its files: counts and labels are the published ones."""
    table, published = covered
    rpkm = read_rpkm(real_data / "roadmap" / "57epigenomes.RPKM.pc.gz", "E003")
    signals = []
    for mark in PUBLISHED_MARKS:
        signal = count_signal(
            real_data / "chromatin" / f"E003-{mark}.demo_regions.tagAlign.gz",
            table,
            Bins(),
            read_chrom_sizes(repository / "resources" / "hg19.chrom.sizes"),
            options=ReadOptions(),
            statistic="mean",
            attributes={"epigenome": "E003", "mark": mark, "source": mark},
        )
        write_netcdf(signal, tmp_path / f"{mark}.nc")
        signals.append(read_netcdf(tmp_path / f"{mark}.nc"))
    counts, labels, provenance = join_marks(signals, PUBLISHED_MARKS)
    split = pd.Series(np.resize(["train", "valid", "test"], len(table)))
    dataset = build_dataset(table, split, counts, rpkm, labels, {"epigenome": "E003", **provenance})

    for mark in PUBLISHED_MARKS:
        np.testing.assert_array_equal(dataset["counts"].sel(mark=mark), published[mark])
    for name in ("label", "rpkm"):
        np.testing.assert_array_equal(dataset[name], published[name])

    binned = import_binned(
        [real_data / "chromatin" / "E003_759genes_deepchrome.csv.gz"],
        Bins(),
        PUBLISHED_MARKS,
        attributes={"epigenome": "E003", "source": "binned"},
    )
    counts, labels, provenance = join_marks([binned], PUBLISHED_MARKS)
    imported = build_dataset(table, split, counts, rpkm, labels, {"epigenome": "E003", **provenance})
    assert imported.attrs["doubled_marks"] == ""
    for name in ("counts", "label", "rpkm", "split"):
        np.testing.assert_array_equal(imported[name], dataset[name])


@pytest.mark.parametrize(("replicates", "factor", "kind"), [("pool", 1.0, np.integer), ("mean", 0.5, np.floating)])
def test_replicates_are_pooled_or_averaged(
    reads_file: Callable[[str], Path], table: pd.DataFrame, replicates: str, factor: float, kind: type
) -> None:
    first, second = reads_file("a.bed"), reads_file("b.bed")
    second.write_text("".join(second.read_text().splitlines(keepends=True)[:-1]))
    options: dict = {"options": ReadOptions(), "statistic": "mean", "attributes": {"source": "a.bed;b.bed"}}
    one, other = (count_signal(path, table, BINS, SIZES, **options) for path in (first, second))
    both = count_replicates([first, second], table, BINS, SIZES, replicates=replicates, **options)
    assert np.issubdtype(both["counts"].dtype, kind)
    assert np.array_equal(both["counts"].values, factor * (one["counts"].values + other["counts"].values))
    assert both.attrs["reads"] == one.attrs["reads"] + other.attrs["reads"] > one.attrs["reads"]
    assert both.attrs["sha256"] == f"{one.attrs['sha256']};{other.attrs['sha256']}"
    alone = count_replicates([first], table, BINS, SIZES, replicates=replicates, **options)
    xr.testing.assert_identical(alone, one)
