rule count:
    input:
        genes="<results>/genes.tsv",
        signal=signal_files,
        chrom_sizes=CONFIG["genome"]["chrom_sizes"],
        excluded=local(CONFIG["genome"]["excluded"]) if CONFIG["genome"]["excluded"] else [],
    output:
        "<results>/{epigenome}/signal/{mark}.nc",
    log:
        "<logs>/count/{epigenome}/{mark}.log",
    benchmark:
        "<benchmarks>/count/{epigenome}/{mark}.tsv"
    wildcard_constraints:
        epigenome=one_of(STUDY.samples),
    priority: INPUTS_FIRST
    conda:
        ENVIRONMENT
    resources:
        runtime=growing(60),
    params:
        sources=lambda wildcards: STUDY.signals(wildcards.epigenome, wildcards.mark),
        replicates=CONFIG["replicates"],
        genome=CONFIG["genome"]["name"],
        bins=CONFIG["bins"],
        reads=CONFIG["reads"],
        bigwig=CONFIG["bigwig"],
        version=STAGE_VERSIONS["signal"],
    script:
        "../../../scripts/chromatin/count.py"


rule binned:
    input:
        binned_files,
    output:
        "<results>/{epigenome}/signal/binned.nc",
    log:
        "<logs>/binned/{epigenome}.log",
    wildcard_constraints:
        epigenome=one_of(STUDY.samples),
    priority: INPUTS_FIRST
    conda:
        ENVIRONMENT
    params:
        sources=lambda wildcards: STUDY.binned(wildcards.epigenome),
        marks=STUDY.marks,
        bins=CONFIG["bins"],
        version=STAGE_VERSIONS["signal"],
    script:
        "../../../scripts/chromatin/binned.py"
