import json

from chromattend.interpret import methods_of

# Models for transfer need not be among the compared models.
TRAINED = sorted({*CONFIG["models"], *CONFIG["transfer"]})
# Groups of epigenomes whose networks train in one job; empty if every job trains one epigenome.
PER_JOB = CONFIG["training"]["epigenomes_per_job"]
TOGETHER = [
    list(STUDY.epigenomes)[first : first + PER_JOB] for first in range(0, len(STUDY.epigenomes), PER_JOB) if PER_JOB > 1
]


# Epigenomes without training are only known to the rules that count and score.
wildcard_constraints:
    epigenome=one_of(STUDY.epigenomes),
    other=one_of(STUDY.epigenomes),
    mark=one_of(STUDY.counted_marks),
    model=one_of(TRAINED),
    change_model=one_of(CONFIG["differential"]["models"]),


def signal_files(wildcards):
    return [local(location) for location in STUDY.signals(wildcards.epigenome, wildcards.mark)]


def binned_files(wildcards):
    return [local(location) for location in STUDY.binned(wildcards.epigenome)]


def dataset_signals(wildcards):
    """Return the count files of an epigenome: one per mark, or a single one for a binned CSV."""
    if STUDY.is_binned(wildcards.epigenome):
        return [f"<results>/{wildcards.epigenome}/signal/binned.nc"]
    return expand("<results>/{epigenome}/signal/{mark}.nc", epigenome=wildcards.epigenome, mark=STUDY.marks)


def validation_signal(wildcards):
    """Return the count file of the validation mark, for epigenomes that have it."""
    mark = CONFIG["validation_mark"]
    if mark and STUDY.has_mark(wildcards.epigenome, mark):
        return [f"<results>/{wildcards.epigenome}/signal/{mark}.nc"]
    return []


def scored_models():
    """Return the models whose scores are compared in every epigenome."""
    return [*CONFIG["models"], *(["pan_epigenome"] if CONFIG["pan_epigenome"] else [])]


def of_models(name):
    """Return an input function for the file of every model of an epigenome."""
    return lambda wildcards: [f"<results>/{wildcards.epigenome}/{model}/{name}" for model in scored_models()]


def histories(wildcards):
    """Return the training history of every model of an epigenome; the pan-epigenome model has one for all of them."""
    return [
        "<results>/pan_epigenome/history.csv" if model == "pan_epigenome" else path
        for model, path in zip(scored_models(), of_models("history.csv")(wildcards))
    ]


def of_all(name):
    """Return the file of every model of every epigenome."""
    return expand(f"<results>/{{epigenome}}/{{model}}/{name}", epigenome=STUDY.epigenomes, model=scored_models())


# Models whose attention maps are written, and networks that are explained.
INTERPRET = CONFIG["interpret"]
ATTENTIVE = [model for model in CONFIG["models"] if REGISTRY[model].attention and INTERPRET["attention"] != "none"]
EXPLAINED = [model for model in INTERPRET["models"] if model in CONFIG["models"]]
ATTENDED = [model for model in EXPLAINED if model in ATTENTIVE]
# Models whose attention an epigenome's page has for each gene: with all models, a page would exceed 15 MB.
BROWSED = [model for model in ATTENTIVE if model in EXPLAINED] or ATTENTIVE[-1:]
# A study without any of the named epigenomes (by default the published study's) uses all of its epigenomes.
NAMED_EPIGENOMES = [epigenome for epigenome in STUDY.epigenomes if epigenome in INTERPRET["named_epigenomes"]] or list(
    STUDY.epigenomes
)
NAMES_GENES = bool(ATTENTIVE and INTERPRET["named_genes"])


def of_explained(name):
    """Return the file of every explained network of every epigenome."""
    return expand(f"<results>/{{epigenome}}/{{model}}/{name}", epigenome=STUDY.epigenomes, model=EXPLAINED)


def explain_options(wildcards):
    """Return all options that the explanation of a network depends on."""
    optimization = INTERPRET["class_optimization"]
    return {
        "methods": methods_of(wildcards.model, INTERPRET["methods"]),
        "genes": INTERPRET["genes"],
        "seed": CONFIG["training"]["seed"],
        "window": INTERPRET["occlusion_window"],
        "penalty": optimization["penalty"],
        "starts": optimization["starts"],
        "optimiser_steps": optimization["steps"],
    }


def checkpoints(wildcards):
    """Return the trained models that score new epigenomes: files, or models of this study."""
    return [
        f"<results>/{name}/model.ckpt" if name in STUDY.own_checkpoints else name
        for name in CONFIG["predict"]["checkpoints"]
    ]


def protocol_of(model):
    """Return the training options and the model's own options: all options that its training depends on."""
    training = {
        key: value
        for key, value in CONFIG["training"].items()
        if key not in ("threads", "gpus", "gpu_model", "accelerator", "epigenomes_per_job")
    }
    return resolve(model, training, CONFIG["model_options"].get(model, {}))


def counting(wildcards):
    """Return the counting options of an epigenome as JSON; empty for a binned CSV, whose options are unknown."""
    if STUDY.is_binned(wildcards.epigenome):
        return ""
    excluded = CONFIG["genome"]["excluded"]
    options = {key: CONFIG[key] for key in ("reads", "bigwig")} | ({"excluded": excluded} if excluded else {})
    return json.dumps(options, sort_keys=True)


def redraws(wildcards):
    """Return the number of redraws that predictions have the stability of, or 0 for models that are not tested."""
    tested = wildcards.epigenome in ROBUSTNESS.epigenomes and wildcards.model in ROBUSTNESS.models
    return ROBUSTNESS.config["noise"]["redraws"] if tested else 0


def of_tested(name):
    """Return an input function for a file of every model of an epigenome whose robustness is tested."""

    def files(wildcards):
        if wildcards.epigenome not in ROBUSTNESS.epigenomes:
            return []
        return [f"<results>/robustness/chromatin/{wildcards.epigenome}/{model}/{name}" for model in ROBUSTNESS.models]

    return files
