"""The study of the track graphs: its checked section of the configuration and its sheet."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromattend.graphs.cost import Cost, machine_memory, predict
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.sheet import EXPRESSION, Context, GraphSet

# The simple method beside joint graphs, and beside differences.
BASELINES = ("correlation", "correlation_difference")
# A count that at most this share of the exchanges reach is called more than chance.
ABOVE_CHANCE = 0.05
# Samples of an epigenome, whose genes a job counts: about the protein-coding genes of man.
GENES = 20_000


@dataclass(frozen=True)
class Sources:
    """What the study's epigenomes offer as data.

    Attributes:
        groups: epigenome -> its group in the sample sheet, of the epigenomes whose genes have labels.
        marks: marks of every epigenome.
        bins: number of bins of a gene.
    """

    groups: Mapping[str, str] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    bins: int = 0

    def lineage(self, group: str) -> list[str]:
        """Return the epigenomes of a group, or, if it is empty, all that share their group with another one.

        Values are centred by group, so an epigenome that is alone in its group would be 0 everywhere.
        """
        if group:
            return [name for name, other in self.groups.items() if other == group]
        sizes = Counter(self.groups.values())
        return [name for name, other in self.groups.items() if sizes[other] > 1]


@dataclass(frozen=True)
class Shape:
    """The size of a set before its data are read.

    Attributes:
        variables: number of variables in the graphs.
        samples: number of samples of each context; None where only a job can tell it.
        names: names of all variables of the data; None where only a job can tell them.
        counted: whether the numbers of samples are exact; others are estimates from the sizes of large files.
    """

    variables: int
    samples: tuple[int | None, ...]
    names: tuple[str, ...] | None
    counted: bool = True


@dataclass(frozen=True)
class GraphStudy:
    """A checked section `graphs` of the configuration, and its sets.

    Attributes:
        config: the section, with the schema's defaults filled in.
        sets: sets of contexts to run, by name, in the order of the sheet.
        shapes: the size of each set.
        sources: what the study's epigenomes offer.
        workdir: folder that relative paths are resolved against.
    """

    config: dict[str, Any]
    sets: dict[str, GraphSet]
    shapes: dict[str, Shape]
    sources: Sources
    workdir: Path

    def shape(self, name: str) -> Shape:
        """Return the size of a set."""
        return self.shapes[name]

    def estimators(self, name: str) -> list[str]:
        """Return the estimators of a set: those of the configuration, and the baselines of their kind.

        Differences need exactly two contexts.
        """
        two = len(self.sets[name].contexts) == 2
        chosen = [estimator for estimator in self.config["estimators"] if two or not ESTIMATORS[estimator].difference]
        kinds = {ESTIMATORS[estimator].difference for estimator in chosen}
        return [*chosen, *(baseline for baseline in BASELINES if ESTIMATORS[baseline].difference in kinds)]

    def in_tiles(self, name: str) -> bool:
        """Return whether a set has so many variables that its pairs are estimated in tiles."""
        return self.shapes[name].variables >= self.config["tiles"]["from"]

    def transform(self, name: str) -> str:
        """Return the transform of the values of a set, `log1p` or `none`; expression is a logarithm already."""
        kind = self.sets[name].kind
        if kind == EXPRESSION:
            return "none"
        default = "none" if kind == "matrix" else "log1p"
        return self.config["transform"] or default

    def settings(self) -> dict[str, Any]:
        """Return how correlations and backward maps are estimated, see `measure.Settings`."""
        return {"covariance": self.config["covariance"], **self.config["backward"]}

    def choices(self, name: str) -> dict[str, Any]:
        """Return the options of the analysis of a set, see `analysis.Choices`; settings are a mapping."""
        config, controls = self.config, self.config["controls"]
        return {
            "settings": self.settings(),
            "options": {key: config[key] for key in ("share_cost", "group_cost", "group_change")},
            "rule": "null" if config["lambda"] is None else config["lambda"],
            "fdr": config["fdr"],
            "difference_fdr": config["difference_fdr"],
            "permutations": controls["permutations"],
            "split_halves": controls["split_halves"],
            "subsamples": controls["stability"],
            "thin": controls["thin"],
            "transform": self.transform(name),
            "covariates": tuple(config["covariates"]),
            "seed": config["seed"],
        }

    def options(self, estimator: str) -> dict[str, float]:
        """Return the estimator's own options."""
        return {key: self.config[key] for key in ESTIMATORS[estimator].options}

    def complete(self, name: str) -> bool:
        """Return whether all names with prior knowledge must be variables of a set.

        They need not be if other sets may have them, or if only some genes of the expression are variables.
        """
        return len(self.sets) == 1 and self.sets[name].kind != EXPRESSION

    @property
    def comparable(self) -> list[list[str]]:
        """Groups of sets of two contexts whose differences can be compared: same contexts, same variables."""
        groups: dict[Any, list[str]] = {}
        for name, one in self.sets.items():
            variables = self.shapes[name].names
            if len(one.contexts) == 2 and variables is not None:
                groups.setdefault((*one.names, frozenset(variables)), []).append(name)
        return [names for names in groups.values() if len(names) > 1]

    def labels(self, name: str) -> list[dict[str, str]]:
        """Return name, group and colour of the contexts of a set."""
        return [
            {"name": context.name, "group": context.group, "colour": context.colour}
            for context in self.sets[name].contexts
        ]

    def epigenomes(self, context: Context) -> list[str]:
        """Return the epigenomes that a context is made from."""
        if context.kind == EXPRESSION:
            return self.sources.lineage(context.lineage)
        return [context.epigenome] if context.kind == "epigenome" else []

    def groups(self, name: str) -> dict[str, str]:
        """Return the group of every epigenome whose expression is a sample of a set."""
        contexts = self.sets[name].contexts if self.sets[name].kind == EXPRESSION else ()
        return {one: self.sources.groups[one] for context in contexts for one in self.epigenomes(context)}

    def files(self, name: str) -> list[str]:
        """Return the paths of all files that the samples of a set are made from."""
        return list(dict.fromkeys(path for context in self.sets[name].contexts for path in context.files.values()))

    @property
    def knowledge_files(self) -> list[str]:
        """Paths of the files with prior knowledge."""
        return [path for key in ("edges", "groups", "hubs") if (path := self.config["knowledge"][key])]

    def cost(self, name: str) -> Cost:
        """Return the predicted memory and time of the jobs of a set; see `cost.predict`."""
        shape, controls = self.shapes[name], self.config["controls"]
        return predict(
            shape.variables,
            # Genes are counted by a job only.
            [GENES if number is None else number for number in shape.samples],
            self.estimators(name),
            permutations=controls["permutations"],
            split_halves=controls["split_halves"],
            subsamples=controls["stability"],
            tiles_from=self.config["tiles"]["from"],
            tile_jobs=self.config["tiles"]["jobs"],
        )

    @property
    def forecast(self) -> list[str]:
        """One line per set, with its size, its route and the predicted memory and time."""
        lines = []
        for name, one in self.sets.items():
            cost, memory = self.cost(name), machine_memory()
            line = f"Graphs of {name}: {cost.sentence(self.shapes[name].variables, len(one.contexts))}"
            if memory is not None and cost.memory_mb > memory:
                line += f"; this machine has {memory / 1000:.0f} GB"
            lines.append(line)
        return lines
