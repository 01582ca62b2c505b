rule robust_noise:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        model="<results>/{epigenome}/{model}/model.ckpt",
    output:
        noise="<results>/robustness/chromatin/{epigenome}/{model}/noise.tsv",
        stability="<results>/robustness/chromatin/{epigenome}/{model}/stability.tsv",
        certificate="<results>/robustness/chromatin/{epigenome}/{model}/certificate.tsv",
    log:
        "<logs>/robust_noise/{epigenome}/{model}.log",
    benchmark:
        "<benchmarks>/robust_noise/{epigenome}/{model}.tsv"
    wildcard_constraints:
        epigenome=one_of(ROBUST_EPIGENOMES),
        model=one_of(ROBUST_MODELS),
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(120),
    params:
        genes=ROBUST["genes"],
        seed=ROBUST["seed"],
        noise=ROBUST["noise"],
        certificate=ROBUST["certificate"],
        version=STAGE_VERSIONS["robustness"],
    script:
        "../../../scripts/robustness/noise.py"


rule robust_attack:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        model="<results>/{epigenome}/{model}/model.ckpt",
    output:
        worst_case="<results>/robustness/chromatin/{epigenome}/{model}/worst_case.tsv",
        edits="<results>/robustness/chromatin/{epigenome}/{model}/edits.tsv",
        factors="<results>/robustness/chromatin/{epigenome}/{model}/factors.tsv",
        explanation="<results>/robustness/chromatin/{epigenome}/{model}/explanation.tsv",
        detection="<results>/robustness/chromatin/{epigenome}/{model}/detection.tsv",
        edited="<results>/robustness/chromatin/{epigenome}/{model}/edited.nc",
    log:
        "<logs>/robust_attack/{epigenome}/{model}.log",
    benchmark:
        "<benchmarks>/robust_attack/{epigenome}/{model}.tsv"
    wildcard_constraints:
        epigenome=one_of(ROBUST_EPIGENOMES),
        model=one_of(ROBUST_MODELS),
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(480),
    params:
        genes=ROBUST["genes"],
        seed=ROBUST["seed"],
        worst_case=lambda wildcards: edits_of(wildcards.model),
        detection=ROBUST["detection"],
        version=STAGE_VERSIONS["robustness"],
    script:
        "../../../scripts/robustness/attack.py"


# What fools one model, and what it takes to fool two.
rule robust_transfer:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        models=expand("<results>/{{epigenome}}/{model}/model.ckpt", model=ROBUST_MODELS),
        edited=of_robust_models("edited.nc"),
    output:
        transfer="<results>/robustness/chromatin/{epigenome}/transfer.tsv",
        together="<results>/robustness/chromatin/{epigenome}/together.tsv",
    log:
        "<logs>/robust_transfer/{epigenome}.log",
    benchmark:
        "<benchmarks>/robust_transfer/{epigenome}.tsv"
    wildcard_constraints:
        epigenome=one_of(ROBUST_EPIGENOMES),
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(480),
    params:
        models=ROBUST_MODELS,
        genes=ROBUST["genes"],
        seed=ROBUST["seed"],
        worst_case=ROBUST["worst_case"],
        version=STAGE_VERSIONS["robustness"],
    script:
        "../../../scripts/robustness/transfer.py"
