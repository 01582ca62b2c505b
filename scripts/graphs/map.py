from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.graphs.samples import prepared, read_samples
from chromattend.graphs.tiles import factor, save

with job(snakemake):
    params, context = snakemake.params, snakemake.wildcards.graph_context
    raw, _ = read_samples(snakemake.input[0], [context])
    (samples,) = prepared(raw, params.transform, params.covariates).samples
    save(factor(samples, context, params.covariance, params.ridge, params.seed), Path(snakemake.output[0]))
