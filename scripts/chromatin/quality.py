from chromattend.pipeline.jobs import job

from chromattend.chromatin.quality import quality_table, sources_table
from chromattend.files import read_netcdf, read_table, write_table

with job(snakemake):
    dataset = read_netcdf(snakemake.input.dataset)
    signals = [read_netcdf(path) for path in snakemake.input.validation]
    overlaps = read_table(snakemake.input.overlaps)
    gene_counts = read_table(snakemake.input.gene_counts)
    write_table(quality_table(dataset, signals, overlaps, gene_counts), snakemake.output.quality, decimals=4)
    write_table(sources_table(dataset, signals), snakemake.output.sources)
