from pathlib import Path

from chromattend.pipeline.jobs import job

from chromattend.chromatin.pages.epigenome import Validation, write_page
from chromattend.chromatin.quality import read_quality, warnings_table
from chromattend.files import UNCOMPILED, read_json, read_netcdf, read_table

with job(snakemake):
    models = snakemake.params.models
    signals = [*snakemake.input.signals, *snakemake.input.validation]
    validation = None
    if path := snakemake.input.explanations:
        table = read_table(path)
        validation = Validation(snakemake.params.mark, snakemake.params.validation_mark, table)
    # Only of a study with robustness, and of its tested epigenomes.
    worst_case, certificates = (snakemake.input.get(name, []) for name in ("worst_case", "certificates"))
    tested = snakemake.params.get("tested", []) if worst_case else []
    turned = {}
    for model, path, certificate in zip(tested, worst_case, certificates, strict=True):
        certified = read_table(certificate)
        # A vote for the other class says nothing of the call.
        reads = certified["certified_reads"].where(certified["voted"] == certified["call"])
        turned[model] = read_table(path).fillna({"symbol": ""}).assign(certified_reads=reads)
    tables = (read_table(path).fillna({"symbol": ""}) for path in snakemake.input.predictions)
    write_page(
        snakemake.output[0],
        name=snakemake.params.name,
        group=snakemake.params.group,
        metadata=snakemake.params.metadata,
        dataset=read_netcdf(snakemake.input.dataset),
        signals=[read_netcdf(path).attrs for path in signals],
        metrics=dict(zip(models, map(read_json, snakemake.input.metrics), strict=True)),
        uncompiled=[
            model
            for model, path in zip(models, snakemake.input.histories, strict=True)
            if UNCOMPILED in read_table(path)
        ],
        comparisons=read_table(snakemake.input.comparisons),
        predictions=dict(zip(models, tables, strict=True)),
        published=read_table(snakemake.input.published),
        figures={name: Path(snakemake.input[name]) for name in ("calibration", "profile")},
        attention=[Path(path) for path in snakemake.input.attention],
        maps=dict(zip(snakemake.params.attentive, map(read_netcdf, snakemake.input.maps), strict=True)),
        influence={
            model: read_table(path).fillna({"symbol": "", "train_symbol": ""})
            for model, path in zip(snakemake.params.explained, snakemake.input.influence, strict=True)
        },
        turned=turned,
        validation=validation,
        warnings=warnings_table(read_quality([snakemake.input.quality]), read_table(snakemake.input.sources)),
        faithfulness={
            model: read_table(path)
            for model, path in zip(snakemake.params.explained, snakemake.input.faithfulness, strict=True)
        },
        command=snakemake.params.command,
    )
