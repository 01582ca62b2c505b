from chromattend.pipeline.jobs import job

from chromattend.chromatin.bins import check_tss
from chromattend.chromatin.expression import read_matrix
from chromattend.chromatin.genes import build_gene_table, count_genes, read_annotation, read_chrom_sizes, read_gene_list
from chromattend.files import write_table

with job(snakemake):
    chrom_sizes = read_chrom_sizes(snakemake.input.chrom_sizes)
    annotation = read_annotation(snakemake.input.annotation, chrom_sizes)
    # Every epigenome, so that a bad value is found before hours of counting.
    expressed = read_matrix(snakemake.input.expression, snakemake.config["expressed"]).index
    table = build_gene_table(
        annotation,
        expressed,
        mode=snakemake.params.mode,
        include=read_gene_list(snakemake.input.include) if snakemake.input.include else None,
    )
    check_tss(table, chrom_sizes)
    write_table(count_genes(annotation, expressed), snakemake.output.counts)
    write_table(table, snakemake.output.genes)
