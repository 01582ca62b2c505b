from chromattend.pipeline.jobs import job

from chromattend.chromatin.validation import unvalidated, validate, validation_table
from chromattend.files import read_netcdf, read_table, write_table

with job(snakemake):
    epigenome, params = snakemake.wildcards.epigenome, snakemake.params
    if snakemake.input.signal:
        dataset, signal = read_netcdf(snakemake.input.dataset), read_netcdf(snakemake.input.signal[0])
        attention = dict(zip(params.attended, snakemake.input.attention, strict=True))
        tables = {
            model: validate(
                read_netcdf(path),
                dataset,
                signal,
                read_netcdf(attention[model]) if model in attention else None,
                genes=params.genes,
                absolute=params.absolute,
            )
            for model, path in zip(params.models, snakemake.input.maps, strict=True)
        }
        table = validation_table(epigenome, params.validation_mark, tables, read_table(snakemake.input.published))
    else:
        table = unvalidated(epigenome, params.validation_mark)
    write_table(table, snakemake.output[0])
