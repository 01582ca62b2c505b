from chromattend.pipeline.jobs import job

from chromattend.chromatin.explain import ExplainOptions, explain
from chromattend.files import read_netcdf, write_netcdf, write_table
from chromattend.models import load_model
from chromattend.recurrence import use_threads

with job(snakemake):
    use_threads(snakemake.threads)
    explanation = explain(
        load_model(snakemake.input.model),
        read_netcdf(snakemake.input.dataset),
        ExplainOptions(**snakemake.params.options),
    )
    write_netcdf(explanation.maps, snakemake.output.maps)
    for name in ("faithfulness", "curves", "importance", "optima", "influence"):
        write_table(getattr(explanation, name), snakemake.output[name])
