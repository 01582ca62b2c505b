from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.files import read_json, write_netcdf
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.tiles import load, rows, stripes

with job(snakemake):
    params, estimator = snakemake.params, snakemake.wildcards.estimator
    matrices = ESTIMATORS[estimator].matrices
    factors = [load(Path(path), matrices) for path in snakemake.input.factors]
    chosen = stripes(len(factors[0].vectors), int(snakemake.wildcards.part), params.jobs, params.size)
    z = read_json(snakemake.input.threshold)["z"]
    table = rows(factors, chosen, z, estimator, params.options, params.size).rename_axis("edge")
    write_netcdf(table.to_xarray(), snakemake.output[0])
