from chromattend.pipeline.jobs import job

from chromattend.chromatin.explanation_figures import plot_validation
from chromattend.figures import save
from chromattend.files import read_table

with job(snakemake):
    table = read_table(snakemake.input[0])
    save(plot_validation(table, snakemake.params.mark, snakemake.params.validation_mark), snakemake.output[0])
