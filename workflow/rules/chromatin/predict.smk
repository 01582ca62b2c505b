rule predict:
    input:
        genes="<results>/genes.tsv",
        signals=dataset_signals,
        checkpoints=checkpoints,
    output:
        "<results>/{epigenome}/predicted.tsv",
    log:
        "<logs>/predict/{epigenome}.log",
    wildcard_constraints:
        epigenome=one_of(STUDY.scored),
    conda:
        ENVIRONMENT
    resources:
        runtime=growing(30),
    params:
        **({"redraws": ROBUSTNESS.config["noise"]["redraws"]} if ROBUSTNESS and ROBUSTNESS.models else {}),
        counting=counting,
        marks=STUDY.marks,
        version=STAGE_VERSIONS["predict"],
    script:
        "../../../scripts/chromatin/predict.py"


rule predicted:
    input:
        expand("<results>/{epigenome}/predicted.tsv", epigenome=STUDY.scored),
    localrule: True
