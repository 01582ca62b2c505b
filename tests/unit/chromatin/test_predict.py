"""Scoring of new data: the same reads get the study's own scores, and every error is one line."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyBigWig
import pytest
import torch
import xarray as xr

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.dataset import build_dataset
from chromattend.chromatin.genes import COLUMNS
from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.chromatin.predict import Recipe, load_models, read_sample, score
from chromattend.chromatin.reads import ReadOptions
from chromattend.chromatin.signal import count_signal, join_marks
from chromattend.cli import main, signal_files
from chromattend.errors import UserError
from chromattend.evaluate import predict as evaluate
from chromattend.files import read_netcdf, write_netcdf, write_table
from chromattend.models import load_model, name_checkpoints
from chromattend.models.network import Network
from chromattend.robustness.stability import sample_columns
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train

MARKS = ["H3K27me3", "H3K4me3", "H3K9me3"]
GENES = 90
SIZES = {"chr1": 12_000 * (GENES + 1)}
QUICK = TrainingOptions(max_epochs=1, accelerator="cpu")
Read = tuple[str, int, int, str, int, str]


def gene_table() -> pd.DataFrame:
    numbers = np.arange(1, GENES + 1)
    return pd.DataFrame(
        {
            "gene": [f"ENSG{number:011d}" for number in numbers],
            "symbol": [f"GENE{number}" for number in numbers],
            "chrom": "chr1",
            "tss": 12_000 * numbers,
            "strand": np.where(numbers % 3 == 0, "-", "+"),
        }
    )


def reads_of(mark: str) -> list[Read]:
    """Reads around each TSS, most of them downstream in the gene's direction, more for the later genes."""
    rng = np.random.default_rng(MARKS.index(mark))
    reads = []
    for tss, strand, rate in zip(*gene_table()[["tss", "strand"]].T.values, np.linspace(5, 60, GENES), strict=True):
        at = tss + (1 if strand == "+" else -1) * rng.normal(300, 500, rng.poisson(rate)).astype(int)
        reads += [("chr1", int(start), int(start) + 36, "N", 1000, rng.choice(["+", "-"])) for start in at]
    return [reads[number] for number in rng.permutation(len(reads))]


def predict_files(checkpoints: Sequence[Path], signals: Sequence[str], **given: Any) -> pd.DataFrame:
    """Score files as the command does."""
    models = load_models(checkpoints)
    return score(models, read_sample(models, signal_files(signals, Recipe.of(models).marks), **given))


@dataclass(frozen=True)
class Trained:
    """A study's folder, with the reads of the epigenome that its models were trained on."""

    folder: Path

    @property
    def dataset(self) -> Path:
        return self.folder / "results/E003/dataset.nc"

    def checkpoint(self, model: str | Path) -> Path:
        return model if isinstance(model, Path) else self.folder / "results/E003" / model / "model.ckpt"

    def reads(self, mark: str) -> Path:
        return self.folder / f"{mark}.tagAlign"

    def signals(self) -> list[str]:
        return [f"{mark}={self.reads(mark)}" for mark in MARKS]

    def own_scores(self, model: str) -> list[float]:
        return evaluate(load_model(self.checkpoint(model)), read_netcdf(self.dataset))["score"].tolist()

    def predict(self, *models: str | Path, signals: Sequence[str] | None = None, **changes: Any) -> pd.DataFrame:
        given = {"genes": self.folder / "results/genes.tsv", "chrom_sizes": self.folder / "chrom.sizes"} | changes
        return predict_files([self.checkpoint(model) for model in models], signals or self.signals(), **given)


