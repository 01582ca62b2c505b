rule graph_samples:
    input:
        files=lambda wildcards: GRAPHS.files(wildcards.graph_set),
        datasets=graph_datasets,
        expression=graph_expression,
    output:
        samples="<results>/graphs/{graph_set}/samples.nc",
        variables="<results>/graphs/{graph_set}/variables.tsv",
    log:
        "<logs>/graph_samples/{graph_set}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        contexts=graph_contexts,
        epigenomes=graph_epigenomes,
        groups=lambda wildcards: GRAPHS.groups(wildcards.graph_set),
        choices={key: GRAPH[key] for key in ("variables", "covariates", "min_samples")},
        version=STAGE_VERSIONS["graph_samples"],
    script:
        "../../../scripts/graphs/samples.py"
