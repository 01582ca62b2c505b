rule robust_tables:
    input:
        noise=of_robust("noise.tsv"),
        stability=of_robust("stability.tsv"),
        certificate=of_robust("certificate.tsv"),
        worst_case=of_robust("worst_case.tsv"),
        edits=of_robust("edits.tsv"),
        edited=of_robust("edited.nc"),
        transfer=expand("<results>/robustness/chromatin/{epigenome}/transfer.tsv", epigenome=ROBUST_EPIGENOMES),
    output:
        table=report(
            "<results>/robustness/tables/chromatin.tsv",
            caption="../../report/robustness/table.rst",
            category="Robustness",
            labels={"content": "What turns the calls of each model (table)"},
        ),
        depth=report(
            "<results>/robustness/figures/depth.svg",
            caption="../../report/robustness/depth.rst",
            category="Robustness",
            labels={"content": "Calls and explanations over the share of reads"},
        ),
        reads=report(
            "<results>/robustness/figures/reads.svg",
            caption="../../report/robustness/reads.rst",
            category="Robustness",
            labels={"content": "Reads that turn calls"},
        ),
        conditions=report(
            "<results>/robustness/figures/conditions.svg",
            caption="../../report/robustness/conditions.rst",
            category="Robustness",
            labels={"content": "Calls that each condition changes"},
        ),
        marks=report(
            "<results>/robustness/figures/marks.svg",
            caption="../../report/robustness/marks.rst",
            category="Robustness",
            labels={"content": "Marks that the worst case edits"},
        ),
    log:
        "<logs>/robust_tables.log",
    conda:
        ENVIRONMENT
    params:
        pairs=[[epigenome, model] for epigenome in ROBUST_EPIGENOMES for model in ROBUST_MODELS],
        epigenomes=ROBUST_EPIGENOMES,
        budget=ROBUST["worst_case"]["reads"],
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/robustness/tables.py"


rule robust_page:
    input:
        noise="<results>/robustness/chromatin/{epigenome}/{model}/noise.tsv",
        stability="<results>/robustness/chromatin/{epigenome}/{model}/stability.tsv",
        certificate="<results>/robustness/chromatin/{epigenome}/{model}/certificate.tsv",
        worst_case="<results>/robustness/chromatin/{epigenome}/{model}/worst_case.tsv",
        edits="<results>/robustness/chromatin/{epigenome}/{model}/edits.tsv",
        factors="<results>/robustness/chromatin/{epigenome}/{model}/factors.tsv",
        explanation="<results>/robustness/chromatin/{epigenome}/{model}/explanation.tsv",
        detection="<results>/robustness/chromatin/{epigenome}/{model}/detection.tsv",
        edited="<results>/robustness/chromatin/{epigenome}/{model}/edited.nc",
        transfer="<results>/robustness/chromatin/{epigenome}/transfer.tsv",
        together="<results>/robustness/chromatin/{epigenome}/together.tsv",
    output:
        of_few_robust(
            "<results>/robustness/chromatin/{epigenome}/{model}/report.html",
            caption="../../report/robustness/page.rst",
            category="Robustness",
            labels={"content": "Robustness of {model} in {epigenome}"},
        ),
    log:
        "<logs>/robust_page/{epigenome}/{model}.log",
    conda:
        ENVIRONMENT
    params:
        settings=ROBUST,
        named=CONFIG["interpret"]["named_genes"],
        command=lambda wildcards, output: command_for(output[0]),
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/robustness/page.py"
