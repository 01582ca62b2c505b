rule robust_index:
    input:
        chromatin="<results>/robustness/tables/chromatin.tsv" if ROBUST_MODELS else [],
        figures=(
            expand("<results>/robustness/figures/{name}.svg", name=["depth", "reads", "conditions", "marks"])
            if ROBUST_MODELS
            else []
        ),
        letters=of_robust_sequences("letters.tsv"),
        metrics=of_images("metrics.json"),
        attacks=of_images("attacks.tsv"),
        detection=of_images("detection.tsv"),
        adaptive=of_images("adaptive.tsv"),
    output:
        "<results>/robustness/index.html",
    log:
        "<logs>/robust_index.log",
    conda:
        ENVIRONMENT
    params:
        images=list(IMAGE_SETS),
        sequences=[[name, model] for name in ROBUST_SETS for model in ROBUST_SEQUENCE_MODELS],
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/robustness/index.py"
