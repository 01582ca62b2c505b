import shutil

from chromattend.pipeline.jobs import job

from chromattend.files import atomic

with job(snakemake):
    for source, target in zip(snakemake.input, snakemake.output, strict=True):
        with atomic(target) as temporary:
            shutil.copyfile(source, temporary)
