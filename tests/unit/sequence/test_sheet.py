"""The section `sequence` of the configuration and its sheet: every error is one line, before the first job."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pysam
import pytest
import yaml

from chromattend.errors import UserError
from chromattend.models.registry import REGISTRY
from chromattend.sequence.alphabets import ALPHABETS
from chromattend.sequence.configuration import _LETTERS, load_sequences, read_schema
from chromattend.sequence.dataset import Choices
from chromattend.sequence.sheet import SequenceSet
from chromattend.sequence.study import SequenceStudy

SCHEMAS = Path(__file__).parents[3] / "workflow/schemas"
HEADER = "set\ttf\tpositives\tnegatives\n"
ROW = "USF1\tUSF1\tp.fa\tshuffle\n"
BED_HEADER = "set\tpositives\tnegatives\tgenome\twidth\n"


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    for name in ("p.fa", "n.fa", "t.fa", "genome.fa", "bare.fa"):
        (tmp_path / name).write_text(">chr1\nACGT\n")
    pysam.faidx(str(tmp_path / "genome.fa"))
    (tmp_path / "p.bed").write_text("chr1\t1\t2\n")
    (tmp_path / "a.seq").write_text("FoldID\tEventID\tseq\tBound\n")
    (tmp_path / "other.txt").write_text("what is this\n")
    (tmp_path / "empty.fa").write_text("\n")
    return tmp_path


def load(workdir: Path, content: str = HEADER + ROW, **section: Any) -> SequenceStudy:
    (workdir / "sheet.tsv").write_text(content)
    config = {"sequence": {"sheet": "sheet.tsv"} | section}
    study = load_sequences(config, SCHEMAS, workdir, lambda key: f"study.yaml ({key})")
    assert study is not None
    return study


def test_a_study_has_its_sets_and_defaults(workdir: Path) -> None:
    study = load(workdir, f"{HEADER}# a comment\n{ROW}YY1\t\tp.fa\tn.fa\nother\t\ta.seq\tgiven\n")
    assert list(study.sets) == ["USF1", "YY1", "other"]
    assert study.sets["USF1"] == SequenceSet("USF1", "p.fa", "shuffle", tf="USF1")
    assert study.sets["YY1"].inputs == ["p.fa", "n.fa"]
    assert study.sets["other"].negatives == ""
    assert study.sets["USF1"].colour == "#808080"
    assert study.models == ["kmer_logistic", "gapped_kmer_logistic", "gkm_svm", "cnn", "cnn_rnn", "rnn", "dilated"]
    assert study.networks == study.models[3:]
    assert study.explained == ["gkm_svm", "cnn", "cnn_rnn", "dilated"]
    assert Choices.of(study.config) == Choices(
        valid_chromosomes=["chr7"], test_chromosomes=["chr8", "chr9"], fractions=[8, 1, 1]
    )
    assert list(load(workdir, f"{HEADER}{ROW}YY1\t\tp.fa\tn.fa\n", select=["YY1"]).sets) == ["YY1"]
    windows = load(workdir, f"{BED_HEADER}W\tp.bed\tgenome\tgenome.fa\t101\n").sets["W"]
    assert (windows.width, windows.inputs) == (101, ["p.bed", "genome.fa", "genome.fa.fai"])


def test_k_mers_are_as_long_as_the_alphabet_allows(workdir: Path) -> None:
    rows = "".join(f"{name}\tp.fa\t{name}\n" for name in ALPHABETS)
    study = load(workdir, f"set\tpositives\talphabet\n{rows}")

    def of(name: str, model: str) -> dict[str, Any]:
        options = study.model_options(name, model)
        return {key: options[key] for key in ("k", "window") if key in options}

    assert {name: of(name, "kmer_logistic")["k"] for name in ALPHABETS} == {"dna": 6, "rna": 6, "protein": 3, "text": 2}
    assert of("dna", "gapped_kmer_logistic") == {"k": 6, "window": 8}
    assert of("protein", "gapped_kmer_logistic") == {"k": 3, "window": 5}
    assert of("text", "gapped_kmer_logistic") == {"k": 2, "window": 4}
    study = load(
        workdir,
        f"set\tpositives\talphabet\n{rows}",
        model_options={"kmer_logistic": {"k": 1}, "gapped_kmer_logistic": {"k": 3}},
    )
    assert {name: of(name, "kmer_logistic")["k"] for name in ALPHABETS} == dict.fromkeys(ALPHABETS, 1)
    assert of("text", "gapped_kmer_logistic") == {"k": 3, "window": 5}
    # What the configuration says is not changed.
    assert study.config["model_options"]["gapped_kmer_logistic"]["window"] is None


def test_rna_has_one_strand(workdir: Path) -> None:
    study = load(workdir, "set\tpositives\talphabet\nA\tp.fa\trna\nB\tp.fa\t\nC\tp.fa\tdna\n", models=["cnn"])
    strands = {name: study.model_options(name, "cnn")["strands"] for name in study.sets}
    assert strands == {"A": "one", "B": None, "C": None}
    assert {name: len(alphabet) for name, alphabet in ALPHABETS.items()} == _LETTERS


def test_the_track_is_off_without_a_sheet(workdir: Path) -> None:
    for config in ({}, {"sequence": None}, {"sequence": {"sheet": None}}):
        assert load_sequences(config, SCHEMAS, workdir) is None


# Sheet, section, and words of the message.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "no sheet": (HEADER + ROW, {"sheet": "no.tsv"}, "key 'sequence.sheet': file 'no.tsv' does not exist; correct"),
    "an unknown key": (HEADER + ROW, {"model": []}, "unknown key 'sequence.model', did you mean 'models'?"),
    "an unknown model": (
        HEADER + ROW,
        {"models": ["ccn"]},
        "key 'sequence.models.0': 'ccn' is not valid, did you mean",
    ),
    "a chromatin model": (HEADER + ROW, {"models": ["lstm"]}, "'lstm' is not valid"),
    "a baseline to explain": (HEADER + ROW, {"explain": {"models": ["kmer_logistic"]}}, "'kmer_logistic' is not valid"),
    "an unknown view": (HEADER + ROW, {"explain": {"views": ["salience"]}}, "did you mean 'saliency'"),
    "a key of the other track": (
        HEADER + ROW,
        {"training": {"inputs": "log"}},
        "unknown key 'sequence.training.inputs'",
    ),
    "a bound of a shared key": (
        HEADER + ROW,
        {"training": {"batch_size": 0}},
        "'sequence.training.batch_size': 0 is out",
    ),
    "an unknown set": (HEADER + ROW, {"select": ["USF2"]}, "'USF2' is not in sheet.tsv, did you mean 'USF1'?"),
    "an even kernel": (HEADER + ROW, {"model_options": {"dilated": {"kernel": 18}}}, "18 is even; give an odd width"),
    "a short window": (
        HEADER + ROW,
        {"model_options": {"gapped_kmer_logistic": {"window": 5}}},
        "5 is shorter than k, 6 (set 'USF1'); give",
    ),
    "too many k-mers": (
        "set\tpositives\talphabet\nA\tp.fa\tprotein\n",
        {"model_options": {"kmer_logistic": {"k": 6}}},
        "6 gives 20^6 k-mers of protein (set 'A'), more than 2,000,000; give less, null, or remove kmer_logistic",
    ),
    "too many k-mers of text": (
        "set\tpositives\talphabet\nA\tp.fa\tdna\nB\tt.fa\ttext\n",
        {"model_options": {"gapped_kmer_logistic": {"k": 4}}},
        "4 gives 69^4 k-mers of text (set 'B'), more than 2,000,000; give less, null, or remove gapped_kmer_logistic",
    ),
    "a table of text": (
        "set\tpositives\talphabet\nA\ta.seq\ttext\n",
        {},
        "positives: text is read from FASTA, not from a table of DeepBind; give FASTA",
    ),
    "intervals of text": (
        "set\tpositives\tnegatives\tgenome\twidth\talphabet\nA\tp.bed\tshuffle\tgenome.fa\t9\ttext\n",
        {},
        "positives: a BED file gives dna or rna, not text; correct",
    ),
    "both strands of proteins": (
        "set\tpositives\talphabet\nA\tp.fa\tprotein\n",
        {"models": ["cnn"], "model_options": {"cnn": {"strands": "both"}}},
        "'sequence.model_options.cnn.strands': protein (set 'A') has one strand; write one, or null",
    ),
    "no view of letters": (
        HEADER + ROW,
        {"models": ["rnn"], "explain": {"models": ["rnn"], "views": ["deeplift", "temporal"]}},
        "'sequence.explain.views': has no view of letters that rnn has; add corrected_gradient",
    ),
    "a missing database": (HEADER + ROW, {"motif": {"database": "x.meme"}}, "file 'x.meme' does not exist; correct"),
    "an empty sheet": ("", {}, "sheet.tsv: is empty; give a header line"),
    "no set": (HEADER, {}, "sheet.tsv: has a header line but no set of sequences; add a row"),
    "blanks for tabs": (HEADER.replace("\t", " "), {}, "is not separated by tabs; give"),
    "an unknown column": ("set\tpositives\tnegative\nA\tp.fa\t\n", {}, "unknown column 'negative', did you mean 'nega"),
    "a missing column": ("set\ttf\nA\t\n", {}, "line 1: has no column 'positives'"),
    "a set twice": (HEADER + ROW + ROW, {}, "line 3: set 'USF1' is given twice, also in line 2; remove or rename"),
    "a set twice but for case": (
        HEADER + ROW + ROW.lower(),
        {},
        "'usf1' differs from 'USF1' only in its case, in line 2",
    ),
    "a reserved name": (HEADER + ROW.replace("USF1", "tables", 1), {}, "set name 'tables' is reserved for another"),
    "no name of a folder": (HEADER + "a/b\t\tp.fa\t\n", {}, "line 2: key 'set': 'a/b' is not valid; give a name of"),
    "no positives": (HEADER + "A\t\t\tshuffle\n", {}, "key 'positives': '' is not valid; give the path of a file"),
    "a colour": ("set\tpositives\tcolour\nA\tp.fa\tred\n", {}, "key 'colour': 'red' is not valid; give a #"),
    "an alphabet": ("set\tpositives\talphabet\nA\tp.fa\tDNA\n", {}, "'DNA' is not valid, did you mean 'dna'?"),
    "a missing file": (
        HEADER + "A\t\tx.fa\t\n",
        {},
        "set 'A', positives: file 'x.fa' does not exist; correct the path",
    ),
    "a URL": (HEADER + "A\t\thttps://x.y/z.fa\t\n", {}, "is a URL; download the file and give its path"),
    "an unknown format": (HEADER + "A\t\tother.txt\t\n", {}, "other.txt: line 1: 'what is this' begins neither FASTA"),
    "an empty file": (HEADER + "A\t\tempty.fa\t\n", {}, "empty.fa: is empty; give FASTA"),
    "another format": ("set\tpositives\tformat\nA\tp.fa\tbed\n", {}, "'p.fa' is fasta by its content, not bed; empty"),
    "a rule misspelt": (HEADER + "A\t\tp.fa\tshufle\n", {}, "file 'shufle' does not exist, did you mean 'shuffle'?"),
    "a rule as positives": (HEADER + "A\t\tshuffle\tp.fa\n", {}, "positives: 'shuffle' is a rule for negatives; give"),
    "one file twice": (HEADER + "A\t\tp.fa\tp.fa\n", {}, "negatives: file 'p.fa' is also given as 'positives'; give"),
    "negatives without a test": (
        "set\tpositives\ttest_negatives\nA\tp.fa\tn.fa\n",
        {},
        "test_negatives: needs a file in the column 'test'; give it",
    ),
    "intervals without a genome": (f"{BED_HEADER}A\tp.bed\tshuffle\t\t101\n", {}, "a BED file needs its genome; give"),
    "intervals without a width": (
        f"{BED_HEADER}A\tp.bed\tshuffle\tgenome.fa\t\n",
        {},
        "needs the width of the windows",
    ),
    "a width of 0": (
        f"{BED_HEADER}A\tp.bed\tshuffle\tgenome.fa\t0\n",
        {},
        "key 'width': '0' is not valid; give a whole",
    ),
    "intervals without labels": (f"{BED_HEADER}A\tp.bed\t\tgenome.fa\t9\n", {}, "negatives: a BED file has no labels"),
    "intervals of proteins": (
        "set\tpositives\tnegatives\tgenome\twidth\talphabet\nA\tp.bed\tshuffle\tgenome.fa\t9\tprotein\n",
        {"models": ["cnn"]},
        "positives: a BED file gives dna or rna, not protein; correct",
    ),
    "a genome without an index": (f"{BED_HEADER}A\tp.bed\tshuffle\tbare.fa\t9\n", {}, "bare.fa.fai; make it: samtools"),
    "a genome of sequences": (
        f"{BED_HEADER}A\tp.fa\tshuffle\tgenome.fa\t\n",
        {},
        "genome: only BED files need it; empty",
    ),
    "a width of sequences": (f"{BED_HEADER}A\tp.fa\tshuffle\t\t9\n", {}, "to crop sequences, set sequence.length"),
    "draws without intervals": (
        HEADER + "A\t\tp.fa\tgenome\n",
        {},
        "draws from the genome need a BED file of positives",
    ),
    "draws of RNA": (
        "set\tpositives\tnegatives\tgenome\twidth\talphabet\nA\tp.bed\tgenome\tgenome.fa\t9\trna\n",
        {},
        "negatives: the genome gives negatives for dna, not rna; write shuffle",
    ),
    "an unknown chromosome": (
        f"{BED_HEADER}A\tp.bed\tshuffle\tgenome.fa\t9\n",
        {"split": {"mode": "chromosome", "valid_chromosomes": ["1"]}},
        "key 'sequence.split.valid_chromosomes': '1' is not in genome.fa, which has chr1",
    ),
    "a chromosome in two parts": (
        HEADER + ROW,
        {"split": {"mode": "chromosome", "valid_chromosomes": ["chr9"]}},
        "'chr9' is also in 'sequence.split.valid_chromosomes'; remove it",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_errors_are_one_line(case: str, workdir: Path) -> None:
    sheet, section, words = CASES[case]
    with pytest.raises(UserError) as caught:
        load(workdir, sheet, **section)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert "; " in message
    assert message.startswith(("study.yaml (sequence", "sheet.tsv"))


def test_every_key_has_a_default_and_a_meaning() -> None:
    def walk(part: dict[str, Any], path: str) -> None:
        for name, inner in part["properties"].items():
            assert inner["description"], path + name
            if inner.get("type") == "object":
                walk(inner, f"{path}{name}.")
            else:
                assert "default" in inner, path + name

    schema = read_schema(SCHEMAS)
    walk(schema, "")
    models = [name for name, spec in REGISTRY.items() if spec.scope == "sequence"]
    assert schema["properties"]["models"]["default"] != []
    assert set(schema["properties"]["model_options"]["properties"]) == set(models)
    assert schema["properties"]["training"]["properties"]["batch_size"]["minimum"] == 1
    columns = yaml.safe_load((SCHEMAS / "sequences.schema.yaml").read_text())["properties"]
    assert (SCHEMAS.parents[1] / "config/sequences.tsv").read_text().splitlines()[0].split("\t") == list(columns)


def test_planning_imports_no_arrays() -> None:
    code = (
        "import sys, chromattend.sequence.configuration;"
        "assert not {'numpy', 'pandas', 'torch', 'numba', 'pysam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
