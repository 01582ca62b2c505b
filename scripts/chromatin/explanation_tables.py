import itertools

from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.errors import UserError
from chromattend.files import read_table, write_table

with job(snakemake):
    if not snakemake.params.models:
        raise UserError("key 'interpret.models': lists none of 'models', so no table can be written; name a network")
    keys = list(itertools.product(snakemake.params.epigenomes, snakemake.params.models))
    for name in ("faithfulness", "importance", "optima"):
        tables = [read_table(path) for path in snakemake.input[name]]
        joined = pd.concat(dict(zip(keys, tables, strict=True)), names=["epigenome", "model"])
        write_table(joined.reset_index(["epigenome", "model"]), snakemake.output[name], decimals=4)
    validation = pd.concat([read_table(path) for path in snakemake.input.validation], ignore_index=True)
    write_table(validation.astype({"genes": "Int64"}), snakemake.output.validation, decimals=4)
