from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf
from chromattend.training.train import train_to_files

with job(snakemake):
    settings = snakemake.config["settings"]
    if hasattr(snakemake.wildcards, "set"):
        settings = settings["sequence"]
    train_to_files(
        snakemake.wildcards.get("model") or snakemake.wildcards.sequence_model,
        [read_netcdf(path) for path in snakemake.input],
        snakemake.params.options,
        snakemake.params.training | {"threads": snakemake.threads},
        [Path(path) for path in snakemake.output.model],
        [Path(path) for path in snakemake.output.history],
        # Not a param of the rule, because another device must not train everything again.
        accelerator=settings["training"]["accelerator"],
    )
