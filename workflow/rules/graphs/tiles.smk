# For sets of many variables: pairs are estimated in tiles, and no job holds a whole matrix.
rule graph_map:
    input:
        "<results>/graphs/{graph_set}/samples.nc",
    output:
        temp("<results>/graphs/{graph_set}/tiles/{graph_context}.npz"),
    log:
        "<logs>/graph_map/{graph_set}/{graph_context}.log",
    wildcard_constraints:
        graph_set=one_of(GRAPH_TILED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=graph_memory,
        runtime=growing(60),
    params:
        transform=lambda wildcards: GRAPHS.transform(wildcards.graph_set),
        covariates=GRAPH["covariates"],
        covariance=GRAPH["covariance"],
        ridge=GRAPH["backward"]["ridge"],
        seed=GRAPH["seed"],
        version=STAGE_VERSIONS["graphs"],
    script:
        "../../../scripts/graphs/map.py"


rule graph_threshold:
    input:
        factors=graph_factors,
    output:
        threshold="<results>/graphs/{graph_set}/{estimator}/threshold.json",
        path="<results>/graphs/{graph_set}/{estimator}/path.tsv",
        null="<results>/graphs/{graph_set}/{estimator}/null.tsv",
    log:
        "<logs>/graph_threshold/{graph_set}/{estimator}.log",
    wildcard_constraints:
        graph_set=one_of(GRAPH_TILED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=graph_memory,
        runtime=growing(120),
    params:
        choices=graph_choices,
        options=lambda wildcards: GRAPHS.options(wildcards.estimator),
        variables=lambda wildcards: GRAPHS.shape(wildcards.graph_set).variables,
        version=STAGE_VERSIONS["graphs"],
    script:
        "../../../scripts/graphs/threshold.py"


rule graph_rows:
    input:
        factors=graph_factors,
        threshold="<results>/graphs/{graph_set}/{estimator}/threshold.json",
    output:
        temp("<results>/graphs/{graph_set}/{estimator}/rows/{part}.nc"),
    log:
        "<logs>/graph_rows/{graph_set}/{estimator}/{part}.log",
    benchmark:
        "<benchmarks>/graph_rows/{graph_set}/{estimator}/{part}.tsv"
    wildcard_constraints:
        graph_set=one_of(GRAPH_TILED),
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    resources:
        mem_mb=graph_memory,
        runtime=graph_minutes,
    params:
        jobs=GRAPH["tiles"]["jobs"],
        size=GRAPH["tiles"]["size"],
        options=lambda wildcards: GRAPHS.options(wildcards.estimator),
        version=STAGE_VERSIONS["graphs"],
    script:
        "../../../scripts/graphs/rows.py"


rule graph_edges:
    input:
        samples="<results>/graphs/{graph_set}/samples.nc",
        variables="<results>/graphs/{graph_set}/variables.tsv",
        factors=graph_factors,
        threshold="<results>/graphs/{graph_set}/{estimator}/threshold.json",
        null="<results>/graphs/{graph_set}/{estimator}/null.tsv",
        rows=expand("<results>/graphs/{{graph_set}}/{{estimator}}/rows/{part}.nc", part=range(GRAPH["tiles"]["jobs"])),
        truth=graph_truth,
    output:
        edges="<results>/graphs/{graph_set}/{estimator}/edges.tsv",
        summary="<results>/graphs/{graph_set}/{estimator}/summary.json",
        graphml="<results>/graphs/{graph_set}/{estimator}/graph.graphml",
        sif="<results>/graphs/{graph_set}/{estimator}/graph.sif",
        sif_nodes="<results>/graphs/{graph_set}/{estimator}/graph_nodes.tsv",
        sif_edges="<results>/graphs/{graph_set}/{estimator}/graph_edges.tsv",
        json="<results>/graphs/{graph_set}/{estimator}/graph.json",
    log:
        "<logs>/graph_edges/{graph_set}/{estimator}.log",
    wildcard_constraints:
        graph_set=one_of(GRAPH_TILED),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=graph_memory,
        runtime=growing(60),
    params:
        choices=graph_choices,
        contexts=lambda wildcards: GRAPHS.labels(wildcards.graph_set),
        version=STAGE_VERSIONS["graphs"],
    script:
        "../../../scripts/graphs/edges.py"
