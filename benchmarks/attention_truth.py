"""Where trained AttentiveChromes attend if one mark in one stretch of 500 bp decides the label; numbers for docs/.

.venv/bin/python benchmarks/attention_truth.py
"""

import itertools
import sys
from pathlib import Path

import numpy as np

from chromattend.chromatin.attention import attention_maps
from chromattend.training.protocols import TrainingOptions
from chromattend.training.train import train

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1] / "tests/learning")]
from test_explanations import PLACES, WIDTH, on_genes, stretch_dataset  # noqa: E402


def main() -> None:
    """Train from three seeds and two ranges of initial weights per stretch, and print where attention is highest."""
    matches = []
    print("mark\tstretch\tinitial_range\tseed\talpha_peak\tbeta_peak")
    for (mark, start), initial_range, seed in itertools.product(PLACES, (None, 0.1), (1, 2, 3)):
        dataset = stretch_dataset(mark, start)
        options = TrainingOptions(
            max_epochs=30, learning_rate=0.01, patience=10, initial_range=initial_range, seed=seed, accelerator="cpu"
        )
        maps = attention_maps(train("attentivechrome", dataset, {}, options)[0], on_genes(dataset))
        peak = int(maps["alpha"].sel(mark=mark).mean("gene").values.argmax())
        marked = str(maps["mark"].values[int(maps["beta"].mean("gene").values.argmax())])
        matches.append((start <= peak < start + WIDTH, marked == mark))
        print(mark, f"{start}-{start + WIDTH - 1}", initial_range, seed, peak, marked, sep="\t", flush=True)
    alpha, beta = np.array(matches).sum(axis=0)
    print(f"of {len(matches)} networks: alpha is highest within the stretch in {alpha}, beta on the mark in {beta}")


if __name__ == "__main__":
    main()
