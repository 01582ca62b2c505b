# Epigenomes and models, sets of sequences and their networks, and sets of images; all are empty while the section is off.
ROBUST_EPIGENOMES = ROBUSTNESS.epigenomes if ROBUSTNESS else []
ROBUST_MODELS = ROBUSTNESS.models if ROBUSTNESS else []
ROBUST_SETS = ROBUSTNESS.sequence_sets if ROBUSTNESS else []
ROBUST_SEQUENCE_MODELS = ROBUSTNESS.sequence_models if ROBUSTNESS else []
IMAGE_SETS = ROBUSTNESS.images if ROBUSTNESS else {}
IMAGE_RUNS = {name: ROBUSTNESS.runs(name) for name in IMAGE_SETS}
ROBUST = ROBUSTNESS.config if ROBUSTNESS else {}
ROBUST_FILES = ["noise.tsv", "stability.tsv", "certificate.tsv", "worst_case.tsv", "edits.tsv", "factors.tsv"]
ROBUST_FILES += ["explanation.tsv", "detection.tsv", "edited.nc"]
IMAGE_FILES = ["model.pt", "history.csv", "metrics.json", "attacks.tsv", "detection.tsv", "roc.tsv", "adaptive.tsv"]


wildcard_constraints:
    image_set=one_of(IMAGE_SETS),
    image_run=one_of(dict.fromkeys(run for runs in IMAGE_RUNS.values() for run in runs)),


def of_robust_models(name):
    """Return the pattern of a file of every tested model of an epigenome."""
    return expand(f"<results>/robustness/chromatin/{{{{epigenome}}}}/{{model}}/{name}", model=ROBUST_MODELS)


def of_robust(name):
    """Return a file of every tested model of every epigenome."""
    return expand(
        f"<results>/robustness/chromatin/{{epigenome}}/{{model}}/{name}",
        epigenome=ROBUST_EPIGENOMES,
        model=ROBUST_MODELS,
    )


def of_robust_sequences(name):
    """Return a file of every tested network of every set of sequences."""
    return expand(
        f"<results>/robustness/sequence/{{set}}/{{sequence_model}}/{name}",
        set=ROBUST_SETS,
        sequence_model=ROBUST_SEQUENCE_MODELS,
    )


def of_images(name):
    """Return a file of every set of images."""
    return [f"<results>/robustness/images/{one}/{name}" for one in IMAGE_SETS]


def of_runs(name):
    """Return an input function for a file of every attack on a set of images."""
    return lambda wildcards: [
        f"<results>/robustness/images/{wildcards.image_set}/{run}/{name}" for run in IMAGE_RUNS[wildcards.image_set]
    ]


def of_few_robust(path, **options):
    """Put a page of one model into the report if the study has few, as `in_small_report` for epigenomes."""
    return report(path, **options) if len(ROBUST_EPIGENOMES) * len(ROBUST_MODELS) <= 10 else path


def image_files(wildcards):
    """Return the files of a set of images and its labels: local paths, or downloads."""
    return [local(place) for place in ROBUSTNESS.files(wildcards.image_set)]


def edits_of(model):
    """Return the options of the worst case that a model needs: those of explanations only if it has attention."""
    options = dict(ROBUST["worst_case"])
    if not REGISTRY[model].attention:
        del options["explanation"]
    return options
