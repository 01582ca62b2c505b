from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.quality import quality_table, sources_table
from chromattend.files import read_netcdf, write_table

with job(snakemake):
    dataset = read_netcdf(snakemake.input.dataset)
    signals = [read_netcdf(path) for path in snakemake.input.validation]
    overlaps = pd.read_csv(snakemake.input.overlaps, sep="\t")
    write_table(quality_table(dataset, signals, overlaps), snakemake.output.quality, decimals=4)
    write_table(sources_table(dataset, signals), snakemake.output.sources)
