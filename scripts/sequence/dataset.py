from chromattend.pipeline.jobs import job

from chromattend.files import write_json, write_netcdf
from chromattend.sequence.dataset import Choices, build_dataset
from chromattend.sequence.sheet import SequenceSet

with job(snakemake):
    dataset, quality = build_dataset(
        SequenceSet(**snakemake.params.source), choices=Choices.of(snakemake.params.choices)
    )
    write_netcdf(dataset, snakemake.output.dataset)
    write_json(quality, snakemake.output.quality)
