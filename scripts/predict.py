from chromattend.pipeline.jobs import job

from chromattend.dataset import build_unlabelled
from chromattend.files import read_netcdf, write_table
from chromattend.genes import read_gene_table
from chromattend.predict import load_models, score
from chromattend.signal import join_marks

with job(snakemake):
    epigenome = snakemake.wildcards.epigenome
    models = load_models(snakemake.input.checkpoints)
    counts, _, provenance = join_marks([read_netcdf(path) for path in snakemake.input.signals], snakemake.params.marks)
    dataset = build_unlabelled(
        read_gene_table(snakemake.input.genes),
        counts,
        {"epigenome": epigenome, "counting": snakemake.params.counting, **provenance},
        epigenome,
    )
    write_table(score(models, dataset), snakemake.output[0])
