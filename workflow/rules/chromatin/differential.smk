PAIRS = [f"{first}-vs-{second}" for first, second in CONFIG["differential"]["pairs"]]


rule train_differential:
    input:
        first="<results>/{epigenome}/dataset.nc",
        second="<results>/{other}/dataset.nc",
    output:
        model="<results>/differential/{epigenome}-vs-{other}/{change_model}/model.ckpt",
        history="<results>/differential/{epigenome}-vs-{other}/{change_model}/history.csv",
        predictions="<results>/differential/{epigenome}-vs-{other}/{change_model}/predictions.tsv",
        metrics="<results>/differential/{epigenome}-vs-{other}/{change_model}/metrics.json",
    log:
        "<logs>/train_differential/{epigenome}-vs-{other}/{change_model}.log",
    benchmark:
        "<benchmarks>/train_differential/{epigenome}-vs-{other}/{change_model}.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(480),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        options=lambda wildcards: protocol_of(wildcards.change_model)[1],
        training=lambda wildcards: protocol_of(wildcards.change_model)[0],
        version=STAGE_VERSIONS["train"],
    script:
        "../../../scripts/chromatin/train_differential.py"


rule plot_differential:
    input:
        metrics=expand(
            "<results>/differential/{pair}/{model}/metrics.json", pair=PAIRS, model=CONFIG["differential"]["models"]
        ),
        predictions=expand(
            "<results>/differential/{pair}/{model}/predictions.tsv", pair=PAIRS, model=CONFIG["differential"]["models"]
        ),
    output:
        table=report(
            "<results>/tables/differential.tsv",
            caption="../../report/chromatin/differential.rst",
            category="Differential expression",
            labels={"content": "Correlations by pair and model (table)"},
        ),
        figure=report(
            "<results>/figures/differential.svg",
            caption="../../report/chromatin/differential.rst",
            category="Differential expression",
            labels={"content": "Predicted and observed log fold change"},
        ),
    log:
        "<logs>/plot_differential.log",
    conda:
        ENVIRONMENT
    params:
        pairs=PAIRS,
        models=CONFIG["differential"]["models"],
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_differential.py"


DIFFERENTIAL = ["<results>/tables/differential.tsv", "<results>/figures/differential.svg"] if PAIRS else []


rule differential:
    input:
        DIFFERENTIAL,
