from chromattend.pipeline.jobs import job

from chromattend.files import read_json
from chromattend.graphs.pages.index import write_index

with job(snakemake):
    sets = {}
    for summary in map(read_json, snakemake.input):
        sets.setdefault(summary["set"], []).append(summary)
    write_index(snakemake.output[0], sets=sets)
