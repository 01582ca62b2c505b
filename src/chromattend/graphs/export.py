"""Graphs for other programs: GraphML, SIF with tables of attributes for Cytoscape, and JSON for NetworkX."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd

from chromattend.files import atomic, write_json, write_table

# Characters that XML 1.0 cannot hold, in whatever form.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_graphml(
    path: str | Path, edges: pd.DataFrame, variables: pd.DataFrame, attributes: Mapping[str, str] | None = None
) -> None:
    """Write a graph as GraphML, which Cytoscape, Gephi, igraph and NetworkX read.

    Args:
        path: the file.
        edges: see `chromattend.graphs.edges`; further columns become attributes too. Each row is an edge, so a pair of
            variables can have several: `networkx.read_graphml` makes a multigraph of them.
        variables: the column variable, and others that become attributes of nodes.
        attributes: texts about the whole graph, such as the names of its set and estimator.

    Characters that XML does not have become U+FFFD; missing values are left out.
    """
    graph = nx.MultiGraph(**{name: _xml(text) for name, text in (attributes or {}).items()})
    for name, values in _nodes(variables):
        graph.add_node(_xml(name), **{key: _xml(value) for key, value in values.items()})
    for number, (first, second, values) in enumerate(_edges(edges)):
        graph.add_edge(
            _xml(first), _xml(second), key=str(number), **{key: _xml(value) for key, value in values.items()}
        )
    with atomic(path) as temporary:
        # The writer of the standard library keeps line ends and tabs of names, as character references.
        nx.write_graphml_xml(graph, temporary)


def write_json_graph(
    path: str | Path, edges: pd.DataFrame, variables: pd.DataFrame, attributes: Mapping[str, str] | None = None
) -> None:
    """Write a graph as JSON in the node-link form of NetworkX: `networkx.node_link_graph(value, edges="edges")`.

    See `write_graphml` for the arguments.
    """
    write_json(
        {
            "directed": False,
            "multigraph": True,
            "graph": dict(attributes or {}),
            "nodes": [{"id": name, **values} for name, values in _nodes(variables)],
            "edges": [
                {"source": first, "target": second, "key": number, **values}
                for number, (first, second, values) in enumerate(_edges(edges))
            ],
        },
        path,
    )


def write_sif(
    path: str | Path, nodes_path: str | Path, edges_path: str | Path, edges: pd.DataFrame, variables: pd.DataFrame
) -> None:
    """Write a graph as SIF, and its attributes as two tables that Cytoscape imports beside it.

    The interaction is the class of the edge, and its context if it has one: `shared`, `specific:liver`. Cytoscape names
    an edge "first (interaction) second", which is the key of the table of edges; the key of the table of nodes is their
    name. SIF has no quotes: tabs and line ends within names become blanks.

    Args:
        path, nodes_path, edges_path: the SIF file and both tables.
        edges, variables: see `write_graphml`.
    """
    names = [str(name) for name in variables["variable"]]
    plain = dict(zip(names, _plain(names), strict=True))
    rows = [(plain[first], plain[second], values) for first, second, values in _edges(edges)]
    interactions = [
        " ".join(f"{values['class']}:{values['context']}".split()) if values.get("context") else str(values["class"])
        for _, _, values in rows
    ]
    linked = {name for first, second, _ in rows for name in (first, second)}
    with atomic(path) as temporary:
        lines = [
            f"{first}\t{interaction}\t{second}\n"
            for (first, second, _), interaction in zip(rows, interactions, strict=True)
        ]
        lines += [f"{name}\n" for name in plain.values() if name not in linked]
        temporary.write_text("".join(lines), encoding="utf-8")
    nodes = variables.drop(columns="variable").assign(degree=_degrees(edges, names))
    nodes.insert(0, "name", list(plain.values()))
    write_table(nodes, nodes_path)
    table = edges.drop(columns=["node1", "node2"])
    table.insert(
        0,
        "name",
        [
            f"{first} ({interaction}) {second}"
            for (first, second, _), interaction in zip(rows, interactions, strict=True)
        ],
    )
    write_table(table, edges_path)


def _degrees(edges: pd.DataFrame, names: list[str]) -> list[int]:
    pairs = edges[["node1", "node2"]].drop_duplicates()
    counts = pd.concat([pairs["node1"], pairs["node2"]]).value_counts()
    return [int(counts.get(name, 0)) for name in names]


def _plain(names: list[str]) -> list[str]:
    """Return names without tabs and line ends; a name that another one then has gets a number."""
    taken: dict[str, int] = {}
    plain = []
    for name in names:
        text = re.sub(r"[\t\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", " ", name)
        taken[text] = taken.get(text, 0) + 1
        plain.append(text if taken[text] == 1 else f"{text} ({taken[text]})")
    return plain


def _nodes(variables: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in variables.to_dict("records"):
        yield (
            str(row["variable"]),
            {str(key): _value(row[key]) for key in row if key != "variable" and _given(row[key])},
        )


def _edges(edges: pd.DataFrame) -> Iterator[tuple[str, str, dict[str, Any]]]:
    ends = ("node1", "node2")
    for row in edges.to_dict("records"):
        values = {str(key): _value(row[key]) for key in row if key not in ends and _given(row[key])}
        yield str(row["node1"]), str(row["node2"]), values


def _given(value: Any) -> bool:
    return not pd.isna(value) and not (isinstance(value, float) and not np.isfinite(value))


def _value(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _xml(value: Any) -> Any:
    return _NOT_XML.sub("\ufffd", value) if isinstance(value, str) else value
