"""The embedded example, run as `make demo` runs it."""

import json
import sys
from pathlib import Path

import pandas as pd
import pytest

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
