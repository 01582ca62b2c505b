from chromattend.pipeline.jobs import job

from chromattend.files import read_netcdf, read_table
from chromattend.robustness.pages.report import Worst, write_page
from chromattend.robustness.tables import Result

with job(snakemake):
    given, params, wildcards = snakemake.input, snakemake.params, snakemake.wildcards
    edited = read_netcdf(given.edited)
    write_page(
        snakemake.output[0],
        result=Result(
            epigenome=wildcards.epigenome,
            model=wildcards.model,
            noise=read_table(given.noise),
            stability=read_table(given.stability),
            certificate=read_table(given.certificate),
            worst_case=read_table(given.worst_case),
            transfer=read_table(given.transfer),
            threshold=edited.attrs.get("threshold"),
            budget=params.settings["worst_case"]["reads"],
        ),
        worst=Worst(
            edits=read_table(given.edits),
            factors=read_table(given.factors),
            explanation=read_table(given.explanation),
            detection=read_table(given.detection),
            together=read_table(given.together),
            edited=edited,
        ),
        settings=params.settings,
        named=params.named,
        links=[("All pages of robustness", "../../../index.html")],
        command=params.command,
    )
