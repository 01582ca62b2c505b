from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.files import read_json, read_netcdf, read_table, write_json, write_table
from chromattend.graphs.analysis import Choices, summarise_tiles
from chromattend.graphs.edges import relation_of
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.export import write_graphml, write_json_graph, write_sif
from chromattend.graphs.measure import Settings
from chromattend.graphs.tiles import gather, load
from chromattend.graphs.truth import read_truth

with job(snakemake):
    given, output, params = snakemake.input, snakemake.output, snakemake.params
    variables = read_table(given.variables)
    names = list(variables["variable"])
    paths = [Path(path) for path in given.factors]
    edges = gather([read_netcdf(path).to_dataframe() for path in given.rows], paths, names)
    edges["relation"] = relation_of(edges, variables.fillna(""))
    contexts = [(each.context, each.samples) for path in paths for each in (load(path, "correlations"),)]
    summary = summarise_tiles(
        edges,
        ESTIMATORS[snakemake.wildcards.estimator],
        Choices(**params.choices | {"settings": Settings(**params.choices["settings"])}),
        variables=names,
        contexts=contexts,
        threshold=read_json(given.threshold),
        null=read_table(given.null),
        truth=read_truth(given.truth, names, [name for name, _ in contexts]) if given.truth else None,
    )
    labels = [own | label for own, label in zip(summary["contexts"], params.contexts, strict=True)]
    write_table(edges.assign(stability="", p="", q=""), output.edges)
    write_json({"set": snakemake.wildcards.graph_set} | summary | {"contexts": labels}, output.summary)
    attributes = {"set": snakemake.wildcards.graph_set, "estimator": snakemake.wildcards.estimator}
    write_graphml(output.graphml, edges, variables, attributes)
    write_sif(output.sif, output.sif_nodes, output.sif_edges, edges, variables)
    write_json_graph(output.json, edges, variables, attributes)
