rule graph_page:
    input:
        samples="<results>/graphs/{graph_set}/samples.nc",
        variables="<results>/graphs/{graph_set}/variables.tsv",
        summaries=of_graph_set("summary.json"),
        edges=of_graph_set("edges.tsv"),
        paths=of_graph_set("path.tsv"),
        nulls=of_graph_set("null.tsv"),
        others=graph_others,
    output:
        of_few_graph_sets(
            "<results>/graphs/{graph_set}/report.html",
            caption="../../report/graphs/page.rst",
            category="Graphs",
            labels={"content": "Graphs, {graph_set}"},
        ),
    log:
        "<logs>/graph_page/{graph_set}.log",
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(4000),
    params:
        estimators=lambda wildcards: GRAPHS.estimators(wildcards.graph_set),
        transform=lambda wildcards: GRAPHS.transform(wildcards.graph_set),
        covariates=GRAPH["covariates"],
        settings=GRAPHS.settings(),
        tiles=lambda wildcards: GRAPHS.in_tiles(wildcards.graph_set),
        share_cost=GRAPH["share_cost"],
        max_edges=GRAPH["max_edges"],
        seed=GRAPH["seed"],
        command=lambda wildcards, output: command_for(output[0]),
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/graphs/page.py"


rule graph_tables:
    input:
        summaries=of_graph_sets("summary.json"),
        edges=of_graph_sets("edges.tsv"),
    output:
        sets=report(
            "<results>/graphs/tables/sets.tsv",
            caption="../../report/graphs/sets.rst",
            category="Graphs",
            labels={"content": "Numbers of edges by set and estimator (table)"},
        ),
        edges=report(
            "<results>/graphs/tables/edges.tsv",
            caption="../../report/graphs/edges.rst",
            category="Graphs",
            labels={"content": "Strongest edges of every set (table)"},
        ),
        replication=report(
            "<results>/graphs/tables/replication.tsv",
            caption="../../report/graphs/replication.rst",
            category="Graphs",
            labels={"content": "Differences that two sets share (table)"},
        ),
        figure=report(
            "<results>/graphs/figures/edges.svg",
            caption="../../report/graphs/edges_figure.rst",
            category="Graphs",
            labels={"content": "Edges of every set, and by chance"},
        ),
    log:
        "<logs>/graph_tables.log",
    conda:
        ENVIRONMENT
    params:
        edges=50,
        comparable=GRAPHS.comparable,
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/graphs/tables.py"


rule graph_index:
    input:
        of_graph_sets("summary.json"),
    output:
        "<results>/graphs/index.html",
    log:
        "<logs>/graph_index.log",
    conda:
        ENVIRONMENT
    params:
        version=STAGE_VERSIONS["report"],
    script:
        "../../../scripts/graphs/index.py"
