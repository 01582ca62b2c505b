"""The commands of sequences, and checkpoints that are given to a command of the other track."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
import torch
from builders import SMALL, synthetic_dataset

from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.cli import main
from chromattend.models import load_model
from chromattend.models.network import Network
from chromattend.sequence.inputs import SequenceInputs
from chromattend.sequence.variants import score_sequences, score_variants

LENGTH = 30
GENOME = "".join(np.random.default_rng(1).choice(list("ACGT"), 200))
Refused = Callable[..., str]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a genome, and a network of each track as the pipeline leaves it."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "genome.fa").write_text(f">chr1\n{GENOME}\n")
    pysam.faidx(str(folder / "genome.fa"))
    torch.manual_seed(1)
    Network(SequenceInputs("cnn", "dna", LENGTH), {"channels": 4}).save(folder / "results/sequence/USF1/cnn/model.ckpt")
    inputs = ChromatinInputs.of("deepchrome", synthetic_dataset(), "depth")
    Network(inputs, SMALL["deepchrome"]).save(folder / "results/E003/deepchrome/model.ckpt")
    return folder


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that must fail, and return its one line."""

    def run(*arguments: str | Path) -> str:
        with pytest.raises(SystemExit) as caught:
            main([*map(str, arguments)])
        message = str(caught.value.code)
        assert message.startswith("Error: ")
        assert "\n" not in message
        assert "; " in message
        assert capsys.readouterr().out == ""
        return message

    return run


def cnn(study: Path) -> Path:
    return study / "results/sequence/USF1/cnn/model.ckpt"


def vcf(folder: Path, *variants: tuple[str, int, str, str]) -> Path:
    path = folder / "variants.vcf"
    rows = "".join(f"{chrom}\t{position}\t.\t{ref}\t{alt}\t.\t.\t.\n" for chrom, position, ref, alt in variants)
    path.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + rows)
    return path


def other(letter: str) -> str:
    return "ACGT"["ACGT".index(letter) - 1]


def variants(study: Path, file: Path, *more: str | Path) -> Sequence[str | Path]:
    return ["variants", "--checkpoint", cnn(study), "--vcf", file, "--genome", study / "genome.fa", *more]


