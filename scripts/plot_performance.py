from chromattend.pipeline.jobs import job

from chromattend.figures import plot_calibration, plot_roc, save
from chromattend.files import read_json, read_table

with job(snakemake):
    models, of_sequences = snakemake.params.models, hasattr(snakemake.wildcards, "set")
    name = snakemake.wildcards.set if of_sequences else snakemake.wildcards.epigenome
    noun, positive = ("sequence", "bound") if of_sequences else ("gene", "ON")
    predictions = {model: read_table(path) for model, path in zip(models, snakemake.input.predictions, strict=True)}
    metrics = {model: read_json(path) for model, path in zip(models, snakemake.input.metrics, strict=True)}
    calibration = read_table(snakemake.input.calibration)
    save(plot_roc(predictions, metrics, name, noun), snakemake.output.roc)
    save(plot_calibration(calibration, metrics, name, noun, positive), snakemake.output.calibration)
