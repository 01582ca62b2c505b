"""AUC and its interval against other computations, and the study's tables."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from builders import MARKS, synthetic_dataset
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from chromattend.evaluate import auc_interval, auc_table, metrics, predict, summary_table
from chromattend.models.base import Contract

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


def genes(seed: int, on: int = 40, off: int = 70, shift: float = 0.8, step: float = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels and scores; a step rounds the scores, so that there are ties."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat([1, 0], [on, off]))
    scores = rng.normal(shift * labels)
    return labels, np.round(scores / step) * step if step else scores


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def delong_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """Standard error of the AUC from all pairs, as DeLong et al. define it."""
    on, off = scores[labels == 1][:, None], scores[labels == 0][None, :]
    wins = (on > off) + 0.5 * (on == off)
    components = wins.mean(axis=1), wins.mean(axis=0)
    return float(np.sqrt(sum(np.sum((part - wins.mean()) ** 2) / (len(part) - 1) / len(part) for part in components)))


@pytest.mark.parametrize("step", [0, 0.1, 1, 3])
@pytest.mark.parametrize("seed", range(5))
def test_auc_is_that_of_sklearn(seed: int, step: float) -> None:
    labels, scores = genes(seed, step=step)
    assert auc_interval(labels, scores)[0] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("step", [0, 0.5, 2])
@pytest.mark.parametrize(("on", "off", "shift"), [(40, 70, 0.8), (5, 200, 0), (200, 5, 2), (2, 2, 0.2), (60, 60, -1)])
def test_the_error_is_delongs_over_all_pairs(on: int, off: int, shift: float, step: float) -> None:
    labels, scores = genes(3, on, off, shift, step)
    auc, low, high = auc_interval(labels, scores)
    expected = stats.norm.ppf(0.975) * delong_error(labels, scores) / (auc * (1 - auc))
    assert logit(high) - logit(auc) == pytest.approx(expected, rel=1e-9)
    assert logit(auc) - logit(low) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("separation", [0.3, 1.2, 2.5])
def test_the_interval_holds_the_true_auc_in_19_of_20_samples(separation: float) -> None:
    true = stats.norm.cdf(separation / np.sqrt(2))
    intervals = [auc_interval(*genes(seed, 60, 60, separation))[1:] for seed in range(600)]
    assert 0.93 < np.mean([low <= true <= high for low, high in intervals]) < 0.98


def test_a_higher_level_gives_a_wider_interval_within_0_and_1() -> None:
    labels, scores = genes(1, on=4, off=5, shift=1)
    widths = []
    for level in (0.5, 0.9, 0.95, 0.999):
        auc, low, high = auc_interval(labels, scores, level)
        assert 0 < low < auc < high < 1
        widths.append(high - low)
    assert widths == sorted(widths)


def test_only_the_order_of_scores_counts() -> None:
    labels, scores = genes(2, step=0.25)
    assert auc_interval(labels, np.exp(scores)) == auc_interval(labels, scores)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([1, 2, 3, 4], (1, 1, 1)), ([4, 3, 2, 1], (0, 0, 0)), ([7, 7, 7, 7], (0.5, 0.5, 0.5))],
    ids=["perfect", "reversed", "constant"],
)
def test_scores_without_any_variance_have_an_interval_of_no_width(
    scores: list[float], expected: tuple[float, ...]
) -> None:
    assert auc_interval(np.array([0, 0, 1, 1]), np.array(scores, dtype=float)) == expected


def test_one_gene_of_a_class_tells_nothing_of_the_variance() -> None:
    assert auc_interval(np.array([1, 0, 0, 0]), np.array([2.0, 1, 3, 0])) == (pytest.approx(2 / 3), 0.0, 1.0)


def predictions() -> pd.DataFrame:
    """Ten genes with what can be counted by hand in the test part."""
    return pd.DataFrame(
        {
            "split": ["train"] * 3 + ["valid"] * 2 + ["test"] * 5,
            "label": [1, 0, 1, 0, 1, 1, 0, 1, 0, 0],
            "score": [0.9, 0.1, 0.2, 0.3, 0.6, 0.8, 0.7, 0.5, 0.4, 0.1],
        }
    )


def test_metrics_of_every_part() -> None:
    found = metrics(predictions(), threshold=0.5)
    assert set(found) == {"train", "valid", "test"}
    assert {part: (row["n"], row["n_on"]) for part, row in found.items()} == {
        "train": (3, 2),
        "valid": (2, 1),
        "test": (5, 2),
    }
    test = found["test"]
    assert test["auc"] == pytest.approx(5 / 6)
    assert test["accuracy"] == pytest.approx(3 / 5)  # .5 is not above the threshold
    assert test["aupr"] == pytest.approx((1 + 2 / 3) / 2)
    assert test["aupr"] == pytest.approx(average_precision_score([1, 0, 1, 0, 0], [0.8, 0.7, 0.5, 0.4, 0.1]))
    assert test["auc_low"] < test["auc"] < test["auc_high"]


def test_accuracy_depends_on_the_models_threshold() -> None:
    assert metrics(predictions(), threshold=0.45)["test"]["accuracy"] == pytest.approx(4 / 5)
    assert metrics(predictions(), threshold=0.0)["test"]["accuracy"] == pytest.approx(2 / 5)


def test_metrics_can_be_written_as_json() -> None:
    found = metrics(predictions(), threshold=0.5)
    assert json.loads(json.dumps(found)) == found


class Sum:
    """A model whose score is the number of reads."""

    threshold = 10.0

    def __init__(self, dataset: xr.Dataset) -> None:
        self.contract = Contract.of("deepchrome", dataset)

    def score(self, counts: np.ndarray) -> np.ndarray:
        return counts.sum(axis=(1, 2)).astype(float)

    def save(self, path: object) -> None:
        raise NotImplementedError


def test_predictions_have_a_row_a_gene_in_order() -> None:
    dataset = synthetic_dataset()
    dataset = dataset.isel(gene=[5, 1, 1, 400, 639])  # with a gene that stands twice
    found = predict(Sum(dataset), dataset)
    assert list(found) == ["gene", "symbol", "split", "label", "score"]
    assert found["gene"].tolist() == dataset["gene"].values.tolist()
    assert found["symbol"].tolist() == ["GENE5", "GENE1", "GENE1", "GENE400", "GENE639"]
    assert found["split"].tolist() == ["train", "train", "train", "valid", "test"]
    assert found["label"].tolist() == dataset["label"].values.tolist()
    assert found["score"].tolist() == dataset["counts"].sum(("bin", "mark")).values.tolist()
    assert dataset["mark"].values.tolist() == MARKS


def results(aucs: dict[str, list[float]]) -> pd.DataFrame:
    """Build the AUC table of models with one AUC an epigenome."""
    found = {
        (f"E{number}", model): {"test": {"auc": value, "n": 10}, "train": {"auc": 0.99, "n": 20}}
        for model, values in aucs.items()
        for number, value in enumerate(values)
    }
    return auc_table(found, "chromosome")


def test_the_auc_table_has_the_test_part_of_every_model() -> None:
    table = results({"deepchrome": [0.7, 0.8], "linear_svc": [0.6, 0.9]})
    assert table.to_dict("list") == {
        "epigenome": ["E0", "E1", "E0", "E1"],
        "model": ["deepchrome", "deepchrome", "linear_svc", "linear_svc"],
        "auc": [0.7, 0.8, 0.6, 0.9],
        "n": [10] * 4,
        "split_rule": ["chromosome"] * 4,
    }


def test_the_summary_stands_beside_the_published_figures() -> None:
    aucs = {"random_forest": [0.7, 0.8, 0.9, 0.6], "deepchrome": [0.7, 0.7, 0.8, 0.7]}
    aucs["attentivechrome"] = [0.8, 0.8, 0.9, 0.7]
    table = summary_table(results(aucs), PUBLISHED).set_index("model")
    assert table.index.tolist() == ["random_forest", "deepchrome", "attentivechrome"]
    assert table["title"].tolist() == ["Random forest", "DeepChrome", "AttentiveChrome"]
    assert table["epigenomes"].tolist() == [4, 4, 4]
    forest = table.loc["random_forest"]
    assert forest[["mean", "median", "max", "min"]].tolist() == pytest.approx([0.75, 0.75, 0.9, 0.6])
    # An equal AUC is not a better one.
    assert table["better_than_deepchrome"].tolist() == [2, pd.NA, 3]
    published = table.filter(like="published_")
    assert published.loc["attentivechrome"].tolist() == [0.8115, 0.8123, 0.9177, 0.7215, 49]
    assert published.loc["deepchrome"].tolist()[:4] == [0.8008, 0.8009, 0.9225, 0.6854]
    assert published.loc["deepchrome", "published_better_than_deepchrome"] is pd.NA
    assert published.loc["random_forest"].isna().all()


def test_the_summary_without_deepchrome_compares_with_none() -> None:
    table = summary_table(results({"random_forest": [0.7], "attentivechrome": [0.8]}), PUBLISHED)
    assert table["better_than_deepchrome"].isna().all()
    assert table["published_mean"].tolist() == [pytest.approx(np.nan, nan_ok=True), 0.8115]


def test_the_columns_of_the_summary_do_not_depend_on_the_models() -> None:
    tables = [summary_table(results({model: [0.7]}), PUBLISHED) for model in ("linear_svc", "deepchrome")]
    assert list(tables[0]) == list(tables[1])
    assert tables[0].dtypes["better_than_deepchrome"] == tables[1].dtypes["better_than_deepchrome"] == "Int64"


def test_epigenomes_that_only_one_model_has_are_not_compared() -> None:
    table = results({"deepchrome": [0.7], "attentivechrome": [0.8, 0.9]})
    summary = summary_table(table, PUBLISHED).set_index("model")
    assert summary["epigenomes"].to_dict() == {"deepchrome": 1, "attentivechrome": 2}
    assert summary.loc["attentivechrome", "better_than_deepchrome"] == 1
