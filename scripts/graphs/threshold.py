from pathlib import Path

from chromattend.pipeline.jobs import job

import numpy as np
import pandas as pd

from chromattend.files import write_json, write_table
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.tiles import choose_threshold, count_edges, exchange, independent, load, sampled_variables

# Permutations of the samples of each variable that give the threshold, and exchanges of samples between contexts.
THRESHOLD, EXCHANGES = 3, 20

with job(snakemake):
    choices, estimator = snakemake.params.choices, snakemake.wildcards.estimator
    variables, options, ridge = snakemake.params.variables, choices["options"], choices["settings"]["ridge"]
    matrices = ESTIMATORS[estimator].matrices
    chosen = sampled_variables(variables, choices["seed"])
    paths = [Path(path) for path in snakemake.input.factors]
    observed = [load(path, matrices).take(chosen) for path in paths]
    correlations = [load(path, "correlations").take(chosen) for path in paths]
    generator = np.random.default_rng(choices["seed"])
    nulls = [
        [independent(each, own.noise, ridge, matrices, generator) for each, own in zip(correlations, observed, strict=True)]
        for _ in range(THRESHOLD)
    ]
    threshold = choose_threshold(observed, nulls, estimator, options, choices["fdr"], variables)
    z = threshold.z if choices["lambda"] is None else choices["lambda"]
    sizes = [each.samples for each in observed]
    rows = [count_edges(observed, z, estimator, options, variables)]
    for number in range(1, EXCHANGES + 1):
        parts = np.split(generator.permutation(sum(sizes)), np.cumsum(sizes)[:-1])
        exchanged = [*exchange(correlations, parts, ridge, matrices, choices["seed"] + number)]
        rows.append(count_edges(exchanged, z, estimator, options, variables))
    write_table(pd.DataFrame(rows).rename_axis("permutation").reset_index(), snakemake.output.null)
    write_table(threshold.path, snakemake.output.path)
    write_json({"z": z, "fdr": threshold.fdr, "reached": threshold.reached}, snakemake.output.threshold)
