from pathlib import Path

from chromattend.files import read_netcdf, write_table
from chromattend.logs import logged
from chromattend.training import train
from chromattend.training.options import TrainingOptions

with logged(snakemake.log[0]):
    model, history = train(
        snakemake.wildcards.model,
        read_netcdf(snakemake.input[0]),
        snakemake.params.options,
        TrainingOptions(**snakemake.params.training, threads=snakemake.threads),
        work_folder=Path(snakemake.output.model).parent,
    )
    write_table(history, snakemake.output.history)
    model.save(snakemake.output.model)
