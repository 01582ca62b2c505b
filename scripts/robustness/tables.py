from chromattend.pipeline.jobs import job

import xarray as xr

from chromattend.figures import save
from chromattend.files import read_table, write_table
from chromattend.robustness.figures import plot_conditions, plot_depth, plot_marks, plot_reads
from chromattend.robustness.tables import Result, study_table

with job(snakemake):
    given, made, params = snakemake.input, snakemake.output, snakemake.params
    transfer = dict(zip(params.epigenomes, map(read_table, given.transfer), strict=True))
    files = zip(given.noise, given.stability, given.certificate, given.worst_case, given.edited, strict=True)
    results = []
    for (epigenome, model), (noise, stability, certificate, worst_case, edited) in zip(
        params.pairs, files, strict=True
    ):
        with xr.open_dataset(edited, engine="h5netcdf") as dataset:
            threshold = dataset.attrs.get("threshold")
        tables = (read_table(path) for path in (noise, stability, certificate, worst_case))
        results.append(Result(epigenome, model, *tables, transfer[epigenome], threshold, params.budget))
    write_table(study_table(results), made.table, significant=4)
    edits = dict(zip(map(tuple, params.pairs), map(read_table, given.edits), strict=True))
    save(plot_depth(results), made.depth)
    save(plot_reads(results), made.reads)
    save(plot_conditions(results), made.conditions)
    save(plot_marks(edits), made.marks)
