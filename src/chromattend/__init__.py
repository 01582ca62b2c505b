"""Gene expression from histone marks around the TSS: data, models, evaluation and reports.

The library under the chromattend Snakemake pipeline. It never imports Snakemake.
"""

__version__ = "0.1.0"

# Snakemake reruns a job when its script or its params change, but not when an imported module does.
# Each rule therefore carries its stage's number as a param: raise it when that stage's results change.
STAGE_VERSIONS = {
    "sources": 1,
    "genes": 1,
    "signal": 2,
    "dataset": 2,
    "train": 2,
    "evaluate": 2,
    "interpret": 1,
    "report": 3,
    "predict": 1,
}
