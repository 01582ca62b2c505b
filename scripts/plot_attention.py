from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf
from chromattend.interpret.plots import plot_attention
from chromattend.plots import save

with job(snakemake):
    save(plot_attention(read_netcdf(snakemake.input[0])), snakemake.output[0])
