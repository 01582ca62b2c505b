"""The authors' binned CSV files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chromattend.chromatin.binned import doubled_marks, read_binned
from chromattend.chromatin.bins import Bins
from chromattend.chromatin.formats import PUBLISHED_MARKS
from chromattend.chromatin.signal import import_binned, join_marks
from chromattend.errors import UserError

BINS = Bins(upstream=100, downstream=100, size=100)
ROWS = [
    ("000003", 1, 0, 1, 2, 3, 4, 1),
    ("000003", 2, 5, 6, 7, 8, 9, 1),
    ("273000", 1, 0, 0, 0, 2, 0, 0),
    ("273000", 2, 1, 0, 0, 4, 0, 0),
]


def csv(rows: list[tuple]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in rows)


def test_the_real_file_has_the_published_counts(real_data: Path) -> None:
    truth = np.load(real_data / "chromatin" / "E003_union_counts.npz", allow_pickle=True)
    genes, counts, labels = read_binned([real_data / "chromatin" / "E003_759genes_deepchrome.csv.gz"], Bins())
    assert genes.tolist() == truth["gene"].tolist()
    assert truth["marks"].tolist() == list(PUBLISHED_MARKS)
    assert np.array_equal(counts, truth["X"])
    assert np.array_equal(labels, truth["label"])
    assert doubled_marks(counts, PUBLISHED_MARKS) == []
    counts[:, :, 3] *= 2
    assert doubled_marks(counts, PUBLISHED_MARKS) == ["H3K4me3"]


def test_parts_are_joined_in_order(write: Callable[..., Path]) -> None:
    full = [("ENSG00000000005.4", *row[1:]) for row in ROWS[2:]]
    paths = [
        write("train.csv", csv(ROWS[2:])),
        write("valid.csv.gz", csv(ROWS[:2])),
        write("test.csv", csv(full).replace("\n", "\r\n")),
    ]
    genes, counts, labels = read_binned(paths, BINS)
    assert genes.tolist() == ["ENSG00000273000", "ENSG00000000003", "ENSG00000000005"]
    last = [[0, 0, 0, 2, 0], [1, 0, 0, 4, 0]]
    assert counts.tolist() == [last, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], last]
    assert labels.tolist() == [0, 1, 0]
    assert (counts.dtype, labels.dtype) == (np.int32, np.int8)


def test_an_error_names_the_part_that_has_it(write: Callable[..., Path]) -> None:
    paths = [write("train.csv", csv(ROWS)), write("valid.csv", changed(2, 1, 2)), write("test.csv", csv(ROWS))]
    with pytest.raises(UserError) as caught:
        read_binned(paths, BINS)
    assert str(caught.value).startswith(f"{paths[1]}: line 3: ")


def test_real_counts_do_not_fit_other_bins(real_data: Path) -> None:
    path = real_data / "chromatin" / "E003_759genes_deepchrome.csv.gz"
    with pytest.raises(UserError, match=r"line 51: bins of gene 000003 .* at bin 51; give every gene bins 1 to 50"):
        read_binned([path], Bins(size=200))


@pytest.mark.parametrize("cut", [-1, -20, 30])
def test_a_truncated_file_is_refused(write: Callable[..., Path], cut: int) -> None:
    path = write("a.csv.gz", csv(ROWS * 500))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError) as caught:
        read_binned([path], BINS)
    assert str(caught.value).startswith(f"{path}: ")
    assert "runcated" in str(caught.value)


def changed(row: int, column: int, value: object) -> str:
    rows = [list(cells) for cells in ROWS]
    rows[row][column] = value
    return csv([tuple(cells) for cells in rows])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(2, 1, 2), ["line 3", "bins of gene 273000", "at bin 2", "bins 1 to 2"]),
        (csv(ROWS[:3]), ["line 3", "bins 1 to 2 in order"]),
        (changed(1, 0, "000004"), ["line 1", "the gene changes"]),
        (changed(3, 7, 1), ["line 3", "the label changes"]),
        (csv([(*row[:7], 2) for row in ROWS]), ["line 1", "label 2"]),
        (changed(3, 4, -1), ["line 4", "a count is negative"]),
        (changed(3, 4, "x"), ["is not a binned CSV", "line 4", "'x'"]),
        (changed(3, 4, ""), ["is not a binned CSV", "line 4", "''"]),
        (changed(3, 4, "1.5"), ["is not a binned CSV", "line 4", "'1.5'"]),
        (changed(3, 7, "1,1"), ["is not a binned CSV", "line 4", "got 9"]),
        ("gene,bin,a,b,c,d,e,label\n" + csv(ROWS), ["is not a binned CSV", "line 1", "without a header line"]),
        (csv([row[:7] for row in ROWS]), ["is not a binned CSV"]),
        ("", ["is not a binned CSV"]),
    ],
)
def test_a_file_of_another_layout_is_refused(write: Callable[..., Path], content: str, words: list[str]) -> None:
    path = write("a.csv", content)
    with pytest.raises(UserError) as caught:
        read_binned([path], BINS)
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_genome_orientation_cannot_be_turned(write: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match=r"bins.flip_strand"):
        read_binned([write("a.csv", csv(ROWS))], Bins(100, 100, 100, flip_strand=True))


def test_import_names_doubled_marks_and_leaves_them(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = write("a.csv", csv(ROWS[2:]))
    marks = ["H3K4me3", "H3K27me3"]
    signal = import_binned([path], BINS, marks, attributes={"epigenome": "E003", "source": "here"})
    assert signal.attrs["doubled_marks"] == "H3K4me3"
    assert "every count of H3K4me3 is even" in caplog.text
    counts, labels, provenance = join_marks([signal], marks)
    assert counts.values.tolist() == [[[2, 0], [4, 1]]]
    assert labels is not None
    assert labels.values.tolist() == [0]
    assert provenance["doubled_marks"] == "H3K4me3"
    assert len(str(provenance["sha256"])) == 64
