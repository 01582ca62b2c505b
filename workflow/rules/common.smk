import json
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The library is used from the checkout, by the rules here and by every script, also in a conda environment.
SOURCE = str(Path(workflow.basedir) / "src")
sys.path.insert(0, SOURCE)
# The report's job calls Snakemake, which a conda environment of that job would not have.
os.environ.update(CHROMATTEND_PYTHON=sys.executable)
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")])))

from chromattend import STAGE_VERSIONS
from chromattend.chromatin.pages.about import about
from chromattend.errors import UserError
from chromattend.interpret import methods_of
from chromattend.models.registry import REGISTRY
from chromattend.chromatin.study import load_study
from chromattend.training.protocols import resolve
from chromattend.pipeline.records import configuration_sha256

try:
    STUDY = load_study(
        config,
        Path(workflow.basedir) / "workflow" / "schemas",
        Path.cwd(),
        # Files of the command line come before that of the Snakefile: the first is the user's.
        os.path.relpath(workflow.configfiles[0]) if workflow.configfiles else "config",
    )
    DOWNLOADS = STUDY.downloads
except UserError as error:
    # One line, without the traceback that Snakemake would add to an exception.
    sys.exit(f"Error: {error}")
CONFIG = STUDY.config
# The start page of the report sees the configuration and nothing else.
config["about"] = about(STUDY)
# What scripts need to record their outputs.
config["records"] = {
    "roots": [CONFIG["pathvars"][name] for name in ("results", "resources")],
    "checkout": str(workflow.basedir),
    "configuration": configuration_sha256(CONFIG),
}
ENVIRONMENT = "../../envs/cpu.yaml" if CONFIG["training"]["gpus"] == 0 else "../../envs/gpu.yaml"
# Priorities: what takes long begins early, and before it what it waits for. Few cores would else end with one at work.
INPUTS_FIRST, LONG_FIRST = 2, 1


def one_of(names):
    """Pattern of a wildcard that has one of these values."""
    return "|".join(map(re.escape, names)) or "(?!)"  # which matches nothing


# Models of transfer need not be among those that are compared.
TRAINED = sorted({*CONFIG["models"], *CONFIG["transfer"]})
# Epigenomes whose networks train in one job, where those of more than one do.
PER_JOB = CONFIG["training"]["epigenomes_per_job"]
TOGETHER = [
    list(STUDY.epigenomes)[first : first + PER_JOB] for first in range(0, len(STUDY.epigenomes), PER_JOB) if PER_JOB > 1
]


# Only the rules that count and score know the epigenomes that no model is trained on.
wildcard_constraints:
    epigenome=one_of(STUDY.epigenomes),
    other=one_of(STUDY.epigenomes),
    mark=one_of(STUDY.counted_marks),
    model=one_of(TRAINED),
    change_model=one_of(CONFIG["differential"]["models"]),


def local(location):
    """Path of a source: local files as they stand, URLs as the download rule brings them."""
    return STUDY.local_path(location, "<resources>")


def url_of(wildcards):
    path = f"{wildcards.origin}/{wildcards.path}"
    if path not in DOWNLOADS:
        raise WorkflowError(f"{path}: no source of this study; check the configuration and the sample sheet")
    return DOWNLOADS[path]


def signal_file(wildcards):
    return local(STUDY.signal(wildcards.epigenome, wildcards.mark))


def binned_files(wildcards):
    return [local(location) for location in STUDY.binned(wildcards.epigenome)]


def dataset_signals(wildcards):
    """The files that hold the counts of an epigenome: one per mark, or one for all of a binned CSV."""
    if STUDY.is_binned(wildcards.epigenome):
        return [f"<results>/{wildcards.epigenome}/signal/binned.nc"]
    return expand("<results>/{epigenome}/signal/{mark}.nc", epigenome=wildcards.epigenome, mark=STUDY.marks)


def validation_signal(wildcards):
    """The counts of the validation mark, for the epigenomes that have it."""
    mark = CONFIG["validation_mark"]
    if mark and STUDY.has_mark(wildcards.epigenome, mark):
        return [f"<results>/{wildcards.epigenome}/signal/{mark}.nc"]
    return []


