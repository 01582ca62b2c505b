include: "common.smk"


SEQUENCE_REPORTED = []
SEQUENCE_TARGETS = []
if SEQUENCES:

    include: "dataset.smk"
    include: "train.smk"
    include: "explain.smk"
    include: "pages.smk"

    SEQUENCE_REPORTED += [
        *expand("<results>/sequence/tables/{table}.tsv", table=["auc", "views", "trust"]),
        *expand("<results>/sequence/figures/{figure}.svg", figure=["auc", "views"]),
        *expand("<results>/sequence/{set}/figures/{figure}.svg", set=SETS, figure=["roc", "calibration"]),
        *expand("<results>/sequence/{set}/report.html", set=SETS),
    ]
    SEQUENCE_TARGETS += [
        "<results>/sequence/index.html",
        SEQUENCE_REPORTED,
        of_sets("model.ckpt"),
        of_sets("predictions.tsv"),
    ]


REPORTED += SEQUENCE_REPORTED


rule sequence:
    input:
        SEQUENCE_TARGETS,
    localrule: True
