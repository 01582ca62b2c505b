from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.figures import plot_calibration, plot_roc, save
from chromattend.files import read_json

with job(snakemake):
    models, epigenome = snakemake.params.models, snakemake.wildcards.epigenome
    predictions = {
        model: pd.read_csv(path, sep="\t") for model, path in zip(models, snakemake.input.predictions, strict=True)
    }
    metrics = {model: read_json(path) for model, path in zip(models, snakemake.input.metrics, strict=True)}
    calibration = pd.read_csv(snakemake.input.calibration, sep="\t")
    save(plot_roc(predictions, metrics, epigenome), snakemake.output.roc)
    save(plot_calibration(calibration, metrics, epigenome), snakemake.output.calibration)
