"""Time of the demo, in total and by rule, in a copy of the files that git tracks.

.venv/bin/python benchmarks/demo.py --cores 2 --output demo.json
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from side_by_side import of_children

REPOSITORY = Path(__file__).parents[1]


def copy_tracked(target: Path) -> None:
    """Copy the files that git tracks, without earlier results."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, target / name, follow_symlinks=False)


def by_rule(folder: Path) -> pd.DataFrame:
    """Return jobs and wall time (s) of every rule, from Snakemake's metadata of each output."""
    metadata = [json.loads(path.read_text()) for path in (folder / ".snakemake/metadata").rglob("*") if path.is_file()]
    jobs = pd.DataFrame(metadata)
    jobs = jobs[~jobs["log"].map(tuple).duplicated()]  # one row per job, which has one log and can have several outputs
    seconds = (jobs["endtime"] - jobs["starttime"]).groupby(jobs["rule"])
    return seconds.agg(jobs="count", wall_s="sum").sort_values("wall_s", ascending=False).reset_index()


def main() -> None:
    """Run the demo, print one line per rule, and write all values as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--output", type=Path, help="JSON file for the rows")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        copy_tracked(folder)
        environment = os.environ | {"PYTHONPATH": str(folder / "src")}
        simulate = [sys.executable, "-m", "chromattend", "simulate", "resources/demo/mirror"]
        simulate += ["--chrom-sizes", "config/demo/synthetic.chrom.sizes"]
        run = [sys.executable, "-m", "snakemake", "--profile", "workflow/profiles/demo", "--cores"]
        run += [str(arguments.cores)]

        others = [
            [sys.executable, "-m", "chromattend", f"simulate-{name}", f"resources/demo/{name}"]
            for name in ("sequences", "graphs")
        ]

        def demo() -> None:
            for command in (simulate, *others, run):
                subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)

        cpu, wall = of_children(demo)
        rules = by_rule(folder)
    print(rules.to_string(index=False, float_format="%.1f"))
    print(f"the demo on {arguments.cores} cores: {wall:.0f} s, {cpu:.0f} s of CPU time, {rules['jobs'].sum()} jobs")
    if arguments.output:
        result = {"cores": arguments.cores, "wall_s": wall, "cpu_s": cpu, "rules": rules.to_dict("records")}
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
