"""Tables of users, good and bad: what is fed, and what comes of it."""

import bz2
import gzip
import json
import logging
import lzma
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from builders import ROADMAP, merged

from chromattend.chromatin.binned import read_binned
from chromattend.chromatin.bins import Bins, check_tss
from chromattend.chromatin.configuration import load_study
from chromattend.chromatin.expression import read_matrix, read_rpkm
from chromattend.chromatin.genes import (
    build_gene_table,
    find_genes,
    read_annotation,
    read_chrom_sizes,
    read_gene_list,
    read_gene_table,
    without_version,
)
from chromattend.chromatin.predict import read_genes
from chromattend.errors import UserError
from chromattend.pipeline.config import read_parts

SCHEMAS = Path(__file__).parents[3] / "workflow/schemas"
A, B = "ENSG00000000001", "ENSG00000000002"
MATRIX = f"gene_id\tE1\n{A}\t5\n{B}\t0.5\n"
TABLE = "gene\tsymbol\tchrom\ttss\tstrand\n"
READ = {A: 5.0, B: 0.5}


def gene(attributes: str, chrom: str = "chr1", start: int = 10, feature: str = "gene") -> str:
    return f"{chrom}\tX\t{feature}\t{start}\t90\t.\t+\t.\t{attributes}\n"


def matrix(path: Path) -> dict[str, float]:
    return read_rpkm(path, "E1").to_dict()


def tss(path: Path) -> dict[str, str]:
    """Return the TSS of each gene of an annotation, for a genome of chr1, chrX and chrY."""
    table = read_annotation(path, ["chr1", "chrX", "chrY"])
    return {row.gene: f"{row.chrom}:{row.tss}" for row in table.itertuples()}


def symbols(path: Path) -> dict[str, str]:
    return read_annotation(path).set_index("gene")["symbol"].to_dict()


def table(path: Path) -> list[list[Any]]:
    return read_gene_table(path).to_numpy().tolist()


def scored(path: Path) -> list[list[str]]:
    return read_genes(path, ["chr1"])[["gene", "chrom"]].to_numpy().tolist()


def binned(path: Path) -> list[str]:
    return read_binned([path], Bins(100, 100))[0].tolist()


def study(path: Path, **changes: Any) -> list[str]:
    """Load a study with this sheet, and return its epigenomes."""
    (path.parent / "genome.sizes").write_text("chr1\t1000\n")
    base = merged(ROADMAP, {"epigenomes": path.name, "genome": {"chrom_sizes": "genome.sizes"}})
    return list(load_study(merged(base, changes), SCHEMAS, path.parent, "study.yaml").epigenomes)


def study_with_matrix(path: Path) -> list[str]:
    """Load a study whose expression matrix this is."""
    sheet = path.parent / "sheet.tsv"
    sheet.write_text("epigenome\nE1\n")
    return study(sheet, sources={"expression": path.name})


def study_with_checksums(path: Path) -> list[str]:
    sheet = path.parent / "sheet.tsv"
    sheet.write_text("epigenome\nE1\n")
    return study(sheet, sources={"checksums": path.name})


def keys(path: Path) -> list[str]:
    """Read a configuration, and return its keys."""
    return list(read_parts([path], {})[1][1])


