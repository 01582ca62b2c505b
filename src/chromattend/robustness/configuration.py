"""Checks of the section `robustness` of a configuration, which report every error before the first job.

Neither NumPy nor pandas is imported: planning a study takes a moment.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from chromattend.errors import UserError, did_you_mean, listed, located
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.config import Place, Section, read_yaml, with_defaults
from chromattend.pipeline.locations import check_file, download_name, is_url, read_checksum_table
from chromattend.robustness.attacks.registry import ATTACKS, checked_options
from chromattend.robustness.images.networks import NETWORKS
from chromattend.robustness.study import DIGITS, Offered, RobustnessStudy

SECTION = "robustness"
# Antibodies that bind another mark, too, of those that are known to do so; share of the reads that are of the other.
CROSS_TALK = (("H3K4me3", "H3K27me3", 0.2), ("H3K4me1", "H3K4me3", 0.2))


def read_schema(schemas: Path) -> dict[str, Any]:
    """Read the schema of the section, with the names of models, attacks and networks from the registries."""
    schema = read_yaml(schemas / "robustness.schema.yaml")
    names = {
        "model": [spec.name for spec in REGISTRY.values() if spec.scope == "epigenome"],
        "sequence_model": [
            spec.name for spec in REGISTRY.values() if spec.scope == "sequence" and spec.kind == "network"
        ],
        "attack": list(ATTACKS),
        "network": list(NETWORKS),
    }
    for name, values in names.items():
        schema["$defs"][name]["enum"] = values
    return schema


def load_robustness(
    config: Mapping[str, Any],
    schemas: Path,
    workdir: Path,
    part: Callable[[str], str] = lambda _: "config",
    offered: Offered | None = None,
) -> RobustnessStudy | None:
    """Check the section `robustness`; every error is one line that names the key, the value and the fix.

    Args:
        config: the merged configuration; the section's missing keys get the schema's defaults.
        schemas: folder with `robustness.schema.yaml`, beside the folder `resources` of the known images.
        workdir: folder that relative paths are resolved against.
        part: names the file, or other part of the configuration, that gives a key such as `robustness.models`.
        offered: what the study has that can be tested; None for nothing.

    Returns:
        The study of robustness, or None if the section names neither models nor images.

    Raises:
        UserError: a key would make a job fail later.
    """
    schema = read_schema(schemas)
    taken = Section.of(config, SECTION, schema, part)
    section, at = taken.values, taken.at
    if isinstance(section, dict) and isinstance(section.get("images"), dict):
        of_images = schema["$defs"]["images"]
        section["images"] = {
            # A name without options, as in `digits:`, has the defaults of all of them.
            name: with_defaults({} if one is None else one, of_images) if isinstance(one, dict | None) else one
            for name, one in section["images"].items()
        }
    taken.check()
    offered = offered or Offered()
    checksums = read_checksum_table(schemas.parents[1] / "resources" / "image_sources.tsv", "image_sources.tsv")
    study = RobustnessStudy(section, offered, workdir, checksums)
    if section["noise"]["cross_talk"] is None:
        section["noise"]["cross_talk"] = [[*pair] for pair in CROSS_TALK if {*pair[:2]} <= {*offered.marks}]
    if study.models:
        _check_models(study, at)
        _check_noise(study, at)
    if study.sequence_models:
        _check_sequences(study, at)
    for name in study.images:
        _check_images(study, name, at)
    return study if study.models or study.sequence_models or study.images else None


def _check_models(study: RobustnessStudy, at: Place) -> None:
    offered = study.offered
    for model in study.models:
        if model not in offered.models:
            raise UserError(
                f"{at('models')}: {model!r} is not a model of the study{did_you_mean(model, offered.models)}; add it "
                "to 'models', or remove it here"
            )
    for epigenome in study.config["epigenomes"]:
        if epigenome not in offered.epigenomes:
            raise UserError(
                f"{at('epigenomes')}: epigenome {epigenome!r} is not in the study"
                f"{did_you_mean(epigenome, offered.epigenomes)}; add it to the sample sheet or to 'select', or remove "
                "it here"
            )
    without = [name for name in study.epigenomes if not offered.epigenomes[name]]
    if without:
        raise UserError(
            f"{at('epigenomes')}: {listed(without)} has averaged signal (bigWig) instead of reads, and only reads can "
            "be added, removed or lost; name the epigenomes that have reads"
        )


def _check_noise(study: RobustnessStudy, at: Place) -> None:
    noise, offered = study.config["noise"], study.offered
    for distance in noise["shift"]:
        if distance % offered.bin_size or distance >= offered.span:
            raise UserError(
                f"{at('noise.shift')}: {distance} bp is not a number of bins of {offered.bin_size} bp within the "
                f"window of {offered.span} bp; give multiples of the bin size"
            )
    for entry in noise["cross_talk"]:
        mark, other, share = entry
        for name in (mark, other):
            if name not in offered.marks:
                raise UserError(
                    f"{at('noise.cross_talk')}: {name!r} is not a mark of the study"
                    f"{did_you_mean(str(name), offered.marks)}; the marks are {listed(offered.marks)}"
                )
        if mark == other:
            raise UserError(f"{at('noise.cross_talk')}: {mark!r} is given as its own other mark; give two marks")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise UserError(
                f"{at('noise.cross_talk')}: {share!r} is not a share; give a number above 0 and below 1, such as 0.2"
            )


def _check_sequences(study: RobustnessStudy, at: Place) -> None:
    offered = study.offered
    if not offered.sequence_sets:
        raise UserError(
            f"{at('sequences.models')}: the study has no sequences, because 'sequence.sheet' is null; name a sheet, or "
            "empty the list"
        )
    for model in study.sequence_models:
        if model not in offered.sequence_models:
            raise UserError(
                f"{at('sequences.models')}: {model!r} is not a model of the study's sequences"
                f"{did_you_mean(model, offered.sequence_models)}; add it to 'sequence.models', or remove it here"
            )


def _check_images(study: RobustnessStudy, name: str, at: Place) -> None:
    one = study.images[name]

    def here(key: str) -> str:
        return at(f"images.{name}.{key}")

    if one["images"] == DIGITS and one["labels"]:
        raise UserError(f"{here('labels')}: the digits of scikit-learn have labels; remove it")
    for key in ("images", "labels", "weights"):
        place = one[key]
        if not place or place == DIGITS:
            continue
        if is_url(place):
            if key == "weights":
                raise UserError(f"{here(key)}: {place!r} is a URL; download the file and give its path")
            with located(here(key)):
                download_name(place, "")
            if place.startswith("http://"):
                raise UserError(f"{here(key)}: plain http can be altered in transit; give the https URL of {place!r}")
            continue
        if key == "images" and (study.workdir / place).is_dir():
            continue
        with located(here(key)):
            check_file(place, study.workdir)
    holds_labels = one["images"] == DIGITS or one["images"].endswith(".npz") or (study.workdir / one["images"]).is_dir()
    if not holds_labels and not one["labels"]:
        raise UserError(f"{here('labels')}: an IDX file has no labels; give the file of its labels")
    if holds_labels and one["labels"]:
        raise UserError(f"{here('labels')}: {one['images']!r} has labels of its own; remove it")
    if one["weights"] and not NETWORKS[one["network"]].weights:
        readable = [spec.name for spec in NETWORKS.values() if spec.weights]
        raise UserError(
            f"{here('weights')}: weights of the network {one['network']} cannot be read; give null to train it, or "
            f"take one of {', '.join(readable)}"
        )
    shares = one["parts"]
    if min(shares[1:]) == 0 or (shares[0] == 0 and not one["weights"]):
        raise UserError(
            f"{here('parts')}: {shares} leaves a part empty; give shares above 0 of training, detector and test"
        )
    for attack, options in one["options"].items():
        _check_options(str(attack), options, one["attacks"], here("options"))


def _check_options(attack: str, options: Any, chosen: list[str], where: str) -> None:
    if attack not in chosen:
        raise UserError(f"{where}: {attack!r} is not one of the attacks{did_you_mean(attack, chosen)}; remove it")
    if not isinstance(options, dict):
        known = ", ".join(ATTACKS[attack].options)
        raise UserError(f"{where}: {attack} has the value {options!r}; give its options: {known}")
    with located(where):
        checked_options(attack, {str(option): value for option, value in options.items()})
