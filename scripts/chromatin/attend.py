from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.attention import attention_maps, select_genes
from chromattend.files import read_netcdf, write_netcdf
from chromattend.models import load_model
from chromattend.recurrence import use_threads

with job(snakemake):
    use_threads(snakemake.threads)
    named = pd.read_csv(snakemake.input.named, sep="\t")["gene"]
    genes = select_genes(read_netcdf(snakemake.input.dataset), snakemake.params.genes, named)
    write_netcdf(attention_maps(load_model(snakemake.input.model), genes), snakemake.output[0])
