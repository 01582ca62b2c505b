"""How much each mark matters, and which marks act together: one or two whole marks are removed at a time."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from chromattend.models.network import in_batches


@torch.inference_mode()
def mark_effects(score: Callable[[Tensor], Tensor], inputs: Tensor, reference: Tensor) -> np.ndarray:
    """Return the effect of marks on the logit, alone and in pairs (DeepChrome, section 4.4, by occlusion).

    Args:
        score: function that returns the logit of ON for transformed signal, shape (gene, bin, mark).
        inputs: transformed signal, shape (gene, bin, mark).
        reference: transformed signal without reads, shape (1, bin, mark).

    Returns:
        Shape (gene, mark, mark). The diagonal is f(x) - f(x without the mark). Off the diagonal is the interaction of
        two marks, f(x) - f(x without i) - f(x without j) + f(x without both): above 0 if the two marks together
        add more than the sum of what each adds in the absence of the other.
    """

    def without(*marks: int) -> Tensor:
        changed = inputs.clone()
        for mark in marks:
            changed[:, :, mark] = reference[:, :, mark]
        return in_batches(score, changed)

    number = inputs.shape[2]
    complete, single = without(), [without(mark) for mark in range(number)]
    effects = torch.empty(len(inputs), number, number)
    for first in range(number):
        effects[:, first, first] = complete - single[first]
        for second in range(first):
            interaction = complete - single[first] - single[second] + without(first, second)
            effects[:, first, second] = effects[:, second, first] = interaction
    return effects.numpy()


def importance_table(effects: xr.DataArray, score: xr.DataArray, beta: xr.DataArray | None) -> pd.DataFrame:
    """Average the effects of marks over genes.

    Args:
        effects: dims gene, mark, other; see `mark_effects`.
        score: P(ON) by gene.
        beta: dims gene, mark, or None.

    Returns:
        One row per pair of marks (a mark with itself for its own effect): mark, other, effect_on and effect_off (mean
        over genes predicted ON and OFF), importance (mean absolute value over all genes), beta_on and beta_off (mean
        attention to the mark; empty for two different marks, and for networks without attention over marks).
    """
    on = score.values > 0.5

    def mean(values: np.ndarray) -> float:
        return float(values.mean()) if len(values) else float("nan")

    rows = []
    marks = effects["mark"].values
    for first, mark in enumerate(marks):
        for second, other in enumerate(marks[: first + 1]):
            values = effects.values[:, first, second]
            row = {
                "mark": mark,
                "other": other,
                "effect_on": mean(values[on]),
                "effect_off": mean(values[~on]),
                "importance": mean(np.abs(values)),
                "beta_on": np.nan,
                "beta_off": np.nan,
            }
            if beta is not None and first == second:
                weights = beta.sel(mark=mark).values
                row |= {"beta_on": mean(weights[on]), "beta_off": mean(weights[~on])}
            rows.append(row)
    return pd.DataFrame(rows)


ACTIVE = 0.25  # share of the highest bin: DeepChrome, section 3.4


def influential_marks(optima: xr.DataArray) -> pd.DataFrame:
    """Find the marks that drive a class (DeepChrome, section 3.4).

    An optimum is divided by its maximum; a bin is active above 0.25; a mark is influential if it has more active bins
    than the mean over the marks.

    Args:
        optima: dims state, mark, bin.

    Returns:
        Columns state, mark, active_bins, influential (0 or 1).
    """
    rows = []
    for state in optima["state"].values:
        optimum = optima.sel(state=state).transpose("bin", "mark").values
        active = (optimum / max(float(optimum.max()), np.finfo(float).tiny) > ACTIVE).sum(axis=0)
        for mark, number in zip(optima["mark"].values, active, strict=True):
            rows.append((str(state), str(mark), int(number), int(number > active.mean())))
    return pd.DataFrame(rows, columns=["state", "mark", "active_bins", "influential"])
