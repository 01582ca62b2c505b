# Runs before any training, so that an unknown name is reported in the first minutes.
rule named_genes:
    input:
        "<results>/genes.tsv",
    output:
        "<results>/named_genes.tsv",
    log:
        "<logs>/named_genes.log",
    priority: 100
    localrule: True
    conda:
        ENVIRONMENT
    params:
        names=CONFIG["interpret"]["named_genes"],
        version=STAGE_VERSIONS["interpret"],
    script:
        "../../../scripts/chromatin/named_genes.py"


rule attend:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        model="<results>/{epigenome}/{model}/model.ckpt",
        named="<results>/named_genes.tsv",
    output:
        "<results>/{epigenome}/{model}/attention.nc",
    log:
        "<logs>/attend/{epigenome}/{model}.log",
    benchmark:
        "<benchmarks>/attend/{epigenome}/{model}.tsv"
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        genes=CONFIG["interpret"]["attention"],
        version=STAGE_VERSIONS["interpret"],
    script:
        "../../../scripts/chromatin/attend.py"


rule explain:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        model="<results>/{epigenome}/{model}/model.ckpt",
    output:
        maps="<results>/{epigenome}/{model}/attribution.nc",
        faithfulness="<results>/{epigenome}/{model}/faithfulness.tsv",
        curves="<results>/{epigenome}/{model}/curves.tsv",
        importance="<results>/{epigenome}/{model}/importance.tsv",
        optima="<results>/{epigenome}/{model}/class_optimization.tsv",
        influence="<results>/{epigenome}/{model}/influence.tsv",
    log:
        "<logs>/explain/{epigenome}/{model}.log",
    benchmark:
        "<benchmarks>/explain/{epigenome}/{model}.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    threads: CONFIG["training"]["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(480),
    params:
        options=explain_options,
        version=STAGE_VERSIONS["interpret"],
    script:
        "../../../scripts/chromatin/explain.py"


rule validate:
    input:
        dataset="<results>/{epigenome}/dataset.nc",
        signal=validation_signal,
        maps=expand("<results>/{{epigenome}}/{model}/attribution.nc", model=EXPLAINED),
        attention=expand("<results>/{{epigenome}}/{model}/attention.nc", model=ATTENDED),
        published=workflow.source_path("../../../resources/published_validation.tsv"),
    output:
        "<results>/{epigenome}/validation.tsv",
    log:
        "<logs>/validate/{epigenome}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        models=EXPLAINED,
        attended=ATTENDED,
        validation_mark=CONFIG["validation_mark"],
        genes=CONFIG["interpret"]["validation"]["genes"],
        absolute=CONFIG["interpret"]["validation"]["absolute"],
        version=STAGE_VERSIONS["interpret"],
    script:
        "../../../scripts/chromatin/validate.py"


rule plot_attention:
    input:
        "<results>/{epigenome}/{model}/attention.nc",
    output:
        in_small_report(
            "<results>/{epigenome}/figures/attention/{model}.svg",
            caption="../../report/chromatin/attention.rst",
            category="Explanations",
            labels={"content": "Attention of ON and OFF genes", "epigenome": "{epigenome}", "model": "{model}"},
        ),
    log:
        "<logs>/plot_attention/{epigenome}/{model}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_attention.py"


rule plot_explanation:
    input:
        maps="<results>/{epigenome}/{model}/attribution.nc",
        faithfulness="<results>/{epigenome}/{model}/faithfulness.tsv",
        curves="<results>/{epigenome}/{model}/curves.tsv",
    output:
        maps=in_small_report(
            "<results>/{epigenome}/figures/explanation/{model}.svg",
            caption="../../report/chromatin/explanation.rst",
            category="Explanations",
            labels={"content": "Maps of every method", "epigenome": "{epigenome}", "model": "{model}"},
        ),
        faithfulness=in_small_report(
            "<results>/{epigenome}/figures/faithfulness/{model}.svg",
            caption="../../report/chromatin/faithfulness.rst",
            category="Explanations",
            labels={"content": "Deletion and insertion", "epigenome": "{epigenome}", "model": "{model}"},
        ),
    log:
        "<logs>/plot_explanation/{epigenome}/{model}.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_explanation.py"


