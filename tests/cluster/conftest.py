"""The study on a real Slurm: two nodes with a GPU's name each, on this machine."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from builders import ROADMAP, merged
from slurm import Slurm, missing

from chromattend.chromatin.simulate import simulate_mirror

# Hard limit of one call of Snakemake (seconds): far above what any takes.
LIMIT = 900
SHEET = "epigenome\tname\nSYN1\tSynthetic 1\n"


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """A running cluster."""
    reason = missing()
    if reason:
        pytest.skip(f"no Slurm can be started: {reason}")
    # The paths of sockets must be short.
    folder = tmp_path_factory.mktemp("slurm")
    cluster = Slurm(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def idle(slurm: Slurm) -> Iterator[Slurm]:
    """The cluster with both nodes up and no job, before and after a test."""
    yield slurm
    slurm.query("scancel", "--user=root")
    for node in ("n1", "n2"):
        slurm.query("scontrol", "update", f"nodename={node}", "state=resume")
    until(lambda: not slurm.jobs() and set(slurm.states().values()) == {"idle"}, 60)


def until(ready: Callable[[], object], seconds: float) -> None:
    """Wait for something, so many seconds at most."""
    limit = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < limit, "waited too long"
        time.sleep(0.1)


def copy_checkout(repository: Path, folder: Path) -> None:
    """Copy what a clone of the checkout has."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=repository, stdout=subprocess.PIPE, check=True, timeout=60,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, listed.split("\0")):
        source, target = repository / name, folder / name
        if source.exists() or source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


@dataclass
class Checkout:
    """A fresh checkout, in which Snakemake is called as a user would."""

    folder: Path

    def command(self, *arguments: str) -> list[str]:
        # The waits of a real cluster would only make the tests longer.
        program, waits = ["-m", "snakemake"], ["--latency-wait", "5"]
        if "slurm" in arguments:
            program = [str(Path(__file__).with_name("impatient.py"))]
            waits += ["--max-jobs-per-timespan", "10/1s"]
        return [sys.executable, *program, *arguments, *waits]

    def environment(self) -> dict[str, str]:
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("SNAKEMAKE", "SLURM", "PYTEST"))
        }
        return clean | {"NO_COLOR": "1"}

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake, its output in `run.log`."""
        with (self.folder / "run.log").open("a") as log:
            return subprocess.Popen(
                self.command(*arguments), cwd=self.folder, env=self.environment(), stdout=log, stderr=log
            )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run Snakemake to its end; return how it ended and what it printed."""
        done = subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.environment(),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout

    def succeed(self, *arguments: str) -> str:
        code, output = self.run(*arguments)
        assert code == 0, output
        return output

    def __truediv__(self, path: str) -> Path:
        return self.folder / path


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A synthetic mirror of one epigenome and few genes."""
    folder = tmp_path_factory.mktemp("synthetic") / "mirror"
    sizes = repository / "config" / "demo" / "synthetic.chrom.sizes"
    simulate_mirror(folder, chrom_sizes=sizes, epigenomes=("SYN1",), genes=300, seed=3)
    return folder


def configure(checkout: Checkout, mirror: Path, **keys: object) -> None:
    """Write a configuration of one epigenome and one small network, and its sample sheet."""
    config = merged(
        ROADMAP,
        {
            "epigenomes": "sheet.tsv",
            "mirror": mirror.as_uri(),
            "genome": {"name": "synthetic", "chrom_sizes": "config/demo/synthetic.chrom.sizes"},
            "genes": {"mode": "unique"},
            "models": ["deepchrome"],
            "interpret": {"attention": "none", "models": [], "named_genes": []},
        },
    )
    (checkout / "config/config.yaml").write_text(yaml.safe_dump(config | keys))
    (checkout / "sheet.tsv").write_text(SHEET)
