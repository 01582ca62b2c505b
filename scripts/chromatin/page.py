from pathlib import Path

from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.pages.epigenome import Validation, write_page
from chromattend.files import read_json, read_netcdf

with job(snakemake):
    models = snakemake.params.models
    signals = [*snakemake.input.signals, *snakemake.input.validation]
    validation = None
    if path := snakemake.input.explanations:
        table = pd.read_csv(path, sep="\t")
        validation = Validation(snakemake.params.mark, snakemake.params.validation_mark, table)
    tables = (pd.read_csv(path, sep="\t", keep_default_na=False) for path in snakemake.input.predictions)
    write_page(
        snakemake.output[0],
        name=snakemake.params.name,
        group=snakemake.params.group,
        dataset=read_netcdf(snakemake.input.dataset),
        signals=[read_netcdf(path).attrs for path in signals],
        metrics=dict(zip(models, map(read_json, snakemake.input.metrics), strict=True)),
        comparisons=pd.read_csv(snakemake.input.comparisons, sep="\t"),
        predictions=dict(zip(models, tables, strict=True)),
        published=pd.read_csv(snakemake.input.published, sep="\t"),
        figures={name: Path(snakemake.input[name]) for name in ("calibration", "profile")},
        attention=[Path(path) for path in snakemake.input.attention],
        maps=dict(zip(snakemake.params.attentive, map(read_netcdf, snakemake.input.maps), strict=True)),
        validation=validation,
        command=snakemake.params.command,
    )
