from chromattend.pipeline.jobs import job

from chromattend.chromatin.across import transfer_aucs
from chromattend.files import read_netcdf, write_table
from chromattend.models import load_model

with job(snakemake):
    datasets = zip(snakemake.params.epigenomes, map(read_netcdf, snakemake.input.datasets), strict=True)
    table = transfer_aucs(load_model(snakemake.input.model), datasets)
    table.insert(0, "trained_on", snakemake.wildcards.epigenome)
    write_table(table, snakemake.output[0])
