"""Matrices of users, and the samples of a set: what is read, and one line for each mistake."""

import bz2
import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from chromattend.errors import UserError
from chromattend.graphs.formats import size_of
from chromattend.graphs.matrices import Matrix, read_blocks, read_matrix
from chromattend.graphs.problem import Contexts
from chromattend.graphs.samples import are_counts, assemble, prepared, read_samples, variable_table, write_samples
from chromattend.graphs.sources import expression_of_epigenomes, genes_of_epigenome

VALUES = np.array([[1.5, -2, 3], [4e-3, 5, 6]])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.tsv", "a\tb\tc\n1.5\t-2\t3\n4e-3\t5\t6\n"),
        ("m.csv", "sample,a,b,c\n1_1,1.5,-2,3\n'x',4e-3,5,6\n"),
        ("names with commas.csv", '"","a","b","c"\n"x, y","1.5",-2,3\nz,4e-3,5,6\n'),
        # Of a spreadsheet: line ends, a byte order mark, empty columns and lines at the end.
        ("m.txt", "\ufeff\ta\tb\tc\t\t\r\ns1\t1.5\t-2\t 3\t\t\r\ns2\t4e-3\t5\t6\t\t\r\n\r\n"),
        ("m.tsv.gz", "a\tb\tc\n1.5\t-2\t3\n4e-3\t5\t6"),
        ("m.tsv.bz2", "a\tb\tc\n1.5\t-2\t3\n4e-3\t5\t6"),
    ],
)
def test_text_gives_the_same_matrix(name: str, content: str, tmp_path: Path) -> None:
    pack: Callable[[bytes], bytes] = {"gz": gzip.compress, "bz2": bz2.compress}.get(name.rpartition(".")[2], bytes)
    (tmp_path / name).write_bytes(pack(content.encode()))
    matrix = read_matrix(tmp_path / name)
    assert (matrix.variables, matrix.blocks) == (("a", "b", "c"), None)
    np.testing.assert_array_equal(matrix.samples, VALUES)
    size = size_of(tmp_path / name, name)
    assert (size.variables, size.counted) == (("a", "b", "c"), True)
    assert size.samples in (2, 3)  # an empty line at the end is counted


def test_blocks_are_a_column_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("a\tsubject\tb\n1\t01\t2\n3\t02\t4\n")
    matrix = read_matrix(tmp_path / "m.tsv", block="subject")
    assert matrix.variables == ("a", "b")
    np.testing.assert_array_equal(matrix.samples, [[1, 2], [3, 4]])
    assert list(matrix.blocks) == ["01", "02"]  # type: ignore[arg-type]
    (tmp_path / "b.txt").write_text("01\n02\n\n")
    assert list(read_blocks(tmp_path / "b.txt", 2)) == ["01", "02"]
    for content, words in (("01\n\n02\n", "line 2: is empty; give"), ("01\n", "has 1 names, but the matrix has 2 sam")):
        (tmp_path / "b.txt").write_text(content)
        with pytest.raises(UserError, match=words):
            read_blocks(tmp_path / "b.txt", 2)


@pytest.mark.parametrize("kind", [str, np.bytes_])
def test_archives_of_arrays_are_read(kind: type, tmp_path: Path) -> None:
    names = np.array(["a", "µ" if kind is str else "bb", "c"], dtype=kind)
    np.savez_compressed(tmp_path / "m.npz", samples=VALUES.astype(np.float32), variables=names, blocks=["x", "y"])
    matrix = read_matrix(tmp_path / "m.npz")
    assert matrix.variables == ("a", "µ" if kind is str else "bb", "c")
    assert matrix.samples.dtype == np.float64
    np.testing.assert_array_equal(matrix.samples, VALUES.astype(np.float32))
    assert list(matrix.blocks) == ["x", "y"]  # type: ignore[arg-type]
    # Their number is known without reading them.
    size = size_of(tmp_path / "m.npz", "m.npz")
    assert (size.variables, size.samples) == (matrix.variables, 2)


