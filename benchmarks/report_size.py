"""Size of a report of 56 epigenomes and 10 models, with copies of the demo's figures and tables.

    .venv/bin/python benchmarks/report_size.py --results results/demo

Every output that the Snakefile would make for such a study is put into a temporary folder: figures and tables are
copies of the demo's files of the same kind, all other files are empty. Then Snakemake makes its report of them.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
MODELS = [
    *("logistic_regression", "linear_svc", "random_forest", "mlp", "deepchrome"),
    *("lstm", "lstm_attn", "lstm_alpha", "attentivechrome", "cnn_alpha_beta"),
]


def snakemake(folder: Path, *arguments: str) -> str:
    """Run Snakemake with the study's configuration in the folder, and return its output."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    done = subprocess.run(
        [*command, *arguments, "--config", f"models=[{','.join(MODELS)}]"],
        cwd=folder,
        env=environment | {"NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout[-3000:])
    return done.stdout


def outputs(plan: str) -> list[str]:
    """Return the outputs of all jobs of a dry run."""
    lines = re.findall(r"^    output: (.*)$", plan, re.MULTILINE)
    return [path.strip() for line in lines for path in line.split(",")]


def like(path: str, demo: Path) -> Path | None:
    """Return the demo's file of the same kind, for another epigenome or another model."""
    parts = list(Path(path).parts[1:])
    first = sorted(folder.name for folder in demo.iterdir() if (folder / "dataset.nc").exists())[0]
    if re.fullmatch(r"E\d{3}", parts[0]):
        parts[0] = first
    exact = demo.joinpath(*parts)
    if exact.is_file():
        return exact
    # The largest file in the folder, so that the size is rather overestimated.
    neighbours = [file for file in exact.parent.glob(f"*{exact.suffix}") if file.is_file()]
    return max(neighbours, key=lambda file: file.stat().st_size, default=None)


def main() -> None:
    """Make the report and print its size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/demo"), help="a finished demo")
    demo = parser.parse_args().results.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(REPOSITORY / "config", folder / "config")
        shutil.copytree(
            REPOSITORY / "resources", folder / "resources", ignore=shutil.ignore_patterns("demo", "roadmap")
        )
        paths = outputs(snakemake(folder, "--dry-run", "results/report.html"))
        copies = 0
        for path in paths:
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            source = like(path, demo) if path.endswith((".svg", ".tsv")) and path.startswith("results/") else None
            if source:
                shutil.copyfile(source, target)
                copies += 1
            else:
                target.touch()
        report = folder / "report.html"
        start = time.monotonic()
        snakemake(folder, "results/report.html", "--report", str(report), "--nolock")
        seconds = time.monotonic() - start
        print(f"{len(paths)} outputs, {copies} of them copies of the demo's figures and tables")
        print(f"report of {len(MODELS)} models: {report.stat().st_size / 1e6:.1f} MB in {seconds:.0f} s")


if __name__ == "__main__":
    main()
