"""What every script of a rule begins and ends with."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """\
import gc
import sys
from types import SimpleNamespace
from chromattend.pipeline.jobs import job

print("pandas" in sys.modules, gc.isenabled(), gc.get_threshold()[0])
records = {"roots": ["results"], "checkout": "nowhere", "configuration": ""}
snakemake = SimpleNamespace(
    log=["a.log"], config={"records": records}, input=[], output=["results/a"], rule="a", wildcards={}, params={}
)
with job(snakemake):
    print(gc.get_freeze_count())
    open("results/a", "w").close()
    %s
print(gc.get_freeze_count() > 1000)
"""


def run(folder: Path, last: str) -> subprocess.CompletedProcess[str]:
    (folder / "results").mkdir()
    return subprocess.run(
        [sys.executable, "-c", SCRIPT % last], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_job_is_recorded_and_ends_without_a_search_for_garbage(tmp_path: Path) -> None:
    done = run(tmp_path, "pass")
    assert done.returncode == 0, done.stderr
    # Cycles are still collected while it works, but seldom.
    assert done.stdout.split() == ["False", "True", "50000", "0", "True"]
    assert (tmp_path / "results/.records/a.json").is_file()


def test_a_users_mistake_ends_it_with_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "from chromattend.errors import UserError; raise UserError('genes.tsv: is empty; fix it')")
    assert done.returncode == 1
    assert done.stderr == "Error: genes.tsv: is empty; fix it\n"
    assert not (tmp_path / "results/.records/a.json").exists()
