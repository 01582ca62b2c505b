from chromattend.pipeline.jobs import job

from chromattend.chromatin.dataset import build_unlabelled
from chromattend.chromatin.genes import read_gene_table
from chromattend.chromatin.predict import load_models, score
from chromattend.chromatin.signal import join_marks
from chromattend.files import read_netcdf, write_table

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
    table = score(models, dataset)
    redraws = snakemake.params.get("redraws", 0)
    if redraws:
        from chromattend.robustness.stability import sample_columns

        table = table.assign(**sample_columns(models, dataset, redraws=redraws))
    write_table(table, snakemake.output[0])
