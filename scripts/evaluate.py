from chromattend.pipeline.jobs import job

from chromattend.evaluate import metrics, predict
from chromattend.files import read_netcdf, write_json, write_table
from chromattend.models import load_model

with job(snakemake):
    model = load_model(snakemake.input.model)
    predictions = predict(model, read_netcdf(snakemake.input.dataset))
    write_table(predictions, snakemake.output.predictions)
    write_json(metrics(predictions, model.kept_epochs), snakemake.output.metrics)
