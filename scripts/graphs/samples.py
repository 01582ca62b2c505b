from dataclasses import replace

from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.expression import read_matrix as read_expression
from chromattend.files import read_netcdf, write_table
from chromattend.graphs.matrices import read_blocks, read_matrix
from chromattend.graphs.samples import are_counts, assemble, variable_table, write_samples
from chromattend.graphs.sheet import Context
from chromattend.graphs.sources import expression_of_epigenomes, genes_of_epigenome

with job(snakemake):
    contexts = [Context(**row) for row in snakemake.params.contexts]
    choices, given = snakemake.params.choices, snakemake.input
    kind, matrices = contexts[0].kind, {}
    if kind == "matrix":
        for context in contexts:
            matrices[context.name] = matrix = read_matrix(context.data, block=context.block_column)
            if context.block_file:
                matrices[context.name] = replace(matrix, blocks=read_blocks(context.block_file, len(matrix.samples)))
    elif kind == "expression":
        groups = snakemake.params.groups
        matrices = expression_of_epigenomes(
            read_expression(given.expression, list(groups)),
            snakemake.params.epigenomes,
            groups,
            choices["variables"]["genes"],
            given.expression,
        )
    else:
        for context, path in zip(contexts, given.datasets, strict=True):
            dataset = read_netcdf(path)
            matrices[context.name] = genes_of_epigenome(
                dataset["counts"].values,
                dataset["mark"].values,
                pd.DataFrame({name: dataset[name].values for name in ("gene", "chrom", "tss")}),
                choices["variables"]["bin_groups"],
                path,
                dataset["label"].values,
                context.label,
            )
    assembled = assemble(matrices, choices["min_samples"], choices["covariates"])
    write_samples(assembled, snakemake.output.samples, counts=kind != "expression" and are_counts(assembled))
    kept = [name for name in assembled.variables if name not in choices["covariates"]]
    write_table(variable_table(kept), snakemake.output.variables)
