from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.explanation_figures import plot_importance, plot_interactions
from chromattend.figures import save

with job(snakemake):
    table, model = pd.read_csv(snakemake.input[0], sep="\t"), snakemake.wildcards.model
    save(plot_importance(table, model, snakemake.params.groups), snakemake.output.importance)
    save(plot_interactions(table, model), snakemake.output.interactions)
