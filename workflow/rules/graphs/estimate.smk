rule graph_estimate:
    input:
        samples="<results>/graphs/{graph_set}/samples.nc",
        variables="<results>/graphs/{graph_set}/variables.tsv",
        knowledge=GRAPHS.knowledge_files,
        truth=graph_truth,
    output:
        edges="<results>/graphs/{graph_set}/{estimator}/edges.tsv",
        path="<results>/graphs/{graph_set}/{estimator}/path.tsv",
        null="<results>/graphs/{graph_set}/{estimator}/null.tsv",
        summary="<results>/graphs/{graph_set}/{estimator}/summary.json",
        graphml="<results>/graphs/{graph_set}/{estimator}/graph.graphml",
        sif="<results>/graphs/{graph_set}/{estimator}/graph.sif",
        sif_nodes="<results>/graphs/{graph_set}/{estimator}/graph_nodes.tsv",
        sif_edges="<results>/graphs/{graph_set}/{estimator}/graph_edges.tsv",
        json="<results>/graphs/{graph_set}/{estimator}/graph.json",
    log:
        "<logs>/graph_estimate/{graph_set}/{estimator}.log",
    benchmark:
        "<benchmarks>/graph_estimate/{graph_set}/{estimator}.tsv"
    wildcard_constraints:
        graph_set=one_of(GRAPH_WHOLE),
    priority: LONG_FIRST
    conda:
        ENVIRONMENT
    resources:
        mem_mb=graph_memory,
        runtime=graph_minutes,
    params:
        choices=graph_choices,
        knowledge=GRAPH["knowledge"],
        complete=lambda wildcards: GRAPHS.complete(wildcards.graph_set),
        contexts=lambda wildcards: GRAPHS.labels(wildcards.graph_set),
        version=STAGE_VERSIONS["graphs"],
    script:
        "../../../scripts/graphs/estimate.py"
