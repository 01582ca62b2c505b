import pandas as pd

from chromattend.files import read_netcdf, write_table
from chromattend.interpret.validation import validate
from chromattend.logs import logged

with logged(snakemake.log[0]):
    dataset, signal = read_netcdf(snakemake.input.dataset), read_netcdf(snakemake.input.signal[0])
    found = {
        model: validate(
            read_netcdf(path), dataset, signal, genes=snakemake.params.genes, absolute=snakemake.params.absolute
        )
        for model, path in zip(snakemake.params.models, snakemake.input.maps, strict=True)
    }
    write_table(pd.concat(found, names=["model"]).reset_index("model"), snakemake.output[0])
