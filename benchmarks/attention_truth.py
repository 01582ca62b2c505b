"""Where trained AttentiveChromes attend if one mark in one stretch of 500 bp decides the label; numbers for docs/.

.venv/bin/python benchmarks/attention_truth.py
"""

import itertools
import sys
from pathlib import Path

import numpy as np
import xarray as xr

from chromattend.chromatin.attention import attention_maps
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from builders import MARKS, synthetic_dataset

WIDTH = 5  # bins of 100 bp
# Mark and first bin of the stretch.
PLACES = [("H3K4me3", 5), ("H3K27me3", 20), ("H3K36me3", 30)]


def stretch_dataset(mark: str, start: int) -> xr.Dataset:
    """Build genes whose label depends on one mark in one stretch."""
    dataset = synthetic_dataset(sizes={"train": 400, "valid": 200, "test": 100}, bins=40, effect=0, seed=start)
    rng = np.random.default_rng(start)
    counts = dataset["counts"].values[:, start : start + WIDTH, MARKS.index(mark)]
    counts += rng.poisson(4.0 * dataset["label"].values[:, None], counts.shape).astype(counts.dtype)
    return dataset


def on_genes(dataset: xr.Dataset) -> xr.Dataset:
    """Return the ON genes of the test part."""
    return dataset.isel(gene=np.flatnonzero((dataset["split"].values == "test") & (dataset["label"].values == 1)))


def main() -> None:
    """Train from three seeds and two ranges of initial weights for each place, and print where attention is highest."""
    peaks = []
    print("mark\tstretch\tinitial_range\tseed\talpha_peak\tbeta_peak")
    for (mark, start), initial_range, seed in itertools.product(PLACES, (None, 0.1), (1, 2, 3)):
        dataset = stretch_dataset(mark, start)
        options = TrainingOptions(
            max_epochs=30, learning_rate=0.01, patience=10, initial_range=initial_range, seed=seed, accelerator="cpu"
        )
        maps = attention_maps(train("attentivechrome", dataset, {}, options)[0], on_genes(dataset))
        peak = int(maps["alpha"].sel(mark=mark).mean("gene").values.argmax())
        marked = str(maps["mark"].values[int(maps["beta"].mean("gene").values.argmax())])
        peaks.append((start <= peak < start + WIDTH, marked == mark))
        print(mark, f"{start}-{start + WIDTH - 1}", initial_range, seed, peak, marked, sep="\t", flush=True)
    alpha, beta = np.array(peaks).sum(axis=0)
    print(f"of {len(peaks)}: alpha within the stretch {alpha}, beta on the mark {beta}")


if __name__ == "__main__":
    main()
