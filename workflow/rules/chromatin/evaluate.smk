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
    params:
        # Only of a study with robustness, so that others need not be evaluated again.
        **({"redraws": redraws} if ROBUSTNESS else {}),
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../../scripts/evaluate.py"


rule compare:
    input:
        predictions=of_models("predictions.tsv"),
    output:
        comparisons="<results>/{epigenome}/comparisons.tsv",
        calibration="<results>/{epigenome}/calibration.tsv",
    log:
        "<logs>/compare/{epigenome}.log",
    conda:
        ENVIRONMENT
    params:
        models=scored_models(),
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../../scripts/compare.py"


rule tables:
    input:
        metrics=of_all("metrics.json"),
        comparisons=expand("<results>/{epigenome}/comparisons.tsv", epigenome=STUDY.epigenomes),
        published_summary=workflow.source_path("../../../resources/published_summary.tsv"),
        published_auc=workflow.source_path("../../../resources/published_auc.tsv"),
    output:
        best=report(
            "<results>/tables/best.tsv",
            caption="../../report/chromatin/best.rst",
            category="Performance",
            labels={"content": "Which model is best, and by how much (table)", "epigenome": "all"},
        ),
        auc=report(
            "<results>/tables/auc.tsv",
            caption="../../report/chromatin/auc_table.rst",
            category="Performance",
            labels={"content": "Test metrics (table)", "epigenome": "all"},
        ),
        summary=report(
            "<results>/tables/summary.tsv",
            caption="../../report/chromatin/summary.rst",
            category="Performance",
            labels={"content": "Summary beside the published figures (table)", "epigenome": "all"},
        ),
        published=report(
            "<results>/tables/published.tsv",
            caption="../../report/chromatin/published.rst",
            category="Performance",
            labels={"content": "AUCs that others report (table)", "epigenome": "all"},
        ),
        comparisons=report(
            "<results>/tables/comparisons.tsv",
            caption="../../report/chromatin/comparisons.rst",
            category="Performance",
            labels={"content": "Models compared by epigenome (table)", "epigenome": "all"},
        ),
        wilcoxon=report(
            "<results>/tables/wilcoxon.tsv",
            caption="../../report/chromatin/wilcoxon.rst",
            category="Performance",
            labels={"content": "Models compared over epigenomes (table)", "epigenome": "all"},
        ),
    log:
        "<logs>/tables.log",
    conda:
        ENVIRONMENT
    params:
        epigenomes=list(STUDY.epigenomes),
        models=scored_models(),
        split_rule=CONFIG["split"]["mode"],
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../../scripts/chromatin/tables.py"


rule plot_study:
    input:
        auc="<results>/tables/auc.tsv",
        summary="<results>/tables/summary.tsv",
        wilcoxon="<results>/tables/wilcoxon.tsv",
        published="<results>/tables/published.tsv",
    output:
        auc=report(
            "<results>/figures/auc.svg",
            caption="../../report/chromatin/auc_figure.rst",
            category="Performance",
            labels={"content": "AUC by model", "epigenome": "all"},
        ),
        comparisons=report(
            "<results>/figures/comparisons.svg",
            caption="../../report/chromatin/comparisons_figure.rst",
            category="Performance",
            labels={"content": "Models compared over epigenomes", "epigenome": "all"},
        ),
        published=report(
            "<results>/figures/published.svg",
            caption="../../report/chromatin/published.rst",
            category="Performance",
            labels={"content": "AUCs beside those that others report", "epigenome": "all"},
        ),
    log:
        "<logs>/plot_study.log",
    conda:
        ENVIRONMENT
    params:
        groups={epigenome.id: [epigenome.group, epigenome.colour] for epigenome in STUDY.epigenomes.values()},
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_study.py"


rule plot_performance:
    input:
        predictions=of_models("predictions.tsv"),
        metrics=of_models("metrics.json"),
        calibration="<results>/{epigenome}/calibration.tsv",
    output:
        roc=report(
            "<results>/{epigenome}/figures/roc.svg",
            caption="../../report/chromatin/roc.rst",
            category="Performance",
            labels={"content": "ROC curves", "epigenome": "{epigenome}"},
        ),
        calibration=report(
            "<results>/{epigenome}/figures/calibration.svg",
            caption="../../report/chromatin/calibration.rst",
            category="Performance",
            labels={"content": "Calibration", "epigenome": "{epigenome}"},
        ),
    log:
        "<logs>/plot_performance/{epigenome}.log",
    conda:
        ENVIRONMENT
    params:
        models=scored_models(),
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/plot_performance.py"
