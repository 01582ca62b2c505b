from chromattend.logs import logged
from chromattend.sources import Expectation, download

with logged(snakemake.log[0]):
    download(
        snakemake.params.url,
        snakemake.output.data,
        expect=Expectation(*snakemake.params.expect),
        # No param of the rule: more patience must not download everything again.
        **snakemake.config.get("download", {}),
    )
