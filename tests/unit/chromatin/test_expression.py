"""The expression matrix and the labels."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chromattend.chromatin.expression import label_by_median, read_matrix, read_rpkm, unit_of
from chromattend.errors import UserError

HEADER = "gene_id\tE000\tE003\n"


def test_labels_of_all_56_epigenomes_follow_the_median(real_data: Path, repository: Path) -> None:
    path = real_data / "roadmap" / "57epigenomes.RPKM.pc.gz"
    sheet = pd.read_csv(repository / "config" / "epigenomes.tsv", sep="\t")
    assert sheet["epigenome"].nunique() == len(sheet) == 56
    assert "E000" not in set(sheet["epigenome"])  # the universal reference
    with gzip.open(path, "rt") as file:
        header = file.readline().split()
        rows = [line.split() for line in file]
    genes, values = [row[0] for row in rows], np.array([row[1:] for row in rows], dtype=float)
    for epigenome in sheet["epigenome"]:
        column = values[:, header.index(epigenome) - 1]
        middle = np.sort(column)[len(column) // 2]  # 19,795 values: the median is one of them
        assert np.array_equal(label_by_median(pd.Series(column, genes)), column > middle), epigenome
    # The trailing tab moves no column.
    for epigenome in ("E003", "E070", "E128"):
        rpkm = read_rpkm(path, epigenome)
        assert rpkm.index.tolist() == genes
        assert np.array_equal(rpkm, values[:, header.index(epigenome) - 1])
    assert label_by_median(read_rpkm(path, "E003")).sum() == 9_897


@pytest.mark.parametrize("end", ["\t", "", "\t\r", "\r"])
@pytest.mark.parametrize("name", ["m.tsv", "m.pc.gz"])
def test_rows_may_end_in_a_tab(write: Callable[..., Path], end: str, name: str) -> None:
    path = write(name, f"gene_id\tE000\tE003\nENSG00000000003.9\t1.0\t2.5{end}\nB\t3.0\t0.0{end}\n")
    assert read_rpkm(path, "E003").to_dict() == {"ENSG00000000003": 2.5, "B": 0.0}
    assert read_rpkm(path, "E000").to_dict() == {"ENSG00000000003": 1.0, "B": 3.0}
    assert read_matrix(path, []).index.tolist() == ["ENSG00000000003", "B"]


@pytest.mark.parametrize("text", ["NA", "nan", "", "x", "-1", "inf", "1,5"])
def test_a_bad_value_is_named(write: Callable[..., Path], text: str) -> None:
    path = write("m.tsv", f"{HEADER}A\t1.0\t2.0\t\nB\t1.0\t{text}\t\n")
    with pytest.raises(UserError) as caught:
        read_rpkm(path, "E003")
    assert str(caught.value).startswith(f"{path}: line 3: E003 of B is {text!r}, not a non-negative number; ")
    # Another epigenome's column is not read.
    assert len(read_rpkm(path, "E000")) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["is empty"]),
        (HEADER, ["no gene"]),
        ("gene\tE003\nA\t1\n", ["line 1", "no column 'gene_id'"]),
        ("gene_id\tE03\nA\t1\n", ["line 1", "no column 'E003', did you mean 'E03'?"]),
        (HEADER + "A\t1\t2\nB\t1\t2\nA\t1\t2\n", ["line 4: gene A is also on line 2"]),
        (HEADER + "A\t1\t2\nB\t1\n", ["line 3: has 2 columns, but line 1 has 3"]),
        # Two lines that were joined, and a cell too many, which would move all cells after it.
        (HEADER + "A\t1\t2\t\nB\t1\t2\tC\t1\t2\t\n", ["line 3: has 6 columns, but line 1 has 3"]),
        (HEADER + "A\t1\t2\nB\t9\t1\t2\n", ["line 3: has 4 columns, but line 1 has 3"]),
        (HEADER + "A\t1\t2\n\nB\t1\t2\n", ["line 3"]),
    ],
)
def test_a_bad_matrix_is_refused(write: Callable[..., Path], content: str, words: list[str]) -> None:
    path = write("m.tsv", content)
    with pytest.raises(UserError) as caught:
        read_rpkm(path, "E003")
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


@pytest.mark.parametrize("content", ["", HEADER])
def test_a_compressed_matrix_without_genes_is_refused(write: Callable[..., Path], content: str) -> None:
    with pytest.raises(UserError, match="give the RPKM matrix"):
        read_rpkm(write("m.pc.gz", content), "E003")


def test_a_truncated_matrix_is_refused(write: Callable[..., Path]) -> None:
    path = write("m.pc.gz", HEADER + "".join(f"G{number}\t1\t{number}\t\n" for number in range(3000)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match="truncated or damaged"):
        read_rpkm(path, "E003")


COUNTS = (
    "# Program:featureCounts v2.0.6; Command: featureCounts -a genes.gtf a.bam\n"
    "Geneid\tChr\tStart\tEnd\tStrand\tLength\tdata/E003.bam\t/x/E004.sorted.bam\n"
    "ENSG00000000001.4\tchr1;chr1\t1;50\t20;90\t+;+\t1000\t10\t0\n"
    "ENSG00000000002\tchr1\t1\t2\t-\t4000\t120\t7\n"
)


def test_counts_of_feature_counts_become_tpm(write: Callable[..., Path]) -> None:
    path = write("counts.txt", COUNTS)
    table = read_matrix(path, ["E004", "E003"])
    assert table.index.tolist() == ["ENSG00000000001", "ENSG00000000002"]
    # 10 reads of 1 kb and 120 of 4 kb: rates of 10 and 30.
    assert table["E003"].tolist() == [250_000, 750_000]
    assert table["E004"].tolist() == [0, 1_000_000]
    assert unit_of(path) == "TPM"
    assert unit_of(write("m.tsv", HEADER)) == ""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("data/E003.bam", "data/E03.bam", "line 2: has no column of 'E003', did you mean 'E03'?; name the epigenome"),
        ("data/E003.bam\t/x/E004.sorted", "E003.a.bam\tE003.b", "E003.a.bam, E003.b.bam, which all begin with 'E003'"),
        ("\t4000\t", "\t0\t", "line 4: Length of ENSG00000000002 is '0', not a number above 0; repair it"),
        ("\t120\t", "\t-1\t", "line 4: E003 of ENSG00000000002 is '-1', not a non-negative number"),
    ],
)
def test_bad_output_of_feature_counts_is_refused(write: Callable[..., Path], old: str, new: str, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read_rpkm(write("counts.txt", COUNTS.replace(old, new)), "E003")
    assert words in str(caught.value)


def test_ties_at_the_median_are_off() -> None:
    labels = label_by_median(pd.Series([0.0, 1.0, 1.0, 1.0, 2.0], index=list("ABCDE")))
    assert labels.to_dict() == {"A": 0, "B": 0, "C": 0, "D": 0, "E": 1}
