REPORTED = [
    "<results>/tables/auc.tsv",
    "<results>/tables/summary.tsv",
    "<results>/tables/split_overlaps.tsv",
    "<results>/figures/auc.svg",
    *expand("<results>/{epigenome}/figures/{figure}.svg", epigenome=STUDY.epigenomes, figure=["roc", "profile"]),
]


rule plot_profile:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        validation=validation_signal,
    output:
        report(
            "<results>/{epigenome}/figures/profile.svg",
            caption="../report/profile.rst",
            category="Data",
            labels={"content": "Marks of {epigenome}", "kind": "figure"},
        ),
    params:
        version=STAGE_VERSIONS["report"],
    log:
        "<logs>/plot_profile/{epigenome}.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    conda:
        ENVIRONMENT
    script:
        "../../scripts/plot_profile.py"


rule page:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        signals=dataset_signals,
        validation=validation_signal,
        metrics=of_models("metrics.json"),
        roc="<results>/{epigenome}/figures/roc.svg",
        profile="<results>/{epigenome}/figures/profile.svg",
    output:
        "<results>/{epigenome}/report.html",
    params:
        name=lambda wildcards: STUDY.epigenomes[wildcards.epigenome].name,
        group=lambda wildcards: STUDY.epigenomes[wildcards.epigenome].group,
        models=CONFIG["models"],
        version=STAGE_VERSIONS["report"],
    log:
        "<logs>/page/{epigenome}.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    conda:
        ENVIRONMENT
    script:
        "../../scripts/page.py"


# Snakemake's own report is made by a call of Snakemake beside its results. As a rule it is a target like any
# other: it is made again when a result changes, and a run of one epigenome leaves it alone.
rule report:
    input:
        REPORTED,
    output:
        html="<results>/report.html",
        config="<results>/config.yaml",
    params:
        config=CONFIG,
        snakefile=workflow.main_snakefile,
        version=STAGE_VERSIONS["report"],
    log:
        "<logs>/report.log",
    localrule: True
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    conda:
        ENVIRONMENT
    script:
        "../../scripts/report.py"
