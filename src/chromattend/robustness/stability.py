"""How often a call stays the same when the sample is sequenced once more."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from chromattend.errors import UserError
from chromattend.models.base import TrainedModel
from chromattend.robustness.certify import certify
from chromattend.robustness.noise import Attend
from chromattend.robustness.progress import logged
from chromattend.robustness.subject import CountModel, call_names, call_threshold, check_calls, counts_of
from chromattend.statistics import pearson_by_row

logger = logging.getLogger(__name__)


def redraws(counts: np.ndarray, number: int, seed: int) -> Iterator[np.ndarray]:
    """Yield counts drawn again: each is a Poisson draw whose mean is the count, of the counts' shape and type."""
    generator = np.random.default_rng(seed)
    for _ in range(number):
        yield generator.poisson(counts).astype(counts.dtype)


def stability(
    model: CountModel,
    counts: np.ndarray,
    draws: int,
    seed: int = 1,
    report: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """Return the share of redraws that keep each example's call, float64, shape (example,).

    Args:
        model: the model under test.
        counts: int, shape (example, position, channel).
        draws: number of redraws, see `redraws`.
        seed: seed of the redraws.
        report: called with the number of finished redraws and their total.
    """
    calls, kept = model.calls(counts), np.zeros(len(counts))
    for number, drawn in enumerate(redraws(counts, draws, seed), start=1):
        kept += model.calls(drawn) == calls
        if report:
            report(number, draws)
    return kept / draws


def stability_table(
    model: CountModel,
    counts: np.ndarray,
    draws: int,
    seed: int = 1,
    attend: Attend | None = None,
    report: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Return the call of each example, and how often redraws keep it.

    Args:
        model, counts, draws, seed, report: see `stability`.
        attend: attention, for a network that has it.

    Returns:
        Columns score (probability), call (ON or OFF), stability and alpha_r: the mean over redraws and channels of
        Pearson's r of alpha with the undisturbed alpha, empty without attention.
    """
    score = model.probability(counts)
    table = pd.DataFrame({"score": score, "call": call_names(score > model.threshold)})
    table["stability"], table["alpha_r"] = stability(model, counts, draws, seed, report), np.nan
    if attend is not None:
        before, r = np.moveaxis(attend(counts, 1.0)[0], 2, 1), []
        for drawn in redraws(counts, draws, seed):
            r.append(pearson_by_row(before, np.moveaxis(attend(drawn, 1.0)[0], 2, 1)))
        # A channel whose alpha is constant has no r.
        correlations = np.ma.masked_invalid(np.stack(r))
        table["alpha_r"] = correlations.mean(axis=(0, 2)).filled(np.nan)
    return table


def with_stability(
    predictions: pd.DataFrame, model: TrainedModel, dataset: xr.Dataset, draws: int, seed: int = 1
) -> pd.DataFrame:
    """Add calls and their stability to the predictions of a dataset.

    Args:
        predictions: see `chromattend.evaluate.predict`, of all genes of the dataset.
        model: a trained classifier of reads.
        dataset: the sample.
        draws: number of redraws, see `stability`.
        seed: seed of the redraws.

    Returns:
        The predictions with the columns call, ON or OFF by the threshold of the valid part (see `call_threshold`), and
        stability.

    Raises:
        UserError: the model has no calls, or no reads, see `CountModel.of`.
    """
    valid = predictions["split"] == "valid"
    labels, scores = (predictions.loc[valid, name].to_numpy() for name in ("label", "score"))
    subject = CountModel.of(model, dataset, call_threshold(labels, scores))
    counts = counts_of(dataset)
    calls = predictions["score"].to_numpy() > subject.threshold
    return predictions.assign(call=call_names(calls), stability=stability(subject, counts, draws, seed))


def check_models(models: Mapping[str, TrainedModel]) -> None:
    """Raise a `UserError` if one of several named models has no calls, or no reads, before its sample is counted."""
    for name, model in models.items():
        try:
            check_calls(model)
        except UserError as error:
            raise UserError(f"{name}: {str(error).removeprefix(f'{model.input_spec.model}: ')}") from None


def sample_columns(
    models: Mapping[str, TrainedModel],
    dataset: xr.Dataset,
    *,
    redraws: int = 0,
    certificate: Mapping[str, Any] | None = None,
    call_at: float = 0.5,
    seed: int = 1,
) -> dict[str, Any]:
    """Return how stable and how certain the calls of named models are, for every gene of a new sample.

    Args:
        models: trained classifiers of reads, by name.
        dataset: the sample, with the marks of all models.
        redraws: number of redraws, see `stability`; 0 for no such column.
        certificate: arguments keep, samples and confidence of `certify`, those left out by default; None for no such
            column.
        call_at: P(ON) above which a gene is called ON.
        seed: seed of all draws.

    Returns:
        Column to values of each gene: `<model> stability`, and `<model> certified_reads`, which is missing where the
        vote abstains, or has another class than the call.

    Raises:
        UserError: a model has no calls, or no reads, see `check_models`.
    """
    check_models(models)
    columns: dict[str, Any] = {}
    for name, model in models.items():
        chosen = dataset.sel(mark=model.input_spec.marks)
        subject = CountModel.of(model, chosen, call_at)
        counts = counts_of(chosen)
        if redraws:
            columns[f"{name} stability"] = stability(subject, counts, redraws, seed)
            logger.info("%s: scored %d redraws of %d genes", name, redraws, len(counts))
        if certificate is not None:
            table = certify(subject, counts, **certificate, seed=seed, report=logged(f"{name}, certificate", "genes"))
            agrees = table["voted"] == table["call"]
            columns[f"{name} certified_reads"] = table["certified_reads"].where(agrees).array
    return columns
