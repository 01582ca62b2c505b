from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf, write_table
from chromattend.models import load_model
from chromattend.recurrence import use_threads
from chromattend.robustness.subject import Tested
from chromattend.robustness.together import EditedGenes, attack_pairs, transfer
from chromattend.robustness.worst_case import ceilings_of

with job(snakemake):
    use_threads(snakemake.threads)
    params, dataset = snakemake.params, read_netcdf(snakemake.input.dataset)
    tested = {
        name: Tested.of(load_model(path), dataset, params.genes, params.seed)
        for name, path in zip(params.models, snakemake.input.models, strict=True)
    }
    models = {name: one.subject for name, one in tested.items()}
    first = next(iter(tested.values()))
    edited = {}
    for name, path in zip(params.models, snakemake.input.edited, strict=True):
        of_model = read_netcdf(path)
        for threat in ("reads", "entries"):
            counts = of_model[threat].transpose("gene", "bin", "mark").values
            edited[threat, name] = EditedGenes(counts, of_model[f"{threat}_turned"].values.astype(bool))
    write_table(transfer(models, edited, first.counts, first.labels), snakemake.output.transfer)
    together = attack_pairs(models, first.counts, first.labels, params.worst_case, ceilings_of(first.part("train")))
    write_table(together, snakemake.output.together)
