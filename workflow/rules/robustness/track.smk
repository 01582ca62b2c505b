include: "common.smk"


ROBUST_REPORTED = []
ROBUST_TARGETS = []
if ROBUST_MODELS:

    include: "chromatin.smk"

    ROBUST_TARGETS += [of_robust("noise.tsv"), of_robust("worst_case.tsv")]
    ROBUST_TARGETS += expand("<results>/robustness/chromatin/{epigenome}/transfer.tsv", epigenome=ROBUST_EPIGENOMES)

if ROBUST_SEQUENCE_MODELS:

    include: "sequence.smk"

    ROBUST_TARGETS += of_robust_sequences("letters.tsv")

if IMAGE_SETS:

    include: "images.smk"


REPORTED += ROBUST_REPORTED


rule robustness:
    input:
        ROBUST_TARGETS,
    localrule: True
