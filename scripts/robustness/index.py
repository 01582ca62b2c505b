from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.files import read_json, read_table
from chromattend.robustness.pages.index import images_row, sequence_row, write_index

with job(snakemake):
    given, params = snakemake.input, snakemake.params
    files = zip(params.images, given.metrics, given.attacks, given.detection, given.adaptive, strict=True)
    write_index(
        snakemake.output[0],
        chromatin=read_table(given.chromatin) if given.chromatin else None,
        images=[images_row(name, read_json(metrics), *map(read_table, tables)) for name, metrics, *tables in files],
        sequences=[
            sequence_row(name, model, read_table(path))
            for (name, model), path in zip(params.sequences, given.letters, strict=True)
        ],
        figures={Path(path).stem: Path(path) for path in given.figures},
        links=[("All epigenomes", "../index.html")] if given.chromatin else [],
    )
