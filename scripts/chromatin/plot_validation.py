from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.explanation_figures import plot_validation
from chromattend.figures import save

with job(snakemake):
    table = pd.read_csv(snakemake.input[0], sep="\t")
    save(plot_validation(table, snakemake.params.mark, snakemake.params.validation_mark), snakemake.output[0])
