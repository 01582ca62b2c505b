from chromattend.pipeline.jobs import job

from chromattend.chromatin.figures import plot_profile
from chromattend.figures import save
from chromattend.files import read_netcdf

with job(snakemake):
    validation = [read_netcdf(path) for path in snakemake.input.validation]
    figure = plot_profile(read_netcdf(snakemake.input.dataset), *validation)
    save(figure, snakemake.output[0])
