"""What breaks while a study runs is named in one line, and after the mend the results are those of an unbroken run."""

import contextlib
import functools
import gzip
import http.server
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from .conftest import SHEET, Workspace, config

TARGET = "results/SYN1/logistic_regression/metrics.json"
SIGNAL = "byFileType/alignments/consolidated/SYN1-H3K4me3.tagAlign.gz"
DOWNLOADED = f"resources/roadmap/{SIGNAL}"
COUNTS = "results/SYN1/signal/H3K4me3.nc"
MARKS = ["H3K36me3", "H3K4me3"]
# What must be the same after the mend.
KEPT = (
    "results/genes.tsv",
    COUNTS,
    "results/SYN1/dataset.nc",
    "results/SYN1/logistic_regression/model.ckpt",
    "results/SYN1/logistic_regression/predictions.tsv",
    TARGET,
)


@dataclass
class FaultyServer:
    """Serves a folder, and answers the first requests for one file as it is told.

    Attributes:
        url: of the folder.
        faults: answers to the next requests for the file of SIGNAL.
        asked: how often that file was asked for.
    """

    url: str
    faults: list[Callable[[http.server.SimpleHTTPRequestHandler, bytes], None]] = field(default_factory=list)
    asked: int = 0


@pytest.fixture
def server(small_mirror: Path) -> Iterator[FaultyServer]:
    state = FaultyServer("")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith(SIGNAL):
                state.asked += 1
                if state.faults:
                    self.close_connection = True
                    state.faults.pop(0)(self, (small_mirror / SIGNAL).read_bytes())
                    return
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(small_mirror))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        state.url = f"http://127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield state
        running.shutdown()
        thread.join(timeout=10)


