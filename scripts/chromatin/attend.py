from chromattend.pipeline.jobs import job

from chromattend.chromatin.attention import attention_maps, select_genes
from chromattend.files import read_netcdf, read_table, write_netcdf
from chromattend.models import load_model
from chromattend.recurrence import use_threads

with job(snakemake):
    use_threads(snakemake.threads)
    named = read_table(snakemake.input.named)["gene"]
    genes = select_genes(read_netcdf(snakemake.input.dataset), snakemake.params.genes, named)
    write_netcdf(attention_maps(load_model(snakemake.input.model), genes), snakemake.output[0])
