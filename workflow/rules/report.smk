REPORTED = [
    *expand("<results>/tables/{table}.tsv", table=["auc", "summary", "published", "comparisons", "wilcoxon"]),
    "<results>/tables/split_overlaps.tsv",
    *expand("<results>/tables/{table}.tsv", table=["warnings", "quality", "sources"]),
    "<results>/figures/depth.svg",
    *expand("<results>/figures/{figure}.svg", figure=["auc", "comparisons", "published"]),
    *expand(
        "<results>/{epigenome}/figures/{figure}.svg",
        epigenome=STUDY.epigenomes,
        figure=["roc", "calibration", "profile"],
    ),
    *(path for path in PAN_EPIGENOME if "/tables/" in path),
    *TRANSFER,
    *DIFFERENTIAL,
    *EXPLANATIONS,
]


rule plot_profile:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        validation=validation_signal,
    output:
        report(
            "<results>/{epigenome}/figures/profile.svg",
            caption="../report/profile.rst",
            category="Data quality",
            labels={"content": "Marks around the TSS", "epigenome": "{epigenome}"},
        ),
    log:
        "<logs>/plot_profile/{epigenome}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/plot_profile.py"


rule page:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        signals=dataset_signals,
        validation=validation_signal,
        metrics=of_models("metrics.json"),
        comparisons="<results>/{epigenome}/comparisons.tsv",
        predictions=of_models("predictions.tsv"),
        published=workflow.source_path("../../resources/published_auc.tsv"),
        calibration="<results>/{epigenome}/figures/calibration.svg",
        profile="<results>/{epigenome}/figures/profile.svg",
        attention=expand("<results>/{{epigenome}}/figures/attention/{model}.svg", model=ATTENTIVE),
        maps=expand("<results>/{{epigenome}}/{model}/attention.nc", model=BROWSED),
        explanations="<results>/{epigenome}/validation.tsv" if EXPLAINED else [],
    output:
        "<results>/{epigenome}/report.html",
    log:
        "<logs>/page/{epigenome}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10),
    params:
        name=lambda wildcards: STUDY.epigenomes[wildcards.epigenome].name,
        group=lambda wildcards: STUDY.epigenomes[wildcards.epigenome].group,
        command=lambda wildcards, output: command_for(output[0]),
        mark=CONFIG["interpret"]["validation"]["mark"],
        validation_mark=CONFIG["validation_mark"],
        models=scored_models(),
        attentive=BROWSED,
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/page.py"


rule index:
    input:
        **({"validation": "<results>/tables/validation.tsv"} if EXPLAINED else {}),
        auc="<results>/tables/auc.tsv",
        summary="<results>/tables/summary.tsv",
        published="<results>/tables/published.tsv",
        warnings="<results>/tables/warnings.tsv",
    output:
        "<results>/index.html",
    log:
        "<logs>/index.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        epigenomes={
            epigenome.id: [epigenome.name, epigenome.group, epigenome.colour]
            for epigenome in STUDY.epigenomes.values()
        },
        split_rule=CONFIG["split"]["mode"],
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/index.py"


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
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(20),
    params:
        config=CONFIG,
        snakefile=workflow.main_snakefile,
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/report.py"
