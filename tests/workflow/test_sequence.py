"""A small study of sequences, run as a user runs it: from FASTA files to pages, again, and with mistakes."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pysam
import pytest
from bs4 import BeautifulSoup

from chromattend.sequence.motifs import Motif, write_meme
from chromattend.sequence.simulate import MOTIFS, simulate_sequences

from .conftest import Workspace, made_after, now

SETS = {"A": "CTCF", "B": "USF1"}
MODELS = ["kmer_logistic", "cnn"]
COLUMNS = ["set", "tf", "group", "colour", "positives", "negatives", "test", "genome", "width"]
# Of a set, and of a network that is explained.
OF_SET = ["calibration.tsv", "comparisons.tsv", "dataset.nc", "quality.json", "report.html"]
OF_SET += ["figures/calibration.svg", "figures/roc.svg"]
OF_MODEL = ["history.csv", "metrics.json", "model.ckpt", "predictions.tsv"]
OF_EXPLAINED = ["designs.nc", "explanation.nc", "hits.tsv", "influence.tsv", "matches.tsv", "motifs.meme", "motifs.tsv"]
OF_EXPLAINED += ["sites.tsv", "trust.tsv"]


def sheet(*rows: dict[str, str]) -> str:
    return "\n".join(["\t".join(COLUMNS), *("\t".join(row.get(name, "") for name in COLUMNS) for row in rows)]) + "\n"


def row(name: str, **cells: str) -> dict[str, str]:
    files = {"positives": f"data/{name}/positives.fa", "negatives": "shuffle", "test": f"data/{name}/test.fa"}
    return {"set": name, "tf": SETS.get(name, ""), **files, **cells}


def section(**changes: object) -> dict:
    """A section of a baseline and a network that take seconds, compared with three known motifs."""
    return {
        "sheet": "sequences.tsv",
        "models": MODELS,
        "model_options": {"cnn": {"channels": 8}},
        "training": {"max_epochs": 2, "accelerator": "cpu"},
        "explain": {"sequences": 20, "costly": 10, "shown": 2},
        "motif": {"database": "data/known.meme", "number": 1},
        **changes,
    }


def configure(workspace: Workspace, repository: Path, sequence: dict | None, sequences: str | None = None) -> None:
    """Write a configuration of both tracks; the files of the chromatin track are only planned."""
    chromatin = {"genome": {"name": "synthetic", "chrom_sizes": str(repository / "config/demo/synthetic.chrom.sizes")}}
    chromatin |= {"models": ["logistic_regression"]}
    workspace.configure(
        chromatin | ({} if sequence is None else {"sequence": sequence}), "epigenome\tname\nSYN1\tone\n"
    )
    (workspace / "sequences.tsv").write_text(sheet(*map(row, SETS)) if sequences is None else sequences)


@dataclass(frozen=True)
class Finished:
    """A finished study, what there was of it after a run for the page of one set, and the jobs of both runs."""

    workspace: Workspace
    alone: set[str]
    jobs: list[dict[str, int]]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Finished:
    workspace = Workspace(tmp_path_factory.mktemp("sequences"), repository / "Snakefile")
    for seed, name in enumerate(SETS, start=1):
        simulate_sequences(workspace / f"data/{name}", seed, positives=200, test=50, length=60)
    known = [Motif(motif.name, motif.probabilities, 100, "ACGT") for motif in MOTIFS]
    write_meme(known, workspace / "data/known.meme")
    configure(workspace, repository, section())
    first = workspace.succeed("--", "results/sequence/A/report.html").jobs
    alone = made_after(workspace, 0)
    return Finished(workspace, alone, [first, workspace.succeed("--", "sequence").jobs])


def files_of(name: str) -> set[str]:
    files = [*OF_SET, *(f"{model}/{file}" for model in MODELS for file in OF_MODEL)]
    return {f"sequence/{name}/{file}" for file in [*files, *(f"cnn/{file}" for file in OF_EXPLAINED)]}


def test_one_set_is_built_alone(finished: Finished) -> None:
    figures = {"sequence/A/figures/calibration.svg", "sequence/A/figures/roc.svg"}
    assert finished.alone == (files_of("A") - figures) | {"sequence/motif_database.nc"}
    assert finished.jobs[0] == {
        **{"sequence_dataset": 1, "train_sequence": 2, "evaluate_sequence": 2, "compare_sequence": 1},
        **{"motif_database": 1, "explain_sequence": 1, "motifs": 1, "sequence_page": 1},
    }


def test_the_target_of_the_track_is_all_of_it_and_nothing_else(finished: Finished) -> None:
    tables = {f"sequence/tables/{name}.tsv" for name in ("auc", "views", "trust")}
    tables |= {f"sequence/figures/{name}.svg" for name in ("auc", "views")}
    both = files_of("A") | files_of("B") | {"sequence/motif_database.nc", "sequence/index.html"}
    assert made_after(finished.workspace, 0) == both | tables
    # What was made for the page of A is not made again.
    assert finished.jobs[1]["train_sequence"] == 2
    assert finished.jobs[1]["sequence_page"] == finished.jobs[1]["sequence_dataset"] == 1


def test_pages_and_tables_have_every_set(finished: Finished) -> None:
    results = finished.workspace / "results/sequence"
    auc = pd.read_csv(results / "tables/auc.tsv", sep="\t")
    assert list(zip(auc["set"], auc["model"], strict=True)) == [(name, model) for name in SETS for model in MODELS]
    # The planted motifs are strong: a baseline knows them from 180 positives.
    assert (auc.query("model == 'kmer_logistic'")["auc"] > 0.8).all(), auc
    index = BeautifulSoup((results / "index.html").read_bytes(), "html.parser")
    links = {link["href"] for link in index.select("tbody a[href]")}
    assert {f"{name}/report.html" for name in SETS} <= links
    for name, tf in SETS.items():
        page = BeautifulSoup((results / name / "report.html").read_bytes(), "html.parser")
        assert name in page.find("h1").get_text()
        assert tf in page.get_text()
        # The command on the page makes it again.
        assert f"--configfile config.yaml -- results/sequence/{name}/report.html" in page.find("pre").get_text()
        quality = json.loads((results / name / "quality.json").read_text())
        assert quality["counts"]["test"] == {"positive": 50, "negative": 50}


def test_running_again_does_nothing(finished: Finished) -> None:
    before = now(finished.workspace)
    assert finished.workspace.succeed("--", "sequence").jobs == {}
    assert made_after(finished.workspace, before) == set()


PAGES = {"sequence_page": 2, "sequence_tables": 1, "sequence_index": 1, "sequence": 1}
MOTIFS_AND_PAGES = {"motifs": 2} | PAGES
EXPLAINED = {"explain_sequence": 2} | MOTIFS_AND_PAGES
TRAINED = {"train_sequence": 2, "evaluate_sequence": 2, "compare_sequence": 2, "plot_sequence": 2} | EXPLAINED
DATABASE = "data/known.meme"
# What a row gives to pages only.
LABELS = [row("A", group="one", colour="#0072B2"), row("B")]
# The motif of the factor is looked for again, but nothing is trained again.
FACTOR = [row("A", tf="NFIC"), row("B")]


@pytest.mark.parametrize(
    ("changes", "rows", "jobs"),
    [
        pytest.param({"motif": {"database": DATABASE, "number": 2}}, None, MOTIFS_AND_PAGES, id="motifs"),
        pytest.param({"explain": {"sequences": 20, "costly": 10, "shown": 1}}, None, EXPLAINED, id="views"),
        # A baseline has no epochs.
        pytest.param({"training": {"max_epochs": 3, "accelerator": "cpu"}}, None, TRAINED, id="training"),
        pytest.param({"training": {"max_epochs": 2, "threads": 2}}, None, {}, id="how it is run"),
        pytest.param({}, LABELS, {"sequence_page": 1, "sequence_index": 1, "sequence": 1}, id="labels"),
        pytest.param({}, FACTOR, MOTIFS_AND_PAGES | {"motifs": 1, "sequence_page": 1}, id="factor"),
    ],
)
def test_a_change_makes_again_what_depends_on_it(
    finished: Finished, repository: Path, changes: dict, rows: list[dict[str, str]] | None, jobs: dict[str, int]
) -> None:
    try:
        configure(finished.workspace, repository, section(**changes), sheet(*rows) if rows else None)
        planned = finished.workspace.succeed("--dry-run", "--quiet", "rules", "--", "sequence").jobs
    finally:
        configure(finished.workspace, repository, section())
    assert planned == jobs


def test_a_changed_file_makes_only_its_set_again(finished: Finished) -> None:
    path = finished.workspace / "data/B/test.fa"
    text, before = path.read_text(), path.stat()
    try:
        path.write_text(text.replace("test_00001 ", "first "))
        planned = finished.workspace.succeed("--dry-run", "--", "sequence")
    finally:
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert planned.jobs["sequence_dataset"] == planned.jobs["explain_sequence"] == planned.jobs["sequence_page"] == 1
    assert planned.jobs["train_sequence"] == 2
    assert "wildcards: set=A" not in planned.output


# Mistakes


BAD = {
    # A letter that no alphabet has, in line 2.
    "letter": ["data/letter.fa: line 2", "letter '!'", "dna"],
    # Intervals on a chromosome that the genome does not have.
    "absent": ["data/absent.bed: line 2", "chromosome 'chrX'", "chr1"],
    # A test sequence that is also in training.
    "twice": ["test sequence", "is also the train sequence", "sequence.duplicates"],
}


def test_bad_data_stop_their_set_with_one_line(workspace: Workspace, finished: Finished, repository: Path) -> None:
    data = workspace / "data"
    data.mkdir()
    positives = (finished.workspace / "data/A/positives.fa").read_text()
    test = (finished.workspace / "data/A/test.fa").read_text()
    (data / "good.fa").write_text(positives)
    (data / "test.fa").write_text(test)
    header, letters, rest = positives.split("\n", 2)
    (data / "letter.fa").write_text(f"{header}\n{letters[:-1]}!\n{rest}")
    (data / "twice.fa").write_text(f">again 1\n{letters}\n{test}")
    (data / "genome.fa").write_text(f">chr1\n{'ACGT' * 100}\n")
    pysam.faidx(str(data / "genome.fa"))
    (data / "absent.bed").write_text("chr1\t100\t160\nchrX\t100\t160\n")
    rows = [
        row("letter", positives="data/letter.fa", test="data/test.fa"),
        row("absent", positives="data/absent.bed", genome="data/genome.fa", width="60", test=""),
        row("twice", positives="data/good.fa", test="data/twice.fa"),
    ]
    configure(workspace, repository, section(motif={}), sheet(*rows))
    targets = [f"results/sequence/{name}/dataset.nc" for name in BAD]
    result = workspace.snakemake("--keep-going", "--", *targets)
    assert result.code == 1
    assert "Traceback" not in result.output
    errors = {line for line in result.output.splitlines() if line.startswith("Error: ")}
    assert len(errors) == len(BAD), errors
    for words in BAD.values():
        assert any(all(word in line for word in words) for line in errors), (words, errors)
    assert made_after(workspace, 0) == set()


@pytest.mark.parametrize(
    ("changes", "sequences", "words"),
    [
        ({"sheet": "other.tsv"}, None, ["config.yaml: key 'sequence.sheet'", "'other.tsv' does not exist"]),
        ({"models": ["cnn_rn"]}, None, ["config.yaml: key 'sequence.models", "'cnn_rn'", "did you mean 'cnn_rnn'"]),
        ({}, sheet(row("tables")), ["sequences.tsv: line 2", "'tables' is reserved", "rename"]),
    ],
)
def test_a_mistake_is_one_line_before_any_job(
    finished: Finished, repository: Path, changes: dict, sequences: str | None, words: list[str]
) -> None:
    try:
        configure(finished.workspace, repository, section(**changes), sequences)
        result = finished.workspace.snakemake("--dry-run", "--", "sequence")
    finally:
        configure(finished.workspace, repository, section())
    assert result.code == 1
    assert "Traceback" not in result.output
    assert "Job stats" not in result.output
    (line,) = [line for line in result.output.splitlines() if words[0] in line]
    assert line.startswith("Error: ")
    assert all(word in line for word in words), line


# Beside the other track


def test_both_tracks_are_planned_together(workspace: Workspace, finished: Finished, repository: Path) -> None:
    (workspace / "data").symlink_to(finished.workspace / "data")
    configure(workspace, repository, section())
    both = workspace.succeed("--dry-run", "--quiet", "rules").jobs
    assert both["train"] == both["page"] == both["index"] == both["report"] == 1
    assert both["train_sequence"] == 4
    assert both["sequence_page"] == 2
    # The report shows the figures of both; the target of a track is its own only.
    report = workspace.succeed("--dry-run", "--", "results/report.html")
    (inputs,) = [line for line in report.output.splitlines() if "input: " in line and "sequence/tables/auc" in line]
    assert "results/tables/auc.tsv" in inputs
    own = workspace.succeed("--dry-run", "--quiet", "rules", "--", "sequence").jobs
    assert own == {rule: number for rule, number in both.items() if rule in own} | {"sequence": 1}


def test_without_a_section_nothing_of_the_track_is_planned(workspace: Workspace, repository: Path) -> None:
    configure(workspace, repository, None)
    plan = workspace.succeed("--dry-run")
    assert plan.jobs["train"] == 1
    assert "results/sequence" not in plan.output
    assert not {rule for rule in plan.jobs if "sequence" in rule or "motif" in rule}
    assert workspace.succeed("--dry-run", "--", "sequence").jobs.keys() <= {"sequence"}
