from chromattend.pipeline.jobs import job

from chromattend.files import read_json, read_netcdf, read_table
from chromattend.sequence.pages.dashboard import write_dashboard
from chromattend.sequence.pages.explained import read_explained

with job(snakemake):
    given, models, explained = snakemake.input, snakemake.params.models, snakemake.params.explained
    of_model = {name: dict(zip(models, given[name], strict=True)) for name in ("metrics", "predictions", "seconds")}
    networks = [dict(zip(("explanation", "designs", "trust", "influence", "motifs", "meme", "matches", "sites", "hits"), files, strict=True)) for files in zip(given.explanations, given.designs, given.trust, given.influence, given.motifs, given.memes, given.matches, given.sites, given.hits, strict=True)]
    write_dashboard(
        snakemake.output[0],
        dataset=read_netcdf(given.dataset),
        quality=read_json(given.quality),
        metrics={model: read_json(path) for model, path in of_model["metrics"].items()},
        predictions={model: read_table(path) for model, path in of_model["predictions"].items()},
        comparisons=read_table(given.comparisons),
        calibration=read_table(given.calibration),
        explained={model: read_explained(database=given.database, tf=snakemake.params.tf, **files) for model, files in zip(explained, networks, strict=True)},
        seconds={},
        group=snakemake.params.group,
        command=snakemake.params.command,
    )
