from chromattend.pipeline.jobs import job

from chromattend.files import read_table, write_json, write_table
from chromattend.graphs.analysis import Choices, analyse
from chromattend.graphs.controls import NULL_COUNTS
from chromattend.graphs.cost import machine_memory, predict
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.export import write_graphml, write_json_graph, write_sif
from chromattend.graphs.knowledge import knowledge_of
from chromattend.graphs.measure import Settings
from chromattend.graphs.samples import read_samples
from chromattend.graphs.truth import read_truth

with job(snakemake):
    params, wildcards, output = snakemake.params, snakemake.wildcards, snakemake.output
    samples, counts = read_samples(snakemake.input.samples)
    variables = read_table(snakemake.input.variables)
    # Before hours of work that would end for lack of memory.
    sizes = [len(values) for values in samples.samples]
    limit = {"tiles_from": len(variables) + 1, "memory_limit_mb": machine_memory()}
    predict(len(variables), sizes, [wildcards.estimator], **limit)
    weights, groups = knowledge_of(params.knowledge, list(variables["variable"]), complete=params.complete)
    analysis = analyse(
        samples,
        ESTIMATORS[wildcards.estimator],
        Choices(**params.choices | {"settings": Settings(**params.choices["settings"])}),
        counts=counts,
        weights=weights,
        groups=groups,
        truth=read_truth(truth, variables["variable"], samples.names) if (truth := snakemake.input.truth) else None,
    )
    write_table(analysis.edges, output.edges)
    write_table(analysis.path, output.path)
    # One context exchanges its samples with none, but the table has its header line.
    write_table(analysis.null.reindex(columns=NULL_COUNTS), output.null)
    contexts = [own | labels for own, labels in zip(analysis.summary["contexts"], params.contexts, strict=True)]
    write_json({"set": wildcards.graph_set} | analysis.summary | {"contexts": contexts}, output.summary)
    attributes = {"set": wildcards.graph_set, "estimator": wildcards.estimator}
    write_graphml(output.graphml, analysis.edges, variables, attributes)
    write_sif(output.sif, output.sif_nodes, output.sif_edges, analysis.edges, variables)
    write_json_graph(output.json, analysis.edges, variables, attributes)
