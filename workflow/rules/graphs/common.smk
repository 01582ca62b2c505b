from chromattend.graphs.estimators.registry import ESTIMATORS
from chromattend.graphs.study import BASELINES

# Sets of contexts by the route that their number of variables needs; all are empty while the configuration names no
# sheet of contexts.
GRAPH_SETS = GRAPHS.sets if GRAPHS else {}
GRAPH = CONFIG["graphs"]
GRAPH_TILED = [name for name in GRAPH_SETS if GRAPHS.in_tiles(name)]
GRAPH_WHOLE = [name for name in GRAPH_SETS if name not in GRAPH_TILED]
GRAPH_FILES = ["edges.tsv", "path.tsv", "null.tsv", "summary.json"]
GRAPH_FILES += ["graph.graphml", "graph.sif", "graph_nodes.tsv", "graph_edges.tsv", "graph.json"]


wildcard_constraints:
    graph_set=one_of(GRAPH_SETS),
    graph_context=one_of(dict.fromkeys(name for row in GRAPH_SETS.values() for name in row.names)),
    estimator=one_of(ESTIMATORS),
    part=r"\d+",


def graph_contexts(wildcards):
    """Return what the samples of a set are made from: its rows without group and colour, which change no sample."""
    return [
        {key: getattr(context, key) for key in ("name", "data", "block")}
        for context in GRAPH_SETS[wildcards.graph_set].contexts
    ]


def graph_epigenomes(wildcards):
    """Return the epigenomes of each context of a set; empty lists for matrices."""
    return {context.name: GRAPHS.epigenomes(context) for context in GRAPH_SETS[wildcards.graph_set].contexts}


def graph_datasets(wildcards):
    """Return the datasets of the epigenomes whose genes are samples, one per context."""
    row = GRAPH_SETS[wildcards.graph_set]
    return expand(
        "<results>/{epigenome}/dataset.nc",
        epigenome=[context.epigenome for context in row.contexts if context.kind == "epigenome"],
    )


def graph_expression(wildcards):
    """Return the expression matrix, for sets of expression."""
    return local(STUDY.source("expression")) if GRAPH_SETS[wildcards.graph_set].kind == "expression" else []


def graph_truth(wildcards):
    """Return the table of a set's true edges, if it has one."""
    return GRAPH_SETS[wildcards.graph_set].truth or []


def graph_choices(wildcards):
    """Return all choices that the graphs of a set depend on, but for prior knowledge."""
    return GRAPHS.choices(wildcards.graph_set)


def graph_memory(wildcards, attempt):
    """Return the predicted memory (MB) of a job on the matrices of a set, which grows with each try."""
    return round(1000 + 1.5 * GRAPHS.cost(wildcards.graph_set).memory_mb) * attempt


def graph_minutes(wildcards, attempt):
    """Return the predicted run time (min) of a job on the matrices of a set, which grows with each try."""
    return round(20 + 3 * GRAPHS.cost(wildcards.graph_set).seconds / 60) * attempt


def of_graph_set(name):
    """Return an input function for a file of every estimator of a set."""
    return lambda wildcards: [
        f"<results>/graphs/{wildcards.graph_set}/{estimator}/{name}"
        for estimator in GRAPHS.estimators(wildcards.graph_set)
    ]


def of_graph_sets(name):
    """Return a file of every estimator of every set."""
    return [f"<results>/graphs/{one}/{estimator}/{name}" for one in GRAPH_SETS for estimator in GRAPHS.estimators(one)]


def graph_others(wildcards):
    """Return the differences of the sets that a set's differences can be compared with."""
    names = next((names for names in GRAPHS.comparable if wildcards.graph_set in names), [])
    return [
        f"<results>/graphs/{name}/{estimator}/edges.tsv"
        for estimator in GRAPHS.estimators(wildcards.graph_set)
        if ESTIMATORS[estimator].difference
        for name in names
        if name != wildcards.graph_set
    ]


def graph_factors(wildcards):
    """Return the files of all contexts of a set in tiles."""
    names = GRAPH_SETS[wildcards.graph_set].names
    return expand("<results>/graphs/{{graph_set}}/tiles/{name}.npz", name=names)


def of_few_graph_sets(path, **options):
    """Put a page of one set into the report if the study has few sets, as `in_small_report` for epigenomes."""
    return report(path, **options) if len(GRAPH_SETS) <= 10 else path
