# Snakemake's own report is made by a call of Snakemake beside its results. As a rule it is a target like any
# other: it is made again when a result changes, and a run of one epigenome leaves it alone.
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
    params:
        config=CONFIG,
        snakefile=workflow.main_snakefile,
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/report.py"
