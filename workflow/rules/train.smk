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
        gpu=lambda wildcards: CONFIG["training"]["gpus"] if trains_network(wildcards) else 0,
    params:
        options=lambda wildcards: CONFIG["model_options"][wildcards.model],
        training=training_options,
        version=STAGE_VERSIONS["train"],
    script:
        "../../scripts/train.py"
