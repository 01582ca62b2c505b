rule train:
    input:
        "<results>/{epigenome}/dataset.nc",
    output:
        model="<results>/{epigenome}/{model}/model.ckpt",
        history="<results>/{epigenome}/{model}/history.csv",
    log:
        "<logs>/train/{epigenome}/{model}.log",
    benchmark:
        "<benchmarks>/train/{epigenome}/{model}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=4000,
        runtime=240,
        gpu=lambda wildcards: CONFIG["training"]["gpus"] if trains_network(wildcards.model) else 0,
    params:
        options=lambda wildcards: protocol_of(wildcards.model)[1],
        training=lambda wildcards: protocol_of(wildcards.model)[0],
        version=STAGE_VERSIONS["train"],
    script:
        "../../scripts/train.py"
