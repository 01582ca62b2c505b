from chromattend.pipeline.jobs import job

from chromattend.chromatin.figures import plot_auc, plot_comparisons, plot_published
from chromattend.figures import save
from chromattend.files import read_table

with job(snakemake):
    table = {name: read_table(path) for name, path in snakemake.input.items()}
    save(plot_auc(table["auc"], table["summary"], snakemake.params.groups), snakemake.output.auc)
    save(plot_comparisons(table["wilcoxon"]), snakemake.output.comparisons)
    save(plot_published(table["published"]), snakemake.output.published)
