from chromattend.pipeline.jobs import job

from chromattend.chromatin.explanation_figures import plot_explanation
from chromattend.figures import save, title
from chromattend.files import read_netcdf, read_table
from chromattend.interpret.figures import plot_faithfulness

with job(snakemake):
    curves, table = (read_table(snakemake.input[name]) for name in ("curves", "faithfulness"))
    save(plot_explanation(read_netcdf(snakemake.input.maps), table), snakemake.output.maps)
    heading = f"{snakemake.wildcards.epigenome}: {title(snakemake.wildcards.model)}"
    save(plot_faithfulness(curves, table, heading), snakemake.output.faithfulness)
