"""Estimation in tiles against whole matrices."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from chromattend.errors import UserError
from chromattend.graphs import tiles
from chromattend.graphs.edges import edges_of
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.problem import Problem

VARIABLES, CONTEXTS = 300, ("a", "b", "c", "d")
SIZES = (40, 55, 40, 70)
SHARED = 20  # pairs (0, 1), (2, 3), ...: every second one negative
SPECIFIC = {0: (100, 101), 1: (150, 299), 2: (200, 201), 3: (70, 250)}
OPTIONS = {"jeek": {"share_cost": 0.5}, "correlation": {"share_cost": 0.3}, "fasjem_closed": {"group_cost": 1.0}}


def samples_of(context: int) -> np.ndarray:
    """Draw samples with the edges above, correlated by .96 or -.96."""
    generator = np.random.default_rng(context)
    values = generator.normal(size=(SIZES[context], VARIABLES))
    pairs = [(2 * number, 2 * number + 1) for number in range(SHARED)] + [SPECIFIC[context]]
    for number, (i, j) in enumerate(pairs):
        values[:, j] = (-1) ** number * 0.96 * values[:, i] + 0.28 * values[:, j]
    return values


@pytest.fixture(scope="module")
def factors() -> list[dict[str, tiles.Factor]]:
    return [tiles.factor(samples_of(number), name, ridge=0.2) for number, name in enumerate(CONTEXTS)]


@pytest.fixture(scope="module")
def paths(factors: list[dict[str, tiles.Factor]], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("factors")
    for each in factors:
        tiles.save(each, folder / f"{each['partial'].context}.npz")
    return [folder / f"{name}.npz" for name in CONTEXTS]


def whole(factors: list[dict[str, tiles.Factor]], matrices: str) -> tuple[np.ndarray, np.ndarray]:
    """Return whole matrices by plain numpy, in double precision: as they are, and in units of the thresholds."""
    values = np.stack(
        [each[matrices].vectors.astype(float) @ each[matrices].vectors.T.astype(float) for each in factors]
    )
    scale = [each[matrices].noise * np.sqrt(each[matrices].samples) for each in factors]
    return values, values / np.array(scale)[:, None, None]


def dense(factors: list[dict[str, tiles.Factor]], estimator: str, z: float) -> pd.DataFrame:
    """Estimate by the dense route, from the same matrices."""
    spec = ESTIMATORS[estimator]
    contexts = tuple(each["partial"].context for each in factors)
    partial, correlations = whole(factors, "partial")[0], whole(factors, "correlations")[0]
    scaled = whole(factors, spec.matrices)[1]
    sizes = np.array([each["partial"].samples for each in factors])
    problem = Problem(scaled, np.empty(0), sizes)
    problem.__dict__["partial"] = scaled  # what the estimator reads
    thresholds = z / np.sqrt(sizes)
    if spec.difference:
        thresholds = np.full(2, z * np.sqrt((1 / sizes).sum()))
    graph = spec.load()(problem, thresholds, **OPTIONS.get(estimator, {}))
    names = tuple(f"v{number}" for number in range(VARIABLES))
    return edges_of(graph, names, contexts, partial, correlations, spec.shares)


def tiled(paths: list[Path], estimator: str, z: float, size: int, jobs: int) -> pd.DataFrame:
    loaded = [tiles.load(path, ESTIMATORS[estimator].matrices) for path in paths]
    tables = [
        tiles.rows(loaded, tiles.stripes(VARIABLES, job, jobs, size), z, estimator, OPTIONS.get(estimator, {}), size)
        for job in range(jobs)
    ]
    return tiles.gather(tables, paths, [f"v{number}" for number in range(VARIABLES)])


@pytest.mark.parametrize(
    ("estimator", "contexts", "z"),
    [
        ("jeek", 4, 2.5),
        ("jeek", 1, 3.0),
        ("correlation", 4, 3.0),
        ("fasjem_closed", 4, 2.0),
        ("diffee", 2, 3.0),
        ("correlation_difference", 2, 3.0),
    ],
)
def test_tiles_equal_whole_matrices(
    factors: list[dict[str, tiles.Factor]], paths: list[Path], estimator: str, contexts: int, z: float
) -> None:
    expected = dense(factors[:contexts], estimator, z)
    assert len(expected) > 30
    result = tiled(paths[:contexts], estimator, z, size=70, jobs=3)
    pd.testing.assert_frame_equal(result, expected, check_dtype=False, rtol=1e-9, atol=1e-12)
    pd.testing.assert_frame_equal(tiled(paths[:contexts], estimator, z, size=512, jobs=1), result)


def test_classes_of_true_edges(paths: list[Path]) -> None:
    table = tiled(paths, "jeek", 4.5, size=128, jobs=2)
    shared = table[table["class"] == "shared"]
    signs = {(f"v{2 * number}", f"v{2 * number + 1}"): (-1) ** number for number in range(SHARED)}
    assert (
        dict(zip(zip(shared["node1"], shared["node2"], strict=True), np.sign(shared["weight"]), strict=True)) == signs
    )
    assert (np.sign(shared["partial_r"]) == np.sign(shared["weight"])).all()
    specific = table[table["class"] == "specific"]
    assert set(zip(specific["context"], specific["node1"], specific["node2"], strict=True)) == {
        (CONTEXTS[number], f"v{i}", f"v{j}") for number, (i, j) in SPECIFIC.items()
    }
    # At the optimum, share_cost times K contexts keep a part of their own.
    modulated = table[table["class"] == "modulated"]
    assert (modulated.groupby(["node1", "node2"]).size() <= 2).all()


def test_stripes_divide_all_rows_evenly() -> None:
    parts = [tiles.stripes(30_000, job, 16) for job in range(16)]
    assert sorted(stripe for part in parts for stripe in part) == list(range(59))
    work = [sum(59 - stripe for stripe in part) for part in parts]
    assert max(work) < 1.25 * min(work)


def test_threshold_of_permuted_samples(factors: list[dict[str, tiles.Factor]]) -> None:
    generator = np.random.default_rng(1)
    chosen = tiles.sampled_variables(VARIABLES, seed=1)
    observed = [each["partial"].take(chosen) for each in factors]
    nulls = [
        [
            tiles.independent(each["correlations"], each["partial"].noise, 0.2, "partial", chosen, generator)
            for each in factors
        ]
        for _ in range(3)
    ]
    threshold = tiles.choose_threshold(observed, nulls, "jeek", OPTIONS["jeek"], 0.1, VARIABLES)
    assert threshold.reached
    assert threshold.fdr <= 0.1
    edges = [tiles.rows([each], [0], threshold.z, "jeek", OPTIONS["jeek"], 512) for each in observed]
    true = sum((table["i"] % 2 == 0).mul(table["j"] == table["i"] + 1).sum() for table in edges)
    assert true >= 4 * SHARED
    assert sum(map(len, edges)) - true - 4 <= 0.2 * true
    # The path counts the same edges.
    row = threshold.path[threshold.path["lambda"] == threshold.z]
    assert row["edges"].item() == sum(map(len, edges))
    # Only noise: no threshold below the largest values of the nulls reaches the target.
    assert not tiles.choose_threshold(nulls[0], nulls[1:], "jeek", OPTIONS["jeek"], 0.1, VARIABLES).reached


@pytest.mark.parametrize(("estimator", "contexts"), [("fasjem_closed", 4), ("diffee", 2)])
def test_threshold_counts_what_rows_list(factors: list[dict[str, tiles.Factor]], estimator: str, contexts: int) -> None:
    observed = [each["partial"] for each in factors[:contexts]]
    options = OPTIONS.get(estimator, {})
    path = tiles.choose_threshold(observed, [observed], estimator, options, 0.1, VARIABLES).path.set_index("lambda")
    for z in (2.0, 3.0, 4.0):
        table = tiles.rows(observed, [0], z, estimator, options)
        shared = table["class"] == 0
        # A shared edge of an estimator without a shared part is an edge of every context.
        assert path.loc[z, "edges"] == (~shared).sum() + contexts * shared.sum()


def test_exchanged_samples_keep_shared_edges_and_lose_specific_ones(factors: list[dict[str, tiles.Factor]]) -> None:
    correlations = [each["correlations"] for each in factors]
    same = np.split(np.arange(sum(SIZES)), np.cumsum(SIZES)[:-1])
    again = list(tiles.exchange(correlations, same, 0.2, "partial", np.arange(VARIABLES)))
    for each, other in zip(factors, again, strict=True):
        np.testing.assert_allclose(each["partial"].vectors, other.vectors, atol=1e-5)
    order = np.split(np.random.default_rng(1).permutation(sum(SIZES)), np.cumsum(SIZES)[:-1])
    exchanged = list(tiles.exchange(correlations, order, 0.2, "partial", np.arange(VARIABLES)))
    observed = tiles.count_edges([each["partial"] for each in factors], 5.0, "jeek", OPTIONS["jeek"], VARIABLES)
    null = tiles.count_edges(exchanged, 5.0, "jeek", OPTIONS["jeek"], VARIABLES)
    assert (observed["shared"], observed["specific"]) == (SHARED, 4)
    assert (null["shared"], null["specific"]) == (SHARED, 0)
    # Half of the variables have a quarter of the pairs.
    half = [each["partial"].take(np.arange(150)) for each in factors]
    counts = tiles.count_edges(half, 5.0, "jeek", OPTIONS["jeek"], VARIABLES)
    assert counts["shared"] == pytest.approx(SHARED * 300 * 299 / (150 * 149))


def test_refuses_what_has_no_tiles(factors: list[dict[str, tiles.Factor]], monkeypatch: pytest.MonkeyPatch) -> None:
    partial = [each["partial"] for each in factors]
    with pytest.raises(UserError, match="simule: does not"):
        tiles.rows(partial, [0], 3, "simule", {})
    with pytest.raises(UserError, match="two contexts, but there are 4"):
        tiles.rows(partial, [0], 3, "diffee", {})
    monkeypatch.setattr(tiles, "MOST_EDGES", 100)
    with pytest.raises(UserError, match="raise lambda"):
        tiles.rows(partial, [0], 1, "jeek", OPTIONS["jeek"])