def scored_models():
    """The models whose scores of every epigenome are compared."""
    return [*CONFIG["models"], *(["pan_epigenome"] if CONFIG["pan_epigenome"] else [])]


def of_models(name):
    """Input function: a file of every model of an epigenome."""
    return lambda wildcards: [f"<results>/{wildcards.epigenome}/{model}/{name}" for model in scored_models()]


def of_all(name):
    """A file of every model of every epigenome."""
    return expand(f"<results>/{{epigenome}}/{{model}}/{name}", epigenome=STUDY.epigenomes, model=scored_models())


# Attentive models whose attention is written, and networks that are explained.
INTERPRET = CONFIG["interpret"]
ATTENTIVE = [model for model in CONFIG["models"] if REGISTRY[model].attention and INTERPRET["attention"] != "none"]
EXPLAINED = [model for model in INTERPRET["models"] if model in CONFIG["models"]]
# Attention that the page of an epigenome holds gene by gene: with that of every model it would grow above 15 MB.
BROWSED = [model for model in ATTENTIVE if model in EXPLAINED] or ATTENTIVE[-1:]
# Those of the published study mean nothing to a study that has none of them: then it is all.
NAMED_EPIGENOMES = [epigenome for epigenome in STUDY.epigenomes if epigenome in INTERPRET["named_epigenomes"]] or list(
    STUDY.epigenomes
)
NAMES_GENES = bool(ATTENTIVE and INTERPRET["named_genes"])


def of_explained(name):
    """A file of every explained network of every epigenome."""
    return expand(f"<results>/{{epigenome}}/{{model}}/{name}", epigenome=STUDY.epigenomes, model=EXPLAINED)


def in_small_report(path, **options):
    """Put a figure of one epigenome and model into the report of a study of few epigenomes.

    Of many they would make the report too large for a browser; the epigenomes' pages have them in any case.
    """
    return report(path, **options) if len(STUDY.epigenomes) <= 10 else path


def explain_options(wildcards):
    """How a network is explained: all of the configuration that it depends on."""
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
    """The trained models that score new epigenomes: files, or models of this study."""
    return [
        f"<results>/{name}/model.ckpt" if name in STUDY.own_checkpoints else name
        for name in CONFIG["predict"]["checkpoints"]
    ]


def command_for(target):
    """The command that makes a target again with the configuration of this run."""
    given = [os.path.relpath(path) for path in workflow.configfiles]
    files = [shlex.quote(path) for path in given if path != "config/config.yaml"]
    return " ".join(
        ["snakemake", "--cores all", *(["--configfile", *files, "--"] if files else []), shlex.quote(target)]
    )


def growing(amount):
    """Memory (MB) or run time (min) that grows from try to try: what ran short gets more the next time."""
    return lambda wildcards, attempt: amount * attempt


def gpus(wildcards):
    """GPUs of a training job: only networks use them."""
    model = wildcards.get("model") or wildcards.get("change_model") or "pan_epigenome"
    return CONFIG["training"]["gpus"] if REGISTRY[model].kind == "network" else 0


def gpu_model(wildcards):
    """The GPU's model that the cluster is asked for; empty takes any."""
    return CONFIG["training"]["gpu_model"] or "" if gpus(wildcards) else ""


def protocol_of(model):
    """How a model is trained, and the model's own options: all of the configuration that its training depends on."""
    training = {
        key: value
        for key, value in CONFIG["training"].items()
        if key not in ("threads", "gpus", "gpu_model", "accelerator", "epigenomes_per_job")
    }
    return resolve(model, training, CONFIG["model_options"].get(model, {}))


def counting(wildcards):
    """How the counts of an epigenome were made, as JSON; empty of a binned CSV, of which that is not known."""
    if STUDY.is_binned(wildcards.epigenome):
        return ""
    return json.dumps({key: CONFIG[key] for key in ("reads", "bigwig")}, sort_keys=True)
