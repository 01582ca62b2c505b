from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf, write_netcdf, write_table
from chromattend.models import load_model
from chromattend.recurrence import use_threads
from chromattend.sequence.explain import explain

with job(snakemake):
    use_threads(snakemake.threads)
    options = {name: snakemake.params[name] for name in ("views", "sequences", "costly", "shown", "seed")}
    explanation = explain(load_model(snakemake.input.model), read_netcdf(snakemake.input.dataset), **options)
    write_netcdf(explanation.views, snakemake.output.explanation)
    write_netcdf(explanation.designs, snakemake.output.designs)
    write_table(explanation.trust, snakemake.output.trust)
    write_table(explanation.influence, snakemake.output.influence)