# Content, and words of the message.
BAD_TEXT = {
    "empty": ("", "m.tsv: is empty; give the variables' names in the header line"),
    "no sample": ("a\tb\n", "has a header line but no sample; give"),
    "one column": ("a b c\n1 2 3\n", "line 1: 'a b c' has one column only; give"),
    "no header": ("1\t2\n3\t4\n", "line 1: has numbers where the names of variables should be; give"),
    "no name": ("a\t\tb\n1\t2\t3\n", "line 1: column 2 has no name; name"),
    "twice": ("a\tb\ta\n1\t2\t3\n", "line 1: variable 'a' is given twice, as columns 1 and 3; remove"),
    "NA": ("a\tb\n1\t2\n3\tNA\n", "line 3, column 'b': 'NA' is a missing value; remove"),
    "NaN": ("sample\ta\tb\ns_1\tnan\t2\n", "line 2, column 'a': 'nan' is a missing value"),
    "empty cell": ("a,b\n1,\n", "line 2, column 'b': is empty, a missing value; remove"),
    "infinite": ("a\tb\n1\t2\n-inf\t2\n", "line 3, column 'a': '-inf' is not finite; remove"),
    "too large": ("a\tb\n1\t1e999\n", "line 2, column 'b': '1e999' is not finite"),
    "a word": (
        "id\tb\nx\t1\n",
        "line 2, column 'id': 'x' is not a number; give a number, or, for a column of names, call",
    ),
    "a decimal comma": ("a\tb\n1\t1,5\n", "'1,5' is not a number; write a decimal point"),
    "an underscore": ("a\tb\n1\t1_000\n", "'1_000' is not a number"),
    "other digits": ("a\tb\n1\t٣\n", "'٣' is not a number"),
    "ragged": ("a\tb\n1\t2\n3\n", "line 3: has 1 column, but the header line has 2; separate columns by tabs"),
    "a table of R": ("a\tb\n1\t2\t3\n", "name the first column 'sample'"),
    "an empty line": ("a\tb\n1\t2\n\n3\t4\n", "line 3: is empty; remove"),
    "a web page": ("<html></html>", "is a web page"),
    "a block without a name": ("a\tsubject\tb\n1\t\t2\n", "line 2: the block, column 'subject', is empty; give it"),
}


@pytest.mark.parametrize("case", BAD_TEXT)
def test_a_mistake_in_text_is_one_line(case: str, tmp_path: Path) -> None:
    content, words = BAD_TEXT[case]
    (tmp_path / "m.tsv").write_text(content)
    assert_refused(lambda: read_matrix(tmp_path / "m.tsv", "m.tsv", "subject" if "block" in case else ""), words)


