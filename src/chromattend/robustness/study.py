"""The study of the track robustness: its checked section of the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chromattend.pipeline.locations import download_name, is_url
from chromattend.robustness.attacks.registry import ATTACKS

# scikit-learn's digits, which need no file.
DIGITS = "digits"
# Rows of the tables of detection that are not runs of an attack: all attacked images, and those that nobody changed.
ALL, LEGITIMATE = "all", "legitimate"
# The detector that needs no squeezer, beside which all others are shown.
CONTROL = "low confidence"
# Joins the squeezers of a detector, and models that are edited together, in a name.
JOINER = " + "
# Joins an attack and the class that it aims at in the names of files, such as cw2-next.
AIM = "-"


@dataclass(frozen=True)
class Offered:
    """What the study has that can be tested.

    Attributes:
        models: models of its epigenomes.
        epigenomes: epigenomes with expression -> whether all marks are of reads.
        marks: marks of every epigenome.
        bin_size: width of a bin (bp).
        span: width of the window (bp).
        sequence_models: models of its sequences.
        sequence_sets: sets of sequences.
    """

    models: tuple[str, ...] = ()
    epigenomes: Mapping[str, bool] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    bin_size: int = 100
    span: int = 10_000
    sequence_models: tuple[str, ...] = ()
    sequence_sets: tuple[str, ...] = ()


@dataclass(frozen=True)
class RobustnessStudy:
    """A checked section `robustness` of the configuration.

    Attributes:
        config: the section, with the schema's defaults filled in, also for each set of images.
        offered: what the study has.
        workdir: folder that relative paths are resolved against.
        checksums: URL -> SHA-256 and size (bytes) of known images.
    """

    config: dict[str, Any]
    offered: Offered
    workdir: Path
    checksums: Mapping[str, tuple[str | None, int | None]] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """Models of epigenomes to test."""
        return list(self.config["models"])

    @property
    def epigenomes(self) -> list[str]:
        """Epigenomes to test them on."""
        if not self.models:
            return []
        return list(self.config["epigenomes"] or self.offered.epigenomes)

    @property
    def sequence_models(self) -> list[str]:
        """Networks of sequences to test."""
        return list(self.config["sequences"]["models"])

    @property
    def sequence_sets(self) -> list[str]:
        """Sets of sequences to test them on."""
        return list(self.offered.sequence_sets) if self.sequence_models else []

    @property
    def images(self) -> dict[str, dict[str, Any]]:
        """Sets of images by name, see the schema."""
        return dict(self.config["images"])

    def runs(self, images: str) -> list[str]:
        """Return the attacks of a set of images: `fgsm`, or with the class that they aim at, such as `cw2-next`."""
        one = self.images[images]
        runs = []
        for name in one["attacks"]:
            if aims(name):
                runs += [f"{name}{AIM}{target}" for target in one["targets"]]
            else:
                runs.append(name)
        return runs

    def files(self, images: str) -> list[str]:
        """Return paths and URLs of the images and their labels; empty for the digits."""
        one = self.images[images]
        return [place for place in (one["images"], one["labels"]) if place and place != DIGITS]

    def downloads(self, mirror: str) -> dict[str, str]:
        """Return path under the resources folder -> URL, for every source that is a URL."""
        places = [place for name in self.images for place in self.files(name)]
        return {download_name(place, mirror): place for place in places if is_url(place)}


def aims(attack: str) -> bool:
    """Return whether the benchmark runs an attack with a class to reach, as the paper does (table 3)."""
    return ATTACKS[attack].targeted and attack not in ("fgsm", "bim")
