"""Noise: what each condition does to whole reads, and the table of what it changes."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from builders import MARKS, quick, synthetic_dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from chromattend.chromatin.dataset import assign_split
from chromattend.models.base import Scores
from chromattend.robustness.noise import (
    COLUMNS,
    Condition,
    conditions,
    duplicate,
    noise_table,
    replace,
    shift,
    weaken,
)
from chromattend.robustness.subject import CountModel, call_threshold
from chromattend.statistics import share_interval

BINS = 20
DRAWS = np.random.default_rng(1).poisson(np.random.default_rng(2).gamma(0.5, 8, (60, BINS, 5)))


@pytest.fixture(scope="module")
def defaults(repository: Path) -> dict[str, Any]:
    schema = yaml.safe_load((repository / "workflow/schemas/robustness.schema.yaml").read_text())
    parts = schema["properties"]["noise"]["properties"]
    cross_talk = [["H3K4me3", "H3K27me3", 0.2], ["H3K4me1", "H3K4me3", 0.2]]
    return {key: part["default"] for key, part in parts.items()} | {"cross_talk": cross_talk}


@pytest.fixture
def listed(defaults: dict[str, Any]) -> dict[str, Condition]:
    return {one.text: one for one in conditions(defaults, MARKS, 100)}


def test_the_default_conditions(listed: dict[str, Condition]) -> None:
    kinds = [one.kind for one in listed.values()]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "none": 1,
        "redraw": 1,
        "keep": 5,
        "keep_old_depth": 5,
        "duplicates": 1,
        "shift": 3,
        "strand": 1,
        "cross_talk": 2,
        "efficiency": 5,
        "absent": 5,
    }
    assert [*listed][:3] == ["no noise", "reads drawn again", "50 % of the reads"]
    assert "H3K4me3 antibody with 20 % H3K27me3" in listed
    assert listed["10 % of the reads"].kept == 0.1
    assert listed["10 % of the reads, old depth"].kept == 1


def test_counts_stay_counts_and_draws_depend_on_seed_and_condition_only(listed: dict[str, Condition]) -> None:
    for one in listed.values():
        drawn = one.draws(DRAWS, 2, seed=1)
        assert drawn.shape == (2 if one.random or one.kind == "shift" else 1, *DRAWS.shape), one.text
        assert drawn.dtype == DRAWS.dtype
        assert drawn.min() >= 0
        assert np.array_equal(drawn, one.draws(DRAWS, 2, seed=1))
        if one.random:
            assert not np.array_equal(drawn[0], drawn[1]), one.text
            assert not np.array_equal(drawn, one.draws(DRAWS, 2, seed=2)), one.text


def test_reads_that_stay_in_number(listed: dict[str, Condition]) -> None:
    total = DRAWS.sum(axis=(0, 1))
    for one in listed.values():
        if one.kind in ("duplicates", "cross_talk", "efficiency", "strand"):
            assert (one.draws(DRAWS, 1, 1).sum(axis=(1, 2)) == total).all(), one.text
        if one.kind in ("keep", "keep_old_depth"):
            drawn = one.draws(DRAWS, 5, 1)
            assert (drawn <= DRAWS).all()
            # 120,000 reads: the standard error of the share is below 0.0015.
            assert drawn.sum() / DRAWS.sum() / 5 == pytest.approx(one.value, abs=0.005)
        if one.mark and one.kind != "absent":
            others = [name != one.mark for name in MARKS]
            assert np.array_equal(one.draws(DRAWS, 1, 1)[0][..., others], DRAWS[..., others])


@given(positions=st.integers(-BINS + 1, BINS - 1))
@settings(max_examples=40, deadline=None)
def test_a_shift_moves_the_windows_and_mirrors_what_is_beyond_them(positions: int) -> None:
    shifted = shift(DRAWS, positions)
    for bin_ in range(BINS):
        source = bin_ + positions
        source = -1 - source if source < 0 else 2 * BINS - 1 - source if source >= BINS else source
        assert np.array_equal(shifted[:, bin_], DRAWS[:, source])


def test_duplicates_are_copies_of_reads_that_are_there() -> None:
    generator = np.random.default_rng(3)
    counts = np.zeros((2, 3, 2), dtype=np.int64)
    counts[0, 1, 0], counts[1, 2, 0] = 1000, 3000
    changed = duplicate(generator, counts, 0.5)
    assert np.array_equal(changed > 0, counts > 0)
    # 1,000 of 4,000 reads, half of them copies: the standard deviation is 39.
    assert 800 < changed[0, 1, 0] < 1200
    assert changed[0, 1, 0] != 1000
    assert duplicate(generator, np.zeros((2, 3, 2), dtype=np.int64), 0.5).sum() == 0


def test_cross_talk_adds_reads_where_the_other_mark_is() -> None:
    counts = np.zeros((1, 4, 2), dtype=np.int64)
    counts[0, 0, 0], counts[0, 3, 1] = 10_000, 7
    changed = replace(np.random.default_rng(1), counts, 0, 1, 0.2)
    assert changed[0, 1:3, 0].sum() == 0
    assert 1800 < changed[0, 3, 0] < 2200
    assert changed[0, :, 0].sum() == 10_000
    assert np.array_equal(changed[..., 1], counts[..., 1])


def test_a_weaker_antibody_turns_enrichment_into_background() -> None:
    counts = np.full((50, 20, 1), 2)
    counts[:, 5] = 102
    changed = weaken(np.random.default_rng(1), counts, 0, 0.5)
    # Half of 100 reads above the median of 2 go to 20 positions.
    assert changed[:, 5].mean() == pytest.approx(52 + 2.5, abs=1.5)
    assert np.delete(changed, 5, axis=1).mean() == pytest.approx(2 + 2.5, abs=0.2)


class Threshold:
    """A model that calls an example ON if it has more than a number of reads at the sample's depth."""

    threshold, divides_by_depth = 0.5, True

    def scores(self, counts: np.ndarray, kept: float = 1.0) -> Scores:
        joint = self.probability(counts, kept)
        return Scores(joint, np.stack([joint, np.ones_like(joint)]))

    def probability(self, counts: np.ndarray, kept: float = 1.0) -> np.ndarray:
        reads = counts.sum(axis=(1, 2)) / kept
        return reads / (reads + np.median(DRAWS.sum(axis=(1, 2))))