def make_study(
    folder: Path, models: Sequence[str], bins: Bins, reads: dict[str, Any] | None = None, inputs: Any = "log"
) -> Trained:
    """Count and train as the pipeline does."""
    trained, genes, options = Trained(folder), gene_table(), reads or {}
    (folder / "chrom.sizes").write_text("".join(f"{name}\t{size}\n" for name, size in SIZES.items()))
    write_table(genes, folder / "results/genes.tsv")
    signals = []
    for mark in MARKS:
        trained.reads(mark).write_text("".join("\t".join(map(str, read)) + "\n" for read in reads_of(mark)))
        arguments = {"options": ReadOptions(**options), "statistic": "mean", "attributes": {"mark": mark}}
        signals.append(count_signal(trained.reads(mark), genes, bins, SIZES, **arguments))
    counting = json.dumps({"reads": options, "bigwig": {"statistic": "mean"}}, sort_keys=True)
    rpkm = pd.Series(np.arange(GENES, dtype=float), index=genes["gene"])
    split = pd.Series(np.resize(["train", "train", "valid", "test"], GENES))
    attributes = {"epigenome": "E003", "counting": counting}
    dataset = build_dataset(genes, split, join_marks(signals, MARKS)[0], rpkm, None, attributes)
    write_netcdf(dataset, trained.dataset)
    for model in models:
        sizes = {"hidden1": 20, "hidden2": 10} if model == "deepchrome" else {}
        train(model, dataset, sizes, TrainingOptions(**(vars(QUICK) | {"inputs": inputs})))[0].save(
            trained.checkpoint(model)
        )
    return trained


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A study with counts of unshifted reads."""
    return make_study(tmp_path_factory.mktemp("study"), ["logistic_regression", "deepchrome"], Bins(1000, 1000))


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A study with an uneven window along the strand, and reads that are shifted and extended."""
    bins = Bins(upstream=600, downstream=1400, size=50, flip_strand=True)
    return make_study(tmp_path_factory.mktemp("moved"), ["deepchrome"], bins, {"shift": 20, "extend_to": 150})


def test_the_same_reads_get_the_scores_of_the_study(trained: Trained) -> None:
    table = trained.predict("deepchrome", "logistic_regression")
    assert list(table) == [*COLUMNS, "E003/deepchrome", "E003/logistic_regression"]
    pd.testing.assert_frame_equal(table[COLUMNS], gene_table())
    for model in ("deepchrome", "logistic_regression"):
        assert table[f"E003/{model}"].tolist() == trained.own_scores(model)
        assert table[f"E003/{model}"].nunique() > 50


def test_bins_and_reads_are_those_of_the_checkpoint(moved: Trained) -> None:
    assert moved.predict("deepchrome")["E003/deepchrome"].tolist() == moved.own_scores("deepchrome")


def test_the_order_of_files_and_models_does_not_matter(trained: Trained) -> None:
    table = trained.predict("logistic_regression", "deepchrome", signals=trained.signals()[::-1])
    assert list(table)[-2:] == ["E003/logistic_regression", "E003/deepchrome"]
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")


def test_marks_can_be_in_other_formats(trained: Trained, write_bam: Callable[..., Path], tmp_path: Path) -> None:
    rows = [(chrom, start, end, 16 * (strand == "-")) for chrom, start, end, _, _, strand in reads_of("H3K4me3")]
    bam = write_bam("a=b.bam", rows, SIZES)
    table = trained.predict("deepchrome", signals=[*trained.signals()[::2], f"H3K4me3={bam}"])
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")


@pytest.mark.parametrize("own", [False, True])
def test_a_template_names_the_files_of_marks_that_are_not_given(trained: Trained, tmp_path: Path, own: bool) -> None:
    for mark in MARKS[:2] if own else MARKS:
        (tmp_path / f"{mark}.bed").write_bytes(trained.reads(mark).read_bytes())
    given = [f"{tmp_path}/{{mark}}.bed", *([f"H3K9me3={trained.reads('H3K9me3')}"] if own else [])]
    table = trained.predict("deepchrome", signals=given)
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")


def test_a_dataset_is_scored_unchanged(trained: Trained, tmp_path: Path) -> None:
    signals = [str(trained.dataset)]
    table = trained.predict("deepchrome", signals=signals, genes=None, chrom_sizes=None)
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")
    pd.testing.assert_frame_equal(table[COLUMNS], gene_table())
    # It may have more marks, in another order.
    dataset = read_netcdf(trained.dataset)
    more = xr.concat([dataset["counts"], dataset["counts"].isel(mark=[0]).assign_coords(mark=["H3K27ac"])], "mark")
    more = more.isel(mark=[3, 2, 0, 1]).to_dataset().assign_attrs(dataset.attrs)
    write_netcdf(more, tmp_path / "more.nc")
    table = trained.predict("deepchrome", signals=[str(tmp_path / "more.nc")], genes=None)
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")


