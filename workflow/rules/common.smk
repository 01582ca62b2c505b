import os
import re
import shlex
import signal
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod

# The library is used from the checkout, by the rules here and by every script, also in a conda environment. Another
# workflow's Snakefile may include this file, so the checkout is found by this file's own path.
CHECKOUT = Path(os.path.abspath(workflow.current_basedir.get_path_or_uri(secret_free=True))).parents[1]
if not (CHECKOUT / "src").is_dir():
    sys.exit(
        f"Error: {CHECKOUT}: is not a checkout of chromattend, whose library the rules need; clone the repository "
        "and give the path of its workflow/Snakefile"
    )
sys.path.insert(0, str(CHECKOUT / "src"))
# The report's job calls Snakemake, which is not in the job's conda environment.
os.environ.update(CHROMATTEND_PYTHON=sys.executable)
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(CHECKOUT / "src"), os.environ.get("PYTHONPATH")])))

from chromattend import STAGE_VERSIONS
from chromattend.chromatin.pages.about import about
from chromattend.chromatin.configuration import shared_files
from chromattend.chromatin.preview import is_quick
from chromattend.errors import UserError, printed
from chromattend.models.registry import REGISTRY
from chromattend.pipeline.outcome import on_error, on_success
from chromattend.pipeline.records import configuration_sha256
from chromattend.studies import load_studies
from chromattend.training.protocols import resolve

# The user's files are the first of these, and the last of them wins; then come those that a Snakefile names.
FILES = [os.path.relpath(path) for path in workflow.configfiles]
GIVEN = len(workflow.overwrite_configfiles)
if not config:
    sys.exit(
        "Error: there is no configuration: give one with --configfile, or run in a folder with config/config.yaml; "
        "`chromattend init` writes one for your samples"
    )
try:
    STUDIES = load_studies(
        config,
        [*reversed(FILES[:GIVEN]), *FILES[GIVEN:]],
        CHECKOUT / "workflow" / "schemas",
        Path.cwd(),
        workflow.config_settings.config,
        # Jobs read this file again.
        genes=is_quick if workflow.is_main_process else lambda study: False,
    )
except UserError as error:
    # One line for each, without the traceback that Snakemake would add to an exception.
    sys.exit(printed(error))
STUDY, SEQUENCES, GRAPHS, ROBUSTNESS = STUDIES.chromatin, STUDIES.sequences, STUDIES.graphs, STUDIES.robustness
DOWNLOADS = STUDIES.downloads
# As by --rerun-incomplete: what an ended job left is made again, so that the same command always goes on.
if workflow.dag_settings:
    workflow.dag_settings.force_incomplete = True
# Whether the user has ended the run.
INTERRUPTED = []


def interrupt(signal_number, frame):
    """Let Snakemake end its jobs; a second signal would end it with a traceback, and with jobs that go on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    INTERRUPTED.append(signal_number)
    raise KeyboardInterrupt


if workflow.is_main_process and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, interrupt)
# Jobs read this file again, and would repeat the warnings.
if workflow.is_main_process:
    for warning in shared_files(STUDY):
        print(f"Warning: {warning}", file=sys.stderr)
    for line in GRAPHS.forecast if GRAPHS else []:
        print(line, file=sys.stderr)
CONFIG = STUDY.config
if SEQUENCES:
    CONFIG["sequence"] = SEQUENCES.config
if GRAPHS:
    CONFIG["graphs"] = GRAPHS.config
if ROBUSTNESS:
    CONFIG["robustness"] = ROBUSTNESS.config
CHECKSUMS = {**STUDY.checksums, **(ROBUSTNESS.checksums if ROBUSTNESS else {})}
# The configuration with all defaults, for scripts that read keys that are not params of their rule.
config["settings"] = CONFIG
# The epigenomes whose expression is checked before anything is counted. As a param, a new one would count all again.
config["expressed"] = list(STUDY.epigenomes)
# The start page of the report can only read the configuration.
config["about"] = about(STUDY)
# Settings with which scripts record their outputs.
config["records"] = {
    "roots": [CONFIG["pathvars"][name] for name in ("results", "resources")],
    "checkout": str(CHECKOUT),
    "configuration": configuration_sha256(CONFIG),
}
GPUS = CONFIG["training"]["gpus"] or (SEQUENCES and SEQUENCES.config["training"]["gpus"])
ENVIRONMENT = str(CHECKOUT / "envs" / ("gpu.yaml" if GPUS else "cpu.yaml"))
# The image in which `--sdm apptainer` runs jobs. It is not published: each site builds its own.
IMAGE = None
if DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method:
    IMAGE = f"{CHECKOUT}/envs/chromattend.sif"
    if not os.path.isfile(IMAGE):
        sys.exit(
            f"Error: {IMAGE}: does not exist; build it in {CHECKOUT}: apptainer build {IMAGE} envs/chromattend.def"
        )
    if len(IMAGE.split()) > 1:
        sys.exit(
            f"Error: {IMAGE}: Snakemake cannot use an image whose path has a space; rename the folder of the checkout"
        )
# Priorities: long jobs start early, and their inputs before them; otherwise a run would end with one busy core.
INPUTS_FIRST, LONG_FIRST = 2, 1
# Contents of Snakemake's report of the study; every track adds its own.
REPORTED = []
# All results of the study of epigenomes, if there is one.
CHROMATIN = []


def one_of(names):
    """Return the pattern of a wildcard with one of these values."""
    return "|".join(map(re.escape, names)) or "(?!)"  # matches nothing


def local(location):
    """Return the path of a source: a local file itself, or the download of a URL."""
    return STUDY.local_path(location, "<resources>")


def url_of(wildcards):
    """Return the URL of a download by its path under the resources."""
    path = f"{wildcards.origin}/{wildcards.path}"
    if path not in DOWNLOADS:
        raise WorkflowError(f"{path}: is not a source of this study; check the configuration and the sample sheet")
    return DOWNLOADS[path]


def command_for(target):
    """Return the command that makes a target again with the configuration of this run."""
    files = [shlex.quote(path) for path in FILES] if GIVEN else []
    return " ".join(
        ["snakemake", "--cores all", *(["--configfile", *files, "--"] if files else []), shlex.quote(target)]
    )


def in_small_report(path, **options):
    """Put a figure of one epigenome and model into the report if the study has few epigenomes.

    With many epigenomes, these figures would make the report too large for a browser; they are always on the
    epigenomes' pages.
    """
    return report(path, **options) if len(STUDY.epigenomes) <= 10 else path


def growing(amount):
    """Return memory (MB) or run time (min) that grows with each try, for jobs that ran out of it.

    Rules only give amounts that differ from the `default-resources` of the profiles.
    """
    return lambda wildcards, attempt: amount * attempt


def gpus(wildcards):
    """Return the number of GPUs of a training job: only networks use them."""
    model = wildcards.get("model") or wildcards.get("change_model") or "pan_epigenome"
    return CONFIG["training"]["gpus"] if REGISTRY[model].kind == "network" else 0


def gpu_model(wildcards):
    """Return the GPU model to request from the cluster; empty for any."""
    return CONFIG["training"]["gpu_model"] or "" if gpus(wildcards) else ""
