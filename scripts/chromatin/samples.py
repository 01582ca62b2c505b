from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.files import write_table

with job(snakemake):
    write_table(pd.DataFrame(snakemake.params.rows), snakemake.output[0])
