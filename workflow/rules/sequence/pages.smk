rule plot_sequence:
    input:
        predictions=of_set("predictions.tsv"),
        metrics=of_set("metrics.json"),
        calibration="<results>/sequence/{set}/calibration.tsv",
    output:
        roc=of_few_sets(
            "<results>/sequence/{set}/figures/roc.svg",
            caption="../../report/sequence/roc.rst",
            category="Sequences",
            labels={"content": "ROC curves, {set}"},
        ),
        calibration=of_few_sets(
            "<results>/sequence/{set}/figures/calibration.svg",
            caption="../../report/sequence/calibration.rst",
            category="Sequences",
            labels={"content": "Calibration, {set}"},
        ),
    log:
        "<logs>/plot_sequence/{set}.log",
    conda:
        ENVIRONMENT
    params:
        models=SEQUENCE_MODELS,
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/plot_performance.py"


rule sequence_tables:
    input:
        metrics=of_sets("metrics.json"),
        motifs=of_sets("motifs.tsv", SEQUENCE_EXPLAINED),
        trust=of_sets("trust.tsv", SEQUENCE_EXPLAINED),
    output:
        auc=report(
            "<results>/sequence/tables/auc.tsv",
            caption="../../report/sequence/auc_table.rst",
            category="Sequences",
            labels={"content": "Test AUC by set and model (table)"},
        ),
        views=report(
            "<results>/sequence/tables/views.tsv",
            caption="../../report/sequence/motifs_table.rst",
            category="Sequences",
            labels={"content": "Which view recovers the motif (table)"},
        ),
        trust=report(
            "<results>/sequence/tables/trust.tsv",
            caption="../../report/sequence/trust.rst",
            category="Sequences",
            labels={"content": "Which explanation to trust (table)"},
        ),
        auc_figure=report(
            "<results>/sequence/figures/auc.svg",
            caption="../../report/sequence/auc_figure.rst",
            category="Sequences",
            labels={"content": "Test AUC by set and model"},
        ),
        views_figure=report(
            "<results>/sequence/figures/views.svg",
            caption="../../report/sequence/views_figure.rst",
            category="Sequences",
            labels={"content": "Which view recovers the motif"},
        ),
    log:
        "<logs>/sequence_tables.log",
    conda:
        ENVIRONMENT
    params:
        sets=list(SETS),
        models=SEQUENCE_MODELS,
        explained=SEQUENCE_EXPLAINED,
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/sequence/tables.py"


rule sequence_page:
    input:
        dataset="<results>/sequence/{set}/dataset.nc",
        quality="<results>/sequence/{set}/quality.json",
        predictions=of_set("predictions.tsv"),
        metrics=of_set("metrics.json"),
        comparisons="<results>/sequence/{set}/comparisons.tsv",
        calibration="<results>/sequence/{set}/calibration.tsv",
        database="<results>/sequence/motif_database.nc",
        explanation=of_set("explanation.nc", SEQUENCE_EXPLAINED),
        designs=of_set("designs.nc", SEQUENCE_EXPLAINED),
        trust=of_set("trust.tsv", SEQUENCE_EXPLAINED),
        influence=of_set("influence.tsv", SEQUENCE_EXPLAINED),
        motifs=of_set("motifs.tsv", SEQUENCE_EXPLAINED),
        matrices=of_set("motifs.meme", SEQUENCE_EXPLAINED),
        matches=of_set("matches.tsv", SEQUENCE_EXPLAINED),
        sites=of_set("sites.tsv", SEQUENCE_EXPLAINED),
        hits=of_set("hits.tsv", SEQUENCE_EXPLAINED),
        tried=of_set("history.csv", SEQUENCE_KERNELS),
        gapped_kmers=of_set("gapped_kmers.tsv", [model for model in SEQUENCE_KERNELS if model in SEQUENCE_EXPLAINED]),
    output:
        of_few_sets(
            "<results>/sequence/{set}/report.html",
            caption="../../report/sequence/dashboard.rst",
            category="Sequences",
            labels={"content": "Dashboard, {set}"},
        ),
    log:
        "<logs>/sequence_page/{set}.log",
    conda:
        ENVIRONMENT
    params:
        tf=lambda wildcards: SETS[wildcards.set].tf,
        group=lambda wildcards: SETS[wildcards.set].group,
        models=SEQUENCE_MODELS,
        explained=SEQUENCE_EXPLAINED,
        # Not inputs, because benchmarks are not outputs of jobs.
        benchmarks=f"{CONFIG['pathvars']['benchmarks']}/train_sequence",
        command=lambda wildcards, output: command_for(output[0]),
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/sequence/page.py"


rule sequence_index:
    input:
        auc="<results>/sequence/tables/auc.tsv",
        views="<results>/sequence/tables/views.tsv",
        quality=expand("<results>/sequence/{set}/quality.json", set=SETS),
    output:
        "<results>/sequence/index.html",
    log:
        "<logs>/sequence_index.log",
    conda:
        ENVIRONMENT
    params:
        sets={
            name: {"tf": row.tf, "group": row.group, "colour": row.colour, "alphabet": row.alphabet}
            for name, row in SETS.items()
        },
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/sequence/index.py"
