from pathlib import Path

from chromattend.pipeline.jobs import job

import numpy as np
import pandas as pd

from chromattend.files import write_json, write_table
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.tiles import choose_threshold, count_edges, exchange, independent, load, sampled_variables

# Nulls that give the threshold, and exchanges of samples between contexts whose edges are counted.
NULLS, EXCHANGES = 3, 20

with job(snakemake):
    choices, estimator = snakemake.params.choices, snakemake.wildcards.estimator
    variables, options, ridge = snakemake.params.variables, snakemake.params.options, choices["settings"]["ridge"]
    spec = ESTIMATORS[estimator]
    matrices, fdr = spec.matrices, choices["difference_fdr" if spec.difference else "fdr"]
    chosen = sampled_variables(variables, choices["seed"])
    paths = [Path(path) for path in snakemake.input.factors]
    observed = [load(path, matrices).take(chosen) for path in paths]
    correlations = [load(path, "correlations") for path in paths]
    sizes = [each.samples for each in observed]
    generator = np.random.default_rng(choices["seed"])

    def exchanged(number):
        parts = np.split(generator.permutation(sum(sizes)), np.cumsum(sizes)[:-1])
        return [*exchange(correlations, parts, ridge, matrices, chosen, choices["seed"] + number)]

    def unlinked():
        pairs = zip(correlations, observed, strict=True)
        return [independent(each, own.noise, ridge, matrices, chosen, generator) for each, own in pairs]

    nulls = [exchanged(number) if spec.difference else unlinked() for number in range(NULLS)]
    threshold = choose_threshold(observed, nulls, estimator, options, fdr, variables)
    z = threshold.z if choices["rule"] == "null" else choices["rule"]
    rows = [count_edges(observed, z, estimator, options, variables)]
    if len(observed) > 1:
        rows += [
            count_edges(exchanged(NULLS + number), z, estimator, options, variables) for number in range(EXCHANGES)
        ]
    null = pd.DataFrame(rows).rename_axis("permutation").reset_index()
    write_table(null if len(null) > 1 else null[:0], snakemake.output.null)
    write_table(threshold.path, snakemake.output.path)
    write_json({"z": z, "fdr": threshold.fdr, "reached": threshold.reached}, snakemake.output.threshold)
