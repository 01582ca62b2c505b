from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


# The other defaults are Snakemake's own.
pathvars:
    benchmarks="logs/benchmarks",


include: "workflow/rules/common.smk"
include: "workflow/rules/sources.smk"
include: "workflow/rules/signal.smk"
include: "workflow/rules/dataset.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/interpret.smk"
include: "workflow/rules/pan.smk"
include: "workflow/rules/transfer.smk"
include: "workflow/rules/differential.smk"
include: "workflow/rules/quality.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/predict.smk"


rule all:
    default_target: True
    input:
        "<results>/index.html",
        "<results>/quality.html",
        "<results>/report.html",
        expand("<results>/{epigenome}/report.html", epigenome=STUDY.epigenomes),
        # What the reports are made of stands here too: Snakemake does not miss an intermediate file by itself.
        REPORTED,
        expand("<results>/{epigenome}/dataset.nc", epigenome=STUDY.epigenomes),
        expand("<results>/{epigenome}/{model}/model.ckpt", epigenome=STUDY.epigenomes, model=CONFIG["models"]),
        of_all("predictions.tsv"),
        PAN_EPIGENOME,
        TRANSFER,
        DIFFERENTIAL,
        EXPLANATIONS,
        rules.predicted.input,
