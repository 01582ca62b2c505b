import shutil
from pathlib import Path

from chromattend.files import read_netcdf, write_table
from chromattend.logs import logged
from chromattend.protocols import TrainingOptions
from chromattend.training import train

with logged(snakemake.log[0]):
    # No output of the rule: Snakemake would delete it when the job fails, and with it what to go on from.
    work_folder = Path(snakemake.output.model).parent / ".training"
    model, history = train(
        snakemake.wildcards.model,
        read_netcdf(snakemake.input[0]),
        snakemake.params.options,
        TrainingOptions(
            **snakemake.params.training,
            threads=snakemake.threads,
            # No param of the rule: another device must not train everything again.
            accelerator=snakemake.config.get("training", {}).get("accelerator", "auto"),
        ),
        work_folder,
    )
    write_table(history, snakemake.output.history)
    model.save(snakemake.output.model)
    shutil.rmtree(work_folder, ignore_errors=True)
