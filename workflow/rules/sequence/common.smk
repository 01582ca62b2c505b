from chromattend.sequence.views import views_of

# Sets, models, models to explain and kernel machines; all are empty while the configuration names no sheet of sequences.
SETS = SEQUENCES.sets if SEQUENCES else {}
SEQUENCE = CONFIG["sequence"]
SEQUENCE_MODELS = SEQUENCE["models"] if SEQUENCES else []
SEQUENCE_EXPLAINED = SEQUENCES.explained if SEQUENCES else []
SEQUENCE_KERNELS = [model for model in SEQUENCE_MODELS if REGISTRY[model].kernel]


wildcard_constraints:
    set=one_of(SETS),
    sequence_model=one_of(SEQUENCE_MODELS),


def source_of(wildcards):
    """Return what a dataset is made from: all cells of a set's row but its labels on pages, which change no sequence."""
    return {key: value for key, value in vars(SETS[wildcards.set]).items() if key not in ("tf", "group", "colour")}


def sequence_protocol(wildcards):
    """Return the training options and the model's own options, as `protocol_of`."""
    training = {
        key: value
        for key, value in SEQUENCE["training"].items()
        if key not in ("threads", "gpus", "gpu_model", "accelerator")
    }
    model = wildcards.sequence_model
    return resolve(model, training, SEQUENCES.model_options(wildcards.set, model))


def sequence_gpus(wildcards):
    """Return the number of GPUs of a training job: only networks use them."""
    return SEQUENCE["training"]["gpus"] if REGISTRY[wildcards.sequence_model].kind == "network" else 0


def of_few_sets(path, **options):
    """Put a figure of one set into the report if the study has few sets, as `in_small_report` for epigenomes."""
    return report(path, **options) if len(SETS) <= 10 else path


def of_set(name, models=None):
    """Return the pattern of a file of every model of a set, or of the given models."""
    return expand(
        f"<results>/sequence/{{{{set}}}}/{{model}}/{name}", model=SEQUENCE_MODELS if models is None else models
    )


def of_sets(name, models=None):
    """Return a file of every model of every set, or of the given models."""
    return expand(
        f"<results>/sequence/{{set}}/{{model}}/{name}", set=SETS, model=SEQUENCE_MODELS if models is None else models
    )
