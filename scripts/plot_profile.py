from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf
from chromattend.plots import plot_profile, save

with job(snakemake):
    validation = [read_netcdf(path) for path in snakemake.input.validation]
    figure = plot_profile(read_netcdf(snakemake.input.dataset), *validation)
    save(figure, snakemake.output[0])
