"""The real E003: from URLs to the report, and training on its real counts."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chromattend.files import read_netcdf

from .conftest import MODEL_MARKS, Workspace

MODELS = ("logistic_regression", "linear_svc", "random_forest", "deepchrome", "attentivechrome")
COMPARED = MODELS[2:]


@pytest.fixture(scope="module")
def study(
    tmp_path_factory: pytest.TempPathFactory,
    repository: Path,
    real_server: str,
    covered_genes: list[str],
) -> Workspace:
    """A finished run over HTTP, from the URLs of the real slice to the report."""
    workspace = Workspace(tmp_path_factory.mktemp("study"), repository / "Snakefile")
    (workspace / "genes.txt").write_text("\n".join(covered_genes) + "\n")
    workspace.configure(
        {
            "mirror": real_server,
            "download": {"http": True},
            "genome": {"chrom_sizes": str(repository / "resources" / "hg19.chrom.sizes")},
            "genes": {"include": "genes.txt"},
            "split": {"mode": "random"},
            "training": {"max_epochs": 3},
        },
        "epigenome\tname\nE003\tH1 Cells\n",
    )
    workspace.succeed()
    return workspace


def test_counts_equal_the_published_ones(study: Workspace, real_data: Path, covered_genes: list[str]) -> None:
    truth = np.load(real_data / "chromatin" / "E003_union_counts.npz", allow_pickle=True)
    rows = pd.Index(truth["gene"]).get_indexer(covered_genes)
    dataset = read_netcdf(study / "results/E003/dataset.nc")
    assert dataset["gene"].values.tolist() == covered_genes
    assert len(covered_genes) == 143
    assert dataset["mark"].values.tolist() == truth["marks"].tolist() == list(MODEL_MARKS)
    assert np.array_equal(dataset["counts"].values, truth["X"][rows])
    assert np.array_equal(dataset["label"].values, truth["label"][rows])
    assert np.array_equal(dataset["rpkm"].values, truth["rpkm"][rows])


def test_downloads_are_as_published_and_recorded(study: Workspace, real_mirror: Path) -> None:
    published = sorted(path for path in real_mirror.rglob("*") if path.is_file())
    assert len(published) == 8
    for path in published:
        target = study / "resources/roadmap" / path.relative_to(real_mirror)
        assert target.read_bytes() == path.read_bytes()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert Path(f"{target}.sha256").read_text() == f"{digest}  {path.name}\n"
    dataset = read_netcdf(study / "results/E003/dataset.nc")
    assert dataset.attrs["H3K4me3_sha256"] in {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in published if "H3K4me3" in path.name
    }


def test_tables_have_every_model_and_the_published_figures(study: Workspace) -> None:
    auc = pd.read_csv(study / "results/tables/auc.tsv", sep="\t")
    assert auc["model"].tolist() == list(MODELS)
    assert auc["auc"].between(auc["auc_low"], auc["auc_high"]).all()
    assert (auc["n"] == 47).all()
    assert (auc["split_rule"] == "random").all()
    summary = pd.read_csv(study / "results/tables/summary.tsv", sep="\t", index_col="model")
    assert summary.loc["attentivechrome", "published_mean"] == 0.8115
    assert summary.loc["attentivechrome", "published_better_than_deepchrome"] == 49


def test_reports_are_made(study: Workspace) -> None:
    report = (study / "results/report.html").read_text()
    for name in ("auc.tsv", "summary.tsv", "split_overlaps.tsv", "auc.svg", "roc.svg", "profile.svg"):
        assert name in report
    page = (study / "results/E003/report.html").read_text()
    assert "H1 Cells" in page
    assert "AttentiveChrome" in page


def test_validation_mark_is_counted_and_seen_by_no_model(study: Workspace) -> None:
    signal = read_netcdf(study / "results/E003/signal/H3K27ac.nc")
    assert signal["counts"].values.sum() > 0
    assert "H3K27ac" not in read_netcdf(study / "results/E003/dataset.nc")["mark"].values


def test_nothing_hidden_or_half_written_is_left(study: Workspace) -> None:
    left = [
        path.relative_to(study.folder) for folder in ("results", "resources") for path in (study / folder).rglob(".*")
    ]
    assert sorted(map(str, left)) == ["resources/.records", "results/.records"]


def test_running_again_does_nothing(study: Workspace) -> None:
    assert study.succeed().jobs == {}


def test_models_learn_from_real_counts(tmp_path: Path, repository: Path, real_data: Path, real_mirror: Path) -> None:
    """Repeated random splits of the 759 real genes: forest at 0.85 or more, networks within 0.03 of it."""
    counts = real_data / "chromatin" / "E003_759genes_deepchrome.csv.gz"
    genes = np.load(real_data / "chromatin" / "E003_union_counts.npz", allow_pickle=True)["gene"]
    found = []
    for seed in (1, 2, 3):
        workspace = Workspace(tmp_path / str(seed), repository / "Snakefile")
        workspace.folder.mkdir()
        (workspace / "genes.txt").write_text("\n".join(genes) + "\n")
        workspace.configure(
            {
                "mirror": f"file://{real_mirror}",
                "genome": {"chrom_sizes": str(repository / "resources" / "hg19.chrom.sizes")},
                "genes": {"include": "genes.txt"},
                "labels": "published",
                "split": {"mode": "random", "seed": seed, "fractions": [3, 1, 1]},
                "training": {"threads": 1},
                # The baselines beside the forest are compared with nothing: one split of them is enough.
                "models": list(MODELS if seed == 1 else COMPARED),
            },
            f"epigenome\tsignal\nE003\t{counts}\n",
        )
        workspace.succeed("results/tables/auc.tsv")
        found.append(pd.read_csv(workspace / "results/tables/auc.tsv", sep="\t", index_col="model")["auc"])
    mean = pd.concat(found, axis=1).mean(axis=1)
    print(mean.round(4).to_dict())
    assert set(mean.index) == set(MODELS)
    assert mean["random_forest"] >= 0.85
    assert mean["deepchrome"] >= mean["random_forest"] - 0.03
    assert mean["attentivechrome"] >= mean["random_forest"] - 0.03
