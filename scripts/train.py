from pathlib import Path

from chromattend.files import read_netcdf
from chromattend.records import recorded
from chromattend.training import train_to_files

with recorded(snakemake):
    train_to_files(
        snakemake.wildcards.model,
        read_netcdf(snakemake.input[0]),
        snakemake.params.options,
        snakemake.params.training | {"threads": snakemake.threads},
        Path(snakemake.output.model),
        Path(snakemake.output.history),
        # No param of the rule: another device must not train everything again.
        accelerator=snakemake.config.get("training", {}).get("accelerator", "auto"),
    )
