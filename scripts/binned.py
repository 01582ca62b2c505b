from chromattend.bins import Bins
from chromattend.files import write_netcdf
from chromattend.logs import logged
from chromattend.signal import import_binned

with logged(snakemake.log[0]):
    dataset = import_binned(
        snakemake.input,
        Bins(**snakemake.params.bins),
        snakemake.params.marks,
        attributes={"epigenome": snakemake.wildcards.epigenome, "source": " ".join(snakemake.params.sources)},
    )
    write_netcdf(dataset, snakemake.output[0])
