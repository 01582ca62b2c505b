"""Interpretable deep learning of gene regulation: data, models, explanations and reports.

The library behind the chromattend Snakemake pipeline. It never imports Snakemake.
"""

__version__ = "0.1.0"

# Snakemake reruns a job when its script or its params change, but not when an imported module does.
# Each rule therefore has its stage's version as a param: raise the number when that stage's results change.
# The version includes the stage's name, so that an output's record shows whether it is up to date with this program.
STAGE_VERSIONS = {
    "sources": "sources 1",
    "genes": "genes 2",
    "signal": "signal 4",
    "dataset": "dataset 3",
    "train": "train 5",
    "evaluate": "evaluate 5",
    "interpret": "interpret 4",
    "report": "report 10",
    "predict": "predict 1",
    "sequence_dataset": "sequence_dataset 1",
    "sequence_explain": "sequence_explain 1",
    "graph_samples": "graph_samples 1",
    "graphs": "graphs 1",
    "robustness": "robustness 1",
    "robustness_images": "robustness_images 1",
}
