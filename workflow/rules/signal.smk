rule count:
    input:
        genes="<results>/genes.tsv",
        signal=signal_file,
        chrom_sizes=CONFIG["genome"]["chrom_sizes"],
    output:
        "<results>/{epigenome}/signal/{mark}.nc",
    params:
        source=lambda wildcards: STUDY.signal(wildcards.epigenome, wildcards.mark),
        genome=CONFIG["genome"]["name"],
        bins=CONFIG["bins"],
        reads=CONFIG["reads"],
        bigwig=CONFIG["bigwig"],
        version=STAGE_VERSIONS["signal"],
    log:
        "<logs>/count/{epigenome}/{mark}.log",
    benchmark:
        "<benchmarks>/count/{epigenome}/{mark}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    conda:
        ENVIRONMENT
    script:
        "../../scripts/count.py"


rule binned:
    input:
        binned_files,
    output:
        "<results>/{epigenome}/signal/binned.nc",
    params:
        sources=lambda wildcards: STUDY.binned(wildcards.epigenome),
        marks=STUDY.marks,
        bins=CONFIG["bins"],
        version=STAGE_VERSIONS["signal"],
    log:
        "<logs>/binned/{epigenome}.log",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    conda:
        ENVIRONMENT
    script:
        "../../scripts/binned.py"
