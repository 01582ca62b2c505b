rule robust_letters:
    input:
        dataset="<results>/sequence/{set}/dataset.nc",
        model="<results>/sequence/{set}/{sequence_model}/model.ckpt",
    output:
        "<results>/robustness/sequence/{set}/{sequence_model}/letters.tsv",
    log:
        "<logs>/robust_letters/{set}/{sequence_model}.log",
    benchmark:
        "<benchmarks>/robust_letters/{set}/{sequence_model}.tsv"
    wildcard_constraints:
        sequence_model=one_of(ROBUST_SEQUENCE_MODELS),
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        examples=ROBUST["sequences"]["examples"],
        changes=ROBUST["sequences"]["changes"],
        seed=ROBUST["seed"],
        version=STAGE_VERSIONS["robustness"],
    script:
        "../../../scripts/robustness/letters.py"
