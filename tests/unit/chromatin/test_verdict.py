"""Which model is best, and by how much, in words."""

import pandas as pd
import pytest

from chromattend.chromatin.verdict import best_table, epigenome_verdict, rivals, study_verdict

AUCS = {"logistic_regression": 0.73, "svc": 0.75, "deepchrome": 0.78, "lstm": 0.79, "attentivechrome": 0.80}


def differences(rows: list[tuple[str, str, float, float]], column: str = "difference") -> pd.DataFrame:
    """A table of pairs, each with a difference of AUC, an interval of 0.02 around it, and q."""
    return pd.DataFrame(
        [(model, other, value, value - 0.01, value + 0.01, q) for model, other, value, q in rows],
        columns=["model", "other", column, "low", "high", "q"],
    )


@pytest.mark.parametrize(
    ("aucs", "expected"),
    [
        (AUCS, ["lstm", "deepchrome", "svc"]),
        ({"deepchrome": 0.8, "lstm": 0.7, "svc": 0.6}, ["lstm", "svc"]),
        ({"svc": 0.8, "deepchrome": 0.7, "lstm": 0.6}, ["deepchrome"]),
        ({"svc": 0.8, "lstm": 0.7, "logistic_regression": 0.6}, ["lstm", "logistic_regression"]),
        ({"lstm": 0.8}, []),
    ],
)
def test_the_best_is_compared_with_the_runner_up_and_the_baselines(aucs: dict[str, float], expected: list[str]) -> None:
    assert rivals(aucs) == expected


def test_of_one_epigenome() -> None:
    # Pairs come in either order; signs and intervals follow.
    table = differences(
        [
            ("lstm", "attentivechrome", -0.004, 0.2),
            ("attentivechrome", "deepchrome", 0.02, 0.001),
            ("svc", "lstm", -0.04, 0),
        ]
    )
    assert epigenome_verdict(AUCS, table) == (
        "AttentiveChrome has the highest test AUC, 0.800. "
        "It is not distinguishable from LSTM: +0.004 (95 % interval of the paired difference −0.006 to 0.014, q 0.2). "
        "Its AUC is 0.020 above that of DeepChrome (95 % interval of the paired difference 0.010 to 0.030, q 0.001)."
    )


def study(epigenomes: int, q: float) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    names = [f"E{number:03d}" for number in range(epigenomes)]
    auc = pd.DataFrame(
        [(name, model, value) for name in names for model, value in (("svc", 0.7), ("lstm", 0.8))],
        columns=["epigenome", "model", "auc"],
    )
    # In the last epigenome the test does not tell them apart.
    pairs = [differences([("svc", "lstm", -0.1, 0.9 if name == names[-1] else 0.01)]) for name in names]
    comparisons = pd.concat([table.assign(epigenome=name) for name, table in zip(names, pairs, strict=True)])
    return auc, comparisons, differences([("svc", "lstm", -0.1, q)], "median_difference")


@pytest.mark.parametrize(
    ("epigenomes", "q", "words"),
    [
        (1, 0.5, "LSTM has the highest test AUC, 0.800. It is not distinguishable from SVC (RBF): +0.100"),
        (
            3,
            0.25,
            "Against SVC (RBF): median difference of AUC +0.100, 95 % interval 0.090 to 0.110; DeLong's",
        ),
        (
            8,
            0.01,
            "it differs from SVC (RBF): median difference of AUC +0.100, 95 % interval 0.090 to 0.110, q 0.01; ",
        ),
        (8, 0.2, "it is not distinguishable from SVC (RBF): median difference of AUC +0.100"),
        (3, 0.25, "Fewer than 6 epigenomes are too few for a test over epigenomes."),
        (8, 0.2, "DeLong's test finds it higher in 7 and lower in 0 of 8 epigenomes."),
    ],
)
def test_of_a_study(epigenomes: int, q: float, words: str) -> None:
    assert words in study_verdict(*study(epigenomes, q))


def test_the_table_has_the_study_and_each_epigenome() -> None:
    table = best_table(*study(3, 0.25))
    assert table["scope"].tolist() == ["all epigenomes", "E000", "E001", "E002"]
    assert table["model"].tolist() == ["lstm"] * 4
    assert table["verdict"].str.contains("not distinguishable").tolist() == [False, False, False, True]


def test_a_study_of_one_model_has_nothing_to_compare() -> None:
    auc, comparisons, wilcoxon = study(2, 0.5)
    alone = auc[auc["model"] == "svc"]
    found = study_verdict(alone, comparisons[:0], wilcoxon[:0])
    assert found == "SVC (RBF) has the highest mean test AUC over 2 epigenomes, 0.700."
