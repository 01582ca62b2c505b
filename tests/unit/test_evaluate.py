"""Scores of every gene, their metrics, and the study's tables."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import MARKS, synthetic_dataset
from sklearn.metrics import average_precision_score

from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.chromatin.tables import auc_table, published_table, summary_table
from chromattend.evaluate import calibration_table, doubts, metrics, predict, scores_of_test
from chromattend.models.base import Scores

PUBLISHED = pd.DataFrame(
    {
        "model": ["DeepChrome", "AttentiveChrome"],
        "mean": [0.8008, 0.8115],
        "median": [0.8009, 0.8123],
        "max": [0.9225, 0.9177],
        "min": [0.6854, 0.7215],
        "better_than_deepchrome": [np.nan, 49],
    }
)

KNOWN = pd.DataFrame(
    {
        "epigenome": ["E0", "E1", "E9", "E0"],
        "model": ["deepchrome", "attentivechrome", "deepchrome", "deepchrome"],
        "kind": ["published", "retrained", "published", "retrained"],
        "source": ["DeepChrome", "others", "DeepChrome", "others"],
        "auc": [0.75, 0.8, 0.6, 0.72],
    }
)


def predictions() -> pd.DataFrame:
    """Ten genes, with a test part that can be counted by hand."""
    return pd.DataFrame(
        {
            "split": ["train"] * 3 + ["valid"] * 2 + ["test"] * 5,
            "label": [1, 0, 1, 0, 1, 1, 0, 1, 0, 0],
            "score": [0.9, 0.1, 0.2, 0.3, 0.6, 0.8, 0.7, 0.5, 0.4, 0.1],
        }
    )


def test_metrics_of_every_part() -> None:
    by_part = metrics(predictions())
    assert set(by_part) == {"train", "valid", "test"}
    assert {part: (row["n"], row["n_on"]) for part, row in by_part.items()} == {
        "train": (3, 2),
        "valid": (2, 1),
        "test": (5, 2),
    }
    test = by_part["test"]
    assert test["auc"] == pytest.approx(5 / 6)
    assert test["accuracy"] == pytest.approx(3 / 5)  # .5 is not above the threshold
    # Of the two scores above .5 one is right, and one of the two positives has one.
    assert test["f1"] == pytest.approx(1 / 2)
    assert test["aupr"] == pytest.approx((1 + 2 / 3) / 2)
    assert test["aupr"] == pytest.approx(average_precision_score([1, 0, 1, 0, 0], [0.8, 0.7, 0.5, 0.4, 0.1]))
    assert test["auc_low"] < test["auc"] < test["auc_high"]


def test_f1_without_a_positive_call_is_zero() -> None:
    low = predictions().assign(score=lambda rows: rows["score"] / 2)
    assert metrics(low)["test"]["f1"] == 0


def test_brier_and_base_rate_by_hand() -> None:
    test = metrics(predictions())["test"]
    assert test["base_rate"] == pytest.approx(2 / 5)
    assert test["brier"] == pytest.approx((0.2**2 + 0.7**2 + 0.5**2 + 0.4**2 + 0.1**2) / 5)


@pytest.mark.parametrize(
    ("kept_epoch", "brier", "expected"),
    [
        (3, 0.2, ""),
        (None, 0.2, ""),
        (0, 0.2, "its first epoch was the best on the validation genes"),
        (3, 0.226, "its Brier score of 0.226 is close to 0.250, that of the base rate for every gene"),
    ],
)
def test_a_model_that_has_hardly_learned_is_noted(kept_epoch: int | None, brier: float, expected: str) -> None:
    note = doubts({"kept_epoch": kept_epoch, "brier": brier, "base_rate": 0.5})
    assert note.startswith(expected)
    assert bool(note) == bool(expected)


def test_the_note_is_about_the_replicate_that_was_kept_first() -> None:
    test = metrics(predictions(), [4, 0])["test"]
    assert test["kept_epoch"] == 0
    assert "first epoch" in test["note"]
    assert metrics(predictions())["test"]["kept_epoch"] is None


def test_scores_of_single_precision_are_squared_in_double_precision() -> None:
    rng = np.random.default_rng(1)
    label, score = rng.integers(0, 2, 5000), rng.random(5000).astype(np.float32)
    found = metrics(pd.DataFrame({"split": "test", "label": label, "score": score}))["test"]["brier"]
    assert found == pytest.approx(np.mean((label - score.astype(float)) ** 2), rel=1e-12)


def test_replicates_are_measured_one_by_one() -> None:
    alone = metrics(predictions())["test"]
    assert (alone["seeds"], alone["auc_seed_mean"], alone["auc_seed_sd"]) == (1, alone["auc"], None)
    table = predictions().assign(seed_1=predictions()["score"], seed_2=-predictions()["score"])
    test = metrics(table)["test"]
    assert test["auc"] == alone["auc"]
    assert (test["seeds"], test["auc_seed_mean"]) == (2, pytest.approx(0.5))
    assert test["auc_seed_sd"] == pytest.approx(np.std([5 / 6, 1 / 6], ddof=1))


def test_metrics_can_be_written_as_json() -> None:
    by_part = metrics(predictions())
    assert json.loads(json.dumps(by_part)) == by_part


class Sum:
    """A model whose replicates score by the number of reads, and by half of it."""

    def __init__(self, dataset: xr.Dataset, replicates: int) -> None:
        self.input_spec = ChromatinInputs.of("deepchrome", dataset)
        self.replicates = replicates

    def scores(self, dataset: xr.Dataset) -> Scores:
        reads = self.input_spec.signal(dataset).sum(axis=(1, 2), dtype=float)
        replicates = np.stack([reads / number for number in range(1, self.replicates + 1)])
        return Scores(replicates.mean(axis=0), replicates)

    def score(self, dataset: xr.Dataset) -> np.ndarray:
        return self.scores(dataset).joint

    def save(self, path: object) -> None:
        raise NotImplementedError


def test_predictions_have_one_row_per_gene_in_order() -> None:
    dataset = synthetic_dataset()
    dataset = dataset.isel(gene=[5, 1, 1, 400, 639])  # with a duplicated gene
    table = predict(Sum(dataset, replicates=1), dataset)
    assert list(table) == ["gene", "symbol", "split", "label", "score"]
    assert table["gene"].tolist() == dataset["gene"].values.tolist()
    assert table["symbol"].tolist() == ["GENE5", "GENE1", "GENE1", "GENE400", "GENE639"]
    assert table["split"].tolist() == ["train", "train", "train", "valid", "test"]
    assert table["label"].tolist() == dataset["label"].values.tolist()
    assert table["score"].tolist() == dataset["counts"].sum(("bin", "mark")).values.tolist()
    assert dataset["mark"].values.tolist() == MARKS


def test_predictions_of_replicates_are_next_to_the_score() -> None:
    dataset = synthetic_dataset()
    table = predict(Sum(dataset, replicates=2), dataset)
    reads = dataset["counts"].sum(("bin", "mark")).values
    assert list(table)[4:] == ["score", "seed_1", "seed_2"]
    np.testing.assert_array_equal(table["score"], 0.75 * reads)
    np.testing.assert_array_equal(table["seed_2"], 0.5 * reads)


def test_models_are_compared_on_the_test_genes() -> None:
    other = predictions().assign(score=lambda table: 1 - table["score"])
    labels, scores = scores_of_test({"deepchrome": predictions(), "mlp": other})
    assert labels.tolist() == [1, 0, 1, 0, 0]
    assert scores["deepchrome"].tolist() == [0.8, 0.7, 0.5, 0.4, 0.1]
    assert list(scores) == ["deepchrome", "mlp"]
    table = calibration_table({"deepchrome": predictions(), "mlp": other})
    assert list(table) == ["model", "mean_predicted", "share_on"]
    assert table["model"].value_counts().to_dict() == {"deepchrome": 5, "mlp": 5}


def results(aucs: dict[str, list[float]]) -> pd.DataFrame:
    """Build the AUC table of models with one AUC per epigenome."""
    by_model = {
        (f"E{number}", model): {
            part: {"auc": auc, "n": n, "kept_epoch": None}
            for part, auc, n in (("test", value, 10), ("train", 0.99, 20))
        }
        for model, values in aucs.items()
        for number, value in enumerate(values)
    }
    return auc_table(by_model, "chromosome")


def test_the_auc_table_has_the_test_part_of_every_model() -> None:
    table = results({"deepchrome": [0.7, 0.8], "linear_svc": [0.6, 0.9]})
    assert table.astype(object).where(table.notna(), None).to_dict("list") == {
        "epigenome": ["E0", "E1", "E0", "E1"],
        "model": ["deepchrome", "deepchrome", "linear_svc", "linear_svc"],
        "auc": [0.7, 0.8, 0.6, 0.9],
        "n": [10] * 4,
        "kept_epoch": [None] * 4,
        "split_rule": ["chromosome"] * 4,
    }


def test_the_summary_has_the_published_values() -> None:
    aucs = {"random_forest": [0.7, 0.8, 0.9, 0.6], "deepchrome": [0.7, 0.7, 0.8, 0.7]}
    aucs["attentivechrome"] = [0.8, 0.8, 0.9, 0.7]
    table = summary_table(results(aucs), PUBLISHED, KNOWN).set_index("model")
    assert table.index.tolist() == ["random_forest", "deepchrome", "attentivechrome"]
    assert table["title"].tolist() == ["Random forest", "DeepChrome", "AttentiveChrome"]
    assert table["epigenomes"].tolist() == [4, 4, 4]
    forest = table.loc["random_forest"]
    assert forest[["mean", "median", "max", "min"]].tolist() == pytest.approx([0.75, 0.75, 0.9, 0.6])
    # An equal AUC is not better.
    assert table["better_than_deepchrome"].tolist() == [2, pd.NA, 3]
    published = table.filter(like="published_")
    assert published.loc["attentivechrome"].tolist() == [0.8115, 0.8123, 0.9177, 0.7215, 49]
    assert published.loc["deepchrome"].tolist()[:4] == [0.8008, 0.8009, 0.9225, 0.6854]
    assert published.loc["deepchrome", "published_better_than_deepchrome"] is pd.NA
    assert published.loc["random_forest"].isna().all()


def test_the_summary_without_deepchrome_compares_with_none() -> None:
    table = summary_table(results({"random_forest": [0.7], "attentivechrome": [0.8]}), PUBLISHED, KNOWN)
    assert table["better_than_deepchrome"].isna().all()
    assert table["published_mean"].tolist() == [pytest.approx(np.nan, nan_ok=True), 0.8115]


def test_the_columns_of_the_summary_do_not_depend_on_the_models() -> None:
    tables = [summary_table(results({model: [0.7]}), PUBLISHED, KNOWN) for model in ("linear_svc", "deepchrome")]
    assert list(tables[0]) == list(tables[1])
    assert tables[0].dtypes["better_than_deepchrome"] == tables[1].dtypes["better_than_deepchrome"] == "Int64"


def test_epigenomes_that_only_one_model_has_are_not_compared() -> None:
    table = results({"deepchrome": [0.7], "attentivechrome": [0.8, 0.9]})
    summary = summary_table(table, PUBLISHED, KNOWN).set_index("model")
    assert summary["epigenomes"].to_dict() == {"deepchrome": 1, "attentivechrome": 2}
    assert summary.loc["attentivechrome", "better_than_deepchrome"] == 1


def test_the_summary_has_the_median_interval_and_reported_values() -> None:
    table = summary_table(results({"deepchrome": [0.7, 0.8, 0.9], "linear_svc": [0.7]}), PUBLISHED, KNOWN)
    deepchrome, svc = (table.set_index("model").loc[model] for model in ("deepchrome", "linear_svc"))
    assert deepchrome["median_low"] <= deepchrome["median"] <= deepchrome["median_high"]
    assert deepchrome["retrained_mean"] == 0.72
    assert np.isnan([svc["median_low"], svc["median_high"], svc["retrained_mean"]]).all()


def test_every_auc_is_next_to_reported_aucs() -> None:
    auc = results({"deepchrome": [0.7, 0.8], "linear_svc": [0.6, 0.9]}).assign(auc_low=0.6, auc_high=0.9)
    table = published_table(auc, KNOWN)
    assert table[["epigenome", "model", "kind", "source"]].to_numpy().tolist() == [
        ["E0", "deepchrome", "published", "DeepChrome"],
        ["E0", "deepchrome", "retrained", "others"],
    ]
    assert table["reported"].tolist() == [0.75, 0.72]
    assert table["difference"].tolist() == pytest.approx([-0.05, -0.02])
    assert len(published_table(auc.assign(epigenome="SYN1"), KNOWN)) == 0


def test_reported_aucs_are_those_of_the_reference(repository: Path, real_data: Path) -> None:
    published = pd.read_csv(repository / "resources/published_auc.tsv", sep="\t")
    means = published.groupby(["model", "kind", "source"])["auc"].agg(["mean", "count"])
    assert (means["count"] == 56).all()
    assert means["mean"].round(4).to_dict() == {
        ("attentivechrome", "retrained", "TransformChrome"): 0.8097,
        ("attentivechrome", "retrained", "ultra-chrome"): 0.8116,
        ("deepchrome", "published", "DeepChrome"): 0.8009,
        ("deepchrome", "retrained", "ultra-chrome"): 0.8069,
        ("mlp", "retrained", "TransformChrome"): 0.8009,
        ("random_forest", "retrained", "ultra-chrome"): 0.7943,
    }
    reference = pd.read_csv(real_data / "reference" / "auc_per_epigenome.csv")
    assert set(published["auc"]) <= set(reference["AUC"].round(4))