def test_chosen_genes_of_a_dataset_are_scored(
    trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = gene_table().iloc[[7, 3, 3, 50]]
    chosen["gene"] = [*chosen["gene"][:2], "ENSG99999999999", chosen["gene"].iloc[3]]
    write_table(chosen, tmp_path / "chosen.tsv")
    table = trained.predict("logistic_regression", signals=[str(trained.dataset)], genes=tmp_path / "chosen.tsv")
    own = trained.own_scores("logistic_regression")
    np.testing.assert_allclose(table["E003/logistic_regression"], [own[7], own[3], own[50]], rtol=1e-12)
    assert "1 of 4 genes have no counts" in caplog.text


@pytest.mark.parametrize("parts", [False, True])
def test_binned_csv_is_scored(trained: Trained, tmp_path: Path, parts: bool) -> None:
    counts = read_netcdf(trained.dataset)["counts"].values
    table = pd.DataFrame(np.zeros((GENES * 20, 8), dtype=int))
    table[0] = np.repeat(gene_table()["gene"].str[-6:], 20).to_numpy()
    table[1] = np.resize(np.arange(1, 21), GENES * 20)
    for column, mark in ((2, 0), (5, 1), (6, 2)):
        table[column] = counts[:, :, mark].ravel()
    # The genes are in another order than in the gene table, with one extra gene.
    other = table[:20].copy()
    other[0] = "999999"
    files = {"train": table[200:], "valid": other, "test": table[:200]}
    if not parts:
        files = {"all": pd.concat(files.values())}
    for name, rows in files.items():
        rows.to_csv(tmp_path / f"{name}.csv.gz", header=False, index=False)
    signal = f"{tmp_path}/{'{part}' if parts else 'all'}.csv.gz"
    scores = trained.predict("deepchrome", signals=[signal], chrom_sizes=None)["E003/deepchrome"]
    assert scores.tolist() == trained.own_scores("deepchrome")


def test_braces_in_the_name_of_a_folder_are_no_fields(trained: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "a{b}"
    folder.mkdir()
    shutil.copyfile(trained.dataset, folder / "dataset.nc")
    table = trained.predict("deepchrome", signals=[str(folder / "dataset.nc")], genes=None)
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")


def test_a_bigwig_is_summarised_as_for_the_checkpoint(trained: Trained, tmp_path: Path) -> None:
    signals = []
    for mark in MARKS:
        with pyBigWig.open(str(tmp_path / f"{mark}.bw"), "w") as file:
            file.addHeader(list(SIZES.items()))
            counts = np.bincount([read[1] // 50 for read in reads_of(mark)], minlength=SIZES["chr1"] // 50)
            file.addEntries("chr1", 0, values=counts.astype(float), span=50, step=50)
        arguments: dict[str, Any] = {"options": ReadOptions(), "statistic": "sum", "attributes": {}}
        signals.append(count_signal(tmp_path / f"{mark}.bw", gene_table(), Bins(1000, 1000), SIZES, **arguments))
    counting = json.dumps({"reads": {}, "bigwig": {"statistic": "sum"}})
    counts = join_marks(signals, MARKS)[0]
    dataset = read_netcdf(trained.dataset).assign(counts=counts, depth=counts.mean(["gene", "bin"], dtype=np.float64))
    dataset = dataset.assign_attrs(counting=counting)
    model, _ = train("logistic_regression", dataset)
    model.save(tmp_path / "sum.ckpt")
    table = trained.predict(tmp_path / "sum.ckpt", signals=[f"{tmp_path}/{{mark}}.bw"])
    assert table["sum"].tolist() == evaluate(model, dataset)["score"].tolist()
    with pytest.raises(UserError, match="holds reads, but the checkpoints take signal; give bigWigs"):
        trained.predict(tmp_path / "sum.ckpt")
    # A model of both kinds knows the kind of each mark.
    both, _ = train("logistic_regression", dataset.assign_attrs({f"{MARKS[0]}_format": "bigwig"}))
    both.save(tmp_path / "both.ckpt")
    with pytest.raises(UserError, match=f"is a bigWig, but the checkpoints take reads of {MARKS[1]}; give tagAlign"):
        trained.predict(tmp_path / "both.ckpt", signals=[f"{tmp_path}/{{mark}}.bw"])
    with pytest.raises(UserError, match=f"holds reads, but the checkpoints take signal of {MARKS[0]}; give a bigWig"):
        trained.predict(tmp_path / "both.ckpt")


def test_depth_is_that_of_the_new_sample(tmp_path: Path) -> None:
    study = make_study(tmp_path, ["logistic_regression"], Bins(1000, 1000), inputs="depth")
    for mark in MARKS:
        content = study.reads(mark).read_text()
        (tmp_path / f"{mark}.deep.bed").write_text(3 * content)
    chosen = gene_table().iloc[40:45]
    write_table(chosen, tmp_path / "chosen.tsv")
    table = study.predict("logistic_regression", signals=[str(study.dataset)], genes=tmp_path / "chosen.tsv")
    own = study.own_scores("logistic_regression")[40:45]
    np.testing.assert_allclose(table["E003/logistic_regression"], own, rtol=1e-5)
    table = study.predict("logistic_regression", signals=[f"{tmp_path}/{{mark}}.deep.bed"])
    np.testing.assert_allclose(table["E003/logistic_regression"], study.own_scores("logistic_regression"), rtol=1e-5)


def test_every_gene_of_an_annotation_is_scored(trained: Trained, tmp_path: Path) -> None:
    lines = []
    for gene, symbol, chrom, tss, strand in gene_table().iloc[::-1].itertuples(index=False):
        start, end = (tss, tss + 500) if strand == "+" else (tss - 500, tss)
        cells = (chrom, "HAVANA", "gene", start, end, ".", strand, ".", f'gene_id "{gene}.7"; gene_name "{symbol}";')
        lines.append("\t".join(map(str, cells)) + "\n")
    (tmp_path / "a.gtf").write_text("".join(lines))
    table = trained.predict("deepchrome", genes=tmp_path / "a.gtf")
    pd.testing.assert_frame_equal(table[COLUMNS], gene_table())
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")


def test_a_model_of_many_epigenomes_takes_the_samples_name(
    trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = ChromatinInputs("pan_epigenome", MARKS, list(range(-1000, 1000, 100)), epigenomes=["E003", "E004"])
    torch.manual_seed(1)
    Network(inputs, {}).save(tmp_path / "pan.ckpt")
    given = {"genes": None, "signals": [str(trained.dataset)]}
    # The dataset says that it is E003.
    scores = {
        name: predict_files([tmp_path / "pan.ckpt"], epigenome=name, **given)["pan"].tolist()
        for name in (None, "E003", "E004", "E005")
    }
    assert scores[None] == scores["E003"]
    assert len({tuple(values) for values in scores.values()}) == 3
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("pan: 'E005' is not one of its epigenomes and is scored as an unseen epigenome")


def test_models_may_use_different_marks(trained: Trained, tmp_path: Path) -> None:
    dataset = read_netcdf(trained.dataset)
    train("logistic_regression", dataset.isel(mark=[1]))[0].save(tmp_path / "promoter.ckpt")
    table = trained.predict("deepchrome", tmp_path / "promoter.ckpt")
    assert list(table)[-2:] == ["E003/deepchrome", "promoter"]
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["results/E003/deepchrome/model.ckpt"], ["E003/deepchrome"]),
        (["/data/E003/deepchrome/model.ckpt", "E003/mlp/model.ckpt"], ["E003/deepchrome", "E003/mlp"]),
        (["a/E003/mlp/model.ckpt", "b/E003/mlp/model.ckpt"], ["a/E003/mlp", "b/E003/mlp"]),
        (["a/x/E003/mlp/model.ckpt", "b/x/E003/mlp/model.ckpt"], ["a/x/E003/mlp", "b/x/E003/mlp"]),
        (["results/pan_epigenome/model.ckpt", "E003/mlp/model.ckpt"], ["pan_epigenome", "E003/mlp"]),
        (["model.ckpt"], ["model"]),
        (["mlp/model.ckpt", "../model.ckpt"], ["mlp", "model"]),
        (["models/best.ckpt"], ["best"]),
        (["a/best.ckpt", "b/best.ckpt", "c/other.ckpt"], ["a/best", "b/best", "other"]),
        (["a.ckpt", "a.zip"], ["a.ckpt", "a.zip"]),
        (["gene.ckpt", "x/tss.ckpt"], ["gene.ckpt", "x/tss"]),
    ],
)
def test_checkpoints_have_short_and_unique_names(paths: list[str], names: list[str]) -> None:
    assert name_checkpoints(paths, COLUMNS) == dict(zip(names, map(Path, paths), strict=True))


def command(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Return the one line that ends the command with an error; nothing is printed on standard output."""
    with pytest.raises(SystemExit) as caught:
        main(["predict", *map(str, arguments)])
    message = str(caught.value.code)
    assert message.startswith("Error: ")
    assert "\n" not in message
    assert "; " in message
    assert capsys.readouterr().out == ""
    return message


def arguments_of(trained: Trained, model: str = "logistic_regression") -> dict[str, list[str]]:
    return {
        "--checkpoint": [str(trained.checkpoint(model))],
        "--signal": trained.signals(),
        "--genes": [str(trained.folder / "results/genes.tsv")],
        "--chrom-sizes": [str(trained.folder / "chrom.sizes")],
    }


def flat(options: dict[str, list[str]]) -> list[str]:
    return [text for option, values in options.items() for value in values for text in (option, value)]


def test_the_command_prints_or_writes_the_table(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["predict", *flat(arguments_of(trained))])
    printed = capsys.readouterr()
    assert "counting" in printed.err
    assert "scored 90 genes" in printed.err
    main(["predict", *flat(arguments_of(trained)), "--output", str(tmp_path / "new/scores.tsv")])
    assert (tmp_path / "new/scores.tsv").read_text() == printed.out
    assert capsys.readouterr().out == ""
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["scores.tsv"]
    table = pd.read_csv(tmp_path / "new/scores.tsv", sep="\t")
    scores = table["E003/logistic_regression"].astype(np.float32)
    assert scores.tolist() == trained.own_scores("logistic_regression")


def test_calls_of_a_new_sample_are_tested_on_request(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = tmp_path / "genes.tsv"
    write_table(gene_table().iloc[:40], chosen)
    given = arguments_of(trained, "deepchrome") | {"--signal": [str(trained.dataset)], "--genes": [str(chosen)]}
    given["--checkpoint"].append(str(trained.checkpoint("logistic_regression")))
    output = tmp_path / "scores.tsv"
    main(["predict", *flat(given), "--redraws", "8", "--certify", "--call-at", "0.6", "--output", str(output)])
    table = pd.read_csv(output, sep="\t")
    names = ["E003/deepchrome", "E003/logistic_regression"]
    added = [f"{name} {what}" for name in names for what in ("stability", "certified_reads")]
    assert list(table) == [*COLUMNS, *names, *added]
    models = load_models([trained.checkpoint(Path(name).name) for name in names])
    dataset = read_sample(models, str(trained.dataset), genes=chosen)
    expected = sample_columns(models, dataset, redraws=8, certificate={}, call_at=0.6)
    pd.testing.assert_frame_equal(table[added], pd.DataFrame(expected), check_dtype=False)
    assert table[added[0]].nunique() > 1 or table[added[2]].nunique() > 1
    certified = table[added[3]].dropna()
    assert certified.max() <= 34  # ln 2 / 0.02
    assert (certified == certified.round()).all()
    # The scores are those without the tests.
    main(["predict", *flat(given)])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].split("\t") == [*COLUMNS, *names]
    assert [line.split("\t")[5:7] for line in printed[1:]] == [
        line.split("\t")[5:7] for line in output.read_text().splitlines()[1:]
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--redraws", "-1"], "--redraws: -1 is below 0; give the number of times to draw the reads again"),
        (["--call-at", "0.7"], "--call-at: does nothing without --redraws or --certify; add one of them, or leave"),
        (["--certify", "--call-at", "1"], "--call-at: 1 is not a probability; give a number between 0 and 1"),
    ],
)
def test_a_wrong_test_of_calls_is_one_line(
    trained: Trained, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert words in command(capsys, *flat(arguments_of(trained)), *options)


def test_a_model_without_reads_is_refused_before_anything_is_counted(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    averaged = ChromatinInputs("deepchrome", MARKS, list(range(-1000, 1000, 100)), quantity="signal")
    Network(averaged, {}).save(tmp_path / "averaged.ckpt")
    (tmp_path / "a.bw").write_bytes(b"not read")
    given = arguments_of(trained) | {"--checkpoint": [str(tmp_path / "averaged.ckpt")]}
    given["--signal"] = [f"{mark}={tmp_path / 'a.bw'}" for mark in MARKS]
    message = command(capsys, *flat(given), "--redraws", "3")
    assert message == (
        "Error: averaged: was trained on signal instead of reads, and only reads can be added, removed or lost; leave "
        "it out"
    )


@pytest.fixture(scope="module")
def faulty(trained: Trained, moved: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of faulty files."""
    folder = tmp_path_factory.mktemp("faulty")
    (folder / "header.bed").write_text("chrom\tstart\tend\nchr1\t1\t2\n")
    (folder / "other.bed").write_text("7\t100\t136\n")
    (folder / "beyond.bed").write_text("chr1\t2000000\t2000036\n")
    (folder / "reads.txt").write_text("chr1\t1\t37\n")
    (folder / "x.bw").write_bytes(b"")
    (folder / "all.csv").write_text("000001,1,0,0,0,0,0,1\n")
    (folder / "cut.ckpt").write_bytes(trained.checkpoint("deepchrome").read_bytes()[:-300])
    (folder / "flipped.ckpt").write_bytes(moved.checkpoint("deepchrome").read_bytes())
    (folder / "words.tsv").write_text("name\tvalue\na\t1\n")
    (folder / "empty.tsv").write_text("")
    (folder / "half.tsv").write_text("gene\tsymbol\tchrom\ttss\tstrand\nA\tA\tchr1\t1.5\t+\n")
    (folder / "contig.tsv").write_text("gene\tsymbol\tchrom\ttss\tstrand\nA\tA\tchr9\t15\t+\n")
    (folder / "sizes").write_text("chr1 x\n")
    (folder / "noise.nc").write_text("noise")
    (folder / "file").write_text("")
    dataset = read_netcdf(trained.dataset)
    write_netcdf(dataset.isel(mark=[0, 1]), folder / "marks.nc")
    write_netcdf(dataset.isel(bin=slice(0, 10)), folder / "bins.nc")
    write_netcdf(dataset[["label"]], folder / "label.nc")
    write_netcdf(dataset.assign_attrs(counting='{"reads": {"shift": 5}}'), folder / "shift.nc")
    write_netcdf(dataset.assign(counts=dataset["counts"].where(dataset["tss"] > 20_000)), folder / "nan.nc")
    of_pairs = ChromatinInputs("deepdiff", [*MARKS, "X"], list(range(-1000, 1000, 100)))
    Network(of_pairs, {}).save(folder / "deepdiff.ckpt")
    return folder


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--signal": ["-H3K4me3"]}, ["--signal: H3K4me3 is missing", "give H3K4me3=FILE"]),
        ({"--signal": ["+H3K4me33=x.bed"]}, ["'H3K4me33'", "did you mean 'H3K4me3'", "H3K27me3, H3K4me3"]),
        ({"--signal": ["+H3K27ac=x.bed"]}, ["no checkpoint takes the mark 'H3K27ac'", "they take"]),
        ({"--signal": ["+H3K4me3=x.bed"]}, ["H3K4me3 is given twice", "leave one out"]),
        (
            {"--signal": ["-H3K4me3", "+H3K4me3={H3K9me3}"]},
            ["--signal H3K4me3=", "also the file of H3K9me3", "correct"],
        ),
        ({"--signal": ["-H3K4me3", "+H3K4me3=gone.bed"]}, ["H3K4me3: file 'gone.bed' does not exist"]),
        ({"--signal": ["-H3K4me3", "+H3K4me3=https://h/x.bed"]}, ["'https://h/x.bed' is a URL", "download"]),
        ({"--signal": ["-H3K4me3", "+H3K4me3=reads.txt"]}, ["reads.txt", "unknown file extension", "rename"]),
        ({"--signal": ["-H3K4me3", "+H3K4me3=x.bw"]}, ["x.bw: is a bigWig", "give tagAlign, BED or BAM"]),
        ({"--signal": ["-H3K4me3", "+H3K4me3=all.csv"]}, ["holds all marks", "without H3K4me3="]),
        ({"--signal": ["-H3K4me3", "+H3K4me3=header.bed"]}, ["header.bed: line 1:", "header line"]),
        ({"--signal": ["-H3K4me3", "+H3K4me3=other.bed"]}, ["chromosomes are called 7", "--chrom-sizes"]),
        ({"--signal": ["-H3K4me3", "+H3K4me3=beyond.bed"]}, ["ends at 2000036", "--chrom-sizes"]),
        ({"--signal": ["reads.txt"]}, ["reads.txt", "has an unknown file extension"]),
        ({"--signal": ["header.bed"]}, ["header.bed: holds one mark", "write MARK=", "header.bed"]),
        ({"--signal": ["{mark}.bed"]}, ["H3K27me3: file 'H3K27me3.bed' does not exist"]),
        ({"--signal": ["{mark}.{cell}.bed"]}, ["{cell} is not a field", "{mark}"]),
        ({"--signal": ["+marks.nc"]}, ["marks.nc: is given in addition to files of single marks", "alone"]),
        ({"--signal": ["marks.nc", "bins.nc"]}, ["bins.nc: is given in addition to marks.nc"]),
        ({"--signal": ["marks.nc"]}, ["needs H3K9me3, but the data have H3K27me3, H3K4me3"]),
        ({"--signal": ["bins.nc"]}, ["was trained on bins -1000 to 900 (20)", "have -1000 to -100 (10)"]),
        ({"--signal": ["shift.nc"]}, ["was trained on counting", '"shift": 5']),
        ({"--signal": ["nan.nc"]}, ["E003/logistic_regression: ", "quantity reads", "signal"]),
        ({"--signal": ["label.nc"]}, ["label.nc: lacks bin, counts, mark", "not a dataset.nc of a study"]),
        ({"--signal": ["noise.nc"]}, ["noise.nc: is not a readable netCDF file"]),
        ({"--signal": ["gone.nc"]}, ["file 'gone.nc' does not exist"]),
        ({"--signal": ["all.csv"]}, ["all.csv: line 1: bins of gene 000001", "at bin 1", "bins 1 to 20"]),
        ({"--signal": ["{part}.csv"]}, ["file 'train.csv' does not exist"]),
        ({"--checkpoint": ["gone.ckpt"]}, ["checkpoint 'gone.ckpt': does not exist", "model.ckpt"]),
        ({"--checkpoint": ["cut.ckpt"]}, ["cut.ckpt: is not a chromattend model or is damaged"]),
        ({"--checkpoint": ["words.tsv"]}, ["words.tsv: is not a chromattend model or is damaged"]),
        ({"--checkpoint": ["flipped.ckpt", "./flipped.ckpt"]}, ["'flipped.ckpt': is given twice"]),
        ({"--checkpoint": ["+flipped.ckpt"]}, ["flipped: its training data differ from", "in bins;"]),
        ({"--checkpoint": ["deepdiff.ckpt"]}, ["deepdiff: compares two epigenomes", "leave it out"]),
        ({"--checkpoint": ["flipped.ckpt"], "--signal": ["all.csv"]}, ["genome orientation", "strand"]),
        ({"--genes": []}, ["--genes: is needed", "genes.tsv"]),
        ({"--genes": ["gone.tsv"]}, ["--genes: file 'gone.tsv' does not exist"]),
        ({"--genes": ["words.tsv"]}, ["words.tsv: line 1: has no column 'gene'", "gene, symbol, chrom"]),
        ({"--genes": ["empty.tsv"]}, ["empty.tsv: is empty", "genes.tsv"]),
        ({"--genes": ["half.tsv"]}, ["half.tsv: line 2: tss '1.5' is not a position (bp)"]),
        ({"--genes": ["contig.tsv"]}, ["chrom.sizes: lacks chr9, but the gene table has genes there"]),
        ({"--genes": ["contig.tsv"], "--signal": ["shift.nc"]}, ["shift.nc: ", "none of the study's genes has counts"]),
        ({"--chrom-sizes": []}, ["--chrom-sizes: is needed", "genome build"]),
        ({"--chrom-sizes": ["gone"]}, ["--chrom-sizes: file 'gone' does not exist"]),
        ({"--chrom-sizes": ["sizes"]}, ["sizes: line 1: 'chr1 x' is not a chromosome and its length"]),
        ({"--output": ["file/scores.tsv"]}, ["file/scores.tsv: cannot be written", "give another path"]),
        ({"--output": ["."]}, [".: is a folder", "give the name of a file"]),
    ],
)
def test_an_error_is_one_line(
    trained: Trained,
    faulty: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, list[str]],
    words: list[str],
) -> None:
    monkeypatch.chdir(faulty)
    before = sorted(faulty.iterdir())
    given = arguments_of(trained)
    for option, values in changes.items():
        # +X is added to the correct values, -X= is removed from them, and any other value replaces them.
        correct = given.get(option, []) if any(value[0] in "+-" for value in values) else []
        dropped = tuple(f"{value[1:]}=" for value in values if value[0] == "-") or ("none",)
        added = [value.removeprefix("+") for value in values if value[0] != "-"]
        added = [value.replace("{H3K9me3}", str(trained.reads("H3K9me3"))) for value in added]
        given[option] = [value for value in correct if not value.startswith(dropped)] + added
    message = command(capsys, *flat(given))
    assert all(word in message for word in words), message
    assert sorted(faulty.iterdir()) == before


