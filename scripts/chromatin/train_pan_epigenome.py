from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.chromatin.across import join_epigenomes
from chromattend.files import read_netcdf
from chromattend.training.train import train_to_files

with job(snakemake):
    datasets = zip(snakemake.params.epigenomes, map(read_netcdf, snakemake.input), strict=True)
    train_to_files(
        "pan_epigenome",
        [join_epigenomes(datasets)],
        snakemake.params.options,
        snakemake.params.training | {"threads": snakemake.threads},
        [Path(snakemake.output.model)],
        [Path(snakemake.output.history)],
        accelerator=snakemake.config["settings"]["training"]["accelerator"],
    )
