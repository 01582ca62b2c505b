"""Stability of calls when reads are drawn again, and the columns of predictions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import quick, synthetic_dataset

from chromattend.errors import UserError
from chromattend.evaluate import metrics, predict
from chromattend.models.base import TrainedModel
from chromattend.robustness.certify import certify
from chromattend.robustness.stability import redraws, sample_columns, stability, stability_table, with_stability
from chromattend.robustness.subject import CountModel, call_threshold


class MoreThan:
    """A model that calls an example ON if it has more than 50 reads."""

    threshold = 0.5

    def calls(self, counts: np.ndarray, kept: float = 1.0) -> np.ndarray:
        return self.probability(counts, kept) > self.threshold

    def probability(self, counts: np.ndarray, kept: float = 1.0) -> np.ndarray:
        return (counts.sum(axis=(1, 2)) > 50).astype(float)


COUNTS = np.array([0, 5, 51, 60, 200]).reshape(5, 1, 1) * np.array([1, 0, 0]).reshape(1, 3, 1)


def test_stability_is_the_chance_that_a_poisson_draw_keeps_the_call() -> None:
    model: Any = MoreThan()
    kept = stability(model, COUNTS, 4000, seed=1)
    # Poisson's P(X > 50) with mean 51 is 0.519, with mean 60 0.892 (R's ppois); the standard error is below 0.008.
    assert kept == pytest.approx([1, 1, 0.519, 0.892, 1], abs=0.025)
    assert kept[[0, 1, 4]].tolist() == [1, 1, 1]
    done: list[tuple[int, int]] = []
    few = stability(model, COUNTS, 3, seed=2, report=lambda *each: done.append(each))
    assert done == [(1, 3), (2, 3), (3, 3)]
    assert set(few * 3) <= {0, 1, 2, 3}


def test_redraws_are_counts_of_the_same_type_and_depend_on_the_seed() -> None:
    counts = COUNTS.astype(np.int32)
    first, second = redraws(counts, 2, seed=1)
    assert first.dtype == np.int32
    assert not np.array_equal(first, second)
    assert np.array_equal(first, next(redraws(counts, 1, seed=1)))
    assert first[0].sum() == 0


def test_the_table_of_a_model_with_attention() -> None:
    model: Any = MoreThan()
    counts = np.random.default_rng(1).poisson(6, (4, 6, 2))
    counts[0] = 0

    def attend(counts: np.ndarray, kept: float) -> tuple[np.ndarray, None]:
        return counts / (1 + counts.sum(axis=1, keepdims=True)), None

    table = stability_table(model, counts, 5, attend=attend)
    assert list(table) == ["score", "call", "stability", "alpha_r"]
    assert table["call"].tolist() == ["OFF", "ON", "ON", "ON"]
    # Without reads, the weights are equal.
    assert table["alpha_r"].isna().tolist() == [True, False, False, False]
    assert (table["alpha_r"][1:].between(0.2, 0.95)).all()
    drawn = next(redraws(counts, 1, 1))
    expected = [np.corrcoef(counts[1, :, mark], drawn[1, :, mark])[0, 1] for mark in range(2)]
    assert stability_table(model, counts, 1, attend=attend)["alpha_r"][1] == pytest.approx(np.mean(expected))
    assert stability_table(model, counts, 5)["alpha_r"].isna().all()


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    return synthetic_dataset(sizes={"train": 200, "valid": 60, "test": 60})


@pytest.fixture(scope="module")
def network(dataset: xr.Dataset) -> TrainedModel:
    return quick("deepchrome", dataset)[0]


def test_predictions_get_calls_by_the_valid_part_and_metrics_do_not_see_them(
    dataset: xr.Dataset, network: TrainedModel
) -> None:
    predictions = predict(network, dataset)
    more = with_stability(predictions, network, dataset, 5)
    assert list(more) == [*predictions, "call", "stability"]
    pd.testing.assert_frame_equal(more[list(predictions)], predictions)
    valid = predictions[predictions["split"] == "valid"]
    assert (more.loc[valid.index, "call"] == "ON").sum() == valid["label"].sum()
    assert more["stability"].between(0, 1).all()
    assert 0.5 < more["stability"].mean() < 1
    assert metrics(more) == metrics(predictions)
    threshold = call_threshold(valid["label"].to_numpy(), valid["score"].to_numpy())
    model = CountModel.of(network, dataset, threshold)
    assert np.array_equal(more["stability"], stability(model, dataset["counts"].values, 5, 1))


def test_a_new_sample_gets_columns_by_the_name_of_each_model(dataset: xr.Dataset, network: TrainedModel) -> None:
    few = dataset.isel(gene=slice(8))
    swapped = few.isel(mark=[1, 0, 2, 4, 3])
    columns = sample_columns({"E003/a": network}, swapped, redraws=4, certificate={"samples": 200})
    assert list(columns) == ["E003/a stability", "E003/a certified_reads"]
    model = CountModel.of(network, few, 0.5)
    assert np.array_equal(columns["E003/a stability"], stability(model, few["counts"].values, 4))
    expected = certify(model, few["counts"].values, samples=200)["certified_reads"]
    assert pd.Series(columns["E003/a certified_reads"]).equals(expected)
    assert list(sample_columns({"E003/a": network}, few, certificate={"samples": 200})) == ["E003/a certified_reads"]
    # With a call at the other end of the scores, other calls are tested.
    strict = sample_columns({"E003/a": network}, few, redraws=4, call_at=0.999)
    assert (strict["E003/a stability"] == 1).all()


def test_models_without_calls_of_reads_are_named(dataset: xr.Dataset, network: TrainedModel) -> None:
    averaged = dataset.assign(counts=dataset["counts"].astype(np.float32))
    of_signal = quick("logistic_regression", averaged)[0]
    with pytest.raises(UserError, match=r"^E003/b: was trained on signal instead of reads, .*; leave it out$"):
        sample_columns({"E003/a": network, "E003/b": of_signal}, dataset, redraws=1)
    change = dataset.drop_vars(["label", "rpkm"]).assign(target=("gene", np.arange(dataset.sizes["gene"]) / 10))
    regression = quick("linear_regression", change)[0]
    with pytest.raises(UserError, match=r"^c: predicts a value instead of a class, .*; leave it out$"):
        sample_columns({"c": regression}, dataset, redraws=1)
