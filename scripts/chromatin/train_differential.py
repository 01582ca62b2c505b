from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.chromatin.differential import correlations, pair_dataset, predict_change
from chromattend.files import read_netcdf, write_json, write_table
from chromattend.training.train import train_to_files

with job(snakemake):
    pair = pair_dataset(read_netcdf(snakemake.input.first), read_netcdf(snakemake.input.second))
    (model,) = train_to_files(
        snakemake.wildcards.change_model,
        [pair],
        snakemake.params.options,
        snakemake.params.training | {"threads": snakemake.threads},
        [Path(snakemake.output.model)],
        [Path(snakemake.output.history)],
        accelerator=snakemake.config["settings"]["training"]["accelerator"],
    )
    predictions = predict_change(model, pair)
    write_table(predictions, snakemake.output.predictions)
    write_json(correlations(predictions), snakemake.output.metrics)
