import itertools

from chromattend.pipeline.jobs import job

from chromattend.chromatin.explanation_figures import plot_named_genes
from chromattend.chromatin.tables import beta_table
from chromattend.figures import save
from chromattend.files import read_netcdf, read_table, write_table

with job(snakemake):
    keys = itertools.product(snakemake.params.epigenomes, snakemake.params.models)
    attention = dict(zip(keys, map(read_netcdf, snakemake.input.attention), strict=True))
    datasets = dict(zip(snakemake.params.epigenomes, map(read_netcdf, snakemake.input.datasets), strict=True))
    table = beta_table(attention, datasets, read_table(snakemake.input.named))
    write_table(table, snakemake.output.table, decimals=4)
    save(plot_named_genes(table), snakemake.output.figure)
