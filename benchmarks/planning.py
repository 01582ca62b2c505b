"""Time that Snakemake itself takes to plan the study (56 epigenomes, every model, every stage) and to start many jobs.

    .venv/bin/python benchmarks/planning.py

No job of the study is run, and nothing is downloaded.
"""

import argparse
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from side_by_side import of_children

REPOSITORY = Path(__file__).parents[1]
MANY = """\
rule all:
    input: expand("{number}", number=range(%d))

rule one:
    output: "{number}"
    shell: "sleep 0.5; touch {output}"
"""


def snakemake(*arguments: str, folder: Path = REPOSITORY) -> str:
    """Run Snakemake and return its output."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def many_jobs(number: int, options: dict[str, str]) -> tuple[float, float]:
    """Return the CPU time and wall time (s) of a workflow whose jobs only wait, ten at a time."""
    arguments = [word for key, value in options.items() for word in (f"--{key}", value)]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "Snakefile").write_text(MANY % number)
        return of_children(lambda: snakemake("--cores", "10", "--quiet", "all", *arguments, folder=folder))


def main() -> None:
    """Plan the study, run jobs with and without the workstation profile's settings, and print one line each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1500)
    arguments = parser.parse_args()
    begin = time.perf_counter()
    printed = snakemake("--cores", "1", "--dry-run", "--quiet", "rules")
    seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    total = re.search(r"^total +(\d+)$", printed, re.MULTILINE)
    print(f"{total[1] if total else 'no'} jobs planned in {seconds:.1f} s and {memory:.0f} MB")
    profile = yaml.safe_load((REPOSITORY / "workflow/profiles/workstation/config.yaml").read_text())
    settings = {key: profile[key] for key in ("scheduler", "max-jobs-per-timespan")}
    for name, options in {"Snakemake's defaults": {}, "the profiles' settings": settings}.items():
        cpu, wall = many_jobs(arguments.jobs, options)
        print(f"{arguments.jobs} jobs of half a second, ten at a time, with {name}: {cpu:.0f} s CPU, {wall:.0f} s")


if __name__ == "__main__":
    main()
