"""Running the workflow for real, in a folder of its own."""

import functools
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from builders import ROADMAP, merged
from filelock import FileLock

from chromattend.chromatin.genes import build_gene_table, read_annotation
from chromattend.chromatin.simulate import simulate_mirror

from . import forks

# Hard limit of one call of Snakemake (seconds): far above what any takes.
LIMIT = 900
MODEL_MARKS = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
SHEET = "epigenome\tname\nSYN1\tone\nSYN2\ttwo\n"


def config(repository: Path, **changes: object) -> dict:
    """A configuration of the small mirror's files, in the folder `data` of a workspace."""
    data = "data/byDataType/rna"
    return {
        "genome": {"name": "synthetic", "chrom_sizes": str(repository / "config/demo/synthetic.chrom.sizes")},
        "sources": {
            "signal": "data/byFileType/alignments/consolidated/{epigenome}-{mark}.tagAlign.gz",
            "expression": f"{data}/expression/57epigenomes.RPKM.pc.gz",
            "annotation": f"{data}/annotations/gen10.long.gtf.gz",
        },
        "models": ["logistic_regression"],
        **changes,
    }


@dataclass(frozen=True)
class Run:
    """What a call of Snakemake printed, and how it ended."""

    code: int
    output: str

    @property
    def jobs(self) -> dict[str, int]:
        """Rule -> number of jobs, from the table that Snakemake prints first; empty if there was nothing to do."""
        table = re.search(r"^Job stats:\n(.*?)\n\n", self.output, re.MULTILINE | re.DOTALL)
        rows = (line.split() for line in table[1].splitlines()[2:]) if table else []
        return {rule: int(count) for rule, count in rows if rule not in ("total", "all")}


@dataclass(frozen=True)
class Workspace:
    """A folder with a configuration and a sample sheet of its own, run with the checkout's Snakefile."""

    folder: Path
    snakefile: Path

    def configure(self, config: dict, sheet: str) -> None:
        # Data as the published study has them, and explanations only where a test asks for them.
        base = {"epigenomes": "sheet.tsv", "interpret": {"attention": "none", "models": [], "named_genes": []}}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(merged(merged(ROADMAP, base), config)))
        (self.folder / "sheet.tsv").write_text(sheet)

    def arguments(self, cores: int, *more: str) -> list[str]:
        arguments = ["--snakefile", str(self.snakefile), "--cores", str(cores), "--configfile", "config.yaml"]
        return [*arguments, "--show-failed-logs", *more]

    def snakemake(self, *arguments: str) -> Run:
        return snakemake(self.arguments(2, *arguments), self.folder)

    def start(self, log: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start Snakemake on one core, its output in a file, as the leader of a process group that its jobs are in."""
        command = [sys.executable, "-m", "snakemake", *self.arguments(1, *arguments)]
        with (self.folder / log).open("w") as file:
            return subprocess.Popen(command, cwd=self.folder, stdout=file, stderr=file, start_new_session=True)

    def succeed(self, *arguments: str) -> Run:
        result = self.snakemake(*arguments)
        assert result.code == 0, result.output
        return result

    def copy(self, folder: Path) -> "Workspace":
        """A copy to change: with the times of its files and Snakemake's own records, so that it is finished, too."""
        shutil.copytree(self.folder, folder, symlinks=True, dirs_exist_ok=True)
        return Workspace(folder, self.snakefile)

    def __truediv__(self, path: str) -> Path:
        return self.folder / path


def made_after(workspace: Workspace, moment: int) -> set[str]:
    """Files of the results that were written after a moment, without their records."""
    results = workspace / "results"
    return {
        str(path.relative_to(results))
        for path in results.rglob("*")
        if path.is_file() and path.stat().st_mtime_ns > moment and ".records" not in path.parts
    }


def now(workspace: Workspace) -> int:
    mark = workspace / "now"
    mark.write_text("")
    return mark.stat().st_mtime_ns


def run(command: list[str], folder: Path) -> Run:
    # Colours and a user's profile would change what is printed.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | {"NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def snakemake(arguments: list[str], folder: Path) -> Run:
    """Call Snakemake, for itself and its jobs with a Python that starts at once."""
    return run([forks.python(), "-m", "snakemake", *arguments], folder)


@pytest.fixture
def workspace(tmp_path: Path, repository: Path) -> Workspace:
    """An empty workspace."""
    return Workspace(tmp_path, repository / "Snakefile")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first process of the tests makes that needs it, while the others wait."""
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # of all processes; each has a folder in it
    folder, made = root / name, root / f"{name}.made"
    with FileLock(root / f"{name}.lock", timeout=LIMIT):
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a process that failed
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A copy of the files that git tracks, so that nothing made here stands in the way."""
    target = tmp_path_factory.mktemp("clone") / "chromattend"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository / name, target / name, follow_symlinks=False)
    return target


