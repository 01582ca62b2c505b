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


def consortium(folder: Path, samples: int) -> list[str]:
    """Write a study of many samples with five marks, whose files are empty, and return Snakemake's arguments for it."""
    marks = ("H3K27me3", "H3K36me3", "H3K4me1", "H3K4me3", "H3K9me3")
    names = [f"S{number:04d}" for number in range(samples)]
    rows = ["\t".join(["epigenome", *marks])]
    for name in names:
        files = [f"data/{name}_{mark}.bam" for mark in marks]
        for file in files:
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).touch()
        rows.append("\t".join([name, *files]))
    (folder / "sheet.tsv").write_text("\n".join(rows) + "\n")
    genes = [f"G{number}" for number in range(3)]
    values = "\t".join(["1"] * samples)
    (folder / "tpm.tsv").write_text(
        "\t".join(["gene_id", *names]) + "\n" + "".join(f"{gene}\t{values}\n" for gene in genes)
    )
    places = zip(genes, ("chr1", "chr7", "chr2"), strict=True)
    line = '{chrom}\tx\tgene\t9000\t9100\t.\t+\t.\tgene_id "{gene}";\n'
    (folder / "genes.gtf").write_text("".join(line.format(chrom=chrom, gene=gene) for gene, chrom in places))
    settings = {
        "epigenomes": "sheet.tsv",
        "genome": {"name": "hg38"},
        "sources": {"expression": "tpm.tsv", "annotation": "genes.gtf"},
        "models": ["logistic_regression", "linear_svc", "random_forest", "deepchrome", "attentivechrome"],
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(settings))
    return ["--snakefile", str(REPOSITORY / "workflow/Snakefile"), "--configfile", "study.yaml"]


def planned(folder: Path, *arguments: str) -> str:
    """Plan a study, and return the number of its jobs with the wall time and the memory of Snakemake."""
    begin = time.perf_counter()
    printed = snakemake("--cores", "1", "--dry-run", "--quiet", "rules", *arguments, folder=folder)
    seconds = time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    total = re.search(r"^total +(\d+)$", printed, re.MULTILINE)
    return f"{total[1] if total else 'no'} jobs planned in {seconds:.1f} s and at most {memory:.0f} MB"


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
    parser.add_argument("--samples", type=int, default=1000, help="samples of a large study of one's own")
    parser.add_argument("--jobs", type=int, default=1500)
    arguments = parser.parse_args()
    print(f"The published study: {planned(REPOSITORY)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        own = consortium(folder, arguments.samples)
        print(f"{arguments.samples} samples, one of them: {planned(folder, *own, '--', 'results/S0007/report.html')}")
        print(f"{arguments.samples} samples, a tenth: {planned(folder, *own, '--batch', 'all=1/10')}")
        print(f"{arguments.samples} samples: {planned(folder, *own)}")
    profile = yaml.safe_load((REPOSITORY / "workflow/profiles/workstation/config.yaml").read_text())
    settings = {key: profile[key] for key in ("scheduler", "max-jobs-per-timespan")}
    for name, options in {"Snakemake's defaults": {}, "the profiles' settings": settings}.items():
        cpu, wall = many_jobs(arguments.jobs, options)
        print(f"{arguments.jobs} jobs of half a second, ten at a time, with {name}: {cpu:.0f} s CPU, {wall:.0f} s")


if __name__ == "__main__":
    main()