def position_sums(counts: np.ndarray, kept: float) -> tuple[np.ndarray, np.ndarray]:
    """Attention that follows the reads."""
    return counts / (1 + counts.sum(axis=1, keepdims=True)), counts.sum(axis=1) / (1 + counts.sum(axis=(1, 2)))[:, None]


def test_the_table_has_a_row_per_condition(defaults: dict[str, Any]) -> None:
    model: Any = Threshold()
    labels = (model.probability(DRAWS) > 0.5).astype(int)
    done: list[tuple[int, int]] = []
    arguments: Any = (model, DRAWS, labels, defaults | {"repeats": 2}, MARKS, 100, position_sums)
    table = noise_table(*arguments, lambda counts, kept: counts / kept, report=lambda *each: done.append(each))
    assert tuple(table.columns) == COLUMNS
    assert table["kind"].tolist()[-1] == "seed"
    assert done[-1] == (29, 29)
    rows = table.set_index("condition")
    none = rows.loc["no noise"]
    assert none[["reads", "changed", "auc", "accuracy"]].tolist() == [0, 0, 1, 1]
    unchanged = none[["alpha_r", "alpha_top", "beta_top", "attribution_r"]].tolist()
    assert unchanged == pytest.approx([1, 1, 1, 1])
    assert np.isnan(none["changed_high"])
    # With the new depth, a tenth of the reads says the same; with the old one, nothing has enough reads.
    assert rows.loc["10 % of the reads", "changed"] < 0.3
    assert rows.loc["10 % of the reads, old depth", "share_on"] == 0
    assert rows.loc["10 % of the reads, old depth", "changed"] == pytest.approx(labels.mean())
    # The number of reads is all this model sees, so a reversed window changes the map and no call.
    assert rows.loc["strand reversed", "changed"] == 0
    assert rows.loc["strand reversed", "changed_high"] == pytest.approx(share_interval(0, len(labels))[1])
    assert rows.loc["strand reversed", "alpha_r"] < 0.3
    assert rows.loc["strand reversed", "reads"] == np.abs(DRAWS - DRAWS[:, ::-1]).sum() / len(DRAWS)
    assert rows.loc["H3K4me3 absent", "reads"] == DRAWS[..., 3].sum() / len(DRAWS)
    # Only the mark's own attention is compared; without reads it is constant, and no r is known.
    assert np.isnan(rows.loc["H3K4me3 absent", "alpha_r"])
    assert rows.loc["reads drawn again", "draws"] == 2
    assert rows.loc["TSS off by 500 bp", "draws"] == 2
    assert rows.loc["strand reversed", "draws"] == 1
    # The second replicate says ON always, so half of the calls of two replicates differ where the joint call is OFF.
    assert rows.loc["another seed", "changed"] == pytest.approx((1 - labels.mean()) / 2)
    again = noise_table(*arguments, lambda counts, kept: counts / kept)
    assert again.equals(table)


