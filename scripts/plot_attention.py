from chromattend.files import read_netcdf
from chromattend.interpret.plots import plot_attention
from chromattend.logs import logged
from chromattend.plots import save

with logged(snakemake.log[0]):
    save(plot_attention(read_netcdf(snakemake.input[0])), snakemake.output[0])
