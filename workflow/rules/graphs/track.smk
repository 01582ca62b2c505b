include: "common.smk"


GRAPH_REPORTED = []
GRAPH_TARGETS = []
if GRAPHS:

    include: "samples.smk"
    include: "estimate.smk"
    include: "tiles.smk"
    include: "pages.smk"

    GRAPH_REPORTED += [
        *expand("<results>/graphs/tables/{table}.tsv", table=["sets", "edges", "replication"]),
        "<results>/graphs/figures/edges.svg",
        *expand("<results>/graphs/{graph_set}/report.html", graph_set=GRAPH_SETS),
    ]
    GRAPH_TARGETS += [
        "<results>/graphs/index.html",
        GRAPH_REPORTED,
        *(of_graph_sets(name) for name in GRAPH_FILES),
    ]


REPORTED += GRAPH_REPORTED


rule graphs:
    input:
        GRAPH_TARGETS,
    localrule: True
