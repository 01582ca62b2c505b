# The configuration and the sheets of the study, as they were.
rule archive:
    input:
        list(ARCHIVED.values()),
    output:
        expand("<results>/inputs/{name}", name=ARCHIVED),
    log:
        "<logs>/archive.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/archive.py"


# Snakemake makes its report in a separate call. Here the call is a rule, so that the report is a target like any other:
# it is made again when a result changes, and a run of one epigenome does not touch it.
rule report:
    input:
        REPORTED,
    output:
        html="<results>/report.html",
        config="<results>/config.yaml",
    log:
        "<logs>/report.log",
    localrule: True
    conda:
        ENVIRONMENT
    # It calls the Snakemake of this run, which is not in the image.
    container:
        None
    params:
        config=CONFIG,
        snakefile=workflow.main_snakefile,
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/report.py"
