from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.figures import plot_transfer
from chromattend.figures import save
from chromattend.files import read_table, write_table

with job(snakemake):
    table = pd.concat([read_table(path) for path in snakemake.input], ignore_index=True)
    write_table(table, snakemake.output.table, decimals=4)
    save(plot_transfer(table, snakemake.wildcards.model, snakemake.params.groups), snakemake.output.figure)
