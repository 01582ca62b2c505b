"""Genomes that a configuration can name: what a study takes from them if it does not say otherwise."""

import os
from pathlib import Path
from typing import Any

from chromattend.errors import UserError, did_you_mean, listed
from chromattend.pipeline.config import Place, read_yaml

# Chromosomes of the split that a genome gives.
# Stands for the genome's own list of excluded regions.
KNOWN = "known"
CHROMOSOMES = ("valid_chromosomes", "test_chromosomes")


def read_genomes(resources: Path) -> dict[str, dict[str, Any]]:
    """Read the known genomes from a checkout's folder `resources`, see its `genomes.yaml`."""
    genomes: dict[str, dict[str, Any]] = read_yaml(resources / "genomes.yaml")
    return genomes


def fill_genome(config: dict[str, Any], resources: Path, workdir: Path, at: Place) -> None:
    """Fill in what a configuration leaves to its genome: chromosome sizes, annotation, chromosomes of the split.

    Args:
        config: the configuration with the schema's defaults, which is changed.
        resources: folder of the checkout with `genomes.yaml` and the chromosome sizes.
        workdir: folder that relative paths are resolved against.
        at: names a key and what gives it.

    Raises:
        UserError: the genome is not known, and the configuration lacks what only a known one gives.
    """
    genome, sources, split = config["genome"], config["sources"], config["split"]
    known = read_genomes(resources)
    if genome["name"] is None:
        raise UserError(
            f"{at('genome.name')}: is not given; name the genome of the reads, {listed(known)}, or any other together "
            "with genome.chrom_sizes and sources.annotation"
        )
    preset = known.get(genome["name"], {})
    missing = [
        *(["genome.chrom_sizes"] if genome["chrom_sizes"] is None else []),
        *(["sources.annotation"] if sources["annotation"] is None else []),
        *(f"split.{key}" for key in CHROMOSOMES if split["mode"] == "chromosome" and split[key] is None),
    ]
    if missing and not preset:
        raise UserError(
            f"{at('genome.name')}: {genome['name']!r} is not a known genome{did_you_mean(genome['name'], known)}; name "
            f"{listed(known)}, or give {listed(missing)}"
        )
    if genome["chrom_sizes"] is None:
        path = resources / preset["chrom_sizes"]
        # Within the working directory, records and logs name the file as a user would.
        inside = path.is_relative_to(workdir)
        genome["chrom_sizes"] = os.path.relpath(path, workdir) if inside else str(path)
    if genome["excluded"] == KNOWN:
        if not preset:
            raise UserError(f"{at('genome.excluded')}: {KNOWN!r} is for {listed(known)}; give the BED file of regions")
        genome["excluded"] = preset["excluded"]
    if sources["annotation"] is None:
        sources["annotation"] = preset["annotation"]
    for key in CHROMOSOMES:
        if split[key] is None:
            split[key] = preset[key] if split["mode"] == "chromosome" else []
