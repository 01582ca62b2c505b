"""Time and memory that Snakemake takes to plan the study: 56 epigenomes, every model, every stage.

    .venv/bin/python benchmarks/planning.py

Nothing is run or downloaded.
"""

import re
import resource
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Plan, run nothing, and print a line."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--dry-run", "--quiet", "rules"]
    begin = time.perf_counter()
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    total = re.search(r"^total +(\d+)$", done.stdout + done.stderr, re.MULTILINE)
    print(f"{total[1] if total else 'no'} jobs planned in {seconds:.1f} s and {memory:.0f} MB")


if __name__ == "__main__":
    main()
