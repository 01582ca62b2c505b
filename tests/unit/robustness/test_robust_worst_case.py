"""The fewest edits that turn a call: against exhaustive search, within their limits, with and without gradients."""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from chromattend.chromatin.inputs import ChromatinInputs
from chromattend.errors import UserError
from chromattend.models.base import Form
from chromattend.models.baseline import Baseline
from chromattend.models.network import Network
from chromattend.robustness import fewest as search
from chromattend.robustness.edits import AMOUNTS, Entries, Moves, Reads
from chromattend.robustness.factors import box, scale
from chromattend.robustness.fewest import Edited, fewest
from chromattend.robustness.objective import Turn
from chromattend.robustness.subject import CountModel
from chromattend.robustness.worst_case import (
    WorstCaseOptions,
    ceilings_of,
    confirmed,
    edit_summary,
    share,
    summary,
    worst_case,
)


class Linear(nn.Module):
    """A weighted sum of the inputs."""

    def __init__(self, weights: np.ndarray, bias: float) -> None:
        super().__init__()
        self.weights, self.bias = torch.tensor(weights, dtype=torch.float32), bias

    def forward(self, inputs: Tensor) -> Tensor:
        return (inputs * self.weights).sum(dim=(1, 2)) + self.bias


class Perceptron(nn.Module):
    """A small network with random weights."""

    def __init__(self, entries: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = torch.randn(entries, 6, generator=generator)
        self.second = torch.randn(6, generator=generator)
        self.bias = 0.3 * torch.randn(1, generator=generator)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.tanh(inputs.flatten(1) @ self.first) @ self.second + self.bias


class Both(nn.Module):
    """Above 0 only if the first two entries have a read each."""

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.relu(inputs[:, 0, 0] + inputs[:, 1, 0] - 1) - 0.5


class Estimator:
    """A weighted sum of log counts as an estimator without gradients."""

    def __init__(self, weights: np.ndarray, bias: float) -> None:
        self.weights, self.bias = weights.reshape(-1), bias

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        on = 1 / (1 + np.exp(-(np.log1p(features.astype(float)) @ self.weights + self.bias)))
        return np.stack([1 - on, on], axis=1)


def spec(shape: tuple[int, int], inputs: Form) -> ChromatinInputs:
    bins, marks = shape
    return ChromatinInputs("mlp", [f"mark{i}" for i in range(marks)], [100 * i for i in range(bins)], inputs)


def network_of(module: nn.Module, shape: tuple[int, int], inputs: Form = "raw") -> CountModel:
    """Return a module of inputs, shape (gene, bin, mark), as a model of counts."""
    network = Network(spec(shape, inputs), {}, 0)
    network.replicates = nn.ModuleList([module])
    return CountModel("network", network.eval().requires_grad_(False), np.ones((1, 1, shape[1]), dtype=np.float32))


def without_gradients(weights: np.ndarray, bias: float) -> CountModel:
    shape = weights.shape
    model = Baseline(spec(shape, "log"), [Estimator(weights, bias)], [])
    return CountModel("forest", model, np.ones((1, 1, shape[1]), dtype=np.float32))


def edits_of(entries: int, cost: int) -> Iterator[tuple[int, ...]]:
    """Yield all changes of the entries with a number of added and removed reads."""
    for changes in itertools.product(range(-cost, cost + 1), repeat=entries):
        if sum(map(abs, changes)) == cost:
            yield changes


def least_reads(model: CountModel, counts: np.ndarray, most: int) -> int | None:
    """Return the fewest reads that turn a call, by trying everything."""
    call = model.calls(counts[None])[0]
    for cost in range(1, most + 1):
        candidates = counts + np.array(list(edits_of(counts.size, cost))).reshape(-1, *counts.shape)
        candidates = candidates[(candidates >= 0).all(axis=(1, 2))]
        if (model.calls(candidates) != call).any():
            return cost
    return None


def least_entries(model: CountModel, counts: np.ndarray, ceiling: int, most: int) -> int | None:
    call = model.calls(counts[None])[0]
    for cost in range(1, most + 1):
        for places in itertools.combinations(range(counts.size), cost):
            for values in itertools.product((0, ceiling), repeat=cost):
                candidate = counts.copy()
                candidate.reshape(-1)[list(places)] = values
                if model.calls(candidate[None])[0] != call:
                    return cost
    return None


def everywhere(counts: np.ndarray) -> np.ndarray:
    return np.ones(counts[0].size, dtype=bool)


def reads_needed(model: CountModel, counts: np.ndarray, budget: int) -> Edited:
    amounts = (1,) if model.differentiable else AMOUNTS
    return fewest(Turn([model], model.calls(counts)), Reads(everywhere(counts), amounts), counts, budget)


weights_of_four = st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]), min_size=4, max_size=4)
counts_of_four = st.lists(st.integers(0, 3), min_size=4, max_size=4)


