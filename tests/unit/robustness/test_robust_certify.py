"""The thinning certificate: its claim by enumeration, its bound, and votes under random and worst-case edits."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from builders import quick, synthetic_dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from chromattend.robustness.certify import certified_reads, certify, thinned_copies, votes_bound
from chromattend.robustness.subject import CountModel


def exact_votes(calls: np.ndarray, counts: tuple[int, int], keep: float) -> float:
    """Return the share of ON among all thinned copies of two counts, where calls are given for every copy."""
    parts = [stats.binom.pmf(np.arange(count + 1), count, keep) for count in counts]
    return float((np.outer(*parts) * calls[: counts[0] + 1, : counts[1] + 1]).sum())


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.7])
def test_no_edit_of_k_reads_moves_a_vote_by_more_than_claimed(keep: float) -> None:
    """Every classifier here is a random table: the claim does not depend on the model."""
    generator = np.random.default_rng(1)
    largest = 0.0
    for _ in range(30):
        calls = generator.random((12, 12)) < generator.random()
        counts = tuple(generator.integers(0, 6, 2).tolist())
        before = exact_votes(calls, counts, keep)
        sure = max(before, 1 - before)
        certified = int(certified_reads(np.array([sure]), keep)[0]) if sure > 0.5 else -1
        for edit in itertools.product(range(-5, 6), repeat=2):
            after = tuple(count + change for count, change in zip(counts, edit, strict=True))
            if min(after) < 0:
                continue
            edits = sum(map(abs, edit))
            moved, claimed = abs(exact_votes(calls, after, keep) - before), 1 - (1 - keep) ** edits
            assert moved <= claimed + 1e-12
            if edits:
                largest = max(largest, moved / claimed)
            if edits <= certified:
                voted = exact_votes(calls, after, keep)
                assert (voted if before > 0.5 else 1 - voted) > 0.5
    # The bound is not a loose one: some edit of some classifier comes near.
    assert largest > 0.5


def test_the_claim_is_reached_by_a_model_that_looks_for_any_read() -> None:
    any_read = np.ones((12, 12))
    any_read[0, 0] = 0
    for edits in (1, 4):
        moved = exact_votes(any_read, (edits, 0), 0.2) - exact_votes(any_read, (0, 0), 0.2)
        assert moved == pytest.approx(1 - 0.8**edits)
    # Certain of OFF without reads; at 0.8^3 = 0.512 the vote is still OFF, at 0.8^4 = 0.41 it is not.
    assert certified_reads(np.array([1.0]), 0.2)[0] == 3


def test_certified_reads_by_hand() -> None:
    votes = np.array([0.5, 0.50001, 0.51, 0.75, 0.99, 1.0])
    assert certified_reads(votes, 0.02).tolist()[1:] == [0, 0, 14, 33, 34]
    assert certified_reads(votes, 0.02).isna().tolist() == [True, *[False] * 5]
    # At (1 - p)^1 = 0.5 exactly, one read could make a tie.
    assert certified_reads(np.array([1.0]), 0.5).tolist() == [0]


def test_the_bound_is_clopper_and_pearsons() -> None:
    for votes in (0, 1, 450, 899, 900):
        expected = stats.binomtest(votes, 900, alternative="greater").proportion_ci(0.999, "exact").low
        assert votes_bound(np.array([votes]), 900, 0.999)[0] == pytest.approx(expected, abs=1e-12)


@given(votes=st.integers(0, 299), confidence=st.floats(0.6, 0.9999), keep=st.floats(0.005, 0.5))
@settings(max_examples=60, deadline=None)
def test_more_votes_and_more_copies_never_certify_fewer_reads(votes: int, confidence: float, keep: float) -> None:
    bounds = votes_bound(np.array([votes, votes + 1]), 300, confidence)
    # The same share of four times as many copies.
    more = votes_bound(np.array([4 * votes]), 1200, confidence)
    reads = certified_reads(np.concatenate([bounds, more]), keep).fillna(-1).astype(int)
    assert reads[1] >= reads[0]
    assert votes <= 150 or reads[2] >= reads[0]


@pytest.mark.parametrize("keep", [0.02, 0.6])
def test_thinned_copies_are_binomial_and_independent(keep: float) -> None:
    counts = np.array([[[0, 40]], [[300, 1]]])
    copies = thinned_copies(counts, keep, 20_000, np.random.default_rng(1))
    assert copies.shape == (20_000, 2, 1, 2)
    assert (copies <= counts).all()
    flat = copies.reshape(-1, 4)
    # Five standard errors of 20,000 draws; the variance of a binomial sample has a relative error of about 1 %.
    error = 5 * np.sqrt(counts.ravel() * keep * (1 - keep) / 20_000)
    assert (np.abs(flat.mean(axis=0) - counts.ravel() * keep) <= error).all()
    assert flat.var(axis=0)[1:3] == pytest.approx((counts.ravel() * keep * (1 - keep))[1:3], rel=0.06)
    assert np.abs(np.corrcoef(flat[:, 1:].T) - np.eye(3)).max() < 0.03
    assert np.corrcoef(flat[:-1, 2], flat[1:, 2])[0, 1] == pytest.approx(0, abs=0.03)
    assert thinned_copies(np.zeros((2, 1, 2), dtype=int), keep, 3, np.random.default_rng(1)).sum() == 0


class MoreThan:
    """A model that calls an example ON if it has more reads than a limit, at the depth of its sample."""

    def __init__(self, limit: float) -> None:
        self.limit = limit

    def calls(self, counts: np.ndarray, kept: float = 1.0) -> np.ndarray:
        return counts.sum(axis=(1, 2)) / kept > self.limit


def test_certificates_hold_against_the_worst_edits_where_the_vote_is_known() -> None:
    """The vote of this model is a binomial tail, and its worst edits add or remove reads."""
    model: Any = MoreThan(100)
    reads = np.arange(0, 401, 8)
    table = certify(model, reads.reshape(-1, 1, 1), keep=0.05, samples=600, confidence=0.999, seed=1)
    assert list(table) == ["call", "voted", "votes", "votes_low", "certified_reads"]
    assert (table["call"] == np.where(reads > 100, "ON", "OFF")).all()

    def vote(number: np.ndarray) -> np.ndarray:
        return stats.binom.sf(5, np.maximum(number, 0), 0.05)

    on = table["voted"] == "ON"
    expected = np.where(on, vote(reads), 1 - vote(reads))
    assert table["votes"].to_numpy() == pytest.approx(expected, abs=0.1)
    assert (table["votes_low"] < table["votes"]).all()
    known = table["certified_reads"].notna().to_numpy()
    edits = table["certified_reads"].fillna(0).to_numpy(int)
    worst = np.where(on, vote(reads - edits), 1 - vote(reads + edits))
    assert (worst[known] > 0.5).all()
    assert edits[0] == edits.max() == 12
    assert edits[-1] >= 12
    # With 112 reads, the vote is 0.51 for OFF: too close to a tie for 500 copies.
    assert known[reads != 112].mean() > 0.9
    assert not known[reads == 112].any()


def test_votes_of_a_network_keep_their_class_under_certified_edits() -> None:
    dataset = synthetic_dataset(sizes={"train": 320, "valid": 60, "test": 60})
    network = quick("deepchrome", dataset, thin=[0.2])[0]
    threshold = float(np.median(network.score(dataset)))
    model = CountModel.of(network, dataset, threshold)
    counts = dataset["counts"].values[-40:]
    done: list[tuple[int, int]] = []
    table = certify(model, counts, 0.2, 300, 0.999, report=lambda *each: done.append(each))
    assert done == [(32, 40), (40, 40)]
    assert certify(model, counts, 0.2, 300, 0.999).equals(table)
    edits = table["certified_reads"].fillna(0).to_numpy(int)
    assert (edits == 2).sum() > 10
    generator = np.random.default_rng(1)
    marks = {"ON": (3, 0), "OFF": (0, 3)}  # whose reads speak for a call, and against it
    worst, random = counts.copy(), counts.copy()
    for row, (voted, number) in enumerate(zip(table["voted"], edits, strict=True)):
        own, other = marks[voted]
        for _ in range(number):
            place = generator.integers(5, 15)
            if worst[row, :, own].max() and generator.random() < 0.5:
                worst[row, worst[row, :, own].argmax(), own] -= 1
            else:
                worst[row, place, other] += 1
            random[row, generator.integers(20), generator.integers(5)] += 1
    for edited in (worst, random):
        assert np.abs(edited - counts).sum(axis=(1, 2)).tolist() == edits.tolist()
        again = certify(model, edited, 0.2, 300, 0.999, seed=2)
        assert (again["voted"] == table["voted"])[table["certified_reads"].notna()].all()


def test_the_defaults_are_those_of_the_configuration(repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/robustness.schema.yaml").read_text())
    parts = schema["properties"]["certificate"]["properties"]
    defaults = dict(zip(("keep", "samples", "confidence"), certify.__defaults__ or (), strict=False))
    assert defaults == {key: part["default"] for key, part in parts.items()}
