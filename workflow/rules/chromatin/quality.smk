rule quality:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        validation=validation_signal,
        overlaps="<results>/tables/split_overlaps.tsv",
        gene_counts="<results>/gene_counts.tsv",
    output:
        quality="<results>/{epigenome}/quality.tsv",
        sources="<results>/{epigenome}/sources.tsv",
    log:
        "<logs>/quality/{epigenome}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/quality.py"


rule samples:
    output:
        report(
            "<results>/tables/samples.tsv",
            caption="../../report/chromatin/samples.rst",
            category="Data quality",
            labels={"content": "Samples and their metadata (table)", "epigenome": "all"},
        ),
    log:
        "<logs>/samples.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        rows=STUDY.sample_rows(),
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/samples.py"


rule quality_tables:
    input:
        quality=expand("<results>/{epigenome}/quality.tsv", epigenome=STUDY.epigenomes),
        sources=expand("<results>/{epigenome}/sources.tsv", epigenome=STUDY.epigenomes),
    output:
        warnings=report(
            "<results>/tables/warnings.tsv",
            caption="../../report/chromatin/warnings.rst",
            category="Data quality",
            labels={"content": "Warnings (table)", "epigenome": "all"},
        ),
        quality=report(
            "<results>/tables/quality.tsv",
            caption="../../report/chromatin/quality.rst",
            category="Data quality",
            labels={"content": "Reads, depth and label balance (table)", "epigenome": "all"},
        ),
        sources=report(
            "<results>/tables/sources.tsv",
            caption="../../report/chromatin/sources.rst",
            category="Data quality",
            labels={"content": "Sources and checksums (table)", "epigenome": "all"},
        ),
        depth=report(
            "<results>/figures/depth.svg",
            caption="../../report/chromatin/depth.rst",
            category="Data quality",
            labels={"content": "Depth by epigenome and mark", "epigenome": "all"},
        ),
        # MultiQC finds it by its name.
        multiqc="<results>/tables/quality_mqc.tsv",
        page="<results>/quality.html",
    log:
        "<logs>/quality_tables.log",
    conda:
        ENVIRONMENT
    params:
        names={epigenome.id: epigenome.name for epigenome in STUDY.epigenomes.values()},
        split_rule=CONFIG["split"]["mode"],
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/quality_tables.py"
