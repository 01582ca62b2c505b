import itertools

import pandas as pd

from chromattend.evaluate import auc_table, summary_table
from chromattend.files import read_json, write_table
from chromattend.logs import logged

with logged(snakemake.log[0]):
    keys = itertools.product(snakemake.params.epigenomes, snakemake.params.models)
    results = {key: read_json(path) for key, path in zip(keys, snakemake.input.metrics, strict=True)}
    auc = auc_table(results, snakemake.params.split_rule)
    published = pd.read_csv(snakemake.input.published, sep="\t")
    write_table(auc, snakemake.output.auc, decimals=4)
    write_table(summary_table(auc, published), snakemake.output.summary, decimals=4)
