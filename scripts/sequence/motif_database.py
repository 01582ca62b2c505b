from chromattend.pipeline.jobs import job

from chromattend.sequence.database import read_jaspar, read_meme_database, write_database

with job(snakemake):
    if snakemake.input:
        database = read_meme_database(snakemake.input[0])
    else:
        database = read_jaspar(int(snakemake.params.release.removeprefix("JASPAR")), snakemake.params.taxon)
    write_database(database, snakemake.output[0])