CSV = "".join(f"{{}},{number},0,0,0,0,0,1\n" for number in (1, 2))
HTML = "<!DOCTYPE html>\n<html><body>Please log in</body></html>\n"
CASES: dict[str, tuple[Callable[[Path], Any], str | bytes, Any]] = {
    # 1. Any compression, encoding and line end.
    "gzip by content": (matrix, gzip.compress(MATRIX.encode()), READ),
    "bzip2": (matrix, bz2.compress(MATRIX.encode()), READ),
    "xz": (matrix, lzma.compress(MATRIX.encode()), READ),
    "gzip twice": (matrix, gzip.compress(gzip.compress(MATRIX.encode())), READ),
    "UTF-8 with a BOM": (matrix, MATRIX.encode("utf-8-sig"), READ),
    "UTF-16 of Excel": (matrix, MATRIX.encode("utf-16"), READ),
    "UTF-16, gzip": (tss, gzip.compress(gene(f'gene_id "{A}.3";').encode("utf-16")), {A: "chr1:10"}),
    "CRLF": (matrix, MATRIX.replace("\n", "\r\n"), READ),
    "CR": (matrix, MATRIX.replace("\n", "\r"), READ),
    "CR, a GTF": (tss, gene(f"gene_id {A}").replace("\n", "\r"), {A: "chr1:10"}),
    "no line end": (matrix, MATRIX.rstrip(), READ),
    "empty lines at the end": (matrix, MATRIX + "\n\t\n", READ),
    "empty line in the middle": (matrix, f"gene_id\tE1\n{A}\t5\n\n{B}\t1\n", "line 3: is empty; remove it"),
    "Latin-1": (
        matrix,
        f"gene_id\tname\tE1\n{A}\tx\t5\n{B}\té\t1\n".encode("latin-1"),
        r"line 3: is not UTF-8 text but has the byte 0xE9, as Latin-1 .*; save it as UTF-8$",
    ),
    "Latin-1, a sheet": (study, "epigenome\tname\nE1\tMünchen\n".encode("latin-1"), "sheet.tsv: line 2: is not UTF-8"),
    "Latin-1, gzip": (read_gene_list, gzip.compress(b"A\n\xe9\n"), "line 2: is not UTF-8 text"),
    "half a UTF-16 letter": (matrix, MATRIX.encode("utf-16")[:-1], "begins as UTF-16 text but does not go on so"),
    "UTF-16 without a BOM": (matrix, MATRIX.encode("utf-16-le"), "line 1: has a NUL byte, .*; save it as UTF-8 text"),
    "NUL": (matrix, MATRIX.replace("0.5", "0\0005"), "line 3: has a NUL byte"),
    "binary": (read_chrom_sizes, b"\x93NUMPY\x00\xff\xfe" * 9, "is binary data, not text"),
    "xlsx": (study, b"PK\x03\x04" + b"\0" * 99, r"\(\.xlsx\), not text; save the table as tab-separated text"),
    "xlsx, a matrix": (matrix, b"PK\x03\x04" + b"\0" * 99, r"an Excel workbook \(\.xlsx\), not text; save"),
    "web page": (matrix, HTML, r"is a web page \(HTML or XML\), not data; download the file itself"),
    "web page in Latin-1": (table, b"\xef\xbb\xbf\r\n<html><p>Zugang f\xfcr Mitglieder", "is a web page"),
    "web page, binned": (binned, HTML, "is a web page"),
    "web page, gzip": (tss, gzip.compress(HTML.encode()), "is a web page"),
    "truncated gzip": (matrix, gzip.compress(MATRIX.encode())[:-9], "is truncated or damaged .*; copy, download"),
    "truncated bzip2": (tss, bz2.compress(gene("gene_id A").encode())[:-9], "is truncated or damaged"),
    "truncated xz": (read_gene_list, lzma.compress(b"A\nB\n")[:-9], "is truncated or damaged"),
    "damaged gzip": (table, gzip.compress(TABLE.encode() * 99)[:40] + b"x" * 40, "is truncated or damaged"),
    "damaged gzip, binned": (binned, gzip.compress(CSV.encode() * 99)[:30], "is truncated or damaged"),
    "empty": (matrix, "", "is empty; give the RPKM matrix"),
    "empty gzip": (table, gzip.compress(b""), "is empty; give the study's genes.tsv"),
    # 2. Whole names.
    "dots in ids": (
        tss,
        gene('gene_id "CL1A.2";') + gene('gene_id "CL1A.3";', start=50),
        {"CL1A.2": "chr1:10", "CL1A.3": "chr1:50"},
    ),
    "dots in a matrix": (matrix, f"gene_id\tE1\nCL1A.3\t7\nCL1A.2\t5\n{A}.12\t1\n", {"CL1A.3": 7, "CL1A.2": 5, A: 1}),
    "dots in a list": (read_gene_list, f"Y74C9A.3\nMSTRG.1\n{A}.2\n", {"Y74C9A.3", "MSTRG.1", A}),
    "dots in a gene table": (table, f"{TABLE}SPAC212.11\ttlh1\tI\t5\t-\n", [["SPAC212.11", "tlh1", "I", 5, "-"]]),
    "dots in a binned CSV": (
        binned,
        "".join(CSV.format(*[name] * 2) for name in ("Glyma.01G000100", "000003", A + ".7")),
        ["Glyma.01G000100", "ENSG00000000003", A],
    ),
    "other attributes end in gene_id": (
        symbols,
        gene(f'ref_gene_id "R"; havana_gene_id "H"; gene_id "{A}"; ref_gene_name "r"; gene_name "N"'),
        {A: "N"},
    ),
    "semicolons and gene_id in quotes": (
        symbols,
        gene(f'note "a; gene_id b;"; gene_name "x; y"; gene_id "{A}";'),
        {A: "x; y"},
    ),
    "unquoted values": (symbols, gene(f"gene_id {A} ; gene_name N"), {A: "N"}),
    "blanks in values": (symbols, gene(f'gene_id " {A} ";  gene_name " N" ;'), {A: "N"}),
    "a cell that a spreadsheet quoted": (symbols, gene(f'"gene_id ""{A}""; gene_name ""N"";"'), {A: "N"}),
    "no gene_name": (symbols, gene('gene_id "X.1"; ref_gene_name "r"'), {"X.1": "X.1"}),
    "empty gene_id": (tss, gene("gene_id A") + gene('gene_id "";'), "line 2: the gene has no gene_id, or an empty one"),
    "no gene_id": (tss, gene('ref_gene_id "A"'), "line 1: the gene has no gene_id"),
    "GFF3 of GENCODE": (symbols, gene(f"ID={A}.5;gene_id={A}.5;gene_name=a%3Bb"), {A: "a;b"}),
    "GFF3 of Ensembl": (
        symbols,
        "##gff-version 3\n"
        + gene(f"ID=gene:{A};Name=N;version=5")
        + gene(f"ID=gene:{B};biotype=lncRNA", feature="ncRNA_gene")
        + gene(f"ID=transcript:T;Parent=gene:{A}", feature="mRNA")
        + "##FASTA\n>chr1\nACGT\n",
        {A: "N", B: B},
    ),
    "only transcripts": (
        tss,
        gene('gene_id "MSTRG.1"; transcript_id "MSTRG.1.1";', feature="transcript"),
        "has no line with the feature 'gene', only such as 'transcript' in line 1; add one line per gene",
    ),
    "start after end": (tss, gene("gene_id A", start=91), "line 1: A has start, end '91', '90'"),
    "pseudoautosomal, Y first": (
        tss,
        gene(f'gene_id "{A}.1_PAR_Y"', "chrY") + gene(f'gene_id "{A}.1"', "chrX", 20),
        {A: "chrX:20"},
    ),
    "another contig first": (tss, gene("gene_id A", "chr1_alt") + gene("gene_id A", "chr1", 30), {"A": "chr1:30"}),
    "two loci": (tss, gene("gene_id A", "chr1", 30) + gene("gene_id A", "chr1", 10), {"A": "chr1:30"}),
    "a GTF to score": (
        scored,
        bz2.compress((gene("gene_id B.2") + gene("gene_id B.1", "chr9") + gene("gene_id B.1")).encode()),
        [["B.1", "chr1"], ["B.2", "chr1"]],
    ),
    "two columns": (matrix, "gene_id\tE1\tE1\nA\t5\t100\n", "line 1: column 'E1' is given twice, as columns 2 and 3;"),
    "two columns but for blanks": (matrix, 'gene_id\tE1\t" E1 "\nA\t5\t1\n', "'E1' is given twice, as columns 2 and 3"),
    "two other columns": (matrix, f"gene_id\tx\tE1\tx\n{A}\t\t5\t\n{B}\ta\t0.5\tb\n", READ),
    "a column that pandas would name": (lambda path: read_rpkm(path, "E1.1"), MATRIX, "no column 'E1.1', did you mean"),
    "a pseudoautosomal gene's copy on Y": (matrix, MATRIX + f"{A}.3_PAR_Y\t0\n", READ),
    "two rows": (
        matrix,
        f"gene_id\tE1\n{A}.1\t5\nX\t1\n{A}.2\t5\n",
        f"line 4: gene {A} is also on line 2; keep one row",
    ),
    "blanks in names": (matrix, f"gene_id \t E1\n{A} \t5\n {B}\t0.5 \n", READ),
    "empty id": (matrix, "gene_id\tE1\n \t5\n", "line 2: gene_id is empty"),
    "names such as NA": (
        matrix,
        "gene_id\tE1\nNA\t1\n007\t2\n1e5\t3\nTrue\t4\n",
        {"NA": 1, "007": 2, "1e5": 3, "True": 4},
    ),
    "epigenomes such as NA": (
        lambda path: read_matrix(path, ["NA", "101"]).to_dict("list"),
        "gene_id\t101\tNA\nA\t1\t2\n",
        {"NA": [2], "101": [1]},
    ),
    "a header of R": (matrix, "E1\tE2\nA\t1\t2\n", "line 2: has 3 columns, but line 1 has 2; if line 1 lacks the name"),
    "no name above the ids": (matrix, "\tE1\nA\t1\n", r"line 1: has no column 'gene_id' \(column 1 has no name\)"),
    "a matrix with commas": (matrix, "gene_id,E1\nA,1\n", "line 1: 'gene_id,E1' is not separated by tabs; give a tab-"),
    "a sheet with commas": (study, "epigenome,name\nE1,x\n", "is not separated by tabs; give a tab-separated sheet"),
    "a sheet with blanks": (study, "epigenome name\nE1 x\n", "'epigenome name' is not separated by tabs"),
    "a sheet with a column twice": (study, "epigenome\tname\t name\nE1\ta\tb\n", "as columns 2 and 3"),
    "a sheet of Excel": (study, '"epigenome"\tname\nE1\t"a ""b"""\n'.encode("utf-16"), ["E1"]),
    "an epigenome twice": (study, "epigenome\nE1\nE2\n E1\n", "line 4: epigenome 'E1' is given twice, also in line 2"),
    "a bad name": (study, "epigenome\nE/1\n", r"'E/1' is not valid; give a name of letters, digits and \. \+ - _, "),
    "a bad colour": (study, "epigenome\tcolour\nE1\tred\n", "'red' is not valid; give a # and six hexadecimal digits"),
    # 3. Values.
    "quotes within a text": (
        matrix,
        f'gene_id\tdescription\tE1\n{A}\t"odd-paired\t5\n{B}\tx\t0\nC\tprotein 5"\t3\n',
        {A: 5, B: 0, "C": 3},
    ),
    "quotes around cells": (matrix, f'"gene_id"\t"E1"\n"{A}"\t"5"\n"{B}"\t0.5\n', READ),
    "decimal comma": (
        matrix,
        MATRIX.replace("0.5", "0,5"),
        f"line 3: E1 of {B} is '0,5', not .*; write a decimal point",
    ),
    "thousands": (matrix, MATRIX.replace("0.5", "1,234.5"), "is '1,234.5', not .* no commas"),
    "numbers": (matrix, "gene_id\tE1\nA\t1e3\nB\t 5 \nC\t+.5\nD\t1.E-2\n", {"A": 1000, "B": 5, "C": 0.5, "D": 0.01}),
    **{
        f"the value {value!r}": (matrix, MATRIX.replace("0.5", value), f"line 3: E1 of {B} is {value!r}, not a non-neg")
        for value in ("NaN", "inf", "-1", "", "1e999", "1_0", "٣", "1 5", "0x10")
    },
    "a logarithm": (matrix, MATRIX.replace("0.5", "-0.57"), "is '-0.57', not .*; is it a logarithm"),
    "summary rows of HTSeq": (matrix, MATRIX + "__no_feature\t1234\n__ambiguous\t7\n", READ),
    "a date of Excel": (matrix, MATRIX + "2-Sep\t3\n", "line 4: gene '2-Sep' is a date that a spreadsheet made"),
    "GCT": (matrix, f"#1.2\n2\t1\nName\tDescription\tE1\n{A}\ta\t5\n", "is a GCT table; remove the two lines"),
    "featureCounts": (
        matrix,
        f"# Program:featureCounts v2\nGeneid\tChr\tE1\n{A}\t1\t5\n",
        "line 2: has no column 'gene_id', did you mean 'Geneid'",
    ),
    "another case": (matrix, MATRIX.replace("gene_id", "Gene_ID"), "did you mean 'Gene_ID'"),
    "too few columns": (matrix, f"gene_id\tx\tE1\n{A}\t1\t5\n{B}\t5\n", "line 3: has 2 columns, but line 1 has 3;"),
    "too many columns": (
        matrix,
        f"gene_id\tE1\n{A}\t5\n{B}\t5\t6\n",
        "line 3: has 3 columns, but line 1 has 2; separate",
    ),
    "a tab at the end of rows": (matrix, f"gene_id\tE1\n{A}\t5\t\n{B}\t0.5\n", READ),
    "a tab at the end of all lines": (matrix, MATRIX.replace("\n", "\t\n"), READ),
    "a chromosome twice": (
        read_chrom_sizes,
        "chr1\t10\nchr2\t5\nchr1\t12\n",
        "line 3: chr1 has 12 bp, but 10 bp in line 1;",
    ),
    "a chromosome twice with one length": (read_chrom_sizes, "chr1 10\nchr1\t10\n", {"chr1": 10}),
    "a gene table with a row twice": (
        table,
        f"{TABLE}{A}\ta\tc\t5\t+\n{A}\tb\tc\t5\t+\n{A}.2\ta\tc\t6\t+\n",
        rf"line 4: gene {A} \(a\) is also on line 2",
    ),
    "a gene table without a symbol": (table, f"{TABLE}A\t\tc\t5\t+\n", [["A", "A", "c", 5, "+"]]),
    "a gene table with an empty chromosome": (table, f"{TABLE}A\ta\t\t5\t+\n", "line 2: chrom '' is not a chromosome"),
    "two ids in a line": (read_gene_list, f"# mine\n{A}, {B}\n", f"line 2: '{A}, {B}' is not one gene id"),
    "a checksum twice": (
        study_with_checksums,
        "url\tsize\nhttps://a/x\t5\nhttps://a/x\t6\n",
        "line 3: https://a/x has another checksum or size in line 2",
    ),
    # 4. Before anything is counted.
    "planned without a column": (
        study_with_matrix,
        "gene_id\tE01\nA\t1\n",
        "table.tsv: line 1: has no column 'E1', did",
    ),
    "a path that a shell would expand": (study, "epigenome\tsignal\nE1\t~/{mark}.bed\n", "~ and \\$ are not expanded"),
    "no data by another word": (study, "epigenome\tH3K4me3\nE1\tNA\n", "H3K4me3: 'NA' is not a file; write none"),
    "a chromosome of the split": (
        lambda path: study(path, split={"mode": "chromosome", "valid_chromosomes": ["chrl"], "test_chromosomes": []}),
        "epigenome\nE1\n",
        "study.yaml: key 'split.valid_chromosomes': 'chrl' is not in genome.sizes, did you mean 'chr1'",
    ),
    "a comment as header": (study, "#epigenome\tH3K4me3\nE1\tx.bed\n", "has no column 'epigenome'.*begin with # are"),
    "planned with a column": (study_with_matrix, MATRIX, ["E1"]),
    # 5. The configuration.
    "a key twice": (
        keys,
        "marks: []\nbins:\n  size: 5\n  upstream: 1\n  size: 6\n",
        "key 'bins.size' is given twice, in lines 3 and 5",
    ),
    "a key twice in JSON": (keys, '{"bins": 1,\n"bins": 2}', "key 'bins' is given twice, in lines 1 and 2"),
    "a key in two places": (keys, "bins: {size: 5}\nreads: {size: 6}\n", ["bins", "reads"]),
}
NAMES = {study: "sheet.tsv", scored: "table.gtf.bz2", binned: "table.csv", keys: "study.yaml"}


