import itertools

import pandas as pd

from chromattend.files import write_table
from chromattend.interpret.validation import validation_table
from chromattend.logs import logged

with logged(snakemake.log[0]):
    keys = list(itertools.product(snakemake.params.epigenomes, snakemake.params.models))
    for name in ("faithfulness", "importance", "influence"):
        tables = [pd.read_csv(path, sep="\t") for path in snakemake.input[name]]
        joined = pd.concat(dict(zip(keys, tables, strict=True)), names=["epigenome", "model"])
        write_table(joined.reset_index(["epigenome", "model"]), snakemake.output[name], decimals=4)
    validated = {}
    for epigenome, path in zip(snakemake.params.validated, snakemake.input.validation, strict=True):
        for model, rows in pd.read_csv(path, sep="\t").groupby("model", sort=False):
            validated[epigenome, model] = rows
    published = pd.read_csv(snakemake.input.published, sep="\t")
    write_table(
        validation_table(validated, published, snakemake.params.skipped), snakemake.output.validation, decimals=4
    )
