"""The embedded example, run as `make demo` runs it."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chromattend.files import read_netcdf

from .conftest import run


@pytest.fixture(scope="module")
def demo(checkout: Path) -> Path:
    """A finished demo in a copy of the checkout."""
    command = [sys.executable, "-m", "chromattend", "simulate", "resources/demo/mirror"]
    simulated = run([*command, "--chrom-sizes", "config/demo/synthetic.chrom.sizes"], checkout)
    assert simulated.code == 0, simulated.output
    command = [sys.executable, "-m", "chromattend", "simulate-sequences", "resources/demo/sequences"]
    simulated = run(command, checkout)
    assert simulated.code == 0, simulated.output
    command = [sys.executable, "-m", "chromattend", "simulate-graphs", "resources/demo/graphs"]
    simulated = run(command, checkout)
    assert simulated.code == 0, simulated.output
    result = run([sys.executable, "-m", "snakemake", "--profile", "workflow/profiles/demo"], checkout)
    assert result.code == 0, result.output
    return checkout / "results" / "demo"


def test_aucs_are_as_in_real_epigenomes(demo: Path, repository: Path) -> None:
    auc = pd.read_csv(demo / "tables/auc.tsv", sep="\t")
    assert len(auc) == 3 * 3
    published = pd.read_csv(repository / "resources/published_summary.tsv", sep="\t").set_index("model")
    assert auc["auc"].between(*published.loc["DeepChrome", ["min", "max"]]).all(), auc
    assert auc.groupby("model")["auc"].agg(lambda values: values.max() - values.min()).min() > 0.01


def test_reports_are_where_make_demo_says(demo: Path) -> None:
    assert (demo / "report.html").stat().st_size > 100_000
    index = (demo / "index.html").read_text()
    assert "quality.html" in index
    assert "test windows seen in training" in (demo / "quality.html").read_text()
    assert set(pd.read_csv(demo / "tables/warnings.tsv", sep="\t")["epigenome"]) == {"SYN1", "SYN2", "SYN3"}
    for epigenome in ("SYN1", "SYN2", "SYN3"):
        assert f"{epigenome}/report.html" in index
        assert "Synthetic epigenome" in (demo / epigenome / "report.html").read_text()


def test_the_true_graphs_are_found(demo: Path) -> None:
    summary = json.loads((demo / "graphs/simulated/jeek/summary.json").read_text())
    assert summary["truth"]["edges"]["f1"] > 0.8
    assert summary["truth"]["shared"]["fdp"] < 0.1
    assert summary["counts"]["specific"] > summary["null"]["specific"]["max"]
    assert summary["verdict"] in (demo / "graphs/simulated/report.html").read_text()


def test_calls_are_tested_against_noise_edits_and_other_models(demo: Path) -> None:
    folder = demo / "robustness/chromatin"
    table = pd.read_csv(demo / "robustness/tables/chromatin.tsv", sep="\t").set_index("model")
    assert list(table.index) == ["logistic_regression", "deepchrome"]
    assert (table["genes"] == 40).all()
    worst = pd.read_csv(folder / "SYN1/deepchrome/worst_case.tsv", sep="\t")
    # Only right calls are edited, within the budget, and the numbers are whole.
    edited = worst.dropna(subset=["reads"])
    assert edited["right"].all()
    assert len(edited) > 20
    assert edited["reads"].between(1, 200).all()
    assert (edited["reads"] % 1 == 0).all()
    counts = read_netcdf(folder / "SYN1/deepchrome/edited.nc")
    changed = np.abs(counts["reads"] - counts["original"]).sum(["bin", "mark"]).values
    assert changed[edited.index].tolist() == edited["reads"].tolist()
    assert int(counts["reads"].min()) == 0
    certificate = pd.read_csv(folder / "SYN1/deepchrome/certificate.tsv", sep="\t")
    # No certificate exceeds ln 2 / p.
    assert certificate["certified_reads"].max() <= 3
    assert set(certificate["voted"]) == {"ON", "OFF"}
    transfer = pd.read_csv(folder / "SYN1/transfer.tsv", sep="\t")
    assert len(transfer) == 2 * 2
    predictions = pd.read_csv(demo / "SYN1/deepchrome/predictions.tsv", sep="\t")
    assert predictions["stability"].between(0, 1).all()
    assert set(predictions["call"]) == {"ON", "OFF"}
    assert "stability" not in pd.read_csv(demo / "SYN2/deepchrome/predictions.tsv", sep="\t")


def test_images_are_attacked_and_their_detector_too(demo: Path) -> None:
    folder = demo / "robustness/images/digits"
    attacks = pd.read_csv(folder / "attacks.tsv", sep="\t").set_index("attack")
    assert attacks.loc["cw2", "success"] >= 0.9
    assert attacks.loc["cw2", "l2"] < attacks.loc["fgsm", "l2"]
    adaptive = pd.read_csv(folder / "adaptive.tsv", sep="\t")
    assert adaptive["undetected"].mean() >= 0.8
    letters = pd.read_csv(demo / "robustness/sequence/synthetic/cnn/letters.tsv", sep="\t")
    assert letters.loc[letters["right"], "changes"].median() <= 10


def test_the_index_of_robustness_leads_to_every_page(demo: Path) -> None:
    index = (demo / "robustness/index.html").read_text()
    for page in ("chromatin/SYN1/deepchrome", "sequence/synthetic/cnn", "images/digits"):
        assert f"{page}/report.html" in index
        assert (demo / "robustness" / page / "report.html").stat().st_size > 20_000


def test_the_demo_leaves_the_study_alone(demo: Path) -> None:
    assert [path.name for path in demo.parent.iterdir()] == ["demo"]


def test_attention_follows_the_validation_mark_more_than_that_of_untrained_networks_on_average(demo: Path) -> None:
    table = pd.read_csv(demo / "tables/validation.tsv", sep="\t").query("mark == 'H3K4me3'")
    wide = table.set_index(["epigenome", "model", "method", "weights"])["pearson"].unstack("weights")
    alpha = wide.xs("alpha", level="method")
    assert len(alpha) == 3
    print(alpha.round(3).to_string())
    # Not more than each: attention of a network without training is a function of the reads too, of either sign.
    assert (alpha["trained"] > alpha.filter(like="random").mean(axis=1)).all()
    # Over all test genes there is an interval; no correlation lies outside its own.
    attended = table.query("method == 'alpha' and weights == 'trained'")
    assert (attended["genes"] >= 50).all()
    assert attended["pearson"].between(attended["pearson_low"], attended["pearson_high"]).all()
    # Removing what a method weighs most changes the answer more than removing bins at random.
    faithful = pd.read_csv(demo / "tables/faithfulness.tsv", sep="\t").set_index("method")
    assert (faithful.loc[["integrated_gradients", "occlusion"], "low"] > 0).all()


def test_the_report_has_the_explanations(demo: Path) -> None:
    report = (demo / "report.html").read_text()
    for words in ("Explanations", "Validation", "Which explanation to trust", "Marks that matter for named genes"):
        assert words in report
    page = (demo / "SYN3/report.html").read_text()
    assert "H3K27ac over the bins" in page
    assert "Integrated gradients" in page
