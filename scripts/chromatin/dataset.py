from chromattend.pipeline.jobs import job

from chromattend.chromatin.dataset import build_dataset
from chromattend.chromatin.expression import read_rpkm, unit_of
from chromattend.chromatin.genes import read_gene_table
from chromattend.chromatin.signal import join_marks
from chromattend.files import read_netcdf, read_table, sha256, write_netcdf

with job(snakemake):
    counts, labels, provenance = join_marks(
        [read_netcdf(path) for path in snakemake.input.signals], snakemake.params.marks
    )
    unit = snakemake.params.unit or unit_of(snakemake.input.expression)
    dataset = build_dataset(
        read_gene_table(snakemake.input.genes),
        read_table(snakemake.input.split)["split"],
        counts,
        read_rpkm(snakemake.input.expression, snakemake.wildcards.epigenome),
        labels if snakemake.params.labels == "published" else None,
        attributes={
            "epigenome": snakemake.wildcards.epigenome,
            "genome": snakemake.params.genome,
            "split_rule": snakemake.params.split_rule,
            "labels": snakemake.params.labels,
            "counting": snakemake.params.counting,
            "expression_source": snakemake.params.expression,
            "expression_sha256": sha256(snakemake.input.expression),
            **({"expression_unit": unit} if unit else {}),
            **provenance,
        },
    )
    write_netcdf(dataset, snakemake.output[0])
