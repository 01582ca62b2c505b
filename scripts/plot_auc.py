import pandas as pd

from chromattend.logs import logged
from chromattend.plots import plot_auc, save

with logged(snakemake.log[0]):
    auc, summary = (pd.read_csv(path, sep="\t") for path in (snakemake.input.auc, snakemake.input.summary))
    save(plot_auc(auc, summary, snakemake.params.groups), snakemake.output[0])