@pytest.mark.parametrize("case", CASES)
def test_a_table_is_read_rightly_or_refused_with_the_true_reason(tmp_path: Path, case: str) -> None:
    read, content, expected = CASES[case]
    path = tmp_path / NAMES.get(read, "table.tsv")
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if not isinstance(expected, str):
        assert read(path) == expected
        return
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert re.search(expected, message), message
    assert path.name in message.split(": ")[0] or "key" in message
    assert "\n" not in message
    assert "; " in message


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("ENSG00000000003.9", "ENSG00000000003"),
        ("ENSMUSG00000000001.4", "ENSMUSG00000000001"),
        ("ENSG00000182378.15_PAR_Y", "ENSG00000182378"),
        ("ENSGR0000226179.1", "ENSGR0000226179"),
        ("ENSG00000223972.5_2", "ENSG00000223972"),
        ("ENSG00000000003", "ENSG00000000003"),
        *[
            (name, name)
            for name in ("ENSG1.2", "ENSG00000000003.x", "Y74C9A.3", "MSTRG.1", "AT1G01010.1", "ERCC-00002")
        ],
    ],
)
def test_only_the_version_of_an_ensembl_id_is_cut(name: str, whole: str) -> None:
    assert without_version(name) == whole


def test_genes_are_found_by_whole_names() -> None:
    genes = pd.DataFrame([("CL1A.2", "a"), ("CL1A.3", "b"), (A, "c")], columns=["gene", "symbol"])
    assert find_genes(genes, ["cl1a.3", A + ".5"])["symbol"].tolist() == ["b", "c"]
    with pytest.raises(UserError, match=r"'CL1A': is not among"):
        find_genes(genes, ["CL1A"])


