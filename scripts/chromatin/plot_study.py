from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.figures import plot_auc, plot_comparisons, plot_published
from chromattend.figures import save

with job(snakemake):
    table = {name: pd.read_csv(path, sep="\t") for name, path in snakemake.input.items()}
    save(plot_auc(table["auc"], table["summary"], snakemake.params.groups), snakemake.output.auc)
    save(plot_comparisons(table["wilcoxon"]), snakemake.output.comparisons)
    save(plot_published(table["published"]), snakemake.output.published)
