from pathlib import Path

import pandas as pd

from chromattend.files import read_json, read_netcdf
from chromattend.logs import logged
from chromattend.report import write_page

with logged(snakemake.log[0]):
    signals = [*snakemake.input.signals, *snakemake.input.validation]
    write_page(
        snakemake.output[0],
        name=snakemake.params.name,
        group=snakemake.params.group,
        dataset=read_netcdf(snakemake.input.dataset),
        signals=[read_netcdf(path).attrs for path in signals],
        metrics=dict(zip(snakemake.params.models, map(read_json, snakemake.input.metrics), strict=True)),
        comparisons=pd.read_csv(snakemake.input.comparisons, sep="\t"),
        figures={name: Path(snakemake.input[name]) for name in ("roc", "calibration", "profile")},
        command=snakemake.params.command,
    )
