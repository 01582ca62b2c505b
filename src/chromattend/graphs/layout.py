"""Places of variables in drawings: one layout for all graphs of a set, so that panels can be compared by eye."""

from collections.abc import Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd

# Beyond this, the discs of a ring overlap.
MOST_ON_RING = 400
# Distances of all pairs of a larger component take minutes to fit.
MOST_BY_DISTANCE = 120
# Gap between two groups of a ring, in steps between variables.
_GAP = 1.6
# Components of more nodes are spread out.
_CROWDED = 12


@dataclass(frozen=True)
class Sector:
    """The part of a ring that one group has; angles in radians, clockwise from the top."""

    group: str
    start: float
    end: float


@dataclass(frozen=True)
class Layout:
    """Where each variable is drawn.

    Attributes:
        positions: x to the right and y downwards, shape (p, 2), within 0 to 1; NaN for variables that are left out
            since they have no edge.
        sectors: the groups of a ring; empty for a layout by edges.
    """

    positions: np.ndarray
    sectors: tuple[Sector, ...] = ()

    @property
    def drawn(self) -> np.ndarray:
        """Numbers of the variables that are drawn, in their order."""
        return np.flatnonzero(np.isfinite(self.positions[:, 0]))


def layout_of(variables: pd.DataFrame, edges: Sequence[np.ndarray], seed: int = 1) -> Layout:
    """Place the variables of a set.

    Variables that all have a group and a position, such as marks and bins, are on a ring: groups as sectors, and their
    variables by position. Others are placed by the edges: each component by the distances in its graph (Kamada, Kawai
    1989) or, if it is large, by springs (Fruchterman, Reingold 1991); components lie side by side, the largest first.

    Args:
        variables: group and position of p variables; empty or missing where there is none.
        edges: pairs of variables as numbers, one array of shape (edge, 2) per estimator. The first has the say: edges
            of the others only place variables that the first leaves out.
        seed: start of the springs.

    Returns:
        The same layout for the same input. A ring has all variables.
    """
    known = variables[["group", "position"]].notna() & (variables[["group", "position"]].astype(str) != "")
    if known.to_numpy().all() and 0 < len(variables) <= MOST_ON_RING:
        return _ring(variables)
    graph: nx.Graph = nx.Graph()
    for pairs in edges:
        placed = set(graph)
        graph.add_edges_from((a, b) for a, b in pairs.tolist() if a not in placed or b not in placed)
    positions = np.full((len(variables), 2), np.nan)
    boxes = []
    for nodes in sorted(nx.connected_components(graph), key=lambda nodes: (-len(nodes), min(nodes))):
        # The order of nodes decides between layouts that are mirror images.
        component = nx.Graph()
        component.add_nodes_from(sorted(nodes))
        component.add_edges_from(sorted(tuple(sorted(edge)) for edge in graph.subgraph(nodes).edges))
        boxes.append((list(component), _component(component, seed)))
    for nodes, places in _packed(boxes):
        positions[nodes] = places
    if boxes:
        positions -= np.nanmin(positions, axis=0)
        positions /= np.nanmax(positions)
        positions += (1 - np.nanmax(positions, axis=0)) / 2
    return Layout(positions)


def _ring(variables: pd.DataFrame) -> Layout:
    groups = list(dict.fromkeys(variables["group"].astype(str)))
    steps = len(variables) + _GAP * len(groups)
    positions, sectors, angle = np.empty((len(variables), 2)), [], _GAP / 2
    place = pd.to_numeric(variables["position"], errors="coerce")
    if place.isna().any():
        place = pd.Series(np.arange(len(variables)), index=variables.index)
    for group in groups:
        members = np.flatnonzero(variables["group"].astype(str) == group)
        members = members[np.argsort(place.to_numpy()[members], kind="stable")]
        angles = 2 * np.pi * (angle + 0.5 + np.arange(len(members))) / steps
        positions[members] = 0.5 + 0.5 * np.stack([np.sin(angles), -np.cos(angles)], axis=1)
        sectors.append(Sector(group, 2 * np.pi * angle / steps, 2 * np.pi * (angle + len(members)) / steps))
        angle += len(members) + _GAP
    return Layout(positions, tuple(sectors))


def _component(graph: nx.Graph, seed: int) -> np.ndarray:
    """Return places of a component's nodes, with a distance of about 1 between neighbours in the drawing."""
    size = len(graph)
    if size <= MOST_BY_DISTANCE:
        places = nx.kamada_kawai_layout(graph)
    else:
        places = nx.spring_layout(graph, seed=seed, method="force")
    made = np.array([places[node] for node in graph])
    # The longest extent is horizontal, so that a chain fits into its panel.
    made -= made.mean(axis=0)
    _, axes = np.linalg.eigh(made.T @ made)
    axes = axes[:, ::-1]
    made = made @ (axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]]))
    if size > _CROWDED:
        # A few nodes far out would press all others together: move each half of the way to an even spread.
        far = np.hypot(*made.T)
        even = np.sqrt((np.argsort(np.argsort(far, kind="stable"), kind="stable") + 0.5) / size)
        made *= ((far / far.max() + even) / 2 / np.maximum(far, 1e-12))[:, None]
    made -= made.min(axis=0)
    return made * (np.sqrt(size) / made.max())


def _packed(boxes: Sequence[tuple[list[int], np.ndarray]]) -> list[tuple[list[int], np.ndarray]]:
    """Put components on shelves of about the width of a square, with a margin of 1 between them."""
    sizes = [places.max(axis=0) + 1 for _, places in boxes]
    if not boxes:
        return []
    width = max(max(size[0] for size in sizes), 1.08 * np.sqrt(sum(size[0] * size[1] for size in sizes)))
    packed, x, y, height = [], 0.0, 0.0, 0.0
    for (nodes, places), size in zip(boxes, sizes, strict=True):
        if x and x + size[0] > width:
            x, y, height = 0.0, y + height, 0.0
        packed.append((nodes, places + np.array([x, y])))
        x, height = x + size[0], max(height, size[1])
    return packed