@settings(max_examples=40, deadline=None)
@given(weights_of_four, counts_of_four, st.sampled_from([-2.25, -0.75, 0.25, 1.75]))
def test_reads_equal_exhaustive_search_on_linear_networks(weights: list, counts: list, bias: float) -> None:
    """On counts without a logarithm every read of an entry is worth the same, so that greedy steps are optimal."""
    model = network_of(Linear(np.reshape(weights, (2, 2)), bias), (2, 2))
    window = np.array(counts).reshape(2, 2)
    least = least_reads(model, window, 3)
    edited = reads_needed(model, window[None], 3)
    assert (int(edited.costs[0]) if edited.reached[0] else None) == least


def test_reads_and_entries_equal_exhaustive_search_on_small_networks() -> None:
    shape, reads, entries = (3, 2), [], []
    generator = np.random.default_rng(1)
    for seed in range(40):
        model = network_of(Perceptron(6, seed), shape, "log")
        counts = generator.poisson(1.5, (1, *shape))
        turn = Turn([model], model.calls(counts))
        few = reads_needed(model, counts, 3)
        reads.append((least_reads(model, counts[0], 3), int(few.costs[0]) if few.reached[0] else None))
        few = fewest(turn, Entries(np.full(6, 9)), counts, 3)
        entries.append((least_entries(model, counts[0], 9, 3), int(few.costs[0]) if few.reached[0] else None))
    assert all(ours is None or ours >= least for least, ours in reads + entries)
    # In the others, the best first edit leads elsewhere.
    assert sum(least == ours for least, ours in reads) == 38
    assert sum(least == ours for least, ours in entries) == 39
    # Cases of every kind.
    assert {least for least, _ in reads} == {1, 2, 3, None}
    assert {least for least, _ in entries} >= {1, 2}


def test_greedy_search_misses_edits_that_help_only_together() -> None:
    model = network_of(Both(), (2, 1))
    counts = np.zeros((1, 2, 1), dtype=int)
    assert least_reads(model, counts[0], 2) == 2
    assert reads_needed(model, counts, 10).reached.tolist() == [False]


def test_the_last_reads_of_an_entry_are_worth_more_than_the_first() -> None:
    """Single steps would take reads from the second entry, whose first read is worth more than that of the first."""
    weights = np.array([[1.0], [0.4]])
    model = network_of(Linear(weights, -0.9), (2, 1), "log")
    counts = np.array([[[3], [1]]])
    assert model.margins(counts)[0] == pytest.approx(1.0 * np.log(4) + 0.4 * np.log(2) - 0.9)
    edited = reads_needed(model, counts, 10)
    assert edited.costs.tolist() == [3]
    assert least_reads(model, counts[0], 3) == 3


