"""Time of AttentiveChrome's epochs on several epigenomes: trained together, compared with one by one.

On a GPU if there is one; `make test-gpu` compares training on a GPU with training on a CPU.

.venv/bin/python benchmarks/stacked.py --epigenomes 1 2 4 8 16 56 --genes 6601 --output stacked.json
"""

import argparse
import json
import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from side_by_side import Program, median_ratio, side_by_side

from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.models.network import Network
from chromattend.training.examples import Examples, TrainingData
from chromattend.training.networks import train_networks
from chromattend.training.protocols import TrainingOptions

MARKS, BINS = 5, 100
INPUTS = ChromatinInputs("attentivechrome", [f"H{mark}" for mark in range(MARKS)], list(range(BINS)), inputs="raw")


def epigenome(number: int, genes: int) -> Examples:
    """Return random genes, ON where the middle of the first mark is high."""
    random = np.random.default_rng(number)
    signal = random.gamma(0.3, 10, size=(genes, BINS, MARKS)).astype(np.float32)
    middle = signal[:, 40:60, 0].mean(axis=1)
    return Examples(signal, (middle > np.median(middle)).astype(np.float32))


def trainings(
    count: int, genes: int, epochs: int, accelerator: str, threads: int
) -> tuple[Callable[[], list[tuple[Network, pd.DataFrame]]], Callable[[], object]]:
    """Return a function that trains `count` epigenomes' networks together, and one that trains them one by one."""
    learn, valid = ([epigenome(seed + number, genes) for number in range(count)] for seed in (1, 1001))
    data = [
        TrainingData(f"epigenome {number + 1}", INPUTS, *parts)
        for number, parts in enumerate(zip(learn, valid, strict=True))
    ]
    options = TrainingOptions(max_epochs=epochs, patience=None, threads=threads, accelerator=accelerator)

    def of(chosen: slice) -> list[tuple[Network, pd.DataFrame]]:
        return train_networks(data[chosen], {}, options, None)

    return lambda: of(slice(None)), lambda: [of(slice(number, number + 1)) for number in range(count)]


def main() -> None:
    """Measure, print one line per number of epigenomes, and write all values as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epigenomes", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--genes", type=int, default=1600, help="genes of the train part, and of the valid part")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--separate-up-to", type=int, default=8, help="most epigenomes also trained one by one")
    parser.add_argument("--output", type=Path, help="JSON file for the rows")
    arguments = parser.parse_args()
    accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    device = torch.cuda.get_device_name() if accelerator == "gpu" else "CPU"
    result: dict[str, object] = {
        "device": device,
        "threads": arguments.threads,
        "genes": arguments.genes,
        "epochs": arguments.epochs,
    }
    print(f"{device}, {arguments.genes} genes, {arguments.epochs} epochs", flush=True)
    trainings(2, 64, 1, accelerator, arguments.threads)[0]()  # loads and compiles shared code
    rows: list[dict[str, float | None]] = []
    for count in arguments.epigenomes:
        together, separate = trainings(count, arguments.genes, arguments.epochs, accelerator, arguments.threads)
        compare = count <= arguments.separate_up_to
        programs: dict[str, Program] = {"together": together} | ({"separate": separate} if compare else {})
        seconds = side_by_side(programs, arguments.repeats if compare else 1, warm_up=False)
        ratio = median_ratio(seconds["together"], seconds["separate"]) if compare else None
        medians = {name: float(np.median(values)) for name, values in seconds.items()}
        row: dict[str, float | None] = {
            "epigenomes": count,
            "together_s": medians["together"],
            "separate_s": medians.get("separate"),
            "ratio": ratio,
            # Peak of the process so far, so the numbers of epigenomes should be in ascending order.
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "gpu_mb": torch.cuda.max_memory_allocated() / 2**20 if accelerator == "gpu" else None,
        }
        rows.append(row)
        other = "" if ratio is None else f", one by one {row['separate_s']:.1f} s, ratio {ratio:.2f}"
        print(f"{count} epigenomes together: {row['together_s']:.1f} s{other}; {row['peak_mb']:.0f} MB", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps({**result, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