rule attention_table:
    input:
        datasets=expand("<results>/{epigenome}/dataset.nc", epigenome=NAMED_EPIGENOMES),
        attention=expand("<results>/{epigenome}/{model}/attention.nc", epigenome=NAMED_EPIGENOMES, model=ATTENTIVE),
        named="<results>/named_genes.tsv",
    output:
        table=report(
            "<results>/tables/named_genes.tsv",
            caption="../../report/chromatin/named_genes.rst",
            category="Explanations",
            labels={"content": "Marks that matter for named genes (table)", "epigenome": "all"},
        ),
        figure=report(
            "<results>/figures/named_genes.svg",
            caption="../../report/chromatin/named_genes.rst",
            category="Explanations",
            labels={"content": "Marks that matter for named genes", "epigenome": "all"},
        ),
    log:
        "<logs>/attention_table.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        epigenomes=NAMED_EPIGENOMES,
        models=ATTENTIVE,
        version=STAGE_VERSIONS["interpret"],
    script:
        "../../../scripts/chromatin/attention_table.py"


rule explanation_tables:
    input:
        validation=expand("<results>/{epigenome}/validation.tsv", epigenome=STUDY.epigenomes),
        faithfulness=of_explained("faithfulness.tsv"),
        importance=of_explained("importance.tsv"),
        optima=of_explained("class_optimization.tsv"),
    output:
        validation=report(
            "<results>/tables/validation.tsv",
            caption="../../report/chromatin/validation.rst",
            category="Validation",
            labels={"content": "Weights and the validation mark (table)", "epigenome": "all"},
        ),
        faithfulness=report(
            "<results>/tables/faithfulness.tsv",
            caption="../../report/chromatin/faithfulness_table.rst",
            category="Explanations",
            labels={"content": "Which explanation to trust (table)", "epigenome": "all"},
        ),
        importance=report(
            "<results>/tables/importance.tsv",
            caption="../../report/chromatin/importance.rst",
            category="Explanations",
            labels={"content": "Importance of marks and their pairs (table)", "epigenome": "all"},
        ),
        optima=report(
            "<results>/tables/class_optimization.tsv",
            caption="../../report/chromatin/class_optimization.rst",
            category="Explanations",
            labels={"content": "Marks that drive a class (table)", "epigenome": "all"},
        ),
    log:
        "<logs>/explanation_tables.log",
    conda:
        ENVIRONMENT
    params:
        epigenomes=list(STUDY.epigenomes),
        models=EXPLAINED,
        version=STAGE_VERSIONS["interpret"],
    script:
        "../../../scripts/chromatin/explanation_tables.py"


rule plot_validation:
    input:
        "<results>/tables/validation.tsv",
    output:
        report(
            "<results>/figures/validation.svg",
            caption="../../report/chromatin/validation.rst",
            category="Validation",
            labels={"content": "Weights and the validation mark", "epigenome": "all"},
        ),
    log:
        "<logs>/plot_validation.log",
    conda:
        ENVIRONMENT
    params:
        mark=CONFIG["interpret"]["validation"]["mark"],
        validation_mark=CONFIG["validation_mark"],
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_validation.py"


rule plot_importance:
    input:
        "<results>/tables/importance.tsv",
    output:
        importance=report(
            "<results>/figures/importance/{model}.svg",
            caption="../../report/chromatin/importance.rst",
            category="Explanations",
            labels={"content": "Importance of marks", "epigenome": "all", "model": "{model}"},
        ),
        interactions=report(
            "<results>/figures/interactions/{model}.svg",
            caption="../../report/chromatin/interactions.rst",
            category="Explanations",
            labels={"content": "Interactions of marks", "epigenome": "all", "model": "{model}"},
        ),
    log:
        "<logs>/plot_importance/{model}.log",
    conda:
        ENVIRONMENT
    params:
        groups={epigenome.id: [epigenome.group, epigenome.colour] for epigenome in STUDY.epigenomes.values()},
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_importance.py"


EXPLANATIONS = [
    *expand("<results>/{epigenome}/figures/attention/{model}.svg", epigenome=STUDY.epigenomes, model=ATTENTIVE),
    *expand(
        "<results>/{epigenome}/figures/{kind}/{model}.svg",
        epigenome=STUDY.epigenomes,
        kind=["explanation", "faithfulness"],
        model=EXPLAINED,
    ),
    *(["<results>/tables/named_genes.tsv", "<results>/figures/named_genes.svg"] if NAMES_GENES else []),
    *(
        [
            *expand(
                "<results>/tables/{table}.tsv",
                table=["validation", "faithfulness", "importance", "class_optimization"],
            ),
            "<results>/figures/validation.svg",
            *expand("<results>/figures/{kind}/{model}.svg", kind=["importance", "interactions"], model=EXPLAINED),
        ]
        if EXPLAINED
        else []
    ),
]


rule interpret:
    input:
        EXPLANATIONS,
    localrule: True
