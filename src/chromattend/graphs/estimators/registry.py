"""The estimators of joint graphs, by name; the modules are imported on demand."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

# Variables whose pairs have been estimated in tiles; more would take hours.
MOST_VARIABLES = 30_000


@dataclass(frozen=True)
class EstimatorSpec:
    """What the pipeline knows of an estimator.

    Attributes:
        name: its name in the configuration.
        title: its name on pages.
        function: `module:function` under `chromattend.graphs.estimators`, called as
            `function(problem, thresholds, **options)`, where thresholds has shape (K,), and returning a `JointGraph`
            or, of a difference, a `DifferenceGraph`.
        source: paper and formula.
        difference: whether it estimates the difference of two contexts, instead of the graphs of K contexts.
        shares: whether it has a shared part of its own; the edges of others are shared if all contexts have them.
        matrices: the attribute of `Problem` that it reads.
        entrywise: whether every pair of variables is estimated on its own, from its values in `matrices`.
        options: keys of the configuration that are passed on.
        most_variables: number of variables above which it needs too much time or memory.
        baseline: whether it is the simple method that every other one is shown beside.
    """

    name: str
    title: str
    function: str
    source: str
    difference: bool = False
    shares: bool = False
    matrices: str = "partial"
    entrywise: bool = True
    options: tuple[str, ...] = ()
    most_variables: int = MOST_VARIABLES
    baseline: bool = False

    @property
    def tiled(self) -> bool:
        """Whether it runs in tiles of the pairs, for sets of many variables."""
        return self.entrywise and self.most_variables >= MOST_VARIABLES

    def load(self) -> Callable[..., Any]:
        """Return the estimator's function."""
        module, name = self.function.split(":")
        function: Callable[..., Any] = getattr(import_module(f"chromattend.graphs.estimators.{module}"), name)
        return function


_SPECS = (
    EstimatorSpec("jeek", "JEEK", "jeek:jeek", "Wang, Sekhon, Qi 2018", shares=True, options=("share_cost",)),
    EstimatorSpec(
        "simule",
        "SIMULE",
        "simule:simule",
        "Wang, Singh, Qi 2017",
        shares=True,
        matrices="correlations",
        entrywise=False,
        options=("share_cost",),
        most_variables=300,
    ),
    EstimatorSpec(
        "fasjem_closed", "Sparse group", "fasjem:sparse_group", "Wang, Gao, Qi 2017", options=("group_cost",)
    ),
    EstimatorSpec(
        "fasjem_g", "FASJEM-G", "fasjem:fasjem_g", "Wang, Gao, Qi 2017", options=("group_cost",), most_variables=2000
    ),
    EstimatorSpec(
        "fasjem_i", "FASJEM-I", "fasjem:fasjem_i", "Wang, Gao, Qi 2017", options=("group_cost",), most_variables=2000
    ),
    EstimatorSpec(
        "ggl",
        "Group graphical lasso",
        "lasso:ggl",
        "Danaher, Wang, Witten 2014",
        matrices="correlations",
        entrywise=False,
        options=("group_cost",),
        most_variables=1000,
    ),
    EstimatorSpec(
        "fgl",
        "Fused graphical lasso",
        "lasso:fgl",
        "Danaher, Wang, Witten 2014",
        matrices="correlations",
        entrywise=False,
        options=("group_cost",),
        most_variables=1000,
    ),
    EstimatorSpec("diffee", "DIFFEE", "diffee:diffee", "Wang, Sekhon, Qi 2018", difference=True),
    EstimatorSpec(
        "kdiffnet",
        "KDiffNet",
        "kdiffnet:kdiffnet",
        "Sekhon, Wang, Qi 2020",
        difference=True,
        options=("group_change",),
        entrywise=False,
        most_variables=4000,
    ),
    # The baselines: the same estimators on plain correlations.
    EstimatorSpec(
        "correlation",
        "Correlation",
        "jeek:jeek_of_correlations",
        "baseline",
        shares=True,
        matrices="correlations",
        options=("share_cost",),
        baseline=True,
    ),
    EstimatorSpec(
        "correlation_difference",
        "Difference of correlations",
        "diffee:difference_of_correlations",
        "baseline",
        difference=True,
        matrices="correlations",
        baseline=True,
    ),
)
ESTIMATORS = {spec.name: spec for spec in _SPECS}
