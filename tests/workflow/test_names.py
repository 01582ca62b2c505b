"""Epigenomes may have names that look like numbers or missing values."""

from pathlib import Path

import pandas as pd
import pytest

from chromattend.chromatin.simulate import simulate_mirror

from .conftest import Workspace, config

NAMES = ["001", "NA", "1e5"]
SHEET = "epigenome\tname\tgroup\n" + "".join(f"{name}\tSample {name}\t007\n" for name in NAMES)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    folder = tmp_path_factory.mktemp("names") / "mirror"
    sizes = repository / "config/demo/synthetic.chrom.sizes"
    simulate_mirror(folder, chrom_sizes=sizes, epigenomes=NAMES, genes=300, seed=5)
    return folder


def test_a_study_of_odd_names_runs_to_its_report(workspace: Workspace, repository: Path, mirror: Path) -> None:
    (workspace / "data").symlink_to(mirror)
    everything = {
        "marks": ["H3K4me3"],
        "validation_mark": None,
        "models": ["logistic_regression", "mlp"],
        "training": {"max_epochs": 1, "accelerator": "cpu", "epigenomes_per_job": 3},
        "transfer": ["logistic_regression"],
        "differential": {"pairs": [["001", "NA"]], "models": ["linear_regression"]},
        "interpret": {
            **{"attention": "none", "models": ["mlp"], "methods": ["saliency"], "named_genes": [], "genes": 10},
            "class_optimization": {"steps": 1, "starts": 1},
        },
    }
    workspace.configure(config(repository, **everything), SHEET)
    workspace.succeed()
    results = workspace / "results"
    assert (results / "report.html").exists()
    # MultiQC's has a head of comments.
    paths = [path for path in results.rglob("*.tsv") if not path.name.endswith("_mqc.tsv")]
    tables = {path: pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False) for path in paths}
    of_all = [table for path, table in tables.items() if path.parent.name == "tables" and "epigenome" in table]
    assert len(of_all) >= 9
    for path, table in tables.items():
        for column in {"epigenome", "trained_on", "tested_on"} & set(table.columns):
            assert set(table[column]) <= set(NAMES), path
    for table in of_all:
        assert list(dict.fromkeys(table["epigenome"])) == [name for name in NAMES if name in set(table["epigenome"])]
    for name in ("auc", "quality", "sources", "validation", "faithfulness", "importance", "class_optimization"):
        assert set(tables[results / f"tables/{name}.tsv"]["epigenome"]) == set(NAMES), name
    transfer = tables[results / "transfer/logistic_regression/auc.tsv"]
    assert set(transfer["trained_on"]) == set(transfer["tested_on"]) == set(NAMES)
    assert set(tables[results / "tables/differential.tsv"]["pair"]) == {"001-vs-NA"}
    index = (results / "index.html").read_text()
    assert all(f'"id":"{name}"' in index for name in NAMES)
