"""Networks of several epigenomes that train in one job give the tables that a job each gives."""

from pathlib import Path

import pandas as pd

from .conftest import SHEET, Workspace, config, made_after, now

MODELS = ["logistic_regression", "deepchrome"]
TABLE = "results/tables/auc.tsv"


def test_a_job_of_two_epigenomes(small_study: Workspace, tmp_path: Path, repository: Path) -> None:
    workspace = small_study.copy(tmp_path)

    def configure(per_job: int) -> None:
        training = {"max_epochs": 3, "accelerator": "cpu", "epigenomes_per_job": per_job}
        workspace.configure(config(repository, models=MODELS, training=training), SHEET)

    def trainings() -> dict[str, int]:
        return {name: number for name, number in workspace.succeed(TABLE).jobs.items() if name.startswith("train")}

    # The baselines are trained.
    configure(1)
    assert trainings() == {"train": 2}
    separate = pd.read_csv(workspace / TABLE, sep="\t")

    configure(2)
    # What the baselines learned stands.
    assert trainings() == {"train_SYN1_to_SYN2": 1}
    pd.testing.assert_frame_equal(pd.read_csv(workspace / TABLE, sep="\t"), separate, rtol=1e-3)
    assert workspace.succeed(TABLE).jobs == {}

    # An epigenome's model brings those that train with it.
    (workspace / "results/SYN2/deepchrome/model.ckpt").unlink()
    moment = now(workspace)
    workspace.succeed("results/SYN2/deepchrome/model.ckpt")
    assert made_after(workspace, moment) == {
        f"{epigenome}/deepchrome/{name}" for epigenome in ("SYN1", "SYN2") for name in ("model.ckpt", "history.csv")
    }
