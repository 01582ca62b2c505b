"""What one run of an attack made of images, and its two files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from chromattend.errors import UserError
from chromattend.files import atomic, read_table, write_table


@dataclass(frozen=True)
class Run:
    """What one run of an attack made of images.

    Attributes:
        original: images before the attack, uint8, shape (image, height, width, channel).
        adversarial: images after it, like `original`.
        outcome: a row per image: row (place in the source, from 0), label, target (-1: none), predicted, success,
            confidence (of the predicted class), l0 (share of the pixels), l2, linf, finished, and seconds (mean of the
            run). Distances are those of pixels between 0 and 1.
    """

    original: np.ndarray
    adversarial: np.ndarray
    outcome: pd.DataFrame

    @property
    def success(self) -> np.ndarray:
        """Whether the attack achieved what it was to achieve, bool, shape (image,)."""
        return self.outcome["success"].to_numpy(dtype=bool)

    @property
    def labels(self) -> np.ndarray:
        """True classes, int64, shape (image,)."""
        return self.outcome["label"].to_numpy(dtype=np.int64)

    def save(self, images: str | Path, outcome: str | Path) -> None:
        """Write the images (original, adversarial, labels, targets and rows) as npz, and the table."""
        with atomic(images) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(
                file,
                original=self.original,
                adversarial=self.adversarial,
                labels=self.labels,
                targets=self.outcome["target"].to_numpy(dtype=np.int64),
                rows=self.outcome["row"].to_numpy(dtype=np.int64),
            )
        write_table(self.outcome, outcome)


def read_run(images: str | Path, outcome: str | Path) -> Run:
    """Read the files of `Run.save`.

    Raises:
        UserError: the files have different numbers of images.
    """
    table = read_table(outcome)
    with np.load(images, allow_pickle=False) as arrays:
        original, adversarial = arrays["original"], arrays["adversarial"]
    if not len(original) == len(adversarial) == len(table):
        raise UserError(f"{outcome}: has {len(table)} rows for {len(original)} images; delete its folder and run again")
    return Run(original, adversarial, table)
