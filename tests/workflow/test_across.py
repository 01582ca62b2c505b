"""The stages beyond single epigenomes, each by its switch and its target."""

from pathlib import Path

import pandas as pd

from .conftest import SHEET, Workspace, config


def test_each_stage_is_a_switch_and_a_target(small_study: Workspace, tmp_path: Path, repository: Path) -> None:
    workspace = small_study.copy(tmp_path)
    base = {"training": {"max_epochs": 2, "accelerator": "cpu"}}
    switches: dict = {
        "pan_epigenome": True,
        "transfer": ["random_forest"],
        "differential": {"pairs": [["SYN1", "SYN2"]]},
    }
    workspace.configure(config(repository, **base), SHEET)
    off = workspace.succeed("--dry-run").jobs
    assert not {"train_pan_epigenome", "transfer_from", "train_differential", "labels_elsewhere"} & off.keys()

    workspace.configure(config(repository, **base, **switches), SHEET)
    on = workspace.succeed("--dry-run").jobs
    assert on["train_pan_epigenome"] == 1
    assert on["evaluate_pan_epigenome"] == on["transfer_from"] == on["train_differential"] == 2

    jobs = workspace.succeed("pan_epigenome", "transfer", "differential", "results/tables/auc.tsv").jobs
    assert jobs["labels_elsewhere"] == jobs["plot_transfer"] == jobs["plot_differential"] == 1
    results = workspace / "results"
    models = pd.read_csv(results / "tables/auc.tsv", sep="\t").groupby("epigenome")["model"].apply(set)
    assert models["SYN1"] == models["SYN2"] == {"logistic_regression", "pan_epigenome"}
    transfer = pd.read_csv(results / "transfer/random_forest/auc.tsv", sep="\t")
    assert set(zip(transfer["trained_on"], transfer["tested_on"], strict=True)) == {
        *(("SYN1", "SYN1"), ("SYN1", "SYN2"), ("SYN2", "SYN1"), ("SYN2", "SYN2")),
    }
    differential = pd.read_csv(results / "tables/differential.tsv", sep="\t")
    assert differential["pair"].tolist() == ["SYN1-vs-SYN2"] * 2
    assert differential["model"].tolist() == ["linear_regression", "deepdiff"]
    assert workspace.succeed("pan_epigenome", "transfer", "differential").jobs == {}
    hidden = [path for path in results.rglob(".*") if path.name == ".training"]
    assert hidden == []
