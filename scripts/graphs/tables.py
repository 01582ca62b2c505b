from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.figures import save
from chromattend.files import read_json, read_table, write_table
from chromattend.graphs.figures import plot_edges_against_null
from chromattend.graphs.pages.index import null_rows
from chromattend.graphs.tables import replication_table, sets_table

with job(snakemake):
    summaries = [read_json(path) for path in snakemake.input.summaries]
    write_table(sets_table(summaries), snakemake.output.sets, significant=4)
    tables = {
        (summary["set"], summary["estimator"]): read_table(path)
        for summary, path in zip(summaries, snakemake.input.edges, strict=True)
    }
    strongest = [
        table.head(snakemake.params.edges).assign(set=name, estimator=estimator)
        for (name, estimator), table in tables.items()
    ]
    edges = pd.concat(strongest, ignore_index=True)
    front = ["set", "estimator"]
    write_table(edges[[*front, *edges.columns.drop(front)]], snakemake.output.edges, significant=4)
    changes = {(s["set"], s["estimator"]): tables[s["set"], s["estimator"]] for s in summaries if s["difference"]}
    write_table(replication_table(changes, snakemake.params.comparable), snakemake.output.replication, significant=4)
    sets = {}
    for summary in summaries:
        sets.setdefault(summary["set"], []).append(summary)
    save(plot_edges_against_null(null_rows(sets)), snakemake.output.figure)
