"""Bad sequences: each gives one line that names the file, the line and the fix."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest

from chromattend.errors import UserError
from chromattend.sequence.dataset import Choices, build_dataset
from chromattend.sequence.sheet import SequenceSet

GOOD = "".join(f">s{n} {n % 2}\n{'ACGT' * 5}{'ACGT'[n % 4]}{'ACGT'[n // 4 % 4]}\n" for n in range(16))
SEQ = "FoldID\tEventID\tseq\tBound\n"
Write = Callable[..., Path]

# File name, content, further columns of the sheet, and words of the message.
CASES = {
    "an empty file": ("a.fa", "", {}, ["a.fa: is empty; give FASTA"]),
    "an empty table": ("a.seq", SEQ, {}, ["a.seq: has no sequence; give at least one"]),
    "an illegal letter": (
        "a.fa",
        ">x 1\nACGT\n>y 0\nACGT\nAC!T\n",
        {},
        ["a.fa: line 5: record 'y': letter '!'", "dna"],
    ),
    "a letter beyond Latin-1": ("a.fa", ">x 1\nACΔT\n", {}, ["line 2: record 'x': letter 'Δ'"]),
    "a gap": ("a.fa", ">x 1\nAC-T\n", {}, ["letter '-'", "remove the gaps"]),
    "a protein": ("a.fa.gz", ">x 1\nMEEPQ\n", {}, ["letter 'E' is not in the alphabet dna", "write protein"]),
    "a digit among RNA": ("a.fa", ">x 1\nACU1\n", {"alphabet": "rna"}, ["alphabet rna; give letters of ACGU (or T)"]),
    "no header line": ("a.fa", "ACGT\n>x 1\nACGT\n", {}, ["a.fa: line 1: is a sequence without a header", ">name"]),
    "no header line, by format": ("a.fa", "ACGT\n", {"format": "fasta"}, ["line 1: is a sequence without a header"]),
    "an empty sequence": ("a.fa", ">x 1\nACGT\n>y 0\n\n", {}, ["a.fa: line 3: record 'y': has no letters"]),
    "an empty cell": ("a.seq", f"{SEQ}A\te1\t\t1\n", {}, ["a.seq: line 2: record 'e1': has no letters"]),
    "another label": ("a.fa", ">x 2\nACGT\n", {}, ["a.fa: line 1: label '2' is not valid; give 1"]),
    "no label": ("a.fa", ">x\nACGT\n", {}, ["a.fa: line 1: label 'x' is not valid"]),
    "no header": ("a.fa", ">\nACGT\n", {}, ["a.fa: line 1: the header has no label"]),
    "a label in words": ("a.seq", f"{SEQ}A\te1\tACGT\tyes\n", {}, ["line 2: record 'e1': label 'yes'"]),
    "both classes as positives": (
        "a.fa",
        ">1\nACGT\n>0\nACGT\n",
        {"negatives": "shuffle"},
        ["a.fa: line 3: label 0 is in a file of positives only", "leave the column of its negatives empty"],
    ),
    "bound and unbound as positives": (
        "a.seq",
        f"{SEQ}A\te1\tACGT\t0\n",
        {"negatives": "shuffle"},
        ["record 'e1': label 0 is in a file of positives only"],
    ),
    "one class": ("a.fa", GOOD.replace(" 0", " 1"), {}, ["positive and 0 negative", "in the column 'negatives'"]),
    "too few columns": ("a.seq", f"{SEQ}A\te1\tACGT\n", {}, ["a.seq: line 2: has 3 columns, but line 1 has 4"]),
    "a missing column": ("a.seq", "FoldID\tEventID\tsequence\tBound\n", {}, ["a.seq: line 1: has no column 'seq'"]),
    "no coordinates": ("a.fa", GOOD, {"mode": "chromosome"}, ["a.fa line 3: record 's1' has no coordinates"]),
    "a table": ("a.tsv", "gene\tvalue\nx\t1\n", {}, ["a.tsv: line 1: 'gene\\tvalue' begins neither FASTA"]),
    "blanks in a BED file": ("a.bed", "chr1 10 20\n", {}, ["a.bed: line 1: separates columns by blanks"]),
    "labels of a BED file": ("a.bed", "chr1\t10\t20\n", {}, ["a.bed: is a BED file, which has no labels"]),
    "another chromosome name": (
        "a.bed",
        "chr1\t10\t90\n1\t10\t90\n",
        {"negatives": "shuffle"},
        ["a.bed: line 2: chromosome '1' is not in", "which has chr1, chr2, did you mean 'chr1'?"],
    ),
    "a reversed interval": ("a.bed", "chr1\t90\t10\n", {"negatives": "shuffle"}, ["line 1: start 90 is not before"]),
    "a negative start": ("a.bed", "chr1\t9\t20\nchr1\t-1\t9\n", {"negatives": "shuffle"}, ["line 2: start '-1'"]),
    "ragged intervals": (
        "a.bed",
        "chr1\t10\t90\nchr1\t10\n",
        {"negatives": "shuffle"},
        ["line 2: has 2 columns instead"],
    ),
    "a summit outside": (
        "a.bed",
        "chr1\t10\t90\tx\t0\t.\t1\t1\t1\t80\n",
        {"negatives": "shuffle"},
        ["line 1: column 10, the summit of a narrowPeak, is '80'", "below 80"],
    ),
    "only windows beyond the end": (
        "a.bed",
        "chr1\t1\t20\n",
        {"negatives": "shuffle"},
        ["a.bed: every window of 101 bp reaches beyond", "smaller width"],
    ),
    "too small a genome": (
        "a.bed",
        "".join(f"chr1\t{n}\t{n + 20}\n" for n in range(60, 360, 50)),
        {"negatives": "genome"},
        ["negatives from genome.fa: chr1 has only", "choose shuffle"],
    ),
    "a genome without an index": (
        "a.bed",
        "chr1\t10\t90\n",
        {"negatives": "shuffle", "genome": "other.fa"},
        ["other.fa: has no index", "samtools faidx"],
    ),
    "an index of another genome": (
        "a.bed",
        "chr1\t10\t190\n",
        {"negatives": "shuffle", "genome": "changed.fa"},
        ["changed.fa: its index does not fit the file at chr1:", "make it again: samtools faidx"],
    ),
    "a web page": ("a.fa", "<html><body>Moved</body></html>", {}, ["a.fa: is a web page"]),
    "a cut file": ("a.fa.gz", None, {}, ["a.fa.gz: is truncated or damaged"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_sequences_give_one_line(case: str, write: Write, tmp_path: Path) -> None:
    name, content, more, words = CASES[case]
    columns = {"genome": "genome.fa", "width": 101} if name.endswith(".bed") else {}
    columns |= {key: value for key, value in more.items() if key != "mode"}
    rng = np.random.default_rng(1)
    write("genome.fa", "".join(f">chr{n}\n{''.join(rng.choice(list('ACGT'), 500))}\n" for n in (1, 2)))
    write("other.fa", ">chr1\nACGT\n")
    pysam.faidx(str(tmp_path / "genome.fa"))
    # An index that was made before the line breaks.
    long = "".join(rng.choice(list("ACGT"), 500))
    pysam.faidx(str(write("changed.fa", f">chr1\n{long}\n")))
    write("changed.fa", f">chr1\n{long[:50]}\n{long[50:]}\n")
    path = write(name, GOOD if content is None else content)
    if content is None:
        path.write_bytes(path.read_bytes()[:-20])
    source = SequenceSet("S", name, **{"negatives": "", **columns})
    with pytest.raises(UserError) as caught:
        build_dataset(source, tmp_path, Choices(mode=more.get("mode", "random")))
    message = str(caught.value)
    assert "\n" not in message
    for part in words:
        assert part in message
    assert ";" in message
    assert not (tmp_path / "other.fa.fai").exists()


def test_lines_may_end_as_on_windows_and_letters_be_lower_case(write: Write, tmp_path: Path) -> None:
    write("a.fa", GOOD)
    write("b.fa", GOOD.replace("ACGT", "acgt").replace("\n", "\r\n") + "\r\n")
    datasets = [
        build_dataset(SequenceSet("S", name), tmp_path, Choices(fractions=(2, 1, 1)))[0] for name in ("a.fa", "b.fa")
    ]
    assert datasets[0].identical(datasets[1])
