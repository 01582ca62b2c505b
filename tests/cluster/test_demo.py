"""The demo through Slurm gives what it gives without."""

import re
import shutil
from pathlib import Path

import pandas as pd
from conftest import LIMIT, Checkout, copy_checkout
from slurm import Slurm

from chromattend.chromatin.simulate import simulate_mirror

# A kind of each model and of each stage; the tests of the demo itself run all of it.
FEWER = """\
epigenomes: two.tsv
training: {epigenomes_per_job: 1}
models: [logistic_regression, deepchrome]
interpret: {models: [deepchrome], genes: 20, methods: [saliency], named_genes: [SYNG0001]}
"""
DEMO = ["--configfile", "config/demo/config.yaml", "fewer.yaml"]


def table(checkout: Checkout, path: Path) -> bytes:
    """A table of the results; where sources are named by their place, less the checkout's folder."""
    return (checkout / "results" / path).read_bytes().replace(str(checkout.folder).encode(), b"")


def test_the_demo_through_slurm_has_the_same_tables(slurm: Slurm, tmp_path: Path, repository: Path) -> None:
    local, remote = Checkout(tmp_path / "local"), Checkout(tmp_path / "slurm")
    copy_checkout(repository, local.folder)
    (local / "fewer.yaml").write_text(FEWER)
    three = (local / "config/demo/epigenomes.tsv").read_text().splitlines(keepends=True)
    (local / "two.tsv").write_text("".join(three[:3]))
    sizes = local / "config/demo/synthetic.chrom.sizes"
    mirror = local / "resources/demo/mirror"
    simulate_mirror(mirror, chrom_sizes=sizes, epigenomes=("SYN1", "SYN2"), genes=600, seed=1)
    shutil.copytree(local.folder, remote.folder, symlinks=True)
    # Slurm's waits leave time for the other run.
    running = remote.start("--profile", "slurm", *DEMO)
    try:
        local.succeed("--cores", "2", *DEMO)
        code = running.wait(timeout=LIMIT)
    finally:
        running.kill()
    output = (remote / "run.log").read_text()
    assert code == 0, output
    submitted = len(re.findall("has been submitted with SLURM jobid", output))
    jobs = int(re.search(r"^total +(\d+)$", output, re.MULTILINE)[1])  # type: ignore[index]
    print(f"{jobs} jobs in {submitted} submissions to Slurm")
    assert 5 <= submitted < jobs / 2

    files = sorted(path.relative_to(local / "results") for path in (local / "results").rglob("*.tsv"))
    assert len(files) > 20
    same = [path for path in files if table(local, path) == table(remote, path)]
    print(f"{len(same)} of {len(files)} tables are the same byte for byte")
    assert same == files
    auc = pd.read_csv(remote / "results/demo/tables/auc.tsv", sep="\t")
    assert len(auc) == 4
    # Nothing is left to do, and a training's checkpoints are gone.
    assert "Nothing to be done" in remote.succeed("--profile", "slurm", *DEMO)
    assert list((remote / "results").rglob(".training")) == []
