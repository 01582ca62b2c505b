rule genes:
    input:
        annotation=local(STUDY.source("annotation")),
        expression=local(STUDY.source("expression")),
        include=CONFIG["genes"]["include"] or [],
        chrom_sizes=CONFIG["genome"]["chrom_sizes"],
    output:
        genes="<results>/genes.tsv",
        counts="<results>/gene_counts.tsv",
    log:
        "<logs>/genes.log",
    priority: INPUTS_FIRST
    conda:
        ENVIRONMENT
    params:
        mode=CONFIG["genes"]["mode"],
        version=STAGE_VERSIONS["genes"],
    script:
        "../../../scripts/chromatin/genes.py"


# Separate from the gene table, so that a new split does not count all reads again.
rule split:
    input:
        "<results>/genes.tsv",
    output:
        split="<results>/split.tsv",
        overlaps=report(
            "<results>/tables/split_overlaps.tsv",
            caption="../../report/chromatin/overlaps.rst",
            category="Data quality",
            labels={"content": "Windows that overlap across splits (table)", "epigenome": "all"},
        ),
    log:
        "<logs>/split.log",
    priority: INPUTS_FIRST
    conda:
        ENVIRONMENT
    params:
        split=CONFIG["split"],
        bins=CONFIG["bins"],
        version=STAGE_VERSIONS["dataset"],
    script:
        "../../../scripts/chromatin/split.py"


rule dataset:
    input:
        genes="<results>/genes.tsv",
        split="<results>/split.tsv",
        expression=local(STUDY.source("expression")),
        signals=dataset_signals,
    output:
        "<results>/{epigenome}/dataset.nc",
    log:
        "<logs>/dataset/{epigenome}.log",
    priority: INPUTS_FIRST
    conda:
        ENVIRONMENT
    params:
        labels=CONFIG["labels"],
        counting=counting,
        marks=STUDY.marks,
        genome=CONFIG["genome"]["name"],
        expression=STUDY.source("expression"),
        unit=CONFIG["sources"]["expression_unit"],
        split_rule=CONFIG["split"]["mode"],
        version=STAGE_VERSIONS["dataset"],
    script:
        "../../../scripts/chromatin/dataset.py"
