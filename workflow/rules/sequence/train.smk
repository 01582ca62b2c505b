rule train_sequence:
    input:
        "<results>/sequence/{set}/dataset.nc",
    output:
        model=["<results>/sequence/{set}/{sequence_model}/model.ckpt"],
        history=["<results>/sequence/{set}/{sequence_model}/history.csv"],
    log:
        "<logs>/train_sequence/{set}/{sequence_model}.log",
    benchmark:
        "<benchmarks>/train_sequence/{set}/{sequence_model}.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    threads: SEQUENCE["training"]["threads"]
    resources:
        mem_mb=growing(8000),
        runtime=growing(480),
        gpu=sequence_gpus,
        gpu_model=lambda wildcards: SEQUENCE["training"]["gpu_model"] or "" if sequence_gpus(wildcards) else "",
    params:
        options=lambda wildcards: sequence_protocol(wildcards)[1],
        training=lambda wildcards: sequence_protocol(wildcards)[0],
        version=STAGE_VERSIONS["train"],
    script:
        "../../../scripts/train.py"


rule evaluate_sequence:
    input:
        dataset="<results>/sequence/{set}/dataset.nc",
        model="<results>/sequence/{set}/{sequence_model}/model.ckpt",
    output:
        predictions="<results>/sequence/{set}/{sequence_model}/predictions.tsv",
        metrics="<results>/sequence/{set}/{sequence_model}/metrics.json",
    log:
        "<logs>/evaluate_sequence/{set}/{sequence_model}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../../scripts/evaluate.py"


rule compare_sequence:
    input:
        predictions=of_set("predictions.tsv"),
    output:
        comparisons="<results>/sequence/{set}/comparisons.tsv",
        calibration="<results>/sequence/{set}/calibration.tsv",
    log:
        "<logs>/compare_sequence/{set}.log",
    conda:
        ENVIRONMENT
    params:
        models=SEQUENCE_MODELS,
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../../scripts/compare.py"