def test_a_gene_at_several_loci_is_logged(write: Callable[..., Path], caplog: pytest.LogCaptureFixture) -> None:
    path = write("a.gtf", gene("gene_id A", "chrY") + gene("gene_id B") + gene("gene_id A", "chrX", 20))
    tss(path)
    assert (
        "1 genes have several loci; the study takes one of each: A is at chrY:10, chrX:20, and chrX:20 is"
        in caplog.text
    )
    caplog.clear()
    tss(write("b.gtf", gene("gene_id A") + gene("gene_id B")))
    assert not caplog.records


def test_few_common_genes_are_logged_with_examples(caplog: pytest.LogCaptureFixture) -> None:
    annotation = pd.DataFrame([(name, name, "chr1", 5, "+") for name in "ABCDEFGH"], columns=TABLE.split())
    build_gene_table(annotation, pd.Index(list("ABCDxyz")))
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    build_gene_table(annotation, pd.Index(list("ABCwxyz")))
    assert "genes such as w, x, y of the matrix and D, E, F of the annotation" in caplog.text
    with pytest.raises(UserError, match=r"no gene in common, such as y of the matrix and A, B, C of the annotation; "):
        build_gene_table(annotation, pd.Index(["y"]))


def test_a_tss_beyond_its_chromosome_is_of_another_build() -> None:
    genes = pd.DataFrame([("A", "chr1", 100), ("B", "chr1", 101)], columns=["gene", "chrom", "tss"])
    check_tss(genes[:1], {"chr1": 100})
    with pytest.raises(UserError, match=r"chr1 has 100 bp, but the TSS of B is at 101; give .* genome build"):
        check_tss(genes, {"chr1": 100})
    with pytest.raises(UserError, match="lack chr1, where the annotation has genes"):
        check_tss(genes, {"1": 100})


