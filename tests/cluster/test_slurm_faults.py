"""Trainings on a cluster that fails in every way that clusters fail in: they go on, and end with the same numbers."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import LIMIT, Checkout, configure, copy_checkout, until
from slurm import Slurm

MODEL = "results/SYN1/deepchrome"
TARGET = f"{MODEL}/metrics.json"
KEPT = [f"{MODEL}/{name}" for name in ("model.ckpt", "history.csv", "predictions.tsv", "metrics.json")]
# Many small steps, so that there is time for a fault within an epoch.
TRAINING = {"max_epochs": 10, "patience": 10, "batch_size": 1, "accelerator": "cpu"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path, mirror: Path) -> Checkout:
    """A study that nothing happened to, run without Slurm."""
    checkout = Checkout(tmp_path_factory.mktemp("finished"))
    copy_checkout(repository, checkout.folder)
    configure(checkout, mirror, training=TRAINING)
    checkout.succeed("--cores", "2", TARGET)
    return checkout


def untrained(finished: Checkout, folder: Path) -> Checkout:
    """A copy of it, in which the network is still to be trained."""
    shutil.copytree(finished.folder, folder, symlinks=True)
    shutil.rmtree(folder / MODEL)
    (folder / "logs/train/SYN1/deepchrome.log").unlink()
    return Checkout(folder)


@pytest.fixture
def study(finished: Checkout, tmp_path: Path) -> Checkout:
    return untrained(finished, tmp_path / "study")


def epochs(study: Checkout) -> int:
    log = study / "logs/train/SYN1/deepchrome.log"
    return len(re.findall(r" epoch \d+ of ", log.read_text())) if log.is_file() else 0


def trains(study: Checkout, running: subprocess.Popen[bytes]) -> bool:
    """Whether the training has two epochs and their checkpoints behind it."""
    assert running.poll() is None, (study / "run.log").read_text()
    # An epoch's line is written just before its checkpoint: the third one's says that the second one's is there.
    return epochs(study) >= 3


def started(study: Checkout) -> subprocess.Popen[bytes]:
    """Start the study through Slurm, and wait until its training has two epochs and their checkpoints behind it."""
    running = study.start("--profile", "slurm", TARGET)
    until(lambda: trains(study, running), 120)
    return running


def training_process(study: Checkout) -> int:
    """Process of the training's script."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            if b"train.py" in command and os.readlink(folder / "cwd") == str(study.folder):
                return int(folder.name)
        except OSError:
            continue  # it ended meanwhile
    raise AssertionError("no training runs")


def same_as(study: Checkout, finished: Checkout) -> None:
    """Nothing is lost or wrong, and nothing is left over."""
    assert [(study / path).read_bytes() for path in KEPT] == [(finished / path).read_bytes() for path in KEPT]
    left = [path.name for path in (study / MODEL).iterdir() if path.name.startswith(".")]
    assert left == []


def went_on(study: Checkout, running: subprocess.Popen[bytes], finished: Checkout) -> None:
    """Snakemake ends well by itself, and the training went on from its checkpoint."""
    assert running.wait(timeout=240) == 0, (study / "run.log").read_text()
    log = (study / "logs/train/SYN1/deepchrome.log").read_text()
    print(re.findall("resuming after epoch.*", log), f"{epochs(study)} epochs in the last try")
    assert "resuming after epoch" in log
    assert epochs(study) <= TRAINING["max_epochs"] - 2  # type: ignore[operator]
    same_as(study, finished)


def train_job(slurm: Slurm, study: Checkout) -> tuple[str, str]:
    """Number and node of the training's job."""
    running = slurm.jobs("RUNNING", study.folder)
    jobs = [(number, node) for number, node, comment in running if "rule_train" in comment]
    assert len(jobs) == 1, jobs
    return jobs[0]


def cancel(slurm: Slurm, study: Checkout) -> None:
    assert slurm.query("scancel", train_job(slurm, study)[0]).returncode == 0


def kill(_: Slurm, study: Checkout) -> None:
    os.kill(training_process(study), signal.SIGKILL)


def requeue(slurm: Slurm, study: Checkout) -> None:
    assert slurm.query("scontrol", "requeue", train_job(slurm, study)[0]).returncode == 0


def stop(_: Slurm, study: Checkout) -> None:
    # As if its disk hung, until its one minute is over: Slurm knows whole minutes only.
    os.kill(training_process(study), signal.SIGSTOP)


