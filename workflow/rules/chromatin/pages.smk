rule plot_profile:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        validation=validation_signal,
    output:
        report(
            "<results>/{epigenome}/figures/profile.svg",
            caption="../../report/chromatin/profile.rst",
            category="Data quality",
            labels={"content": "Marks around the TSS", "epigenome": "{epigenome}"},
        ),
    log:
        "<logs>/plot_profile/{epigenome}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_profile.py"


rule page:
    input:
        **(
            {"worst_case": of_tested("worst_case.tsv"), "certificates": of_tested("certificate.tsv")}
            if ROBUSTNESS
            else {}
        ),
        dataset="<results>/{epigenome}/dataset.nc",
        signals=dataset_signals,
        validation=validation_signal,
        metrics=of_models("metrics.json"),
        histories=histories,
        comparisons="<results>/{epigenome}/comparisons.tsv",
        predictions=of_models("predictions.tsv"),
        published=workflow.source_path("../../../resources/published_auc.tsv"),
        calibration="<results>/{epigenome}/figures/calibration.svg",
        profile="<results>/{epigenome}/figures/profile.svg",
        attention=expand("<results>/{{epigenome}}/figures/attention/{model}.svg", model=ATTENTIVE),
        maps=expand("<results>/{{epigenome}}/{model}/attention.nc", model=BROWSED),
        influence=expand("<results>/{{epigenome}}/{model}/influence.tsv", model=EXPLAINED),
        explanations="<results>/{epigenome}/validation.tsv" if EXPLAINED else [],
        faithfulness=expand("<results>/{{epigenome}}/{model}/faithfulness.tsv", model=EXPLAINED),
        quality="<results>/{epigenome}/quality.tsv",
        sources="<results>/{epigenome}/sources.tsv",
    output:
        "<results>/{epigenome}/report.html",
    log:
        "<logs>/page/{epigenome}.log",
    conda:
        ENVIRONMENT
    params:
        **({"tested": ROBUSTNESS.models} if ROBUSTNESS else {}),
        name=lambda wildcards: STUDY.epigenomes[wildcards.epigenome].name,
        group=lambda wildcards: STUDY.epigenomes[wildcards.epigenome].group,
        metadata=lambda wildcards: dict(STUDY.epigenomes[wildcards.epigenome].metadata),
        command=lambda wildcards, output: command_for(output[0]),
        mark=CONFIG["interpret"]["validation"]["mark"],
        validation_mark=CONFIG["validation_mark"],
        models=scored_models(),
        attentive=BROWSED,
        explained=EXPLAINED,
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/page.py"


rule index:
    input:
        **({"validation": "<results>/tables/validation.tsv"} if EXPLAINED else {}),
        auc="<results>/tables/auc.tsv",
        summary="<results>/tables/summary.tsv",
        published="<results>/tables/published.tsv",
        warnings="<results>/tables/warnings.tsv",
        best="<results>/tables/best.tsv",
    output:
        "<results>/index.html",
    log:
        "<logs>/index.log",
    conda:
        ENVIRONMENT
    params:
        epigenomes={
            epigenome.id: [epigenome.name, epigenome.group, epigenome.colour]
            for epigenome in STUDY.epigenomes.values()
        },
        split_rule=CONFIG["split"]["mode"],
        mark=CONFIG["interpret"]["validation"]["mark"] or "",
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/index.py"