BAD_ARRAYS: dict[str, tuple[dict[str, Any], str]] = {
    "no samples": ({"x": VALUES, "variables": ["a"]}, "has no array 'samples' but x, variables; give"),
    "no names": ({"samples": VALUES}, "has no array 'variables' but samples; give"),
    "objects": (
        {"samples": VALUES, "variables": np.array(["a", "b", None], dtype=object)},
        "array 'variables': has the dtype |O (Python objects), not text; save",
    ),
    "objects as samples": ({"samples": VALUES.astype(object), "variables": [*"abc"]}, "not numbers; save"),
    "numbers as names": ({"samples": VALUES, "variables": [1, 2, 3]}, "not text; save"),
    "one axis": ({"samples": [1.0], "variables": ["a"]}, "array 'samples' has the shape (1,); give (sample, variable)"),
    "too few names": ({"samples": VALUES, "variables": ["a"]}, "has the shape (1,), but 'samples' has 3 columns; give"),
    "too few blocks": (
        {"samples": VALUES, "variables": [*"abc"], "blocks": ["x"]},
        "array 'blocks' has the shape (1,), but 'samples' has 2 rows; give",
    ),
    "a name twice": ({"samples": VALUES, "variables": [*"aba"]}, "variable 'a' is given twice, as columns 1 and 3"),
    "NaN": (
        {"samples": np.where(VALUES == 5, np.nan, VALUES), "variables": [*"abc"]},
        "sample 2, variable 'b': nan is not a finite number; remove",
    ),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_a_mistake_in_an_archive_is_one_line(case: str, tmp_path: Path) -> None:
    arrays, words = BAD_ARRAYS[case]
    np.savez(tmp_path / "m.npz", **arrays)
    assert_refused(lambda: read_matrix(tmp_path / "m.npz", "m.npz"), words)


def test_damaged_archives_and_workbooks_are_one_line(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", samples=VALUES, variables=[*"abc"])
    data = (tmp_path / "m.npz").read_bytes()
    (tmp_path / "m.npz").write_bytes(data[:-40])
    assert_refused(lambda: read_matrix(tmp_path / "m.npz", "m.npz"), "m.npz: is a zip archive")
    changed = bytearray(data)
    changed[data.index(VALUES.tobytes())] ^= 1
    (tmp_path / "m.npz").write_bytes(changed)
    assert_refused(lambda: read_matrix(tmp_path / "m.npz", "m.npz"), "m.npz: is truncated or damaged")


def assert_refused(function: Callable[[], object], words: str) -> None:
    with pytest.raises(UserError) as caught:
        function()
    message = str(caught.value)
    assert words in message, message
    assert "\n" not in message
    assert ";" in message


# Samples of a set


def matrices(rng: np.random.Generator, **sizes: int) -> dict[str, Matrix]:
    return {
        name: Matrix(f"{name}.tsv", ("x", "y", "z"), rng.poisson(5, (size, 3)) * 1.0) for name, size in sizes.items()
    }


def changed(matrix: Matrix, column: int, values: Any, variables: Sequence[str] = "xyz") -> Matrix:
    samples = matrix.samples.copy()
    samples[:, column] = values(samples)
    return replace(matrix, samples=samples, variables=tuple(variables))


BAD_SETS: dict[str, tuple[Callable[[Matrix], Matrix], str]] = {
    "too few samples": (
        lambda given: replace(given, samples=given.samples[:19]),
        "B.tsv: context 'B': has 19 samples, fewer than the 20 of 'graphs.min_samples'; from so few",
    ),
    "constant": (lambda given: changed(given, 1, lambda _: 7), "variable 'y' is constant, 7 in all 30 samples; remove"),
    "identical": (
        lambda given: changed(given, 2, lambda old: old[:, 0]),
        "variables 'x' and 'z' are identical, so their",
    ),
    "other variables": (
        lambda given: replace(given, variables=("x", "y", "w")),
        "context 'B': lacks z and has w, unlike context 'A' (A.tsv); give all contexts",
    ),
    "too few blocks": (
        lambda given: replace(given, blocks=np.array(["a", "b"])),
        "context 'B': has 2 blocks but 30 samples; give",
    ),
    "one block": (lambda given: replace(given, blocks=np.full(30, "a")), "all samples are of the block 'a'; give"),
}


@pytest.mark.parametrize("case", BAD_SETS)
def test_a_set_that_gives_no_graphs_is_refused(case: str) -> None:
    given = matrices(np.random.default_rng(1), A=25, B=30)
    change, words = BAD_SETS[case]
    assert_refused(lambda: assemble(given | {"B": change(given["B"])}, 20), words)


def test_contexts_are_joined_in_the_first_ones_order(tmp_path: Path) -> None:
    given = matrices(np.random.default_rng(2), A=25, B=30)
    turned = Matrix("B.tsv", ("z", "x", "y"), given["B"].samples[:, [2, 0, 1]], np.repeat(["b1", "b2"], 15))
    contexts = assemble(given | {"B": turned}, 20)
    assert contexts.variables == ("x", "y", "z")
    np.testing.assert_array_equal(contexts.samples[1], given["B"].samples)
    # Samples of a context without blocks are blocks of their own.
    assert [len(set(blocks)) for blocks in contexts.blocks] == [25, 2]
    assert are_counts(contexts)
    write_samples(contexts, tmp_path / "s.nc", counts=True)
    (again, counts), (second, _) = read_samples(tmp_path / "s.nc"), read_samples(tmp_path / "s.nc", ["B"])
    assert (again.names, again.variables, counts) == (("A", "B"), ("x", "y", "z"), True)
    for number in (0, 1):
        np.testing.assert_array_equal(again.samples[number], contexts.samples[number])
        assert list(again.blocks[number]) == list(contexts.blocks[number])
    assert second.names == ("B",)
    np.testing.assert_array_equal(second.samples[0], contexts.samples[1])
    assert assemble(given, 20).blocks == ()


def test_covariates_are_regressed_out_in_each_context() -> None:
    rng = np.random.default_rng(3)
    samples = []
    for slope in (2, -3):
        age = rng.uniform(20, 80, 50)
        samples.append(np.column_stack([age, 5 + slope * age + rng.normal(size=50), rng.normal(size=50)]))
    # A covariate may be constant in a context.
    samples.append(np.column_stack([np.full(50, 9.0), rng.normal(size=(50, 2))]))
    contexts = prepared(Contexts(("A", "B", "C"), ("age", "x", "y"), tuple(samples)), "none", ["age"])
    assert contexts.variables == ("x", "y")
    for before, after in zip(samples[:2], contexts.samples[:2], strict=True):
        slope, intercept = np.polyfit(before[:, 0], before[:, 1], 1)
        np.testing.assert_allclose(after[:, 0], before[:, 1] - slope * before[:, 0] - intercept, atol=1e-9)
    np.testing.assert_allclose(contexts.samples[2], samples[2][:, 1:] - samples[2][:, 1:].mean(axis=0), atol=1e-12)


def test_values_that_cannot_be_prepared_are_refused() -> None:
    rng = np.random.default_rng(4)
    contexts = Contexts(("A",), ("x", "y", "z"), (rng.normal(size=(30, 3)),))
    contexts.samples[0][3, 1] = -9
    assert_refused(
        lambda: prepared(contexts, "log1p"), "context 'A': variable 'y' is -9 in sample 4, and log1p takes no"
    )
    assert_refused(lambda: prepared(contexts, "none", ["X"]), "'X' is not a variable, did you mean 'x'?; correct")
    contexts.samples[0][:, 2] = 3 - 2 * contexts.samples[0][:, 0]
    assert_refused(
        lambda: prepared(contexts, "none", ["x"]), "variable 'z' is a linear function of the covariates x; rem"
    )
    counts = Contexts(("A",), ("x",), (np.array([[0.0], [np.e - 1]]),))
    np.testing.assert_allclose(prepared(counts, "log1p").samples[0], [[0], [1]])


# Built-in sources


def test_bins_of_marks_are_summed_to_variables() -> None:
    rng = np.random.default_rng(5)
    counts = rng.poisson(3, (5, 6, 2))
    genes = pd.DataFrame(
        {"gene": [*"abbcd"], "chrom": ["chr2", "chr1", "chr1", "chr1", "chr2"], "tss": [5, 9, 9, 1, 3]}
    )
    labels = np.array([1, 1, 1, 0, 1])
    matrix = genes_of_epigenome(counts, ["K4", "K27"], genes, 3, "E1", labels)
    assert matrix.variables == ("K4:1", "K4:2", "K4:3", "K27:1", "K27:2", "K27:3")
    # In the order of their positions, each gene once.
    order = [3, 1, 4, 0]
    assert list(matrix.blocks) == ["chr1", "chr1", "chr2", "chr2"]  # type: ignore[arg-type]
    for row, gene in enumerate(order):
        expected = [counts[gene, 2 * group : 2 * group + 2, mark].sum() for mark in (0, 1) for group in range(3)]
        np.testing.assert_array_equal(matrix.samples[row], expected)
    assert len(genes_of_epigenome(counts, ["K4", "K27"], genes, 3, "E1", labels, "OFF").samples) == 1
    table = variable_table(matrix.variables)
    assert table.iloc[4].to_dict() == {"variable": "K27:2", "group": "K27", "position": 2, "colour": "#5f6b78"}
    assert variable_table(["x"]).iloc[0].to_dict() == {"variable": "x", "group": "", "position": "", "colour": ""}


def test_expression_is_what_varies_within_groups() -> None:
    # Gene a differs between groups only, b and c within them.
    rpkm = pd.DataFrame(
        [[1, 1, 63, 63], [0, 3, 0, 3], [0, 15, 0, 15], [2, 2, 2, 2]], index=[*"abcd"], columns=[*"wxyz"]
    )
    groups = {"w": "s", "x": "s", "y": "t", "z": "t"}
    samples = expression_of_epigenomes(rpkm, {"all": [*"wxyz"]}, groups, 2, "rpkm.gz")["all"]
    assert samples.variables == ("b", "c")
    np.testing.assert_allclose(samples.samples, [[-1, -2], [1, 2], [-1, -2], [1, 2]])
    assert_refused(
        lambda: expression_of_epigenomes(rpkm, {"all": [*"wxyz"]}, groups, 3, "rpkm.gz"),
        "rpkm.gz: only 2 of 4 genes vary in every context; lower",
    )