@pytest.fixture(scope="session")
def small_mirror(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A synthetic mirror of two epigenomes and few genes."""
    sizes = repository / "config" / "demo" / "synthetic.chrom.sizes"
    options: dict = {"chrom_sizes": sizes, "epigenomes": ("SYN1", "SYN2"), "genes": 300, "seed": 3}
    return once(tmp_path_factory, "small-mirror", lambda folder: simulate_mirror(folder, **options))


@pytest.fixture(scope="session")
def small_study(tmp_path_factory: pytest.TempPathFactory, repository: Path, small_mirror: Path) -> Workspace:
    """The finished study of `config`, for all tests: whoever changes something does so in a copy.

    In `alone.txt` stands what there was of it after a run for the page of SYN2 alone.
    """

    def make(folder: Path) -> None:
        workspace = Workspace(folder, repository / "Snakefile")
        shutil.copytree(small_mirror, workspace / "data")
        workspace.configure(config(repository), SHEET)
        workspace.succeed("results/SYN2/report.html")
        alone = sorted(str(path.relative_to(workspace / "results")) for path in (workspace / "results").rglob("*"))
        (workspace / "alone.txt").write_text("\n".join(alone))
        workspace.succeed()

    return Workspace(once(tmp_path_factory, "small-study", make), repository / "Snakefile")


@pytest.fixture(scope="session")
def real_mirror(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    """The real E003 reads, expression and annotation in the layout of the Roadmap site."""
    folder = tmp_path_factory.mktemp("roadmap")
    files = {
        f"byFileType/alignments/consolidated/E003-{mark}.tagAlign.gz": f"chromatin/E003-{mark}.demo_regions.tagAlign.gz"
        for mark in (*MODEL_MARKS, "H3K27ac")
    }
    files["byDataType/rna/expression/57epigenomes.RPKM.pc.gz"] = "roadmap/57epigenomes.RPKM.pc.gz"
    files["byDataType/rna/annotations/gen10.long.gtf.gz"] = "roadmap/gencode_10_genes.gtf.gz"
    for path, source in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(real_data / source, folder / path)
    return folder


@pytest.fixture(scope="session")
def covered_genes(real_data: Path) -> list[str]:
    """The genes with true counts whose whole window the real reads cover."""
    known = np.load(real_data / "chromatin" / "E003_union_counts.npz", allow_pickle=True)["gene"]
    genes = build_gene_table(read_annotation(real_data / "roadmap" / "gencode_10_genes.gtf.gz"), pd.Index(known))
    regions = pd.read_csv(real_data / "chromatin" / "demo_regions.bed", sep="\t", names=["chrom", "start", "end"])
    pairs = genes.merge(regions, on="chrom")
    inside = pairs[(pairs["start"] <= pairs["tss"] - 5000) & (pairs["end"] >= pairs["tss"] + 5000)]
    return sorted(inside["gene"].unique())


@pytest.fixture(scope="session")
def real_server(real_mirror: Path) -> Iterator[str]:
    """URL of a local HTTP server of the real mirror."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(real_mirror))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(timeout=10)
