"""Predicted cost of graphs, and what is refused before a job runs."""

import subprocess
import sys

import pytest

from chromattend.errors import UserError
from chromattend.graphs import cost, tiles
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.selection import GRID, MOST_NULLS, NULL_PAIRS, REFINEMENTS


def test_routes_and_their_sizes() -> None:
    few = cost.predict(50, [620, 750], ["jeek", "diffee"])
    assert (few.route, few.map) == ("whole", "threshold")
    assert few.memory_mb < 1000
    assert few.seconds < 60
    assert cost.predict(500, [100] * 3, ["jeek"]).map == "ridge"
    many = cost.predict(30_000, [50] * 91, ["jeek"])
    assert (many.route, many.map) == ("tiles", "ridge")
    assert 1000 < many.memory_mb < 2000
    assert many.total_seconds < 20 * 60  # with the start of 109 jobs
    assert cost.predict(30_000, [50] * 91, ["jeek"], tile_jobs=1).seconds > cost.predict(5000, [50], ["jeek"]).seconds
    assert cost.predict(500, [None] * 3, ["jeek"]) == cost.predict(500, [cost.UNKNOWN_SAMPLES] * 3, ["jeek"])
    text = many.sentence(30_000, 91)
    assert text.startswith("91 contexts of 30,000 variables, in tiles with the ridge map")
    assert "GB" in text


@pytest.mark.parametrize(
    ("estimator", "variables", "instead"),
    [("simule", 301, "jeek"), ("ggl", 1001, "jeek"), ("kdiffnet", 4001, "diffee")],
)
def test_refuses_estimators_out_of_reach(estimator: str, variables: int, instead: str) -> None:
    with pytest.raises(UserError, match=f"{estimator}: takes at most .*, or {instead}") as error:
        cost.predict(variables, [300, 300], [estimator], tiles_from=10_000)
    assert "\n" not in str(error.value)
    cost.predict(variables - 1, [300, 300], [estimator], tiles_from=10_000)


def test_refuses_whole_matrices_in_tiles_and_beyond_the_memory() -> None:
    with pytest.raises(UserError, match="kdiffnet: needs whole matrices, but 3000 variables"):
        cost.predict(3000, [300, 300], ["kdiffnet"], tiles_from=2000)
    with pytest.raises(UserError, match="to 3000 or less"):
        cost.predict(3000, [300] * 91, ["jeek"], memory_limit_mb=64_000)
    assert cost.predict(3000, [300] * 91, ["jeek"], tiles_from=3000, memory_limit_mb=64_000).route == "tiles"
    with pytest.raises(UserError, match="fewer variables or contexts"):
        cost.predict(30_000, [2000] * 91, ["jeek"], memory_limit_mb=16_000)


def test_knows_the_constants_of_the_library() -> None:
    assert set(cost.FITS) == set(ESTIMATORS)
    assert (cost.NULL_PAIRS, cost.MOST_NULLS, cost.LAMBDAS) == (NULL_PAIRS, MOST_NULLS, GRID + REFINEMENTS)
    assert cost.SAMPLED == tiles.SAMPLED


def test_imports_no_numpy() -> None:
    code = "import sys, chromattend.graphs.cost; assert not {'numpy', 'pandas'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
