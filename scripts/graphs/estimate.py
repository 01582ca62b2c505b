from chromattend.pipeline.jobs import job

from chromattend.files import read_table, write_json, write_table
from chromattend.graphs.analysis import analyse
from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.export import write_graphml, write_json_graph, write_sif
from chromattend.graphs.knowledge import knowledge_of
from chromattend.graphs.measure import Settings
from chromattend.graphs.samples import prepared, read_samples

with job(snakemake):
    choices, wildcards, output = snakemake.params.choices, snakemake.wildcards, snakemake.output
    raw, counts = read_samples(snakemake.input.samples)
    contexts = prepared(raw, choices["transform"], choices["covariates"])
    knowledge = dict(choices["knowledge"])
    weights, groups = knowledge_of(knowledge, contexts.variables, complete=knowledge.pop("complete"))
    analysis = analyse(
        contexts,
        ESTIMATORS[wildcards.estimator],
        name=wildcards.graph_set,
        labels=snakemake.params.contexts,
        settings=Settings(**choices["settings"]),
        options=choices["options"],
        threshold=choices["lambda"],
        fdr=choices["fdr"],
        controls=choices["controls"],
        weights=weights,
        groups=groups,
        counts=raw if counts and choices["controls"]["thin"] else None,
        transform=choices["transform"],
        truth=snakemake.input.truth[0] if snakemake.input.truth else None,
        seed=choices["seed"],
    )
    for name in ("edges", "path", "null"):
        write_table(getattr(analysis, name), output[name])
    write_json(analysis.summary, output.summary)
    variables = read_table(snakemake.input.variables)
    attributes = {"set": wildcards.graph_set, "estimator": wildcards.estimator}
    write_graphml(output.graphml, analysis.edges, variables, attributes)
    write_sif(output.sif, output.sif_nodes, output.sif_edges, analysis.edges, variables)
    write_json_graph(output.json, analysis.edges, variables, attributes)
