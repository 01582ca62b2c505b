from chromattend.logs import logged
from chromattend.sources import Expectation, download

with logged(snakemake.log[0]):
    download(
        snakemake.params.url,
        snakemake.output.data,
        expect=Expectation(*snakemake.params.expect),
        **snakemake.params.download,
    )
