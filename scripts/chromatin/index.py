from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.pages.index import write_index

with job(snakemake):
    table = {name: pd.read_csv(path, sep="\t", dtype={"epigenome": str}) for name, path in snakemake.input.items()}
    write_index(
        snakemake.output[0],
        auc=table["auc"],
        summary=table["summary"],
        published=table["published"],
        warnings=table["warnings"],
        validation=table.get("validation"),
        epigenomes=snakemake.params.epigenomes,
        split_rule=snakemake.params.split_rule,
    )
