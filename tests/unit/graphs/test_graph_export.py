"""Graphs for other programs are read back as they are."""

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from chromattend.files import read_table
from chromattend.graphs.export import write_graphml, write_json_graph, write_sif

NAMES = ["a\tb", "q\"uote's <&>", "β-catenin 遺伝子", "line\nend", "a b"]
VARIABLES = pd.DataFrame(
    {"variable": NAMES, "group": ["g", "g", "", None, "h"], "position": [1, 2, 3, np.nan, 5], "colour": "#0072b2"}
)
EDGES = pd.DataFrame(
    [
        (NAMES[0], NAMES[1], "shared", "", 2, 0.5, 0.31, 0.6, np.nan),
        (NAMES[0], NAMES[1], "modulated", "liver\tcells", 2, -0.2, 0.2, 0.5, 0.01),
        (NAMES[2], NAMES[3], "specific", "liver\tcells", 1, -0.1, -0.12, -0.3, np.nan),
    ],
    columns=["node1", "node2", "class", "context", "contexts", "weight", "partial_r", "correlation", "p"],
)


def check(graph: nx.MultiGraph) -> None:
    assert list(graph) == NAMES
    assert graph.graph["set"] == "s"
    assert graph.nodes["β-catenin 遺伝子"]["position"] == 3
    assert "position" not in graph.nodes["line\nend"]
    assert graph.number_of_edges() == 3
    parts = sorted(graph[NAMES[0]][NAMES[1]].values(), key=lambda part: part["weight"])
    assert [part["class"] for part in parts] == ["modulated", "shared"]
    assert parts[0] == {
        "class": "modulated", "context": "liver\tcells", "contexts": 2, "weight": -0.2, "partial_r": 0.2,
        "correlation": 0.5, "p": 0.01,
    }  # fmt: skip
    assert "p" not in parts[1]


def test_graphml(tmp_path: Path) -> None:
    path = tmp_path / "graph.graphml"
    write_graphml(path, EDGES, VARIABLES, {"set": "s"})
    check(nx.read_graphml(path))


def test_graphml_of_names_that_xml_cannot_hold(tmp_path: Path) -> None:
    path = tmp_path / "graph.graphml"
    variables = VARIABLES.assign(variable=["\x01", *NAMES[1:]])
    write_graphml(path, EDGES.iloc[2:], variables)
    assert next(iter(nx.read_graphml(path))) == "\ufffd"


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "graph.json"
    write_json_graph(path, EDGES, VARIABLES, {"set": "s"})
    check(nx.node_link_graph(json.loads(path.read_text()), edges="edges"))


def test_an_empty_graph(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("g.graphml", "g.json", "g.sif", "nodes.tsv", "edges.tsv")]
    write_graphml(paths[0], EDGES.iloc[:0], VARIABLES)
    write_json_graph(paths[1], EDGES.iloc[:0], VARIABLES)
    write_sif(*paths[2:], EDGES.iloc[:0], VARIABLES)
    assert nx.read_graphml(paths[0]).number_of_edges() == 0
    assert len(paths[2].read_text().splitlines()) == len(read_table(paths[3])) == 5
    assert len(read_table(paths[4])) == 0


def test_sif_and_its_tables_have_the_same_names(tmp_path: Path) -> None:
    sif, nodes, edges = (tmp_path / name for name in ("graph.sif", "nodes.tsv", "edges.tsv"))
    write_sif(sif, nodes, edges, EDGES, VARIABLES)
    lines = [line.split("\t") for line in sif.read_text(encoding="utf-8").splitlines()]
    assert {len(line) for line in lines} == {1, 3}
    table = read_table(nodes)
    # Without tabs, two names would be the same.
    assert table["name"].tolist() == ["a b", NAMES[1], NAMES[2], "line end", "a b (2)"]
    assert {name for line in lines for name in line[::2]} == set(table["name"])
    assert table["degree"].tolist() == [1, 1, 1, 1, 0]
    attributes = read_table(edges)
    assert attributes["name"].tolist() == [f"{line[0]} ({line[1]}) {line[2]}" for line in lines if len(line) == 3]
    assert attributes["name"].is_unique
    assert [line[1] for line in lines if len(line) == 3] == ["shared", "modulated:liver cells", "specific:liver cells"]
    assert attributes["weight"].tolist() == pytest.approx([0.5, -0.2, -0.1])
