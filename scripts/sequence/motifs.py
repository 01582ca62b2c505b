from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf, write_table
from chromattend.models import load_model
from chromattend.sequence.database import read_database
from chromattend.sequence.machine import explainable
from chromattend.sequence.motifs import write_meme
from chromattend.sequence.routes import find_motifs

with job(snakemake):
    routes = find_motifs(
        explainable(load_model(snakemake.input.model)),
        read_netcdf(snakemake.input.dataset),
        read_netcdf(snakemake.input.explanation),
        read_netcdf(snakemake.input.designs),
        read_database(snakemake.input.database),
        snakemake.params.tf,
        number=snakemake.params.number,
    )
    for name in ("motifs", "matches", "sites", "hits"):
        write_table(getattr(routes, name), snakemake.output[name])
    write_meme(routes.meme, snakemake.output.meme)
