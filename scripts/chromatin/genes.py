from chromattend.pipeline.jobs import job

from chromattend.chromatin.expression import read_gene_ids
from chromattend.chromatin.genes import build_gene_table, read_annotation, read_gene_list
from chromattend.files import write_table

with job(snakemake):
    table = build_gene_table(
        read_annotation(snakemake.input.annotation),
        read_gene_ids(snakemake.input.expression),
        mode=snakemake.params.mode,
        include=read_gene_list(snakemake.input.include) if snakemake.input.include else None,
    )
    write_table(table, snakemake.output[0])
