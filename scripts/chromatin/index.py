from chromattend.pipeline.jobs import job

from chromattend.chromatin.pages.index import write_index
from chromattend.chromatin.pages.verdict import study_verdict
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
        verdict=study_verdict(table["auc"], table["comparisons"], table["wilcoxon"]),
        validation_mark=snakemake.params.mark,
    )
