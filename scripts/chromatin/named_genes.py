from chromattend.pipeline.jobs import job

from chromattend.chromatin.genes import find_genes, read_gene_table
from chromattend.errors import UserError
from chromattend.files import write_table

with job(snakemake):
    try:
        genes = find_genes(read_gene_table(snakemake.input[0]), snakemake.params.names)
    except UserError as error:
        raise UserError(f"key 'interpret.named_genes': {error}") from None
    write_table(genes, snakemake.output[0])
