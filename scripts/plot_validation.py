import pandas as pd

from chromattend.interpret.plots import plot_validation
from chromattend.logs import logged
from chromattend.plots import save

with logged(snakemake.log[0]):
    table = pd.read_csv(snakemake.input[0], sep="\t")
    save(plot_validation(table, snakemake.params.mark, snakemake.params.validation_mark), snakemake.output[0])
