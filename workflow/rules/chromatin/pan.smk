rule train_pan_epigenome:
    input:
        expand("<results>/{epigenome}/dataset.nc", epigenome=STUDY.epigenomes),
    output:
        model="<results>/pan_epigenome/model.ckpt",
        history="<results>/pan_epigenome/history.csv",
    log:
        "<logs>/train_pan_epigenome.log",
    benchmark:
        "<benchmarks>/train_pan_epigenome.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=growing(4000 + 150 * len(STUDY.epigenomes)),
        runtime=growing(1440),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        epigenomes=list(STUDY.epigenomes),
        options=protocol_of("pan_epigenome")[1],
        training=protocol_of("pan_epigenome")[0],
        version=STAGE_VERSIONS["train"],
    script:
        "../../../scripts/chromatin/train_pan_epigenome.py"


# Scores the same genes as any other model, with the checkpoint that all epigenomes share.
use rule evaluate as evaluate_pan_epigenome with:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        model="<results>/pan_epigenome/model.ckpt",
    output:
        predictions="<results>/{epigenome}/pan_epigenome/predictions.tsv",
        metrics="<results>/{epigenome}/pan_epigenome/metrics.json",
    log:
        "<logs>/evaluate/{epigenome}/pan_epigenome.log",


use rule attend as attend_pan_epigenome with:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        model="<results>/pan_epigenome/model.ckpt",
        named="<results>/named_genes.tsv",
    output:
        "<results>/{epigenome}/pan_epigenome/attention.nc",
    log:
        "<logs>/attend/{epigenome}/pan_epigenome.log",
    benchmark:
        "<benchmarks>/attend/{epigenome}/pan_epigenome.tsv"


rule labels_elsewhere:
    input:
        expand("<results>/{epigenome}/dataset.nc", epigenome=STUDY.epigenomes),
    output:
        report(
            "<results>/tables/labels_elsewhere.tsv",
            caption="../../report/chromatin/labels_elsewhere.rst",
            category="Performance",
            labels={"content": "Control without chromatin (table)", "epigenome": "all"},
        ),
    log:
        "<logs>/labels_elsewhere.log",
    conda:
        ENVIRONMENT
    params:
        epigenomes=list(STUDY.epigenomes),
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../../scripts/chromatin/labels_elsewhere.py"


PAN_EPIGENOME = (
    [
        "<results>/pan_epigenome/model.ckpt",
        "<results>/tables/labels_elsewhere.tsv",
        *expand("<results>/{epigenome}/pan_epigenome/predictions.tsv", epigenome=STUDY.epigenomes),
        *(
            expand("<results>/{epigenome}/pan_epigenome/attention.nc", epigenome=STUDY.epigenomes)
            if INTERPRET["attention"] != "none"
            else []
        ),
    ]
    if CONFIG["pan_epigenome"]
    else []
)


rule pan_epigenome:
    input:
        PAN_EPIGENOME,
