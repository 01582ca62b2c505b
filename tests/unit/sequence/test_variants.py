"""Scores of variants and of new sequences: windows of both alleles, strands, lengths, and what is refused."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pysam
import pytest
import torch
from scipy import special
from torch import Tensor

from chromattend.errors import UserError
from chromattend.models.baseline import Baseline, Setting
from chromattend.models.network import Network
from chromattend.sequence.alphabets import ALPHABETS, one_hot
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.models.baselines import kmer_logistic
from chromattend.sequence.variants import logits, score_sequences, score_variants

LENGTH = 21
DNA = ALPHABETS["dna"]
GENOME = {
    "chr1": "".join(np.random.default_rng(1).choice(list("ACGT"), 200)),
    "chr2": "acgtNNNNNacgtacgtacgtacgtacgtaAAAA",
}
Write = Callable[[str, str | bytes], Path]


class Weighted(torch.nn.Module):
    """A weighted sum of letters: every letter of a window shows in the logit."""

    def __init__(self, strands: str) -> None:
        super().__init__()
        self.strands = strands
        self.weight = torch.randn(LENGTH, 4, generator=torch.Generator().manual_seed(7))

    def forward(self, signal: Tensor) -> Tensor:
        own = (signal * self.weight).sum(dim=(1, 2))
        return own if self.strands == "one" else (own + (signal.flip(1, 2) * self.weight).sum(dim=(1, 2))) / 2


def network(strands: str = "one", length: int = LENGTH, alphabet: str = "dna") -> Network:
    model = Network(SequenceInputs("cnn", alphabet, length + 20), {"channels": 2, "strands": "one"})
    model.input_spec = SequenceInputs("cnn", alphabet, length)
    model.replicates = torch.nn.ModuleList([Weighted(strands)])
    return model.eval()


def expected(text: str) -> float:
    """Logit of a window's letters by the network, mean of both strands."""
    signal = torch.from_numpy(one_hot(DNA.encode(text, ""), 4))[None]
    return float(network("both")(signal))


@pytest.fixture
def genome(write: Write) -> Path:
    path = write("genome.fa", "".join(f">{name}\n{text}\n" for name, text in GENOME.items()))
    pysam.faidx(str(path))
    return path


def vcf(*rows: tuple) -> str:
    header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    return header + "".join("\t".join(map(str, row)) + "\t.\t.\t.\n" for row in rows)


def substituted(position: int, ref: str, alt: str) -> tuple[str, str]:
    """Windows of both alleles on chr1 by string operations: the longer allele in the middle, the start shared."""
    text, at = GENOME["chr1"], position - 1
    assert text[at : at + len(ref)] == ref
    start = at - (LENGTH - max(len(ref), len(alt))) // 2
    changed = text[:at] + alt + text[at + len(ref) :]
    return text[start : start + LENGTH], changed[start : start + LENGTH]


def base(position: int, length: int = 1) -> str:
    return GENOME["chr1"][position - 1 : position - 1 + length]


def other(letter: str) -> str:
    return {"A": "C", "C": "G", "G": "T", "T": "A"}[letter]


