from chromattend.pipeline.jobs import job

import pandas as pd

from chromattend.chromatin.figures import plot_depth
from chromattend.chromatin.pages.quality import write_quality_page
from chromattend.chromatin.quality import read_quality, warnings_table, write_multiqc
from chromattend.figures import save
from chromattend.files import read_table, write_table

with job(snakemake):
    quality = read_quality(snakemake.input.quality)
    sources = pd.concat([read_table(path) for path in snakemake.input.sources])
    warnings = warnings_table(quality, sources)
    write_table(quality, snakemake.output.quality, decimals=4)
    write_table(warnings, snakemake.output.warnings, decimals=4)
    write_table(sources, snakemake.output.sources)
    write_multiqc(snakemake.output.multiqc, quality)
    save(plot_depth(quality), snakemake.output.depth)
    write_quality_page(
        snakemake.output.page,
        quality=quality,
        warnings=warnings,
        sources=sources,
        names=snakemake.params.names,
        split_rule=snakemake.params.split_rule,
    )