def test_reads_of_a_trained_network_are_told_their_depth(defaults: dict[str, Any]) -> None:
    dataset = synthetic_dataset(sizes={"train": 320, "valid": 100, "test": 100})
    network = quick("deepchrome", dataset, inputs="depth")[0]
    chosen = dataset["split"].values == "test"
    model = CountModel.of(network, dataset, float(np.median(network.score(dataset))))
    few = {"keep": [0.3], "duplicates": [], "shift": [100], "efficiency": [], "cross_talk": [], "absent": False}
    counts, labels = (dataset[name].values[chosen] for name in ("counts", "label"))
    table = noise_table(model, counts, labels, defaults | few, MARKS, 100).set_index("kind")
    assert table["auc"]["none"] > 0.9
    # Told the new depth, the network calls twice as many genes as before at most, and loses little; else it sees
    # a third of the signal in every gene.
    assert abs(table["share_on"]["keep"] - table["share_on"]["none"]) < 0.15
    assert table["changed"]["keep_old_depth"] > table["changed"]["keep"] + 0.1
    assert table["alpha_r"].isna().all()
    assert table["attribution_r"].isna().all()


def test_real_genes_keep_their_calls_if_the_depth_is_told(defaults: dict[str, Any], real_data: Path) -> None:
    """759 genes of E003; at their old depth, a tenth of the reads turns half of the calls, which the AUC hides."""
    with np.load(real_data / "chromatin" / "E003_union_counts.npz", allow_pickle=True) as file:
        counts, label, gene, marks = (file[name] for name in ("X", "label", "gene", "marks"))
    split = assign_split(pd.DataFrame({"gene": gene}), "random", fractions=(3, 1, 1), seed=0).to_numpy(str)
    dataset = xr.Dataset(
        {"counts": (("gene", "bin", "mark"), counts), "label": ("gene", label), "split": ("gene", split)},
        {"gene": gene.astype(str), "bin": 100 * np.arange(100) - 5000, "mark": marks.astype(str)},
    )
    dataset = dataset.assign(depth=dataset["counts"].mean(["gene", "bin"]))
    trained = quick("logistic_regression", dataset, inputs="depth")[0]
    valid, test = (split == part for part in ("valid", "test"))
    threshold = call_threshold(label[valid], trained.score(dataset)[valid])
    few = {"keep": [0.1], "duplicates": [], "shift": [500], "efficiency": [], "strand": False, "absent": False}
    model = CountModel.of(trained, dataset, threshold)
    table = noise_table(model, counts[test], label[test], defaults | few, marks.tolist(), 100).set_index("kind")
    # Measured with other draws: AUC 0.843, 0.829 (told), 0.816; changed 0.046 (redraw), 0.108 (told), 0.533 (not told).
    assert table["auc"]["none"] == pytest.approx(0.843, abs=0.002)
    assert table["changed"]["redraw"] < 0.07
    assert table["auc"]["keep"] > 0.81
    assert table["changed"]["keep"] < 0.15
    assert table["changed"]["keep_old_depth"] > 0.45
    assert table["auc"]["keep_old_depth"] > 0.78
