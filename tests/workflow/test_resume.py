"""A training that is killed goes on where it was, and ends as if nothing had happened."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from .conftest import SHEET, Workspace, config

MODEL = "results/SYN1/deepchrome"
TARGETS = [f"{MODEL}/model.ckpt", f"{MODEL}/metrics.json"]
# Many small steps, so that there is time to kill it.
TRAINING = {"max_epochs": 6, "patience": None, "batch_size": 1, "accelerator": "cpu", "seeds": 2}


@pytest.fixture
def study(small_study: Workspace, tmp_path: Path, repository: Path) -> Workspace:
    workspace = small_study.copy(tmp_path)
    workspace.configure(config(repository, models=["deepchrome"], select=["SYN1"], training=TRAINING), SHEET)
    return workspace


def epochs(workspace: Workspace) -> int:
    """Epochs that the training's log tells of."""
    log = workspace / "logs/train/SYN1/deepchrome.log"
    return len(re.findall(r" epoch \d+ of ", log.read_text())) if log.is_file() else 0


def training_process(workspace: Workspace) -> int | None:
    """Process id of the training script of a workspace."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if b"train.py" in command and os.readlink(folder / "cwd") == str(workspace.folder):
                return int(folder.name)
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return None


def kill_in_epoch(workspace: Workspace, number: int) -> None:
    """Run Snakemake, and end the training script with SIGKILL after so many epochs."""
    running = workspace.start("killed.log", "--", *TARGETS)
    try:
        limit = time.monotonic() + 300
        while epochs(workspace) < number:
            assert running.poll() is None, (workspace / "killed.log").read_text()
            assert time.monotonic() < limit
            time.sleep(0.02)
        process = training_process(workspace)
        assert process is not None
        os.kill(process, signal.SIGKILL)
        assert running.wait(timeout=120) != 0
    finally:
        if running.poll() is None:
            running.kill()
            running.wait(timeout=30)


def test_a_killed_training_goes_on_and_ends_with_the_same_numbers(study: Workspace) -> None:
    study.succeed(*TARGETS)
    unbroken = [(study / target).read_bytes() for target in [*TARGETS, f"{MODEL}/history.csv"]]
    in_all = epochs(study)
    for target in TARGETS:
        (study / target).unlink()
    (study / "logs/train/SYN1/deepchrome.log").unlink()

    kill_in_epoch(study, 3)
    assert not (study / MODEL / "model.ckpt").exists()
    left = epochs(study)
    assert 3 <= left < in_all
    study.succeed(*TARGETS)
    log = (study / "logs/train/SYN1/deepchrome.log").read_text()
    assert "resuming after epoch" in log
    print(f"{in_all} epochs unbroken; {left} before the kill and {epochs(study)} after it")
    assert in_all <= left + epochs(study) <= in_all + 1  # the epoch that was cut off, at most, is trained twice
    assert [(study / target).read_bytes() for target in [*TARGETS, f"{MODEL}/history.csv"]] == unbroken
    assert [path.name for path in (study / MODEL).iterdir() if path.name.startswith(".")] == []
