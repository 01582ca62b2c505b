from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.files import read_json, read_table, write_table
from chromattend.graphs.tables import sets_table

with job(snakemake):
    summaries = [read_json(path) for path in snakemake.input.summaries]
    write_table(sets_table(summaries), snakemake.output.sets, significant=4)
    strongest = [
        read_table(path).head(snakemake.params.edges).assign(set=summary["set"], estimator=summary["estimator"])
        for summary, path in zip(summaries, snakemake.input.edges, strict=True)
    ]
    edges = pd.concat(strongest, ignore_index=True)
    front = ["set", "estimator"]
    write_table(edges[[*front, *edges.columns.drop(front)]], snakemake.output.edges, significant=4)