@pytest.mark.parametrize("strands", ["one", "both"])
def test_scores_of_both_alleles(write: Write, genome: Path, strands: str) -> None:
    """Substitution, insertion, deletion and several alternatives, in a compressed file with Windows line ends."""
    changes = [
        (100, base(100), other(base(100))),
        (80, base(80), base(80) + "GATTACA"),
        (60, base(60, 6), base(60)),
        (120, base(120, 2), "TTT"),
        (120, base(120, 2), "C"),
    ]
    rows = [("chr1", position, f"v{position}", ref, alt) for position, ref, alt in changes[:3]]
    rows.append(("chr1", 120, ".", base(120, 2), "TTT,C"))
    path = write("variants.vcf.gz", vcf(*rows).replace("\n", "\r\n"))
    table = score_variants({"set/cnn": network(strands)}, path, genome)
    assert table.columns.tolist()[:5] == ["chrom", "pos", "id", "ref", "alt"]
    assert list(zip(table["pos"], table["ref"], table["alt"], strict=True)) == changes
    assert table["id"].tolist() == ["v100", "v80", "v60", ".", "."]
    for row, change in zip(table.itertuples(index=False), changes, strict=True):
        windows = substituted(*change)
        assert row[5] == pytest.approx(expected(windows[0]), abs=1e-5)
        assert row[6] == pytest.approx(expected(windows[1]), abs=1e-5)
        assert row[7] == pytest.approx(row[6] - row[5])
    # In the middle of the window, both alleles of a substitution differ in one letter.
    first = substituted(*changes[0])
    assert [at for at in range(LENGTH) if first[0][at] != first[1][at]] == [LENGTH // 2]


def test_ends_of_chromosomes_and_unknown_letters(write: Write, genome: Path) -> None:
    path = write("a.vcf", vcf(("chr2", 1, ".", "a", "G"), ("chr2", 34, ".", "A", "C"), ("chr2", 6, ".", "A", "T")))
    table = score_variants({"cnn": network()}, path, genome)
    text = "N" * 10 + GENOME["chr2"] + "N" * 10
    assert table["cnn_ref"][0] == pytest.approx(expected(text[:LENGTH]), abs=1e-5)
    assert table["cnn_ref"][1] == pytest.approx(expected(text[33 : 33 + LENGTH]), abs=1e-5)
    # The genome has N, which no reference allele contradicts; it is scored as it is.
    assert table["cnn_ref"][2] == pytest.approx(expected(text[5 : 5 + LENGTH]), abs=1e-5)
    assert table["cnn_alt"][2] == pytest.approx(expected(text[5:15] + "T" + text[16 : 5 + LENGTH]), abs=1e-5)


def test_alleles_without_a_sequence_are_counted(write: Write, genome: Path, caplog: pytest.LogCaptureFixture) -> None:
    ref = base(50)
    rows = [("chr1", 50, ".", ref, "<DEL>,*"), ("chr1", 50, ".", ref, f"{ref}[chr2:3["), ("chr1", 50, ".", ref, ".")]
    rows += [
        ("chr1", 50, ".", ref, ref + "A" * LENGTH),
        ("chr1", 50, ".", ref, ref.lower()),
        ("chr1", 50, "kept", ref, other(ref)),
    ]
    with caplog.at_level(logging.WARNING):
        table = score_variants({"cnn": network()}, write("a.vcf", vcf(*rows)), genome)
    assert table["id"].tolist() == ["kept"]
    warnings = sorted(record.getMessage().partition("left out ")[2] for record in caplog.records)
    assert warnings == [
        "1 alternative allele: '*', the place is deleted by another variant",
        "1 alternative allele: equal to the reference",
        f"1 alternative allele: longer than the {LENGTH} bp that the models read",
        "1 alternative allele: there is none",
        "2 alternative alleles: symbolic, such as <DEL>, or a breakend, whose sequence is not given",
    ]


def test_nothing_left_gives_an_empty_table(write: Write, genome: Path) -> None:
    table = score_variants({"cnn": network()}, write("a.vcf", vcf(("chr1", 50, ".", "A", "<DEL>"))), genome)
    assert len(table) == 0
    assert table.columns.tolist() == ["chrom", "pos", "id", "ref", "alt", "cnn_ref", "cnn_alt", "cnn_delta"]


WRONG = other(GENOME["chr1"][99])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            vcf(("chr1", 100, ".", WRONG, GENOME["chr1"][99])),
            rf"a.vcf: line 3: chr1:100: the reference allele is {WRONG} in the file but {GENOME['chr1'][99]} in .*"
            "genome.fa; give the genome",
        ),
        (
            vcf(("1", 100, ".", "A", "C")),
            "line 3: 1:100: chromosome '1' is not in .*genome.fa, which has chr1, chr2; use",
        ),
        (vcf(("chr1", 201, ".", "A", "C")), "line 3: chr1:201: is beyond the end of chr1, which has 200 bp"),
        (vcf(("chr1", "x", ".", "A", "C")), "line 3: position 'x' is not a whole number from 1"),
        (vcf(("chr1", 0, ".", "A", "C")), "line 3: position '0' is not a whole number from 1"),
        (vcf(("chr1", 5, ".", "A", "AXG")), "line 3: allele 'AXG' is not DNA"),
        ("chr1 5 . A C\n", "line 1: has 1 columns separated by tabs, but a VCF line has at least 5"),
        ("##fileformat=VCFv4.2\n", "a.vcf: has no variant"),
        ("", "a.vcf: has no variant"),
    ],
)
def test_bad_variants(write: Write, genome: Path, content: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        score_variants({"cnn": network()}, write("a.vcf", content), genome)


def test_bcf_is_named(tmp_path: Path, genome: Path) -> None:
    header = pysam.VariantHeader()
    header.add_line("##contig=<ID=chr1,length=200>")
    with pysam.VariantFile(str(tmp_path / "a.bcf"), "wb", header=header) as file:
        file.write(file.new_record(contig="chr1", start=99, alleles=(base(100), other(base(100)))))
    with pytest.raises(UserError, match=r"a\.bcf: is a BCF file; convert it: bcftools view"):
        score_variants({"cnn": network()}, tmp_path / "a.bcf", genome)


def test_block_compressed_files_without_contigs(write: Write, tmp_path: Path, genome: Path) -> None:
    """As bgzip writes them, in several blocks; the header names no chromosome."""
    rows = [("chr1", position, "long_name" * 50, base(position), other(base(position))) for position in range(20, 180)]
    pysam.tabix_compress(str(write("a.vcf", vcf(*rows))), str(tmp_path / "a.vcf.gz"))
    assert len(score_variants({"cnn": network()}, tmp_path / "a.vcf.gz", genome)) == 160


def test_models_must_read_the_same(write: Write, genome: Path) -> None:
    path = write("a.vcf", vcf(("chr1", 100, ".", base(100), other(base(100)))))
    with pytest.raises(UserError, match="b: was trained on sequences of length 30, but a on 21; give models of one"):
        score_variants({"a": network(), "b": network(length=30)}, path, genome)
    with pytest.raises(UserError, match="a: was trained on rna, but variants are DNA"):
        score_variants({"a": network(alphabet="rna")}, path, genome)
    with pytest.raises(UserError, match="models: none is given"):
        score_sequences({}, path)


def test_baselines_score_too(write: Write, genome: Path) -> None:
    """Of a k-mer model, the logit of its probability."""
    rng = np.random.default_rng(2)
    letters = rng.integers(0, 4, size=(60, LENGTH)).astype(np.int8)
    letters[:30, 5:9] = [0, 0, 0, 0]
    signal = one_hot(letters, 4)
    estimator = kmer_logistic(Setting(4, LENGTH, False), k=4, C=1.0).fit(signal.reshape(60, -1), np.repeat([1, 0], 30))
    model = Baseline(SequenceInputs("kmer_logistic", "dna", LENGTH), [estimator], [])
    probability = estimator.predict_proba(signal.reshape(60, -1))[:, 1]
    np.testing.assert_allclose(special.expit(logits(model, letters)), probability, rtol=1e-5)
    path = write("a.vcf", vcf(("chr1", 100, ".", base(100), other(base(100)))))
    table = score_variants({"cnn": network(), "kmer": model}, path, genome)
    assert table.columns.tolist()[5:] == [
        f"{name}_{kind}" for name in ("cnn", "kmer") for kind in ("ref", "alt", "delta")
    ]
    assert np.isfinite(table["kmer_delta"]).all()


def test_sequences_of_any_length(write: Write) -> None:
    """A short one among unknown letters, a long one by its best window."""
    long = GENOME["chr1"][:73]
    path = write("a.fa.gz", f">short\nACGTAC\n>exact\n{long[:LENGTH]}\n>long some words\n{long}\n")
    table = score_sequences({"cnn": network()}, path)
    assert table["sequence"].tolist() == ["short", "exact", "long"]
    assert table["length"].tolist() == [6, LENGTH, 73]
    assert table["cnn_logit"][0] == pytest.approx(expected("N" * 7 + "ACGTAC" + "N" * 8), abs=1e-5)
    assert table["cnn_logit"][1] == pytest.approx(expected(long[:LENGTH]), abs=1e-5)
    windows = {start: expected(long[start : start + LENGTH]) for start in [*range(0, 52, 5), 52]}
    best = max(windows, key=lambda start: windows[start])
    assert table["cnn_start"].tolist() == [0, 0, best]
    assert table["cnn_logit"][2] == pytest.approx(windows[best], abs=1e-5)
    np.testing.assert_allclose(table["cnn_probability"], special.expit(table["cnn_logit"]))


def test_intervals_of_a_genome(write: Write, genome: Path) -> None:
    bed = write("a.bed", "chr1\t50\t71\tpeak\nchr1\t100\t150\n".replace("150\n", "150\tlong\n"))
    table = score_sequences({"cnn": network()}, [bed, bed], genome=genome)
    assert table["place"].tolist() == ["chr1:50-71", "chr1:100-150"] * 2
    assert table["cnn_logit"][0] == pytest.approx(expected(GENOME["chr1"][50:71]), abs=1e-5)
    middle = score_sequences({"cnn": network()}, bed, genome=genome, width=LENGTH)
    assert middle["place"].tolist() == ["chr1:50-71", "chr1:115-136"]
    with pytest.raises(UserError, match="no genome is given"):
        score_sequences({"cnn": network()}, bed)


def test_many_variants_are_as_few(write: Write, genome: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("chr1", position, ".", base(position), other(base(position))) for position in range(20, 50)]
    path = write("a.vcf", vcf(*rows))
    every = score_variants({"cnn": network()}, path, genome)
    monkeypatch.setattr("chromattend.sequence.variants.BATCH", 7)
    few = score_variants({"cnn": network()}, path, genome)
    np.testing.assert_allclose(every["cnn_delta"], few["cnn_delta"], atol=1e-5)
