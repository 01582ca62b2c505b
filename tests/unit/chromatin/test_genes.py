"""The gene table, against the authors' and against bad files."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from chromattend.chromatin.dataset import assign_split
from chromattend.chromatin.expression import read_matrix
from chromattend.chromatin.genes import (
    build_gene_table,
    read_annotation,
    read_chrom_sizes,
    read_gene_list,
    read_gene_table,
)
from chromattend.errors import UserError


def gtf(chrom: str, start: int, end: int, strand: str, gene: str, symbol: str = "X", feature: str = "gene") -> str:
    names = f'gene_id "{gene}"; transcript_id "{gene}"; gene_type "protein_coding"; gene_name "{symbol}";'
    return f"{chrom}\tHAVANA\t{feature}\t{start}\t{end}\t.\t{strand}\t.\t{names}\n"


@pytest.fixture(scope="module")
def real_table(real_data: Path) -> Callable[[str], pd.DataFrame]:
    annotation = read_annotation(real_data / "roadmap" / "gencode_10_genes.gtf.gz")
    expressed = read_matrix(real_data / "roadmap" / "57epigenomes.RPKM.pc.gz", []).index
    return lambda mode: build_gene_table(annotation, expressed, mode=mode)


def test_reproduction_gives_the_authors_table(real_table: Callable, real_data: Path) -> None:
    authors = pd.read_csv(
        real_data / "roadmap" / "genes_19802_windows_20kb.bed.gz", sep="\t", names=["chrom", "start", "end", "name"]
    )
    table = real_table("reproduction")
    assert len(table) == len(authors) == 19_802
    assert table["gene"].tolist() == authors["name"].str.split("_").str[0].tolist()
    assert table["chrom"].tolist() == authors["chrom"].tolist()
    assert table["tss"].tolist() == (authors["start"] + 10_000).tolist()
    # The seven duplicated genes have the authors' two symbols, in their order.
    twice = table["gene"].duplicated(keep=False)
    assert twice.sum() == 14
    assert (table["gene"] + "_" + table["symbol"])[twice].tolist() == authors["name"][twice].tolist()
    assert assign_split(table, "sequential").value_counts().to_dict() == {"train": 6601, "valid": 6601, "test": 6600}


def test_unique_keeps_each_gene_once(real_table: Callable) -> None:
    table = real_table("unique")
    assert len(table) == 19_795
    assert table["gene"].is_unique
    assert table["gene"].is_monotonic_increasing


@pytest.mark.parametrize("name", ["a.gtf", "a.gtf.gz"])
def test_the_tss_is_where_the_strand_says(write: Callable[..., Path], name: str) -> None:
    path = write(
        name,
        "##description: made up\n"
        + gtf("chr2", 100, 900, "+", "ENSG00000000002.7", "TWO")
        + gtf("chr2", 100, 400, "+", "ENSG00000000002.7", "TWO", feature="exon")
        + gtf("chr1", 100, 900, "-", "ENSG00000000001.3", "ONE")
        + gtf("chrX", 50, 80, "+", "ENSG00000000003.1")
        + gtf("chrY", 50, 80, "+", "ENSG00000000003.1"),
    )
    table = build_gene_table(read_annotation(path), pd.Index([f"ENSG0000000000{number}" for number in (1, 2, 3, 4)]))
    assert table.values.tolist() == [
        ["ENSG00000000001", "ONE", "chr1", 900, "-"],
        ["ENSG00000000002", "TWO", "chr2", 100, "+"],
        # A pseudoautosomal gene is taken from X.
        ["ENSG00000000003", "X", "chrX", 50, "+"],
    ]


def test_a_gene_without_expression_is_left_out(write: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    annotation = read_annotation(write("a.gtf", gtf("chr1", 1, 9, "+", "A") + gtf("chr1", 1, 9, "+", "B")))
    with caplog.at_level("INFO"):
        assert build_gene_table(annotation, pd.Index(["B", "C"]))["gene"].tolist() == ["B"]
    assert "1 genes have a TSS and an expression value; left out: 1 of the matrix without a TSS" in caplog.text
    assert "1 of the annotation without an expression" in caplog.text


def test_include_restricts_the_table(write: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    annotation = read_annotation(write("a.gtf", gtf("chr1", 1, 9, "+", "A") + gtf("chr1", 1, 9, "+", "B")))
    wanted = read_gene_list(write("genes.txt", "# mine\r\nA\r\nZ\r\n"))
    assert build_gene_table(annotation, pd.Index(["A", "B"]), include=wanted)["gene"].tolist() == ["A"]
    assert "1 genes are not in the study, such as Z" in caplog.text
    named = annotation.assign(symbol=["PAX5", "TP53"])
    assert build_gene_table(named, pd.Index(["A", "B"]), include={"TP53"})["gene"].tolist() == ["B"]


def test_an_include_list_without_a_gene_of_the_study_is_refused(write: Callable[..., Path]) -> None:
    annotation = read_annotation(write("a.gtf", gtf("chr1", 1, 9, "+", "A")))
    with pytest.raises(UserError, match=r"genes.include: none of its 2 genes is in the study, such as PAX5; "):
        build_gene_table(annotation, pd.Index(["A"]), include={"TP53", "PAX5"})
    with pytest.raises(UserError, match="annotation and expression matrix: have no gene in common"):
        build_gene_table(annotation, pd.Index(["B"]), include={"A"})


@pytest.mark.parametrize("reader", [read_annotation, read_gene_list, read_chrom_sizes])
def test_text_that_is_not_utf8_is_refused(write: Callable[..., Path], reader: Callable) -> None:
    path = write("a.txt", "# Gène\n".encode("latin-1"))
    with pytest.raises(UserError) as caught:
        reader(path)
    assert str(caught.value).startswith(f"{path}: line 1: is not UTF-8 text but has the byte 0xE8")
    assert "; save it as UTF-8" in str(caught.value)


def test_a_byte_order_mark_is_no_part_of_the_first_name(write: Callable[..., Path]) -> None:
    mark = "\ufeff"
    assert read_annotation(write("a.gtf", mark + gtf("chr1", 1, 9, "+", "A")))["chrom"].tolist() == ["chr1"]
    assert read_gene_list(write("a.txt", mark + "A\n")) == {"A"}
    assert read_chrom_sizes(write("a.sizes", mark + "chr1\t5\n")) == {"chr1": 5}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("chr1\tHAVANA\tgene\t1\n", ["line 1", "4 tab-separated columns, but GTF has 9"]),
        ("##x\n" + gtf("chr1", 1, 9, ".", "A"), ["line 2", "strand + or -"]),
        (gtf("chr1", 1, 9, "+", "A").replace("\t9\t", "\tend\t"), ["line 1", "start, end"]),
        (gtf("chr1", 1, 9, "-", "A").replace("\t9\t", "\t\t"), ["line 1", "start, end"]),
        (gtf("chr1", 1, 9, "+", "A").replace("\t1\t", "\t²\t"), ["line 1", "start, end"]),
        (gtf("chr1", 1, 9, "+", "A").replace("gene_id", "id"), ["line 1", "gene_id"]),
        (gtf("chr1", 1, 9, "+", "A", feature="exon"), ["no line with the feature 'gene'"]),
        ("", ["no line with the feature 'gene'"]),
    ],
)
def test_a_bad_annotation_is_refused(write: Callable[..., Path], content: str, words: list[str]) -> None:
    path = write("a.gtf", content)
    with pytest.raises(UserError) as caught:
        read_annotation(path)
    assert all(word in str(caught.value) for word in [str(path), *words])
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_a_truncated_annotation_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.gtf.gz"
    path.write_bytes(gzip.compress(gtf("chr1", 1, 9, "+", "A").encode() * 500)[:-15])
    with pytest.raises(UserError, match="truncated or damaged"):
        read_annotation(path)


def test_tables_without_common_genes_are_refused(write: Callable[..., Path]) -> None:
    annotation = read_annotation(write("a.gtf", gtf("chr1", 1, 9, "+", "A")))
    with pytest.raises(UserError, match="no gene in common"):
        build_gene_table(annotation, pd.Index(["TP53"]))


def test_an_empty_gene_list_is_refused(write: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="lists no gene"):
        read_gene_list(write("genes.txt", "# none\n"))


def test_a_symbol_called_na_stays_a_text(write: Callable[..., Path]) -> None:
    path = write("genes.tsv", "gene\tsymbol\tchrom\ttss\tstrand\nA\tNA\t1\t5\t+\n")
    assert read_gene_table(path).values.tolist() == [["A", "NA", "1", 5, "+"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [("chr1\n", "line 1"), ("chr1\t10\nchr2\tx\n", "line 2"), ("chr1\t²\n", "line 1"), ("\n", "is empty")],
)
def test_bad_chromosome_sizes_are_refused(write: Callable[..., Path], content: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_chrom_sizes(write("sizes", content))


def test_chromosome_sizes_can_be_a_fasta_index(write: Callable[..., Path]) -> None:
    assert read_chrom_sizes(write("g.fai", "chr1\t10\t5\t60\t61\r\n")) == {"chr1": 10}
