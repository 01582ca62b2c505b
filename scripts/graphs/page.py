from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.files import read_json, read_table
from chromattend.graphs.measure import Settings, problem_of
from chromattend.graphs.pages.report import MOST_CELLS, Estimated, write_page
from chromattend.graphs.samples import prepared, read_samples
from chromattend.graphs.tables import replicates

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    variables = read_table(given.variables)
    files = zip(params.estimators, given.summaries, given.edges, given.paths, given.nulls, strict=True)
    estimators = []
    for name, summary, edges, path, null in files:
        counts = read_table(null)
        estimators.append(
            Estimated(name, read_json(summary), read_table(edges), read_table(path), None if counts.empty else counts)
        )
    matrices = None
    # Of tiles, whole matrices would be those of another backward map.
    if not params.tiles and len(estimators[0].summary["contexts"]) * len(variables) ** 2 <= MOST_CELLS:
        contexts = prepared(read_samples(given.samples)[0], params.transform, params.covariates)
        problem = problem_of(contexts.samples, Settings(**params.settings))
        matrices = {"partial": problem.partial, "correlation": problem.correlations}
    others = {}
    for path in given.others:
        others.setdefault(Path(path).parent.name, []).append(read_table(path))
    write_page(
        snakemake.output[0],
        name=snakemake.wildcards.graph_set,
        variables=variables,
        estimators=estimators,
        matrices=matrices,
        replication=replicates({each.name: each.edges for each in estimators}, others),
        share_cost=params.share_cost,
        max_edges=params.max_edges,
        links=[("All sets", "../index.html")],
        command=params.command,
        seed=params.seed,
    )