def test_a_checkpoint_that_holds_code_is_refused_unrun(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "trap"),)

    torch.save({"state_dict": Malicious()}, tmp_path / "model.ckpt")
    message = command(capsys, *flat(arguments_of(trained) | {"--checkpoint": [str(tmp_path / "model.ckpt")]}))
    assert "model.ckpt: is not a chromattend model or is damaged" in message
    (tmp_path / "model.ckpt").write_bytes(pickle.dumps(Malicious()))
    command(capsys, *flat(arguments_of(trained) | {"--checkpoint": [str(tmp_path / "model.ckpt")]}))
    assert not (tmp_path / "trap").exists()


def test_a_failed_run_leaves_the_last_table(
    trained: Trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scores.tsv").write_text("the last\n")
    (tmp_path / "bad.bed").write_text("chr1\t5\t1\n")
    signals = [*trained.signals()[:2], f"H3K9me3={tmp_path / 'bad.bed'}"]
    given = arguments_of(trained) | {"--signal": signals, "--output": [str(tmp_path / "scores.tsv")]}
    assert "bad.bed: line 1: start 5 is not before end 1" in command(capsys, *flat(given))
    assert (tmp_path / "scores.tsv").read_text() == "the last\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_options_of_another_version_are_refused(trained: Trained, tmp_path: Path) -> None:
    counting = '{"reads": {"umis": true}}'
    inputs = ChromatinInputs("deepchrome", MARKS, list(range(-1000, 1000, 100)), counting=counting)
    Network(inputs, {}).save(tmp_path / "new.ckpt")
    with pytest.raises(UserError, match=r"new: its reads were counted with options .*umis.*; update chromattend"):
        trained.predict(tmp_path / "new.ckpt")


def test_a_model_without_recorded_counting_uses_the_defaults(
    trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = read_netcdf(trained.dataset).assign_attrs(counting="")
    model, _ = train("logistic_regression", dataset)
    model.save(tmp_path / "binned.ckpt")
    table = trained.predict(tmp_path / "binned.ckpt")
    assert table["binned"].tolist() == evaluate(model, dataset)["score"].tolist()
    assert "the default options are used" in caplog.text
    # With another model that records its counting, both use the recorded options.
    caplog.clear()
    table = trained.predict(tmp_path / "binned.ckpt", "deepchrome")
    assert table["E003/deepchrome"].tolist() == trained.own_scores("deepchrome")
    assert "default" not in caplog.text


def test_chromosome_sizes_of_hg19_are_the_default(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources/hg19.chrom.sizes").write_bytes((trained.folder / "chrom.sizes").read_bytes())
    monkeypatch.chdir(tmp_path)
    main(["predict", *flat(arguments_of(trained) | {"--chrom-sizes": []})])
    printed = capsys.readouterr()
    assert printed.out.count("\n") == GENES + 1
    assert "--chrom-sizes: is not given, so resources/hg19.chrom.sizes is used; give it if" in printed.err


def test_a_closed_pipe_is_not_an_error(trained: Trained) -> None:
    command = [sys.executable, "-m", "chromattend", "predict", *flat(arguments_of(trained))]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert done.returncode == 0
    assert "Error" not in done.stderr


def test_real_reads_get_the_scores_of_their_published_counts(
    covered: tuple[pd.DataFrame, dict[str, np.ndarray]], real_data: Path, repository: Path, tmp_path: Path
) -> None:
    genes, published = covered
    marks = [mark for mark in published if mark.startswith("H3")]
    counts = xr.DataArray(
        np.stack([published[mark] for mark in marks], axis=2),
        dims=("gene", "bin", "mark"),
        coords={"gene": genes["gene"].to_numpy(str), "bin": Bins().offsets, "mark": marks},
    )
    split = pd.Series(np.resize(["train", "valid", "test"], len(genes)))
    rpkm = pd.Series(published["rpkm"], index=genes["gene"])
    dataset = build_dataset(genes, split, counts, rpkm, None, {"epigenome": "E003"})
    model, _ = train("random_forest", dataset, {"n_estimators": 50})
    model.save(tmp_path / "forest.ckpt")
    write_table(genes, tmp_path / "genes.tsv")
    table = predict_files(
        [tmp_path / "forest.ckpt"],
        [f"{real_data}/chromatin/E003-{{mark}}.demo_regions.tagAlign.gz"],
        genes=tmp_path / "genes.tsv",
        chrom_sizes=repository / "resources/hg19.chrom.sizes",
    )
    assert table["forest"].tolist() == evaluate(model, dataset)["score"].tolist()
    assert table["gene"].tolist() == genes["gene"].tolist()


def test_scores_of_a_dataset_need_no_file(trained: Trained) -> None:
    dataset = read_netcdf(trained.dataset)
    table = score({"mine": load_model(trained.checkpoint("deepchrome"))}, dataset)
    assert table["mine"].tolist() == trained.own_scores("deepchrome")


def test_help_imports_neither_torch_nor_pandas() -> None:
    code = (
        "import sys\nfrom chromattend.cli import main, signal_files\n"
        "try:\n    main(['predict', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'torch', 'pandas', 'sklearn'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--chrom-sizes" in done.stdout


def test_an_error_ends_the_command_with_status_1(trained: Trained) -> None:
    arguments = flat(arguments_of(trained) | {"--checkpoint": ["gone.ckpt"]})
    line = [sys.executable, "-m", "chromattend", "predict", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: checkpoint 'gone.ckpt': does not exist; give the path of a model.ckpt\n"
