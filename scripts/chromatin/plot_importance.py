from chromattend.pipeline.jobs import job

from chromattend.chromatin.explanation_figures import plot_importance, plot_interactions
from chromattend.figures import save
from chromattend.files import read_table

with job(snakemake):
    table, model = read_table(snakemake.input[0]), snakemake.wildcards.model
    save(plot_importance(table, model, snakemake.params.groups), snakemake.output.importance)
    save(plot_interactions(table, model), snakemake.output.interactions)
