from chromattend.pipeline.jobs import job

from chromattend.chromatin.bins import Bins
from chromattend.chromatin.formats import FILES
from chromattend.chromatin.signal import import_binned
from chromattend.files import write_netcdf

with job(snakemake):
    dataset = import_binned(
        snakemake.input,
        Bins(**snakemake.params.bins),
        snakemake.params.marks,
        attributes={"epigenome": snakemake.wildcards.epigenome, "source": FILES.join(snakemake.params.sources)},
    )
    write_netcdf(dataset, snakemake.output[0])