@pytest.fixture(scope="module")
def faulty(
    slurm: Slurm, finished: Checkout, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Callable, tuple[Checkout, subprocess.Popen[bytes]]]]:
    """Studies that run at once, whose trainings meet a fault each, by the fault: they wait more than they compute."""
    arguments = {stop: ["--set-resources", "train:runtime=attempt * 1"], cancel: [], kill: [], requeue: []}
    found = {}
    try:
        for fault, more in arguments.items():
            study = untrained(finished, tmp_path_factory.mktemp(fault.__name__) / "study")
            found[fault] = study, study.start("--profile", "slurm", TARGET, *more)
        left = list(found)

        def met() -> bool:
            for fault in [fault for fault in left if trains(*found[fault])]:
                fault(slurm, found[fault][0])
                left.remove(fault)
            return not left

        until(met, LIMIT)
        yield found
    finally:
        for _, running in found.values():
            running.kill()


def test_a_training_that_is_cancelled(faulty: dict, finished: Checkout) -> None:
    went_on(*faulty[cancel], finished)


def test_a_worker_that_is_killed(faulty: dict, finished: Checkout) -> None:
    went_on(*faulty[kill], finished)


def test_a_job_that_makes_way_for_another(faulty: dict, finished: Checkout) -> None:
    went_on(*faulty[requeue], finished)


def test_a_job_that_needs_more_memory(slurm: Slurm, study: Checkout, finished: Checkout) -> None:
    arguments = ["--set-resources", "train:mem_mb=attempt * 600"]
    output = study.succeed("--profile", "slurm", TARGET, *arguments)
    tries = re.findall(r"SLURM status is: '(\w+)'", output)
    print("ended:", tries)
    assert 1 <= len(tries) <= 3
    same_as(study, finished)


def test_folders_and_an_epigenome_with_odd_names(slurm: Slurm, finished: Checkout, tmp_path: Path) -> None:
    names = ["it's a b; Zürich 染色质", '"odd"; $(touch owned) $HOME']
    studies = [untrained(finished, tmp_path / name) for name in names]
    for study in studies:
        (study / "sheet.tsv").write_text("epigenome\tname\nSYN1\tß-cell; $(touch owned) 'x' \"y\" <b>\n")
    running = [study.start("--profile", "slurm", TARGET) for study in studies]
    try:
        for study, each in zip(studies, running, strict=True):
            assert each.wait(timeout=LIMIT) == 0, (study / "run.log").read_text()
            same_as(study, finished)
            assert not list(study.folder.rglob("owned"))
    finally:
        for each in running:
            each.kill()


def test_a_folder_whose_name_no_job_can_be_given(slurm: Slurm, finished: Checkout, tmp_path: Path) -> None:
    study = untrained(finished, tmp_path / "it's $HOME")
    code, output = study.run("--profile", "slurm", TARGET)
    assert code != 0
    assert output.splitlines()[-1].startswith(f"Error: {study.folder}: cluster jobs cannot run in a folder")
    assert not (study / TARGET).exists()


def test_a_time_limit_that_is_reached(faulty: dict, finished: Checkout) -> None:
    study, running = faulty[stop]
    went_on(study, running, finished)
    assert "'TIMEOUT'" in (study / "run.log").read_text()


# From here on a test disturbs all jobs of the cluster.
def test_a_node_that_dies(idle: Slurm, study: Checkout, finished: Checkout) -> None:
    running = started(study)
    number, node = train_job(idle, study)
    idle.query("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    until(lambda: any(job == number and on not in ("", node) for job, on, _ in idle.jobs("RUNNING")), 180)
    print(f"job {number} went on from {node} to the other node")
    went_on(study, running, finished)


def test_snakemake_that_is_killed(idle: Slurm, study: Checkout, finished: Checkout) -> None:
    running = started(study)
    running.kill()
    running.wait(timeout=30)
    idle.query("scancel", "--user=root")
    until(lambda: not idle.jobs(), 60)
    code, output = study.run("--profile", "slurm", TARGET)
    assert code != 0
    assert "--unlock" in output
    study.succeed("--profile", "slurm", "--unlock")
    study.succeed("--profile", "slurm", TARGET)
    assert "resuming after epoch" in (study / "logs/train/SYN1/deepchrome.log").read_text()
    same_as(study, finished)