def answer(
    handler: http.server.SimpleHTTPRequestHandler, body: bytes, status: int = 200, length: int | None = None
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def stalls(handler: http.server.SimpleHTTPRequestHandler, body: bytes) -> None:
    answer(handler, body[:1000], length=len(body))
    handler.wfile.flush()
    time.sleep(3)


def is_cut(handler: http.server.SimpleHTTPRequestHandler, body: bytes) -> None:
    answer(handler, body[: len(body) // 2], length=len(body))


def fails(handler: http.server.SimpleHTTPRequestHandler, _: bytes) -> None:
    answer(handler, b"busy", status=500)


def is_a_page(handler: http.server.SimpleHTTPRequestHandler, _: bytes) -> None:
    answer(handler, b"<!DOCTYPE html><html><body>Please log in</body></html>")


def is_another_file(handler: http.server.SimpleHTTPRequestHandler, _: bytes) -> None:
    answer(handler, gzip.compress(b"chr1\t1\t37\tN\t1000\t+\n"))


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, repository: Path, small_mirror: Path) -> Workspace:
    """A run over local files that nothing happened to."""
    workspace = Workspace(tmp_path_factory.mktemp("unbroken"), repository / "Snakefile")
    shutil.copytree(small_mirror, workspace / "data")
    workspace.configure(config(repository, select=["SYN1"], marks=MARKS), SHEET)
    workspace.succeed("--", TARGET)
    return workspace


@pytest.fixture
def copy(unbroken: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it, to break something in."""
    return unbroken.copy(tmp_path)


def same(workspace: Workspace, unbroken: Workspace, paths: tuple[str, ...] = KEPT) -> None:
    assert [path for path in paths if (workspace / path).read_bytes() != (unbroken / path).read_bytes()] == []


def half_written(workspace: Workspace) -> list[str]:
    return [str(path) for path in (workspace / "results").rglob("*") if path.name.startswith(".tmp")]


def downloading(workspace: Workspace, repository: Path, server: FaultyServer, **sources: object) -> None:
    """The same study over HTTP."""
    options = {"http": True, "timeout": 1, "backoff": 0}
    changes = {"select": ["SYN1"], "mirror": server.url, "download": options, "sources": sources}
    workspace.configure(config(repository, **changes), SHEET)


@pytest.mark.parametrize(
    ("faults", "asked"),
    [([stalls], 2), ([is_cut], 2), ([fails, fails], 3)],
    ids=["stalls", "truncated", "500 twice"],
)
def test_a_download_that_fails_in_passing(
    workspace: Workspace,
    repository: Path,
    unbroken: Workspace,
    small_mirror: Path,
    server: FaultyServer,
    faults: list,
    asked: int,
) -> None:
    downloading(workspace, repository, server)
    server.faults = list(faults)
    workspace.succeed("--", DOWNLOADED)
    print(f"asked {server.asked} times")
    assert server.asked == asked
    assert (workspace / DOWNLOADED).read_bytes() == (small_mirror / SIGNAL).read_bytes()


def test_a_download_that_is_a_web_page(
    workspace: Workspace, repository: Path, server: FaultyServer, small_mirror: Path
) -> None:
    downloading(workspace, repository, server)
    server.faults = [is_a_page]
    run = workspace.snakemake("--", DOWNLOADED)
    assert run.code != 0
    assert "Error: SYN1-H3K4me3.tagAlign.gz: is" in run.output
    assert not (workspace / DOWNLOADED).exists()
    workspace.succeed("--", DOWNLOADED)
    assert (workspace / DOWNLOADED).read_bytes() == (small_mirror / SIGNAL).read_bytes()


def test_a_download_whose_checksum_changed(
    workspace: Workspace, repository: Path, server: FaultyServer, small_mirror: Path
) -> None:
    digest = subprocess.run(
        ["sha256sum", str(small_mirror / SIGNAL)], capture_output=True, text=True, check=True
    ).stdout.split()[0]
    table = f"url\tchecksum\tsize\n{server.url}/{SIGNAL}\tsha256:{digest}\t{(small_mirror / SIGNAL).stat().st_size}\n"
    (workspace / "known.tsv").write_text(table)
    downloading(workspace, repository, server, checksums="known.tsv")
    server.faults = [is_another_file]
    run = workspace.snakemake("--", DOWNLOADED)
    assert run.code != 0
    assert "but the checksum table says" in run.output
    assert not (workspace / DOWNLOADED).exists()
    workspace.succeed("--", DOWNLOADED)
    assert (workspace / DOWNLOADED).read_bytes() == (small_mirror / SIGNAL).read_bytes()


def test_gzip_that_is_corrupt_in_the_middle(copy: Workspace, unbroken: Workspace) -> None:
    path = copy / "data" / SIGNAL
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes(whole[:middle] + bytes(64) + whole[middle + 64 :])
    run = copy.snakemake("--", TARGET)
    assert run.code != 0
    assert f"Error: data/{SIGNAL}: " in run.output
    assert not (copy / COUNTS).exists()
    path.write_bytes(whole)
    copy.succeed("--", TARGET)
    same(copy, unbroken)


def test_two_runs_in_one_folder(copy: Workspace, unbroken: Workspace) -> None:
    shutil.rmtree(copy / "results")
    first = copy.start("first.log", "--", TARGET)
    try:
        limit = time.monotonic() + 60
        while "Job stats:" not in (copy / "first.log").read_text():
            assert first.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.05)
        # Stopped, so that on a busy machine it does not end before the second has begun.
        os.killpg(first.pid, signal.SIGSTOP)
        try:
            # As the profiles do: without, it may be refused for a file that the first is writing.
            second = copy.snakemake("--rerun-incomplete", "--", TARGET)
        finally:
            os.killpg(first.pid, signal.SIGCONT)
        assert second.code != 0
        assert "Directory cannot be locked" in second.output
        assert first.wait(timeout=300) == 0, (copy / "first.log").read_text()
    finally:
        if first.poll() is None:
            first.kill()
            first.wait(timeout=30)
    same(copy, unbroken)


def test_a_whole_run_that_is_killed_goes_on(copy: Workspace, unbroken: Workspace) -> None:
    shutil.rmtree(copy / "results")
    planned = sum(copy.snakemake("--dry-run", "--", TARGET).jobs.values())
    log = copy / "killed.log"
    running = copy.start(log.name, "--", TARGET)
    try:
        limit = time.monotonic() + 120
        while log.read_text().count("Finished jobid") < 4:
            assert running.poll() is None, log.read_text()
            assert time.monotonic() < limit
            time.sleep(0.05)
    finally:
        # With its jobs, as when a machine goes down.
        os.killpg(running.pid, signal.SIGKILL)
        running.wait(timeout=30)
    done = log.read_text().count("Finished jobid")
    assert copy.snakemake("--unlock").code == 0
    again = copy.snakemake("--rerun-incomplete", "--", TARGET)
    assert again.code == 0, again.output
    rest = sum(again.jobs.values())
    print(f"{done} of {planned} jobs were done before the kill, {rest} after it")
    assert 4 <= done < planned
    assert rest == planned - done
    same(copy, unbroken)


def test_a_clock_that_jumps(copy: Workspace, unbroken: Workspace) -> None:
    hour = 3600
    now = time.time()
    for number, path in enumerate(sorted(path for path in (copy / "results").rglob("*") if path.is_file())):
        # One input of other results is from tomorrow.
        moment = now + 24 * hour * (1 if path.name == "genes.tsv" else -(number % 2))
        os.utime(path, (moment, moment))
    for path in (copy / "data").rglob("*.gz"):
        os.utime(path, (now - 48 * hour, now - 48 * hour))
    # Snakemake names the file from the future instead of making its results again for ever.
    run = copy.snakemake("--", TARGET)
    assert run.code != 0
    assert "could indicate a clock skew problem" in run.output
    for path in (copy / "results").rglob("*"):
        if path.stat().st_mtime > time.time():
            path.touch()
    copy.succeed("--", TARGET)
    same(copy, unbroken)


def test_an_input_that_is_deleted_in_mid_run(copy: Workspace, unbroken: Workspace) -> None:
    source = copy / "data" / SIGNAL
    whole = source.read_bytes()
    shutil.rmtree(copy / "results")
    running = copy.start("run.log", "--", TARGET)
    try:
        limit = time.monotonic() + 60
        while "rule genes:" not in (copy / "run.log").read_text():
            assert running.poll() is None, (copy / "run.log").read_text()
            assert time.monotonic() < limit
            time.sleep(0.02)
        source.unlink()
        assert running.wait(timeout=300) != 0
    finally:
        if running.poll() is None:
            running.kill()
            running.wait(timeout=30)
    assert source.name in (copy / "run.log").read_text()
    assert not (copy / COUNTS).exists()
    source.write_bytes(whole)
    copy.succeed("--", TARGET)
    same(copy, unbroken)


@pytest.fixture
def disk(copy: Workspace) -> Iterator[Path]:
    """The results on a disk of their own, of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder = copy / "results"
    kept = copy / "kept"
    folder.rename(kept)
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(folder)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", str(folder)], check=True)
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_full_disk(copy: Workspace, unbroken: Workspace, disk: Path) -> None:
    shutil.rmtree(disk / "SYN1")
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(disk).free < 4096
    run = copy.snakemake("--", TARGET)
    assert run.code != 0
    assert "No space left on device" in run.output
    assert half_written(copy) == []
    assert not (copy / TARGET).exists()
    filler.unlink()
    copy.succeed("--", TARGET)
    same(copy, unbroken)


def test_a_folder_that_cannot_be_written(copy: Workspace, unbroken: Workspace, disk: Path) -> None:
    (copy / TARGET).unlink()
    remount(disk, "ro")
    try:
        run = copy.snakemake("--", TARGET)
        assert run.code != 0
        assert "Write-protected output files for rule evaluate" in run.output, run.output
        assert TARGET in run.output
    finally:
        remount(disk, "rw")
    copy.succeed("--", TARGET)
    same(copy, unbroken)
