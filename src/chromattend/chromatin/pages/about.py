"""Description of the study, for the start page of its report."""

import re
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from chromattend import __version__
from chromattend.chromatin.study import Study
from chromattend.interpret import METHODS
from chromattend.models.registry import REGISTRY


def about(study: Study) -> dict[str, Any]:
    """Describe a study for the start page of its report.

    Args:
        study: the checked study.

    Returns:
        Numbers, and texts for reStructuredText: epigenomes, marks, validation_mark, models (their titles), genome,
        window, bin size, split, labels, genes, protocol, replicates, origins of the files, a paragraph of methods,
        versions of the programs.
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
        "methods": methods(study),
        "versions": {
            "chromattend": __version__,
            **{name: _version(name) for name in ("torch", "pytorch-lightning", "scikit-learn", "snakemake")},
        },
    }
    return {name: _escaped(value) for name, value in values.items()}


def methods(study: Study) -> str:
    """Return a paragraph of methods with citations, as a paper has it: what the configuration of the study says.

    Args:
        study: the checked study of at least one epigenome.
    """
    if not study.epigenomes:
        return ""
    config = study.config
    bins, split, training = config["bins"], config["split"], config["training"]
    binned = [name for name in study.epigenomes if study.is_binned(name)]
    counted = (
        "Binned counts were taken from the files that the authors of DeepChrome published, "
        if len(binned) == len(study.epigenomes)
        else "Signal of histone marks was counted "
    )
    unit = config["sources"]["expression_unit"]
    value = f"its expression ({unit})" if unit else "its expression"
    label = (
        "with the labels of those files"
        if config["labels"] == "published"
        else f"and labelled ON if {value} was above the sample's median, else OFF"
    )
    in_shares = "in shares of {} for training, validation and test"
    parts = {
        "sequential": f"in the order of their ids, as by Singh et al. (2016), {in_shares}",
        "random": f"at random, {in_shares}",
        "chromosome": "by chromosome, with {} for validation, {} for test and the others for training",
    }[split["mode"]]
    shares = ":".join(f"{share:g}" for share in split["fractions"])
    places = [", ".join(split[key]) for key in ("valid_chromosomes", "test_chromosomes")]
    divided = parts.format(*(places if split["mode"] == "chromosome" else [shares]))
    trained = [REGISTRY[model].title for model in config["models"]]
    replicates = f"{training['seeds']} replicate{'' if training['seeds'] == 1 else 's'}"
    said = [
        f"{counted}in bins of {bins['size']} bp from {bins['upstream']:,} bp upstream to {bins['downstream']:,} bp "
        f"downstream of each TSS ({listed_all(study.marks)}; genome {config['genome']['name']}) for "
        f"{len(study.epigenomes)} sample{'' if len(study.epigenomes) == 1 else 's'}.",
        f"Genes were divided {divided}, {label}.",
        f"{listed_all(trained)} {_were(trained)} trained on each sample with the {training['protocol']} protocol of "
        f"chromattend {__version__} (seed {training['seed']}, {replicates}).",
        "AUCs of the test genes have 95 % intervals by DeLong et al. (1988); models were compared by their paired "
        "test, with false discovery rates by Benjamini and Hochberg (1995).",
    ]
    explained = [REGISTRY[model] for model in config["interpret"]["models"] if model in config["models"]]
    if explained:
        methods_used = [METHODS[name] for name in config["interpret"]["methods"]]
        used = [method.title for method in methods_used if any(method.fits(spec) for spec in explained)]
        titles = [spec.title for spec in explained]
        number = config["interpret"]["genes"]
        genes = f"at most {number} test genes" if number else "all test genes"
        said.append(f"{listed_all(titles)} {_were(titles)} explained on {genes} with {listed_all(used)}.")
    if config["pan_epigenome"]:
        said.append("One more model was trained on all samples together.")
    said.append(
        "The workflow ran with Snakemake (Mölder et al., 2021), PyTorch (Paszke et al., 2019) and scikit-learn "
        "(Pedregosa et al., 2011)."
    )
    cited = [text for names, text in _CITED.items() if set(names.split()) & set(config["models"])]
    return " ".join([*said, "References of the models:", "; ".join(cited) + "."]) if cited else " ".join(said)


def _were(names: list[str]) -> str:
    return "was" if len(names) == 1 else "were"


def listed_all(names: list[str]) -> str:
    """Join names as a sentence does: `A, B and C`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


# Models -> their paper.
_CITED = {
    "mlp deepchrome svc_best_bin random_forest_best_bins": "Singh et al., Bioinformatics 32, i639 (2016)",
    "lstm lstm_attn lstm_alpha attentivechrome cnn_attn cnn_alpha_beta": "Singh et al., NIPS 30 (2017)",
}


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
