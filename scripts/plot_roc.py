import pandas as pd

from chromattend.files import read_json
from chromattend.logs import logged
from chromattend.plots import plot_roc, save

with logged(snakemake.log[0]):
    predictions = [pd.read_csv(path, sep="\t") for path in snakemake.input.predictions]
    metrics = [read_json(path) for path in snakemake.input.metrics]
    models = snakemake.params.models
    figure = plot_roc(
        dict(zip(models, predictions, strict=True)),
        dict(zip(models, metrics, strict=True)),
        snakemake.wildcards.epigenome,
    )
    save(figure, snakemake.output[0])
