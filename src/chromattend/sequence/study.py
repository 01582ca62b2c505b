"""The study of the sequence track: its checked section of the configuration and its sheet."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chromattend.models.registry import REGISTRY
from chromattend.sequence.sheet import SequenceSet

# The models that count k-mers, and the letters of a k-mer where the configuration says null: each alphabet has some
# thousand of these.
FLOORS = ("kmer_logistic", "gapped_kmer_logistic")
KMER = {"dna": 6, "rna": 6, "protein": 3, "text": 2}
# Letters of a gapped k-mer's window beyond the k that are compared, where the configuration says null.
GAP = 2


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
        """Return the options of a model on a set, with the defaults of its alphabet.

        Only DNA has a second strand, and reads both by default. k-mers are the shorter, the more letters there are.
        """
        options, alphabet = dict(self.config["model_options"][model]), self.sets[name].alphabet
        if "strands" in options and alphabet != "dna":
            options["strands"] = "one"
        if model in FLOORS:
            if options["k"] is None:
                options["k"] = KMER[alphabet]
            if options.get("window", 0) is None:
                options["window"] = options["k"] + GAP
        return options
