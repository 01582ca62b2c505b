from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.across import labels_elsewhere, labels_of_test
from chromattend.files import read_netcdf, write_table

with job(snakemake):
    datasets = zip(snakemake.params.epigenomes, map(read_netcdf, snakemake.input), strict=True)
    labels = pd.DataFrame({epigenome: labels_of_test(dataset) for epigenome, dataset in datasets})
    write_table(labels_elsewhere(labels), snakemake.output[0], decimals=4)
