import itertools

from chromattend.pipeline.jobs import job

from chromattend.chromatin.differential import differential_table
from chromattend.chromatin.figures import plot_differential
from chromattend.figures import save
from chromattend.files import read_json, read_table, write_table

with job(snakemake):
    keys = list(itertools.product(snakemake.params.pairs, snakemake.params.models))
    table = differential_table(dict(zip(keys, map(read_json, snakemake.input.metrics), strict=True)))
    predictions = [read_table(path) for path in snakemake.input.predictions]
    write_table(table, snakemake.output.table, decimals=4)
    save(plot_differential(table, dict(zip(keys, predictions, strict=True))), snakemake.output.figure)
