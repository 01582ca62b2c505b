from chromattend.pipeline.jobs import job

from chromattend.evaluate import metrics, predict
from chromattend.files import read_netcdf, write_json, write_table
from chromattend.models import load_model

with job(snakemake):
    model, dataset = load_model(snakemake.input.model), read_netcdf(snakemake.input.dataset)
    predictions = predict(model, dataset)
    redraws = snakemake.params.get("redraws", 0)
    if redraws:
        # Imports torch, which scoring a baseline does not need.
        from chromattend.robustness.stability import with_stability

        predictions = with_stability(predictions, model, dataset, redraws)
    write_table(predictions, snakemake.output.predictions)
    write_json(metrics(predictions, model.kept_epochs), snakemake.output.metrics)