def test_variants_are_printed_or_written(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = vcf(tmp_path, *(("chr1", at, GENOME[at - 1], other(GENOME[at - 1])) for at in (50, 120)))
    arguments = [*map(str, variants(study, file))]
    main(arguments)
    printed = capsys.readouterr().out
    expected = score_variants({"USF1/cnn": load_model(cnn(study))}, file, study / "genome.fa")
    assert printed == expected.to_csv(sep="\t", index=False, lineterminator="\n")
    assert printed.splitlines()[0].split("\t")[-3:] == [f"USF1/cnn_{kind}" for kind in ("ref", "alt", "delta")]
    main([*arguments, "--output", str(tmp_path / "new/scores.tsv")])
    assert capsys.readouterr().out == ""
    assert (tmp_path / "new/scores.tsv").read_text() == printed


def test_sequences_are_scored(study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fasta, bed = tmp_path / "a.fa", tmp_path / "a.bed"
    fasta.write_text(f">one\n{GENOME[:LENGTH]}\n>two\n{GENOME[60:130]}\n")
    bed.write_text("chr1\t40\t100\n")
    command = ["score-sequences", "--checkpoint", str(cnn(study)), "--genome", str(study / "genome.fa")]
    main([*command, "--sequences", str(fasta), "--sequences", str(bed), "--output", str(tmp_path / "scores.tsv")])
    table = pd.read_csv(tmp_path / "scores.tsv", sep="\t")
    model = {"USF1/cnn": load_model(cnn(study))}
    expected = score_sequences(model, [fasta, bed], genome=study / "genome.fa")
    assert table["sequence"].tolist()[:2] == ["one", "two"]
    assert table["length"].tolist() == [LENGTH, 70, 60]
    np.testing.assert_allclose(table["USF1/cnn_logit"], expected["USF1/cnn_logit"])
    main([*command, "--sequences", str(bed), "--width", str(LENGTH)])
    assert f"\tchr1:55-{55 + LENGTH}\t{LENGTH}\t" in capsys.readouterr().out


def test_variants_of_another_genome_are_one_line(study: Path, tmp_path: Path, refused: Refused) -> None:
    wrong = other(GENOME[49])
    message = refused(*variants(study, vcf(tmp_path, ("chr1", 50, wrong, "N"))))
    assert f"variants.vcf: line 3: chr1:50: the reference allele is {wrong} in the file but {GENOME[49]} in " in message
    message = refused(*variants(study, vcf(tmp_path, ("1", 50, GENOME[49], "A"))))
    assert "line 3: 1:50: chromosome '1' is not in " in message
    assert "genome.fa, which has chr1" in message


def test_a_checkpoint_of_the_other_track_is_one_line(study: Path, tmp_path: Path, refused: Refused) -> None:
    chromatin, fasta = study / "results/E003/deepchrome/model.ckpt", tmp_path / "a.fa"
    fasta.write_text(f">one\n{GENOME[:LENGTH]}\n")
    file = vcf(tmp_path, ("chr1", 50, GENOME[49], other(GENOME[49])))
    said = "E003/deepchrome: is a model of the track chromatin, not sequence; give models of sequence"
    genome = ["--genome", study / "genome.fa"]
    assert said in refused("variants", "--checkpoint", cnn(study), "--checkpoint", chromatin, "--vcf", file, *genome)
    assert said in refused("score-sequences", "--checkpoint", chromatin, "--sequences", fasta)
    message = refused("predict", "--checkpoint", cnn(study), "--signal", "H3K4me3=a.bed", "--genes", "genes.tsv")
    assert "USF1/cnn: is a model of the track sequence, not chromatin; give models of chromatin" in message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--vcf": "gone.vcf"}, "--vcf: file 'gone.vcf' does not exist"),
        ({"--vcf": "https://example.org/a.vcf"}, "--vcf: 'https://example.org/a.vcf' is a URL; download it"),
        ({"--genome": "gone.fa"}, "--genome: file 'gone.fa' does not exist"),
        ({"--checkpoint": "gone.ckpt"}, "checkpoint 'gone.ckpt': does not exist"),
        ({"--checkpoint": "{study}/genome.fa"}, "genome.fa: is not a chromattend model"),
    ],
)
def test_a_wrong_path_is_one_line(
    study: Path, tmp_path: Path, refused: Refused, changes: dict[str, str], words: str
) -> None:
    file = vcf(tmp_path, ("chr1", 50, GENOME[49], other(GENOME[49])))
    given = {"--checkpoint": str(cnn(study)), "--vcf": str(file), "--genome": str(study / "genome.fa")}
    given |= {option: value.format(study=study) for option, value in changes.items()}
    assert words in refused("variants", *(word for pair in given.items() for word in pair))


def test_wrong_sequences_are_one_line(study: Path, tmp_path: Path, refused: Refused) -> None:
    fasta = tmp_path / "a.fa"
    fasta.write_text(">one\nACGT\n>two\nAC!T\n")
    command = ["score-sequences", "--checkpoint", cnn(study), "--sequences"]
    assert "a.fa: line 4: record 'two': letter '!'" in refused(*command, fasta)
    assert "--width: -5 is below 0; give a number of bp" in refused(*command, fasta, "--width", "-5")
    assert "--sequences: file 'gone.fa' does not exist" in refused(*command, "gone.fa")


def test_a_set_is_simulated(tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "synthetic"
    main(["simulate-sequences", str(folder), "--seed", "4"])
    assert "1500 training and 250 test positives" in capsys.readouterr().err
    assert (folder / "positives.fa").read_bytes().count(b">") == 1500
    assert (folder / "sequences.tsv").read_text().splitlines()[1].startswith("synthetic\tCTCF\t")
    assert "seed -1: out of range; give" in refused("simulate-sequences", folder, "--seed", "-1")


def test_contexts_are_simulated(tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "graphs"
    main(["simulate-graphs", str(folder), "--seed", "4"])
    assert "3 contexts of 300 samples with 114 true edges written" in capsys.readouterr().err
    assert (folder / "A.tsv").read_bytes().count(b"\n") == 301
    assert (folder / "contexts.tsv").read_text().splitlines()[1].startswith("simulated\tA\t")
    assert "seed -1: out of range; give" in refused("simulate-graphs", folder, "--seed", "-1")
    random = (folder / "truth.tsv").read_text()
    main(["simulate-graphs", str(folder), "--kind", "hub"])
    assert (folder / "truth.tsv").read_text() != random
    assert "kind 'hubs': is unknown, did you mean 'hub'?" in refused("simulate-graphs", folder, "--kind", "hubs")
