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
        mem_mb=growing(4000),
        runtime=growing(240),
        gpu=gpus,
        gpu_model=gpu_model,
    params:
        options=lambda wildcards: protocol_of(wildcards.model)[1],
        training=lambda wildcards: protocol_of(wildcards.model)[0],
        version=STAGE_VERSIONS["train"],
    script:
        "../../scripts/train.py"