def small_convolution(seed: int, bins: int = 12, marks: int = 3) -> CountModel:
    torch.manual_seed(seed)
    network = Network(
        ChromatinInputs("deepchrome", [f"mark{i}" for i in range(marks)], [100 * i for i in range(bins)], "log"),
        {"channels": 4, "kernel": 3, "pool": 2, "hidden1": 8, "hidden2": 4},
    )
    network.calibration.copy_(torch.tensor([20.0, 0.0]))
    return CountModel("deepchrome", network.eval().requires_grad_(False), np.full((1, 1, marks), 0.5, dtype=np.float32))


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40), st.sampled_from([0.3, 2.0, 8.0]))
def test_edits_are_whole_reads_within_their_limits(seed: int, budget: int, rate: float) -> None:
    model = small_convolution(seed)
    counts = np.random.default_rng(seed).poisson(rate, (4, 12, 3))
    calls = model.calls(counts)
    turn = Turn([model], calls)
    alone = np.tile(np.arange(3) == 1, 12)
    for threat in (Reads(everywhere(counts)), Reads(alone), Moves(3), Entries(np.tile([9, 5, 7], 12))):
        edited = fewest(turn, threat, counts, budget)
        difference = edited.counts - counts
        assert edited.counts.dtype == np.int64
        assert (edited.counts >= 0).all()
        assert (edited.costs <= budget).all()
        assert ((model.calls(edited.counts) != calls) == edited.reached).all()
        moved = np.abs(difference).sum(axis=(1, 2))
        if isinstance(threat, Entries):
            assert ((difference != 0).sum(axis=(1, 2)) == edited.costs).all()
            assert np.isin(edited.counts, [0, 9, 5, 7])[difference != 0].all()
        elif isinstance(threat, Moves):
            assert (difference.sum(axis=1) == 0).all()
            assert (moved == 2 * edited.costs).all()
        else:
            assert (moved == edited.costs).all()
        if isinstance(threat, Reads) and threat.editable is alone:
            assert (difference[:, :, [0, 2]] == 0).all()


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([2.0, 30.0]))
def test_factors_stay_in_their_box_and_grow(seed: int, rate: float) -> None:
    model = small_convolution(seed)
    counts = np.random.default_rng(seed).poisson(rate, (4, 12, 3))
    factors = (1.1, 1.5, 3.0)
    scaled = scale(Turn([model], model.calls(counts)), counts, factors)
    for factor, edited, reached in zip(factors, *scaled, strict=True):
        assert (edited * factor >= counts - 1e-9).all()
        assert (edited <= counts * factor + 1e-9).all()
        assert ((model.calls(edited) != model.calls(counts)) == reached).all()
    assert (np.diff(scaled.reached.astype(int), axis=0) >= 0).all()


def test_box_rounds_to_whole_reads_inside() -> None:
    low, high = box(np.array([0, 1, 4, 5, 10, 11]), 1.1)
    assert low.tolist() == [0, 1, 4, 5, 10, 10]
    assert high.tolist() == [0, 1, 4, 5, 11, 12]
    assert [values.tolist() for values in box(np.array([3, 5, 6]), 1.2)] == [[3, 5, 5], [3, 6, 7]]


def test_factors_turn_all_that_a_linear_network_can() -> None:
    """The worst counts of a linear network are the corner that its weights name."""
    generator = np.random.default_rng(1)
    weights, counts = generator.normal(size=(8, 2)), generator.poisson(6, (30, 8, 2))
    bias = -float(np.median((np.log1p(counts) * weights).sum(axis=(1, 2))))
    model = network_of(Linear(weights, bias), (8, 2), "log")
    calls = model.calls(counts)
    for factor in (1.2, 1.5):
        low, high = box(counts, factor)
        corner = np.where((weights > 0) == calls[:, None, None], low, high)
        turned = model.calls(corner) != calls
        assert 0 < turned.sum() < 30
        assert (scale(Turn([model], calls), counts, [factor]).reached[0] == turned).all()


def test_scores_alone_lead_to_the_edits_of_gradients() -> None:
    generator = np.random.default_rng(1)
    weights, counts = np.abs(generator.normal(size=(6, 2))), generator.poisson(3, (20, 6, 2))
    bias = -float(np.median((np.log1p(counts) * weights).sum(axis=(1, 2))))
    guided = network_of(Linear(weights, bias), (6, 2), "log")
    scores = without_gradients(weights, bias)
    turns = [Turn([model], model.calls(counts)) for model in (guided, scores)]
    assert not turns[1].differentiable
    first, second = (fewest(turn, Entries(np.full(12, 8)), counts, 12) for turn in turns)
    assert first.reached.all()
    assert first.costs.tolist() == second.costs.tolist()
    first, second = (reads_needed(model, counts, 60) for model in (guided, scores))
    assert first.reached.all()
    assert second.reached.all()
    # Growing amounts overshoot, and edits are taken back one by one.
    assert np.abs(first.costs - second.costs).max() <= 1


