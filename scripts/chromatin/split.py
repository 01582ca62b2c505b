import logging

from chromattend.pipeline.jobs import job

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.dataset import assign_split, overlaps_across_splits
from chromattend.chromatin.genes import read_gene_table
from chromattend.files import write_table

with job(snakemake):
    genes = read_gene_table(snakemake.input[0])
    split = assign_split(genes, **snakemake.params.split)
    overlaps = overlaps_across_splits(genes, split, Bins(**snakemake.params.bins))
    logging.info("%s; %d pairs of windows overlap across parts", split.value_counts().to_dict(), len(overlaps))
    write_table(overlaps, snakemake.output.overlaps)
    write_table(genes[["gene", "symbol"]].assign(split=split), snakemake.output.split)
