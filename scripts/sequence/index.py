from chromattend.pipeline.jobs import job

from chromattend.files import read_json, read_table
from chromattend.sequence.pages.index import write_index
from chromattend.sequence.tables import main_motifs

with job(snakemake):
    sets = snakemake.params.sets
    for name, path in zip(sets, snakemake.input.quality, strict=True):
        quality = read_json(path)
        positives = sum(counts["positive"] for counts in quality["counts"].values())
        sets[name] |= {"positives": positives, "notes": len(quality["notes"])}
    write_index(
        snakemake.output[0],
        auc=read_table(snakemake.input.auc),
        motifs=main_motifs(read_table(snakemake.input.views)),
        sets=sets,
    )
