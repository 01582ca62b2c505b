from chromattend.pipeline.jobs import job

from chromattend.chromatin.explanation_figures import plot_attention
from chromattend.figures import save
from chromattend.files import read_netcdf

with job(snakemake):
    save(plot_attention(read_netcdf(snakemake.input[0])), snakemake.output[0])
