rule evaluate:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        model="<results>/{epigenome}/{model}/model.ckpt",
    output:
        predictions="<results>/{epigenome}/{model}/predictions.tsv",
        metrics="<results>/{epigenome}/{model}/metrics.json",
    log:
        "<logs>/evaluate/{epigenome}/{model}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../scripts/evaluate.py"


rule tables:
    input:
        metrics=of_all("metrics.json"),
        published=workflow.source_path("../../resources/published_summary.tsv"),
    output:
        auc=report(
            "<results>/tables/auc.tsv",
            caption="../report/auc_table.rst",
            category="Performance",
            labels={"content": "Test metrics (table)", "epigenome": "all"},
        ),
        summary=report(
            "<results>/tables/summary.tsv",
            caption="../report/summary.rst",
            category="Performance",
            labels={"content": "Summary beside the published figures (table)", "epigenome": "all"},
        ),
    log:
        "<logs>/tables.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        epigenomes=list(STUDY.epigenomes),
        models=CONFIG["models"],
        split_rule=CONFIG["split"]["mode"],
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../scripts/tables.py"


rule plot_auc:
    input:
        auc="<results>/tables/auc.tsv",
        summary="<results>/tables/summary.tsv",
    output:
        report(
            "<results>/figures/auc.svg",
            caption="../report/auc_figure.rst",
            category="Performance",
            labels={"content": "AUC by model", "epigenome": "all"},
        ),
    log:
        "<logs>/plot_auc.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        groups={epigenome.id: [epigenome.group, epigenome.colour] for epigenome in STUDY.epigenomes.values()},
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/plot_auc.py"


rule plot_roc:
    input:
        predictions=of_models("predictions.tsv"),
        metrics=of_models("metrics.json"),
    output:
        report(
            "<results>/{epigenome}/figures/roc.svg",
            caption="../report/roc.rst",
            category="Performance",
            labels={"content": "ROC curves", "epigenome": "{epigenome}"},
        ),
    log:
        "<logs>/plot_roc/{epigenome}.log",
    conda:
        ENVIRONMENT
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        models=CONFIG["models"],
        version=STAGE_VERSIONS["report"],
    script:
        "../../scripts/plot_roc.py"
