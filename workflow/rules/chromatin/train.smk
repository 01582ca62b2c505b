# A model of one epigenome. Networks of several epigenomes that train together have the rules below.
rule train:
    input:
        "<results>/{epigenome}/dataset.nc",
    output:
        model=["<results>/{epigenome}/{model}/model.ckpt"],
        history=["<results>/{epigenome}/{model}/history.csv"],
    log:
        "<logs>/train/{epigenome}/{model}.log",
    benchmark:
        "<benchmarks>/train/{epigenome}/{model}.tsv"
    wildcard_constraints:
        model=one_of(name for name in TRAINED if REGISTRY[name].kind != "network" or not TOGETHER),
    priority: LONG_FIRST
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
        "../../../scripts/train.py"


# The networks of several epigenomes in one job.
for batch in TOGETHER:

    rule:
        name:
            f"train_{batch[0]}_to_{batch[-1]}"
        input:
            expand("<results>/{epigenome}/dataset.nc", epigenome=batch),
        output:
            model=expand("<results>/{epigenome}/{{model}}/model.ckpt", epigenome=batch),
            history=expand("<results>/{epigenome}/{{model}}/history.csv", epigenome=batch),
        log:
            f"<logs>/train/{batch[0]}-to-{batch[-1]}/{{model}}.log",
        benchmark:
            f"<benchmarks>/train/{batch[0]}-to-{batch[-1]}/{{model}}.tsv"
        wildcard_constraints:
            model=one_of(name for name in TRAINED if REGISTRY[name].kind == "network"),
        priority: LONG_FIRST
        conda:
            ENVIRONMENT
        threads: CONFIG["training"]["threads"]
        resources:
            mem_mb=growing(4000 + 250 * len(batch)),
            runtime=growing(240 if CONFIG["training"]["gpus"] else 240 * len(batch)),
            gpu=gpus,
            gpu_model=gpu_model,
        params:
            options=lambda wildcards: protocol_of(wildcards.model)[1],
            training=lambda wildcards: protocol_of(wildcards.model)[0],
            version=STAGE_VERSIONS["train"],
        script:
            "../../../scripts/train.py"
