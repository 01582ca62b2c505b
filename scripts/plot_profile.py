from chromattend.files import read_netcdf
from chromattend.logs import logged
from chromattend.plots import plot_profile, save

with logged(snakemake.log[0]):
    validation = [read_netcdf(path) for path in snakemake.input.validation]
    figure = plot_profile(read_netcdf(snakemake.input.dataset), *validation)
    save(figure, snakemake.output[0])
