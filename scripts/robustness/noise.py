from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf, write_table
from chromattend.models import load_model
from chromattend.recurrence import use_threads
from chromattend.robustness.certify import certify
from chromattend.robustness.maps import Maps
from chromattend.robustness.noise import noise_table
from chromattend.robustness.stability import stability_table
from chromattend.robustness.subject import Tested

with job(snakemake):
    use_threads(snakemake.threads)
    params, seed = snakemake.params, snakemake.params.seed
    tested = Tested.of(load_model(snakemake.input.model), read_netcdf(snakemake.input.dataset), params.genes, seed)
    subject, counts = tested.subject, tested.counts
    maps = Maps.of(subject)
    attend = maps.attend if maps and maps.attentive else None
    noise = noise_table(
        subject,
        counts,
        tested.labels,
        params.noise,
        tested.marks,
        tested.bin_size,
        attend,
        maps.attribute if maps else None,
        seed,
        tested.progress("noise"),
    )
    stability = stability_table(subject, counts, params.noise["redraws"], seed, attend)
    certificate = certify(subject, counts, **params.certificate, seed=seed, report=tested.progress("certificate"))
    write_table(noise, snakemake.output.noise)
    write_table(tested.named(stability, labelled=True), snakemake.output.stability)
    write_table(tested.named(certificate, labelled=True), snakemake.output.certificate)
