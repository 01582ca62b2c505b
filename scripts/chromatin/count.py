from chromattend.pipeline.jobs import job

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.excluded import read_regions
from chromattend.chromatin.formats import FILES
from chromattend.chromatin.genes import read_chrom_sizes, read_gene_table
from chromattend.chromatin.reads import ReadOptions
from chromattend.chromatin.signal import count_replicates
from chromattend.files import write_netcdf

with job(snakemake):
    chrom_sizes = read_chrom_sizes(snakemake.input.chrom_sizes)
    dataset = count_replicates(
        snakemake.input.signal,
        read_gene_table(snakemake.input.genes),
        Bins(**snakemake.params.bins),
        chrom_sizes,
        options=ReadOptions(**snakemake.params.reads),
        statistic=snakemake.params.bigwig["statistic"],
        replicates=snakemake.params.replicates,
        excluded=read_regions(snakemake.input.excluded, chrom_sizes) if snakemake.input.excluded else None,
        attributes={
            "epigenome": snakemake.wildcards.epigenome,
            "mark": snakemake.wildcards.mark,
            "source": FILES.join(snakemake.params.sources),
            "genome": snakemake.params.genome,
        },
    )
    write_netcdf(dataset, snakemake.output[0])
