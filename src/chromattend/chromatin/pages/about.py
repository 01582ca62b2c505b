"""Description of the study, for the start page of its report."""

import re
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from chromattend import __version__
from chromattend.chromatin.study import Study
from chromattend.models.registry import REGISTRY


def about(study: Study) -> dict[str, Any]:
    """Describe a study for the start page of its report.

    Args:
        study: the checked study.

    Returns:
        Numbers, and texts for reStructuredText: epigenomes, marks, validation_mark, models (their titles), genome,
        window, bin size, split, labels, genes, protocol, replicates, origins of the files, versions of the programs.
    """
    config = study.config
    bins = config["bins"]
    values = {
        "epigenomes": len(study.epigenomes),
        "marks": study.marks,
        "validation_mark": config["validation_mark"],
        "models": [REGISTRY[model].title for model in config["models"]],
        "genome": config["genome"]["name"],
        "upstream": bins["upstream"],
        "downstream": bins["downstream"],
        "bin": bins["size"],
        "split": config["split"]["mode"],
        "labels": config["labels"],
        "genes": config["genes"]["mode"],
        "protocol": config["training"]["protocol"],
        "seed": config["training"]["seed"],
        "origins": _origins(study),
        "versions": {
            "chromattend": __version__,
            **{name: _version(name) for name in ("torch", "pytorch-lightning", "scikit-learn", "snakemake")},
        },
    }
    return {name: _escaped(value) for name, value in values.items()}


def _origins(study: Study) -> list[str]:
    """Return where the study's files come from: numbers of files by host, and of local files."""
    hosts = Counter(
        parts.hostname if (parts := urlsplit(location)).scheme in ("http", "https", "ftp") else None
        for location in study.locations
    )
    local = hosts.pop(None, 0)
    said = [f"{_files(number)} from {host}" for host, number in sorted(hosts.items())]
    return [*said, *([f"{_files(local, 'local ')}"] if local else [])]


def _files(number: int, kind: str = "") -> str:
    return f"{number:,} {kind}file{'' if number == 1 else 's'}"


def _escaped(value: Any) -> Any:
    """Return a value whose texts reStructuredText, the format of the start page, shows as they are written."""
    if isinstance(value, dict):
        return {name: _escaped(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_escaped(each) for each in value]
    return re.sub(r"([^\w\s.,-]|_)", r"\\\1", " ".join(value.split())) if isinstance(value, str) else value


def _version(package: str) -> str:
    """Return the version of a package, which may be installed only in the conda environments of jobs."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "of the rules' environments"
