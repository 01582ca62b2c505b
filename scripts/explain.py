import torch

from chromattend.files import read_netcdf, write_netcdf, write_table
from chromattend.interpret.explain import ExplainOptions, explain
from chromattend.logs import logged
from chromattend.models import load_model

with logged(snakemake.log[0]):
    torch.set_num_threads(snakemake.threads)
    found = explain(
        load_model(snakemake.input.model),
        read_netcdf(snakemake.input.dataset),
        ExplainOptions(**snakemake.params.options),
    )
    write_netcdf(found.maps, snakemake.output.maps)
    for name in ("faithfulness", "curves", "importance", "influence"):
        write_table(getattr(found, name), snakemake.output[name])
