from chromattend.pipeline.jobs import job

from chromattend.pipeline.download import Expectation, download

with job(snakemake):
    download(
        snakemake.params.url,
        snakemake.output.data,
        expect=Expectation(*snakemake.params.expect),
        # Not a param of the rule, because a longer timeout must not download everything again.
        **snakemake.config["settings"]["download"],
    )
