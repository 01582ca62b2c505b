# The database comes with the package pyjaspar, or is a file of the user; reading it takes seconds, so it is read once.
rule motif_database:
    input:
        [SEQUENCE["motif"]["database"]] if SEQUENCE["motif"]["database"] else [],
    output:
        "<results>/sequence/motif_database.nc",
    log:
        "<logs>/motif_database.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        release=SEQUENCE["motif"]["release"],
        taxon=SEQUENCE["motif"]["taxon"],
        version=STAGE_VERSIONS["sequence_explain"],
    script:
        "../../../scripts/sequence/motif_database.py"


rule explain_sequence:
    input:
        dataset="<results>/sequence/{set}/dataset.nc",
        model="<results>/sequence/{set}/{sequence_model}/model.ckpt",
    output:
        explanation="<results>/sequence/{set}/{sequence_model}/explanation.nc",
        designs="<results>/sequence/{set}/{sequence_model}/designs.nc",
        trust="<results>/sequence/{set}/{sequence_model}/trust.tsv",
        influence="<results>/sequence/{set}/{sequence_model}/influence.tsv",
    log:
        "<logs>/explain_sequence/{set}/{sequence_model}.log",
    benchmark:
        "<benchmarks>/explain_sequence/{set}/{sequence_model}.tsv"
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    threads: SEQUENCE["training"]["threads"]
    resources:
        mem_mb=growing(6000),
        runtime=growing(240),
    params:
        views=lambda wildcards: views_of(wildcards.sequence_model, SEQUENCE["explain"]["views"]),
        sequences=SEQUENCE["explain"]["sequences"],
        costly=SEQUENCE["explain"]["costly"],
        shown=SEQUENCE["explain"]["shown"],
        seed=SEQUENCE["training"]["seed"],
        version=STAGE_VERSIONS["sequence_explain"],
    script:
        "../../../scripts/sequence/explain.py"


rule gapped_kmers:
    input:
        "<results>/sequence/{set}/gkm_svm/model.ckpt",
    output:
        "<results>/sequence/{set}/gkm_svm/gapped_kmers.tsv",
    log:
        "<logs>/gapped_kmers/{set}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        number=50,
        version=STAGE_VERSIONS["sequence_explain"],
    script:
        "../../../scripts/sequence/gapped_kmers.py"


rule motifs:
    input:
        dataset="<results>/sequence/{set}/dataset.nc",
        model="<results>/sequence/{set}/{sequence_model}/model.ckpt",
        explanation="<results>/sequence/{set}/{sequence_model}/explanation.nc",
        designs="<results>/sequence/{set}/{sequence_model}/designs.nc",
        database="<results>/sequence/motif_database.nc",
    output:
        motifs="<results>/sequence/{set}/{sequence_model}/motifs.tsv",
        matches="<results>/sequence/{set}/{sequence_model}/matches.tsv",
        sites="<results>/sequence/{set}/{sequence_model}/sites.tsv",
        hits="<results>/sequence/{set}/{sequence_model}/hits.tsv",
        meme="<results>/sequence/{set}/{sequence_model}/motifs.meme",
    log:
        "<logs>/motifs/{set}/{sequence_model}.log",
    benchmark:
        "<benchmarks>/motifs/{set}/{sequence_model}.tsv"
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        tf=lambda wildcards: SETS[wildcards.set].tf,
        number=SEQUENCE["motif"]["number"],
        version=STAGE_VERSIONS["sequence_explain"],
    script:
        "../../../scripts/sequence/motifs.py"