def test_margin_is_reached_beyond_the_threshold() -> None:
    model = network_of(Linear(np.array([[1.0]]), -2.5), (1, 1))
    counts = np.array([[[5]]])
    for margin, reads in ((0.0, 3), (1.0, 4), (2.0, 5)):
        edited = fewest(Turn([model], model.calls(counts), margin), Reads(np.ones(1, dtype=bool)), counts, 5)
        assert edited.costs.tolist() == [reads]
    assert model.calls(np.array([[[2]]])).tolist() == [False]


def test_needless_edits_are_taken_back() -> None:
    """An edit that reaches the aim at once makes the smaller ones before it needless."""
    model = network_of(Linear(np.array([[1.0], [1.0], [3.0]]), -2.5), (3, 1))
    search_ = search._Search(Turn([model], np.array([False])), Reads(np.ones(3, dtype=bool)), np.zeros((1, 3, 1)))
    search_.accept(np.array([0]), np.array([[1, 2, 1]]), np.array([-3.5]), np.array([True]))
    search_.take_back(np.array([0]))
    assert search_.counts.tolist() == [[0, 0, 1]]


@pytest.fixture(scope="module")
def tiny() -> tuple[CountModel, np.ndarray, np.ndarray]:
    """A network that calls ON above 2.5 reads of the first mark minus those of the second."""
    model = network_of(Linear(np.array([[1.0, -1.0], [1.0, -1.0]]), -2.5), (2, 2))
    counts = np.array([[[5, 0], [1, 1]], [[0, 0], [1, 0]], [[9, 0], [9, 0]]])
    return model, counts, np.array([1, 0, 0])


def test_table_has_the_edits_of_right_calls(tiny: tuple[CountModel, np.ndarray, np.ndarray]) -> None:
    model, counts, labels = tiny
    reported: list[tuple[int, int]] = []
    worst = worst_case(
        model,
        counts,
        labels,
        WorstCaseOptions(reads=10, entries=3, factors=(1.2, 2.0)),
        np.array([4, 3]),
        ["K4", "K27"],
        lambda done, total: reported.append((done, total)),
    )
    table = worst.examples
    assert table["call"].tolist() == ["ON", "OFF", "ON"]
    assert table["right"].tolist() == [True, True, False]
    assert table["window_reads"].tolist() == [7, 1, 18]
    # 5 + 1 - 1 = 5 falls below 2.5 by three reads; 1 rises above it by two. Moves within a mark change no sum.
    expected = pd.DataFrame(
        {
            "reads": [3, 2, np.nan],
            "reads_share": [3 / 7, 2, np.nan],
            "moves": [np.nan] * 3,
            "entries": [1, 1, np.nan],
            "factor": [2.0, np.nan, np.nan],
            "reads_K4": [3, 2, np.nan],
            "reads_K27": [3, np.nan, np.nan],
        }
    )
    pd.testing.assert_frame_equal(table[list(expected)], expected, check_dtype=False)
    assert worst.searched == ("reads", "entries", "moves", "reads_K4", "reads_K27")
    assert worst.reads_turned.tolist() == worst.entries_turned.tolist() == [True, True, False]
    assert worst.reads.dtype == worst.entries.dtype == np.int32
    assert (worst.reads[2] == counts[2]).all()
    assert (model.calls(worst.reads) != model.calls(counts)).tolist() == [True, True, False]
    assert worst.factors[["factor", "genes", "turned"]].to_numpy().tolist() == [[1.2, 2, 0.0], [2.0, 2, 0.5]]
    assert reported[-1] == (10, 10)
    on = worst.edits[(worst.edits["threat"] == "reads") & (worst.edits["direction"] == "ON to OFF")]
    assert on["mark"].tolist() == ["K4", "K27"]
    assert on["genes"].tolist() == [1, 1]
    assert on[["added", "removed"]].to_numpy().sum() == 3


def test_models_without_gradients_are_searched_by_scores() -> None:
    weights = np.array([[1.0, -1.0], [0.5, 0.0]])
    model = without_gradients(weights, -0.5)
    counts = np.array([[[3, 0], [2, 1]], [[0, 2], [0, 0]]])
    worst = worst_case(model, counts, np.array([1, 0]), WorstCaseOptions(), np.array([9, 9]), ["K4", "K27"])
    assert worst.searched == ("reads", "entries")
    assert worst.examples["reads"].tolist() == [least_reads(model, window, 5) for window in counts]
    assert worst.examples[["moves", "factor", "reads_K4", "reads_K27"]].isna().all(axis=None)
    assert len(worst.factors) == 0
    assert worst.scaled == {}


