include: "common.smk"


ROBUST_REPORTED = []
ROBUST_TARGETS = []
if ROBUST_MODELS:

    include: "chromatin.smk"
    include: "pages.smk"

    ROBUST_REPORTED += [
        "<results>/robustness/tables/chromatin.tsv",
        *expand("<results>/robustness/figures/{name}.svg", name=["depth", "reads", "conditions", "marks"]),
        *of_robust("report.html"),
    ]
    ROBUST_TARGETS += [of_robust(name) for name in ROBUST_FILES]
    # With the stability of each call.
    ROBUST_TARGETS += expand(
        "<results>/{epigenome}/{model}/predictions.tsv", epigenome=ROBUST_EPIGENOMES, model=ROBUST_MODELS
    )
    ROBUST_TARGETS += expand(
        "<results>/robustness/chromatin/{epigenome}/{name}.tsv",
        epigenome=ROBUST_EPIGENOMES,
        name=["transfer", "together"],
    )


if ROBUST_SEQUENCE_MODELS:

    include: "sequence.smk"

    ROBUST_REPORTED += of_robust_sequences("report.html")
    ROBUST_TARGETS += of_robust_sequences("letters.tsv")


if IMAGE_SETS:

    include: "images.smk"

    for name in ["report.html", "figures/attacks.svg", "figures/detection.svg"]:
        ROBUST_REPORTED += of_images(name)
    ROBUST_TARGETS += [of_images(name) for name in IMAGE_FILES]


if ROBUSTNESS:

    include: "index.smk"

    ROBUST_TARGETS += ["<results>/robustness/index.html", ROBUST_REPORTED]


REPORTED += ROBUST_REPORTED


rule robustness:
    input:
        ROBUST_TARGETS,
    localrule: True
