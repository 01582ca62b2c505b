from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.across import labels_elsewhere
from chromattend.files import read_netcdf, write_table

with job(snakemake):
    labels = {}
    for epigenome, path in zip(snakemake.params.epigenomes, snakemake.input, strict=True):
        dataset = read_netcdf(path)
        genes = pd.Series(dataset["label"].values, index=dataset["gene"].values)[dataset["split"].values == "test"]
        # A gene that stands twice, as in reproduction mode, has one label.
        labels[epigenome] = genes[~genes.index.duplicated()]
    write_table(labels_elsewhere(pd.DataFrame(labels)), snakemake.output[0], decimals=4)
