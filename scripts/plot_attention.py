from chromattend.files import read_netcdf
from chromattend.interpret.plots import plot_attention
from chromattend.plots import save
from chromattend.records import recorded

with recorded(snakemake):
    save(plot_attention(read_netcdf(snakemake.input[0])), snakemake.output[0])
