from chromattend.pipeline.jobs import job

from chromattend.files import read_table
from chromattend.robustness.pages.letters import write_page

with job(snakemake):
    write_page(
        snakemake.output[0],
        name=snakemake.wildcards.set,
        model=snakemake.wildcards.sequence_model,
        letters=read_table(snakemake.input.letters),
        budget=snakemake.params.budget,
        links=[("All pages of robustness", "../../../index.html")],
        command=snakemake.params.command,
    )