@pytest.mark.parametrize(
    ("base", "changes", "given", "words"),
    [
        ({}, {"bin": 1}, {}, "mine.yaml: unknown key 'bin', did you mean 'bins'"),
        ({"bin": 1}, {}, {}, "base.yaml: unknown key 'bin'"),
        ({"bins": {"size": 50}}, {}, {"bins": {"size": 0}}, "the command line .*: key 'bins.size': 0 is out of range"),
        ({"bins": {"size": 0}}, {"bins": {"upstream": 5}}, {}, "base.yaml: key 'bins.size': 0 is out of range"),
        ({"marks": ["H3K4me3"]}, {"marks": ["H3K4me3", 4]}, {}, "mine.yaml: key 'marks.1': 4 has the wrong type"),
        ({"validation_mark": None}, {"select": ["E9"]}, {}, "mine.yaml: key 'select': epigenome 'E9' is not in"),
    ],
)
def test_an_error_names_the_file_that_has_the_key(
    tmp_path: Path, base: dict, changes: dict, given: dict, words: str
) -> None:
    for name, content in (("base", base), ("mine", changes)):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "sheet.tsv").write_text("epigenome\nE1\n")
    (tmp_path / "genome.sizes").write_text("chr1\t1000\n")
    config = merged(ROADMAP, {"epigenomes": "sheet.tsv", "genome": {"chrom_sizes": "genome.sizes"}})
    for part in (base, changes, given):
        config = merged(config, part)
    parts = read_parts([tmp_path / "mine.yaml", tmp_path / "base.yaml"], given)
    with pytest.raises(UserError, match=words):
        load_study(json.loads(json.dumps(config)), SCHEMAS, tmp_path, "mine.yaml", parts)