def test_edits_that_the_calls_do_not_confirm_are_undone(tiny: tuple[CountModel, np.ndarray, np.ndarray]) -> None:
    model, counts, _ = tiny
    changed = counts.copy()
    changed[0] = 0
    claimed = Edited(changed, np.array([True, True, False]), np.array([7, 4, 0]))
    result = confirmed([model], claimed, counts, model.calls(counts))
    assert result.reached.tolist() == [True, False, False]
    assert result.costs.tolist() == [7, 0, 0]
    assert (result.counts[0] == 0).all()
    assert (result.counts[1:] == counts[1:]).all()


def test_no_right_call_gives_empty_tables(tiny: tuple[CountModel, np.ndarray, np.ndarray]) -> None:
    model, counts, labels = tiny
    worst = worst_case(model, counts, 1 - labels, WorstCaseOptions(), np.array([4, 3]), ["K4", "K27"])
    assert worst.examples["reads"].notna().tolist() == [False, False, True]
    worst = worst_case(model, counts[:2], 1 - labels[:2], WorstCaseOptions(), np.array([4, 3]), ["K4", "K27"])
    assert worst.examples["reads"].isna().all()
    assert worst.factors["turned"].isna().all()
    table = summary(worst.examples, worst.searched)
    assert table["genes"].tolist() == [0] * 15


def test_summary_weighs_directions_equally() -> None:
    examples = pd.DataFrame(
        {
            "right": [True] * 5 + [False],
            "call": ["ON"] * 4 + ["OFF"] * 2,
            "reads": [1, 2, 3, 4, np.nan, np.nan],
        }
    )
    table = summary(examples, ["reads"]).set_index("direction")
    assert table["genes"].tolist() == [4, 1, 5]
    assert table["turned"].tolist() == [1.0, 0.0, 0.5]
    assert table.loc["ON to OFF", "median"] == 2
    assert table["median"].isna().tolist() == [False, True, False]
    assert table.loc["both", "median"] == 4
    assert np.isnan(table.loc["both", "p90"])


def test_shares_have_wilsons_interval() -> None:
    # Wilson's interval of 8 of 10 by its formula.
    centre, half = (0.8 + 1.96**2 / 20) / (1 + 1.96**2 / 10), 1.96 * np.sqrt(0.016 + 1.96**2 / 400) / (1 + 1.96**2 / 10)
    result = share("fooled", np.arange(10) < 8)
    assert result == pytest.approx({"fooled": 0.8, "low": centre - half, "high": centre + half}, abs=1e-4)
    assert all(np.isnan(list(share("fooled", np.zeros(0, dtype=bool)).values())))
    assert edit_summary([np.array([7.0, 3.0, np.nan])]) | {"low": 0, "high": 0} == pytest.approx(
        {"genes": 3, "turned": 2 / 3, "low": 0, "high": 0, "median": 7, "p10": 3, "p90": np.nan}, nan_ok=True
    )


def test_ceilings_are_whole_and_per_mark() -> None:
    counts = np.zeros((10, 100, 2))
    counts[..., 1] = np.arange(1000).reshape(10, 100)
    assert ceilings_of(counts).tolist() == [0, 999]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: (c + 0.5, [1, 0, 0], [4, 3]), r"^network: counts are not whole numbers from 0, .*; give counts$"),
        (lambda c: (c - 1, [1, 0, 0], [4, 3]), r"^network: counts are not whole numbers from 0"),
        (lambda c: (c, [1, 0], [4, 3]), r"^network: 2 labels for 3 genes; give one label per gene$"),
        (lambda c: (c, [1, 0, 0], [4]), r"^network: 2 names and 1 ceilings for 2 marks; give one per mark$"),
    ],
)
def test_errors_are_one_line(tiny: tuple, change: object, message: str) -> None:
    model, counts, _ = tiny
    edited, labels, ceilings = change(counts)  # type: ignore[operator]
    with pytest.raises(UserError, match=message):
        worst_case(model, edited, np.array(labels), WorstCaseOptions(), np.array(ceilings), ["K4", "K27"])
