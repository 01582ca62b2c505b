include: "common.smk"
include: "count.smk"
include: "dataset.smk"
include: "train.smk"
include: "evaluate.smk"
include: "interpret.smk"
include: "pan.smk"
include: "transfer.smk"
include: "differential.smk"
include: "quality.smk"
include: "pages.smk"
include: "predict.smk"


CHROMATIN_REPORTED = [
    *expand("<results>/tables/{table}.tsv", table=["best", "auc", "summary", "published", "comparisons", "wilcoxon"]),
    "<results>/tables/split_overlaps.tsv",
    *expand("<results>/tables/{table}.tsv", table=["samples", "warnings", "quality", "sources"]),
    "<results>/figures/depth.svg",
    *expand("<results>/figures/{figure}.svg", figure=["auc", "comparisons", "published"]),
    *expand(
        "<results>/{epigenome}/figures/{figure}.svg",
        epigenome=STUDY.epigenomes,
        figure=["roc", "calibration", "profile"],
    ),
    *(path for path in PAN_EPIGENOME if "/tables/" in path),
    *TRANSFER,
    *DIFFERENTIAL,
    *EXPLANATIONS,
]
REPORTED += CHROMATIN_REPORTED
CHROMATIN = [
    "<results>/index.html",
    "<results>/quality.html",
    expand("<results>/{epigenome}/report.html", epigenome=STUDY.epigenomes),
    # Inputs of the reports are listed too, because Snakemake does not remake missing intermediate files by itself.
    CHROMATIN_REPORTED,
    expand("<results>/{epigenome}/dataset.nc", epigenome=STUDY.epigenomes),
    expand("<results>/{epigenome}/{model}/model.ckpt", epigenome=STUDY.epigenomes, model=CONFIG["models"]),
    of_all("predictions.tsv"),
    PAN_EPIGENOME,
    TRANSFER,
    DIFFERENTIAL,
    EXPLANATIONS,
    rules.predicted.input,
]


rule chromatin:
    input:
        CHROMATIN,
        "<results>/report.html",
        expand("<results>/inputs/{name}", name=ARCHIVED),
    localrule: True
