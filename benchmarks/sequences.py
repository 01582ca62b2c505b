"""Print the tables of docs/performance.md and docs/methods.md from finished results of the sequence track.

    .venv/bin/python benchmarks/sequences.py results/sequence --benchmarks logs/benchmarks

Seconds are CPU seconds of whole jobs, as Snakemake measured them, with their start of two to four seconds.
"""

import argparse
from pathlib import Path

import pandas as pd

from chromattend.files import read_table
from chromattend.models.registry import REGISTRY

JOBS = {"train_sequence": "training", "explain_sequence": "views and tests", "motifs": "motifs"}


def markdown(table: pd.DataFrame) -> str:
    """Return a table in Markdown, its index in the first column."""
    rows = [[str(name), *map(str, values)] for name, values in zip(table.index, table.to_numpy(), strict=True)]
    head = ["", *map(str, table.columns)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def seconds(folder: Path, job: str) -> pd.DataFrame:
    """Return the CPU seconds of a job, sets in rows and models in columns."""
    rows = [
        (path.parent.name, REGISTRY[path.stem].title, round(float(read_table(path)["cpu_time"].iloc[0])))
        for path in (folder / job).glob("*/*.tsv")
    ]
    table = pd.DataFrame(rows, columns=["set", "model", "seconds"])
    return table.pivot(index="set", columns="model", values="seconds")


def main() -> None:
    """Print AUCs, seconds and what each route recovers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder results/sequence")
    parser.add_argument("--benchmarks", type=Path, default=Path("logs/benchmarks"))
    arguments = parser.parse_args()
    auc = read_table(arguments.results / "tables/auc.tsv")
    auc["model"] = auc["model"].map(lambda name: REGISTRY[name].title)
    for column in ("auc", "valid_auc", "aupr"):
        print(f"\n{column}\n\n" + markdown(auc.pivot(index="set", columns="model", values=column).round(4)))
    for job, title in JOBS.items():
        table = seconds(arguments.benchmarks, job)
        print(f"\nCPU seconds of {title} (sum {table.sum().sum():.0f})\n\n" + markdown(table.fillna("")))
    views = read_table(arguments.results / "tables/views.tsv")
    views["shown"] = [
        f"{row.name} ({row.own_rank:.0f}, {row.own_q:.1g})" if pd.notna(row.own_rank) else f"{row.name}"
        for row in views.itertuples(name="Row")
    ]
    views.loc[views["recovered"] == 1, "shown"] += " *"
    for model, rows in views.groupby("model", sort=False):
        table = rows.pivot(index="route", columns="set", values="shown").fillna("")
        print(
            f"\n{REGISTRY[str(model)].title}: best entry (rank and q of the own entry), * recovered\n\n"
            + markdown(table)
        )
    print()
    for row in views[views["route"] == "corrected_gradient"].itertuples():
        print(f"{row.set} {row.model}: {row.consensus}, {row.sites} sites, control {row.control:.0f}: {row.sentence}")


if __name__ == "__main__":
    main()
