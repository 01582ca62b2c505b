from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.files import read_json, read_netcdf, read_table, write_json, write_table
from chromattend.graphs.analysis import summarise_tiles
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.export import write_graphml, write_json_graph, write_sif
from chromattend.graphs.tiles import gather

with job(snakemake):
    given, output, wildcards, choices = snakemake.input, snakemake.output, snakemake.wildcards, snakemake.params.choices
    variables = read_table(given.variables)
    tables = [read_netcdf(path).to_dataframe() for path in given.rows]
    edges = gather(tables, [Path(path) for path in given.factors], list(variables["variable"]))
    summary = summarise_tiles(
        edges,
        ESTIMATORS[wildcards.estimator],
        name=wildcards.graph_set,
        labels=snakemake.params.contexts,
        samples=given.samples,
        factors=given.factors,
        threshold=read_json(given.threshold),
        null=read_table(given.null),
        choices=choices,
        truth=given.truth[0] if given.truth else None,
    )
    write_table(edges.assign(stability="", p="", q=""), output.edges)
    write_json(summary, output.summary)
    attributes = {"set": wildcards.graph_set, "estimator": wildcards.estimator}
    write_graphml(output.graphml, edges, variables, attributes)
    write_sif(output.sif, output.sif_nodes, output.sif_edges, edges, variables)
    write_json_graph(output.json, edges, variables, attributes)
