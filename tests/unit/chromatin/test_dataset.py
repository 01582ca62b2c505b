"""Splits, overlaps and the dataset of one epigenome."""

import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.dataset import SPLITS, assign_split, build_dataset, overlaps_across_splits, part_sizes
from chromattend.chromatin.expression import read_matrix
from chromattend.chromatin.genes import build_gene_table, read_annotation
from chromattend.errors import UserError
from chromattend.files import read_netcdf, write_netcdf

BINS = Bins(upstream=200, downstream=200, size=100)
MARKS = ["H3K4me3", "H3K27me3"]


@pytest.fixture
def table(genes: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return genes(*[(f"chr{number % 4 + 1}", 1000 * number + 1000, "+-"[number % 2]) for number in range(24)])


@pytest.mark.parametrize(
    ("total", "fractions", "sizes"),
    [
        (19_802, [1, 1, 1], [6601, 6601, 6600]),
        (19_795, [1, 1, 1], [6599, 6598, 6598]),
        (759, [3, 1, 1], [455, 152, 152]),
        (10, [0.8, 0.1, 0.1], [8, 1, 1]),
        (3, [1, 1, 1], [1, 1, 1]),
    ],
)
def test_parts_have_the_sizes_of_their_fractions(total: int, fractions: list[float], sizes: list[int]) -> None:
    assert part_sizes(total, fractions) == sizes


def test_random_splits_follow_their_seed(table: pd.DataFrame) -> None:
    first = assign_split(table, "random", seed=3)
    assert first.tolist() == assign_split(table, "random", seed=3).tolist()
    assert first.tolist() != assign_split(table, "random", seed=4).tolist()
    assert first.value_counts().to_dict() == {"train": 8, "valid": 8, "test": 8}


def test_rows_of_one_gene_stay_together(table: pd.DataFrame) -> None:
    twice = pd.concat([table, table]).sort_values("gene", ignore_index=True)
    for seed in range(5):
        split = assign_split(twice, "random", seed=seed)
        assert split.groupby(twice["gene"]).nunique().max() == 1


def test_chromosomes_are_held_out(table: pd.DataFrame) -> None:
    split = assign_split(table, "chromosome", valid_chromosomes=["chr2"], test_chromosomes=["chr3", "chr4"])
    assert split.groupby(table["chrom"]).unique().str[0].to_dict() == {
        "chr1": "train",
        "chr2": "valid",
        "chr3": "test",
        "chr4": "test",
    }


def test_an_empty_part_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(UserError, match="no gene is in the valid part"):
        assign_split(table, "chromosome", valid_chromosomes=["chr9"], test_chromosomes=["chr1"])
    for mode in ("random", "sequential"):
        with pytest.raises(UserError, match="no gene is in the test part"):
            assign_split(table, mode, fractions=[1, 1, 0])


@pytest.fixture(scope="module")
def reproduced(real_data: Path) -> pd.DataFrame:
    """The papers' 19,802 genes."""
    return build_gene_table(
        read_annotation(real_data / "roadmap" / "gencode_10_genes.gtf.gz"),
        read_matrix(real_data / "roadmap" / "57epigenomes.RPKM.pc.gz", []).index,
        mode="reproduction",
    )


def test_genes_that_the_papers_list_twice_stay_together(reproduced: pd.DataFrame) -> None:
    sequential = assign_split(reproduced, "sequential")
    assert sequential.groupby(reproduced["gene"]).nunique().max() == 1
    unique = sequential[~reproduced["gene"].duplicated()]
    assert unique.value_counts().to_dict() == {"train": 6599, "valid": 6599, "test": 6597}
    shuffled = assign_split(reproduced, "random", seed=1)
    assert shuffled.groupby(reproduced["gene"]).nunique().max() == 1
    assert shuffled[~reproduced["gene"].duplicated()].value_counts().tolist() == [6599, 6598, 6598]


def test_overlap_of_the_published_split_is_as_measured(reproduced: pd.DataFrame) -> None:
    """17.8 % of the test windows overlap a window of train or validation."""
    split = assign_split(reproduced, "sequential")
    pairs = overlaps_across_splits(reproduced, split, Bins())
    tested = pairs.loc[pairs["other_split"] == "test", "other_gene"].nunique()
    assert round(tested / (split == "test").sum(), 3) == 0.178


@pytest.mark.parametrize(("distance", "shared"), [(399, [1]), (400, []), (401, [])])
def test_windows_that_touch_share_nothing(genes: Callable[..., pd.DataFrame], distance: int, shared: list[int]) -> None:
    table = genes(("chr1", 1000, "+"), ("chr1", 1000 + distance, "+"), ("chr2", 1000, "+"))
    pairs = overlaps_across_splits(table, pd.Series(["test", "train", "valid"]), BINS)
    assert pairs["shared_bp"].tolist() == shared
    # The gene of the earlier part is first, wherever the gene is.
    assert pairs["split"].tolist() == ["train"] * len(shared)


@pytest.mark.parametrize("flip", [False, True])
def test_overlaps_equal_those_of_a_pairwise_search(genes: Callable[..., pd.DataFrame], flip: bool) -> None:
    generator = np.random.default_rng(5)
    bins = Bins(upstream=300, downstream=100, size=100, flip_strand=flip)
    for _ in range(20):
        rows = [
            (str(generator.choice(["chr1", "chr2"])), int(tss), str(generator.choice(["+", "-"])))
            for tss in generator.integers(500, 4000, 15)
        ]
        table = genes(*rows)
        split = pd.Series(generator.choice(SPLITS, 15))
        starts = bins.starts(table)
        expected = set()
        for one in range(15):
            for two in range(15):
                shared = 400 - abs(int(starts[one] - starts[two]))
                if (
                    SPLITS.index(split[one]) < SPLITS.index(split[two])
                    and table.chrom[one] == table.chrom[two]
                    and shared > 0
                ):
                    expected.add((table.gene[one], table.gene[two], shared))
        overlaps = overlaps_across_splits(table, split, bins)
        assert set(zip(overlaps["gene"], overlaps["other_gene"], overlaps["shared_bp"], strict=True)) == expected


@pytest.fixture
def parts(table: pd.DataFrame) -> dict:
    generator = np.random.default_rng(2)
    counts = xr.DataArray(
        generator.poisson(3, (24, BINS.number, 2)).astype(np.int32),
        dims=("gene", "bin", "mark"),
        coords={"gene": table["gene"].to_numpy(str), "bin": BINS.offsets, "mark": MARKS},
    )
    return {
        "genes": table,
        "split": assign_split(table, "sequential"),
        "counts": counts,
        "rpkm": pd.Series(np.arange(24) % 5, index=table["gene"], dtype=float),
        "published_labels": None,
        "attributes": {"epigenome": "E003", "genome": "hg19"},
    }


def test_the_dataset_has_everything_that_models_need(parts: dict) -> None:
    dataset = build_dataset(**parts)
    assert dict(dataset.sizes) == {"gene": 24, "bin": 4, "mark": 2}
    assert dataset["counts"].dims == ("gene", "bin", "mark")
    assert dataset["counts"].dtype == np.int32
    assert dataset["bin"].values.tolist() == [-200, -100, 0, 100]
    assert dataset["label"].values.tolist() == [int(value > 2) for value in np.arange(24) % 5]
    assert set(dataset.coords) == {"gene", "bin", "mark", "symbol", "chrom", "strand", "tss"}
    assert dataset["label"].dtype == np.int8
    assert dataset["rpkm"].dtype == np.float64
    assert dataset["rpkm"].values.tolist() == (np.arange(24) % 5).tolist()
    assert dataset["split"].values.tolist() == parts["split"].tolist()
    assert dataset["mark"].values.tolist() == MARKS
    for name in ("gene", "symbol", "chrom", "strand", "tss"):
        assert dataset[name].values.tolist() == parts["genes"][name].tolist()
    assert dataset["tss"].attrs == {"units": "bp"}
    assert dataset["rpkm"].attrs == {"units": "RPKM"}
    assert "median" in dataset["label"].attrs["long_name"]
    program = dataset.attrs.pop("program")
    assert program.startswith("chromattend ")
    assert dataset.attrs == {"epigenome": "E003", "genome": "hg19", "genes_left_out": 0}


def test_genes_without_counts_are_left_out_and_counted(parts: dict, caplog: pytest.LogCaptureFixture) -> None:
    shuffled = parts["counts"].isel(gene=np.random.default_rng(1).permutation(24)[:20])
    dataset = build_dataset(**parts | {"counts": shuffled})
    assert dataset.attrs["genes_left_out"] == 4
    assert "4 genes have no counts" in caplog.text
    for gene in dataset["gene"].values:
        assert (dataset["counts"].sel(gene=gene) == parts["counts"].sel(gene=gene)).all()
    assert dataset["gene"].values.tolist() == sorted(shuffled["gene"].values)


def test_a_duplicated_gene_takes_its_counts_in_order(parts: dict) -> None:
    doubled = pd.concat([parts["genes"], parts["genes"].iloc[[0]].assign(symbol="AGAIN")]).sort_values(
        ["gene", "symbol"], ignore_index=True
    )
    counts = xr.concat([parts["counts"], parts["counts"].isel(gene=[0]) + 100], "gene")
    dataset = build_dataset(
        **parts | {"genes": doubled, "split": assign_split(doubled, "sequential"), "counts": counts}
    )
    assert dataset.sizes["gene"] == 25
    assert (dataset["counts"].values[1] == dataset["counts"].values[0] + 100).all()


def test_published_labels_replace_the_median_rule(parts: dict) -> None:
    labels = xr.DataArray(np.tile([1, 0], 12).astype(np.int8), dims="gene", coords={"gene": parts["counts"]["gene"]})
    dataset = build_dataset(**parts | {"published_labels": labels})
    assert dataset["label"].values.tolist() == [1, 0] * 12
    assert dataset["label"].attrs == {"long_name": "1: ON, as published"}


def test_the_median_is_that_of_all_genes_not_of_those_with_counts(parts: dict) -> None:
    others = pd.Series([100.0] * 24, index=[f"other{number}" for number in range(24)])
    rpkm = pd.concat([pd.Series(np.arange(24.0) % 5 * 40, index=parts["genes"]["gene"]), others])
    dataset = build_dataset(**parts | {"rpkm": rpkm})
    assert dataset["label"].values.tolist() == [int(value > 2) for value in np.arange(24) % 5]
    assert dataset.attrs["genes_left_out"] == 0


def test_a_part_of_one_class_is_refused(parts: dict) -> None:
    with pytest.raises(UserError) as caught:
        build_dataset(**parts | {"rpkm": pd.Series([0.0] * 8 + list(range(1, 17)), index=parts["genes"]["gene"])})
    assert "E003: the train part has 0 ON and 8 OFF genes" in str(caught.value)


@pytest.mark.parametrize(
    ("others", "value", "log"),
    [
        (0, 0, None),
        (12, 0, "75 % of the 24 genes are ON: the median of its RPKM, 6.5, is over all 36 genes .* 12 of which"),
        (12, 99, "25 % of the 24 genes are ON: the median of its RPKM, 18.5"),
    ],
)
def test_a_median_over_other_genes_is_warned_of(
    parts: dict, caplog: pytest.LogCaptureFixture, others: int, value: float, log: str | None
) -> None:
    genes = parts["genes"]["gene"]
    # Far apart, so that each part of the split has both labels.
    rpkm = pd.Series(np.arange(24) * 7 % 24 + 1.0, index=genes)
    matrix = pd.concat([rpkm, pd.Series(float(value), index=[f"NC{number}" for number in range(others)])])
    build_dataset(**parts | {"rpkm": matrix})
    assert bool(caplog.messages) == bool(log)
    assert re.search(log or "", caplog.text)


@pytest.mark.parametrize(
    ("rpkm", "others", "reason"),
    [
        (
            np.arange(24) + 1.0,
            60,
            "all 24 genes are ON: the median .* RPKM, 0, .* 60 of which .*; give a matrix of",
        ),
        (np.ones(24), 0, "all 24 genes are OFF: 24 of them have exactly the median RPKM, 1; give finer values"),
    ],
)
def test_labels_of_one_class_are_refused_with_their_cause(
    parts: dict, rpkm: np.ndarray, others: int, reason: str
) -> None:
    matrix = pd.Series(np.append(rpkm, np.zeros(others)), index=[*parts["genes"]["gene"], *map(str, range(others))])
    with pytest.raises(UserError, match=reason):
        build_dataset(**parts | {"rpkm": matrix})


def test_a_source_without_the_studys_genes_is_refused(parts: dict) -> None:
    other = parts["counts"].assign_coords(gene=[f"X{number}" for number in range(24)])
    with pytest.raises(UserError, match="none of the study's genes"):
        build_dataset(**parts | {"counts": other})


def test_a_dataset_is_read_as_it_was_written_in_the_same_bytes(parts: dict, tmp_path: Path) -> None:
    dataset = build_dataset(**parts)
    write_netcdf(dataset, tmp_path / "one.nc")
    write_netcdf(dataset, tmp_path / "two.nc")
    assert (tmp_path / "one.nc").read_bytes() == (tmp_path / "two.nc").read_bytes()
    xr.testing.assert_identical(read_netcdf(tmp_path / "one.nc"), dataset)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.nc", "two.nc"]
    with h5py.File(tmp_path / "one.nc") as file:  # without a creation time, which would differ
        assert not any(file[name].id.get_create_plist().get_obj_track_times() for name in dataset.variables)


@pytest.mark.parametrize("content", [b"", b"no netCDF", None])
def test_a_damaged_dataset_is_refused(parts: dict, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "d.nc"
    write_netcdf(build_dataset(**parts), path)
    path.write_bytes(path.read_bytes()[:700] if content is None else content)
    with pytest.raises(UserError, match="not a readable netCDF"):
        read_netcdf(path)
