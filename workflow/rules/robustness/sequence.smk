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


rule robust_letters_page:
    input:
        letters="<results>/robustness/sequence/{set}/{sequence_model}/letters.tsv",
    output:
        report(
            "<results>/robustness/sequence/{set}/{sequence_model}/report.html",
            caption="../../report/robustness/letters.rst",
            category="Robustness",
            labels={"content": "Letters that turn {sequence_model} of {set}"},
        ),
    log:
        "<logs>/robust_letters_page/{set}/{sequence_model}.log",
    conda:
        ENVIRONMENT
    params:
        budget=ROBUST["sequences"]["changes"],
        command=lambda wildcards, output: command_for(output[0]),
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/robustness/letters_page.py"
