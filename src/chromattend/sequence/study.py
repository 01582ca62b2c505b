"""The study of the sequence track: its checked section of the configuration and its sheet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend.models.registry import REGISTRY
from chromattend.sequence.sheet import SequenceSet


@dataclass(frozen=True)
class SequenceStudy:
    """A checked section `sequence` of the configuration, and its sets.

    Attributes:
        config: the section, with the schema's defaults filled in.
        sets: sets of sequences to run, by name, in the order of the sheet.
        workdir: folder that relative paths are resolved against.
    """

    config: dict[str, Any]
    sets: dict[str, SequenceSet]
    workdir: Path

    @property
    def models(self) -> list[str]:
        """The models that are trained on every set."""
        return list(self.config["models"])

    @property
    def networks(self) -> list[str]:
        """The networks among them."""
        return [model for model in self.models if REGISTRY[model].kind == "network"]

    @property
    def explained(self) -> list[str]:
        """The networks that are explained: those of `explain.models` that are trained."""
        return [model for model in self.models if model in self.config["explain"]["models"]]

    def model_options(self, name: str, model: str) -> dict[str, Any]:
        """Return the options of a model on a set: RNA and proteins have one strand, where DNA's default is both."""
        options = dict(self.config["model_options"][model])
        if "strands" in options and self.sets[name].alphabet != "dna":
            options["strands"] = "one"
        return options
