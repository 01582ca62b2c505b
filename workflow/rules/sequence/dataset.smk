rule sequence_dataset:
    input:
        lambda wildcards: SETS[wildcards.set].inputs,
    output:
        dataset="<results>/sequence/{set}/dataset.nc",
        quality="<results>/sequence/{set}/quality.json",
    log:
        "<logs>/sequence_dataset/{set}.log",
    priority: INPUTS_FIRST
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        source=source_of,
        choices={key: SEQUENCE[key] for key in ("length", "valid_fraction", "split", "duplicates", "seed")},
        version=STAGE_VERSIONS["sequence_dataset"],
    script:
        "../../../scripts/sequence/dataset.py"
