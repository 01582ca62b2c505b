"""What attacks achieved: whether the class changed as wanted, and how far inputs were changed."""

import pandas as pd
import torch
from torch import Tensor

from chromattend.errors import UserError
from chromattend.models.network import in_batches
from chromattend.robustness.attacks.base import Problem


@torch.inference_mode()
def outcomes(problem: Problem, inputs: Tensor) -> pd.DataFrame:
    """Measure changed inputs, as in Xu, Evans, Qi, NDSS 2018, whose L0 is a share of the pixels.

    Args:
        problem: what the inputs were made for. Its own inputs are classified right.
        inputs: changed inputs as they are kept, such as rounded to 8 bits, with unchanged entries equal to the
            original ones, shape (example, ...).

    Returns:
        One row per example: predicted (class), success (the target or, without targets, another class than the true
        one, is predicted), confidence (probability of the predicted class), l0 (share of the entries that are changed;
        with `channels`, of the pixels), l2 and linf (in units of the inputs).

    Raises:
        UserError: an input was classified wrong before it was changed, so that an attack has nothing to achieve.
    """
    before = in_batches(problem.score, problem.inputs).argmax(dim=1)
    wrong = torch.nonzero(before != problem.labels)[:, 0]
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"inputs: input {row} of class {int(problem.labels[row])} is classified as {int(before[row])} unchanged; "
            "attack only inputs that are classified right"
        )
    probabilities = in_batches(problem.score, inputs).double().softmax(dim=1)
    confidence, predicted = probabilities.max(dim=1)
    success = predicted != problem.labels if problem.targets is None else predicted == problem.targets
    change = inputs.double() - problem.inputs.double()
    changed = change != 0
    if problem.channels is not None:
        changed = changed.any(dim=problem.channels)
    flat = change.flatten(1)
    columns = {
        "predicted": predicted,
        "success": success,
        "confidence": confidence,
        "l0": changed.flatten(1).double().mean(dim=1),
        "l2": flat.norm(dim=1),
        "linf": flat.abs().amax(dim=1),
    }
    return pd.DataFrame({name: values.numpy() for name, values in columns.items()})
