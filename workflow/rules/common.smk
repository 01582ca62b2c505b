import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

# The library is used from the checkout, by the rules here and by every script, also in a conda environment. This file
# may be included by the Snakefile of another workflow, so that its own place tells where the checkout is.
CHECKOUT = Path(os.path.abspath(workflow.current_basedir.get_path_or_uri(secret_free=True))).parents[1]
sys.path.insert(0, str(CHECKOUT / "src"))
# The report's job calls Snakemake, which a conda environment of that job would not have.
os.environ.update(CHROMATTEND_PYTHON=sys.executable)
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(CHECKOUT / "src"), os.environ.get("PYTHONPATH")])))

from chromattend import STAGE_VERSIONS
from chromattend.chromatin.pages.about import about
from chromattend.chromatin.study import load_study
from chromattend.errors import UserError
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.records import configuration_sha256

try:
    STUDY = load_study(
        config,
        CHECKOUT / "workflow" / "schemas",
        Path.cwd(),
        # Files of the command line come before that of the Snakefile: the first is the user's.
        os.path.relpath(workflow.configfiles[0]) if workflow.configfiles else "config",
    )
    DOWNLOADS = STUDY.downloads
except UserError as error:
    # One line, without the traceback that Snakemake would add to an exception.
    sys.exit(f"Error: {error}")
CONFIG = STUDY.config
# The configuration with all its defaults, for scripts that read what is not a param of their rule.
config["settings"] = CONFIG
# The start page of the report sees the configuration and nothing else.
config["about"] = about(STUDY)
# What scripts need to record their outputs.
config["records"] = {
    "roots": [CONFIG["pathvars"][name] for name in ("results", "resources")],
    "checkout": str(CHECKOUT),
    "configuration": configuration_sha256(CONFIG),
}
ENVIRONMENT = str(CHECKOUT / "envs" / ("gpu.yaml" if CONFIG["training"]["gpus"] else "cpu.yaml"))
# The image that `--sdm apptainer` runs jobs in; nobody publishes it, each site builds its own.
IMAGE = CHECKOUT / "envs" / "chromattend.sif"
if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method and not IMAGE.is_file():
    sys.exit(f"Error: {IMAGE}: does not exist; build it in {CHECKOUT}: apptainer build {IMAGE} envs/chromattend.def")
# Priorities: what takes long begins early, and before it what it waits for. Few cores would else end with one at work.
INPUTS_FIRST, LONG_FIRST = 2, 1
# What Snakemake's report of the study holds; every track adds its own.
REPORTED = []


def one_of(names):
    """Pattern of a wildcard that has one of these values."""
    return "|".join(map(re.escape, names)) or "(?!)"  # which matches nothing


def local(location):
    """Path of a source: local files as they stand, URLs as the download rule brings them."""
    return STUDY.local_path(location, "<resources>")


def url_of(wildcards):
    path = f"{wildcards.origin}/{wildcards.path}"
    if path not in DOWNLOADS:
        raise WorkflowError(f"{path}: no source of this study; check the configuration and the sample sheet")
    return DOWNLOADS[path]


def command_for(target):
    """The command that makes a target again with the configuration of this run."""
    given = [os.path.relpath(path) for path in workflow.configfiles]
    files = [shlex.quote(path) for path in given if path != "config/config.yaml"]
    return " ".join(
        ["snakemake", "--cores all", *(["--configfile", *files, "--"] if files else []), shlex.quote(target)]
    )


def in_small_report(path, **options):
    """Put a figure of one epigenome and model into the report of a study of few epigenomes.

    Of many they would make the report too large for a browser; the epigenomes' pages have them in any case.
    """
    return report(path, **options) if len(STUDY.epigenomes) <= 10 else path


def growing(amount):
    """Memory (MB) or run time (min) that grows from try to try: what ran short gets more the next time.

    Rules give what departs from the `default-resources` of the profiles.
    """
    return lambda wildcards, attempt: amount * attempt


def gpus(wildcards):
    """GPUs of a training job: only networks use them."""
    model = wildcards.get("model") or wildcards.get("change_model") or "pan_epigenome"
    return CONFIG["training"]["gpus"] if REGISTRY[model].kind == "network" else 0


def gpu_model(wildcards):
    """The GPU's model that the cluster is asked for; empty takes any."""
    return CONFIG["training"]["gpu_model"] or "" if gpus(wildcards) else ""
