rule transfer_from:
    input:
        model="<results>/{epigenome}/{model}/model.ckpt",
        datasets=expand("<results>/{other}/dataset.nc", other=STUDY.epigenomes),
    output:
        "<results>/transfer/{model}/from/{epigenome}.tsv",
    log:
        "<logs>/transfer_from/{epigenome}/{model}.log",
    conda:
        ENVIRONMENT
    resources:
        runtime=growing(120),
    params:
        epigenomes=list(STUDY.epigenomes),
        version=STAGE_VERSIONS["evaluate"],
    script:
        "../../../scripts/chromatin/transfer_from.py"


rule plot_transfer:
    input:
        expand("<results>/transfer/{{model}}/from/{epigenome}.tsv", epigenome=STUDY.epigenomes),
    output:
        table=report(
            "<results>/transfer/{model}/auc.tsv",
            caption="../../report/chromatin/transfer.rst",
            category="Transfer",
            labels={"content": "AUC by epigenome of training and test (table)", "model": "{model}"},
        ),
        figure=report(
            "<results>/transfer/{model}/auc.svg",
            caption="../../report/chromatin/transfer.rst",
            category="Transfer",
            labels={"content": "AUC by epigenome of training and test", "model": "{model}"},
        ),
    log:
        "<logs>/plot_transfer/{model}.log",
    conda:
        ENVIRONMENT
    params:
        epigenomes=list(STUDY.epigenomes),
        groups={epigenome.id: [epigenome.group, epigenome.colour] for epigenome in STUDY.epigenomes.values()},
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/chromatin/plot_transfer.py"


TRANSFER = expand("<results>/transfer/{model}/auc.{kind}", model=CONFIG["transfer"], kind=["tsv", "svg"])


rule transfer:
    input:
        TRANSFER,
