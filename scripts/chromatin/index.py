from chromattend.pipeline.jobs import job

from chromattend.chromatin.pages.index import write_index
from chromattend.files import read_table

with job(snakemake):
    table = {name: read_table(path) for name, path in snakemake.input.items()}
    write_index(
        snakemake.output[0],
        auc=table["auc"],
        summary=table["summary"],
        published=table["published"],
        warnings=table["warnings"],
        validation=table.get("validation"),
        epigenomes=snakemake.params.epigenomes,
        split_rule=snakemake.params.split_rule,
        verdict=str(table["best"]["verdict"].iloc[0]),
        validation_mark=snakemake.params.mark,
    )
