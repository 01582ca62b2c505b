from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.files import read_json, read_netcdf, read_table
from chromattend.sequence.database import read_database
from chromattend.sequence.pages.dashboard import write_dashboard
from chromattend.sequence.pages.explained import read_explained

with job(snakemake):
    given, models = snakemake.input, snakemake.params.models
    database, folder = read_database(given.database), Path(snakemake.output[0]).parent
    benchmarks = {model: Path(snakemake.params.benchmarks, folder.name, f"{model}.tsv") for model in models}
    write_dashboard(
        snakemake.output[0],
        dataset=read_netcdf(given.dataset),
        quality=read_json(given.quality),
        metrics={model: read_json(path) for model, path in zip(models, given.metrics, strict=True)},
        predictions={model: read_table(path) for model, path in zip(models, given.predictions, strict=True)},
        comparisons=read_table(given.comparisons),
        calibration=read_table(given.calibration),
        explained={network: read_explained(folder / network, database) for network in snakemake.params.explained},
        tried=read_table(given.tried[0]) if given.tried else None,
        seconds={
            model: float(read_table(path)["cpu_time"].iloc[0]) for model, path in benchmarks.items() if path.is_file()
        },
        tf=snakemake.params.tf,
        group=snakemake.params.group,
        command=snakemake.params.command,
    )
