"""Tests of a whole analysis: its table, its numbers and its sentence."""

from dataclasses import replace

import numpy as np
import pytest

from chromattend.graphs.analysis import Analysis, Choices, analyse
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.measure import Settings
from chromattend.graphs.problem import Contexts

CHOICES = Choices(
    Settings(),
    {"share_cost": 0.5, "group_cost": 1.0, "group_change": 0.5},
    permutations=40,
    split_halves=2,
    subsamples=3,
)


def contexts(flipped: bool = True, variables: int = 8, samples: int = 200, seed: int = 1) -> Contexts:
    """Two contexts: the first two variables go together in both, the next two have opposite signs."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(2, samples, variables))
    values[:, :, 1] += values[:, :, 0]
    values[0, :, 3] += values[0, :, 2]
    values[1, :, 3] += (-1 if flipped else 1) * values[1, :, 2]
    return Contexts(("A", "B"), tuple(f"x{number}" for number in range(variables)), tuple(values))


def run(estimator: str, data: Contexts | None = None, choices: Choices = CHOICES, **more: object) -> Analysis:
    return analyse(data or contexts(), ESTIMATORS[estimator], choices, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("estimator", ["jeek", "fasjem_closed", "ggl", "correlation"])
def test_an_edge_with_opposite_signs_is_specific(estimator: str) -> None:
    analysis = run(estimator)
    pairs = analysis.edges.set_index(["node1", "node2", "class", "context"])["weight"]
    assert pairs["x0", "x1", "shared", ""] > 0
    assert pairs["x2", "x3", "specific", "A"] > 0 > pairs["x2", "x3", "specific", "B"]
    assert analysis.summary["counts"]["specific"] == (analysis.edges["class"] == "specific").sum()
    if estimator != "ggl":  # two specific edges are few beside its false ones
        assert analysis.summary["null"]["specific"]["p"] <= 0.05
        assert "more than by chance" in analysis.summary["verdict"]
    assert (analysis.edges["q"] < 0.05).all()


@pytest.mark.parametrize("estimator", ["diffee", "correlation_difference"])
def test_the_numbers_of_a_difference_agree(estimator: str) -> None:
    analysis = run(estimator)
    summary, null = analysis.summary, analysis.null
    assert analysis.edges[["node1", "node2"]].to_numpy().tolist()[0] == ["x2", "x3"]
    assert (analysis.edges["q"] <= 0.05).all()
    # The same exchanges give q, lambda, its false discovery rate and the numbers by chance.
    mean = null.loc[null["permutation"] > 0, "difference"].mean()
    assert summary["null"]["difference"]["mean"] == mean
    assert summary["lambda"]["fdr"] == pytest.approx(mean / len(analysis.edges))
    assert summary["lambda"]["fdr"] <= 0.05
    assert 1 <= summary["fwer"] <= summary["counts"]["difference"]
    assert "at an estimated false discovery rate of 5%" in summary["verdict"]


def test_equal_contexts_have_no_differences_and_one_seed_gives_one_result() -> None:
    data = contexts(flipped=False)
    analysis = run("diffee", data)
    assert analysis.summary["counts"]["difference"] == 0
    assert analysis.summary["lambda"]["fdr"] is None
    first, again = run("jeek", data), run("jeek", data)
    assert first.edges.equals(again.edges)
    assert first.null.equals(again.null)
    assert first.summary["counts"]["shared"] == 2
    assert "not above chance" in first.summary["verdict"] or "no specific" in first.summary["verdict"]


def test_prior_knowledge_favours_an_edge_and_leaves_the_others() -> None:
    weights = np.ones((8, 8))
    weights[0, :] = weights[:, 0] = 0.25
    plain, informed = run("jeek"), run("jeek", weights=weights)
    assert informed.summary["lambda"] == plain.summary["lambda"]
    others = [
        each.edges[(each.edges[["node1", "node2"]] != "x0").all(axis=1)][["node1", "node2", "class", "weight"]]
        for each in (plain, informed)
    ]
    assert others[0].to_numpy().tolist() == others[1].to_numpy().tolist()
    assert informed.edges["weight"].abs().max() > plain.edges["weight"].abs().max()


def test_stable_edges_have_no_number_by_chance() -> None:
    analysis = run("jeek", choices=replace(CHOICES, rule="stability"))
    assert (analysis.edges["stability"] >= 0.6).all()
    assert analysis.summary["null"] is None
    assert analysis.null.empty
    assert "They are in at least 60% of half samples" in analysis.summary["verdict"]


def test_copies_of_a_variable_and_few_samples_are_warned_of() -> None:
    data = contexts()
    values = [each.copy() for each in data.samples]
    for each in values:
        each[:, 5] = np.exp(each[:, 4])
    (warning,) = run("jeek", replace(data, samples=tuple(values))).summary["warnings"]
    assert warning.startswith("Variables x4 and x5 are nearly the same in context A: |correlation| 1.0000.")
    wide = contexts(variables=50, samples=24)
    assert "24 samples of 50 variables" in run("jeek", wide).summary["warnings"][0]


def test_a_variable_that_hardly_varies_stops_nothing() -> None:
    data = contexts()
    values = [each.copy() for each in data.samples]
    for each in values:
        each[:, 7] = 0
        each[0, 7] = 1
    analysis = run("jeek", replace(data, samples=tuple(values)))
    assert not (analysis.edges[["node1", "node2"]] == "x7").any(axis=None)


def test_one_context_has_single_edges() -> None:
    data = contexts()
    analysis = run("jeek", Contexts(data.names[:1], data.variables, data.samples[:1]))
    assert set(analysis.edges["class"]) == {"single"}
    assert analysis.summary["verdict"].endswith("of one context alone.")
