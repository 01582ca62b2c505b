"""The page of one set of contexts: one self-contained HTML file."""

import base64
import colorsys
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from chromattend.graphs.layout import Layout, layout_of
from chromattend.graphs.pages import charts
from chromattend.pages import render, table_rows

MOST_ROWS = 5000
# Rows of each further estimator; a page can have many estimators.
MOST_FURTHER_ROWS = 1000
MOST_PANELS = 12
# Values of the heat maps of a page, one byte each.
MOST_CELLS = 1_500_000
MOST_CONTRASTS = 15
# Colours of groups of variables without one, unlike those of contexts.
GROUP_COLOURS = ("#5b4bb5", "#007a5a", "#a33a3a", "#6b6100", "#a8457f", "#5f6b78", "#0072b2", "#d55e00")
# Lightness that colours are moved to, paper and least contrast.
_PAPERS = {"light": (0.0, "#ffffff", 3.2), "dark": (1.0, "#12171d", 4.5)}
_COLOUR = re.compile("#[0-9a-fA-F]{6}")

CLASS_TITLES = {
    "shared": "shared",
    "specific": "specific",
    "modulated": "modulated",
    "single": "edge",
    "difference": "difference",
}


@dataclass(frozen=True)
class Estimated:
    """What one estimator found in a set.

    Attributes:
        name: name in the configuration, and of the folder of its files.
        summary: content of its summary.json.
        edges: content of its edges.tsv, strongest first; see `chromattend.graphs.edges`.
        path: lambda, edges and null_edges over lambda; None if it was not computed.
        null: permutation (0: observed) and counts by class of edges; None without permutations.
    """

    name: str
    summary: Mapping[str, Any]
    edges: pd.DataFrame
    path: pd.DataFrame | None = None
    null: pd.DataFrame | None = None


def readable(colour: str, scheme: str) -> str:
    """Return a colour, lighter or darker as far as needed to be seen on the page's paper.

    Args:
        colour: `#rrggbb`.
        scheme: light or dark.

    Its contrast to the paper is at least 3.2 in light and 4.5 in dark; WCAG 2.2 (1.4.11) asks for 3.
    """
    end, paper, contrast = _PAPERS[scheme]
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    hue, lightness, saturation = colorsys.rgb_to_hls(red, green, blue)
    for step in range(21):
        made = colorsys.hls_to_rgb(hue, lightness + (end - lightness) * step / 20, saturation)
        text = "#" + "".join(f"{round(255 * part):02x}" for part in made)
        if _contrast(text, paper) >= contrast:
            return text
    return text


def _contrast(first: str, second: str) -> float:
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def write_page(
    path: str | Path,
    *,
    name: str,
    variables: pd.DataFrame,
    estimators: Sequence[Estimated],
    matrices: Mapping[str, np.ndarray] | None = None,
    replication: pd.DataFrame | None = None,
    share_cost: float = 0.5,
    max_edges: int = 2000,
    links: Sequence[tuple[str, str]] = (),
    command: str,
    seed: int = 1,
) -> None:
    """Write the page of one set.

    Args:
        path: the HTML file, beside the folders of the estimators.
        name: name of the set.
        variables: variable, group, position and colour of p variables, in the order of the heat map; the last three may
            be empty.
        estimators: the first is the main one, whose verdict is the page's; all have the same contexts.
        matrices: `partial` and `correlation`, each of shape (K, p, p); either may be missing, for sets whose matrices
            are never in memory.
        replication: of differences in other sets: estimator, node1, node2, same_sign (number of other sets with a
            difference of the same sign) and sets (number of other sets); None for a single set.
        share_cost: see `chromattend.graphs.estimators`.
        max_edges: number of edges that are drawn, the strongest first.
        links: other pages: title and address.
        command: command that writes the page again.
        seed: of the layout.
    """
    matrices = matrices or {}
    main = estimators[0].summary
    contexts = list(main["contexts"])
    names = [str(variable) for variable in variables["variable"]]
    numbers = {variable: number for number, variable in enumerate(names)}
    drawn = {each.name: each.edges.head(max_edges) for each in estimators}
    pairs = [
        np.array([[numbers[a], numbers[b]] for a, b in zip(table["node1"], table["node2"], strict=True)]).reshape(-1, 2)
        for table in drawn.values()
    ]
    layout = layout_of(variables, pairs, seed)
    groups = [group for group in dict.fromkeys(variables["group"].fillna("").astype(str)) if group]
    two = len(contexts) == 2
    render(
        path,
        __package__,
        "graphs.html",
        set=name,
        main=main,
        contexts=contexts,
        colours=dict(_colours(contexts, variables, groups)),
        groups=groups,
        variables_number=len(names),
        left_out=len(names) - len(layout.drawn),
        sections=[
            _section(each, number, name, drawn[each.name], [str(context["name"]) for context in contexts])
            for number, each in enumerate(estimators)
        ],
        estimators=estimators,
        warnings=list(dict.fromkeys(text for each in estimators for text in each.summary["warnings"])),
        contrasts=[
            _contrast_of(each, matrices, numbers, replication) for each in estimators if each.summary["difference"]
        ]
        if two
        else [],
        others=int(replication["sets"].max()) if replication is not None and len(replication) else 0,
        heat=sorted(matrices, reverse=True),
        share_cost=share_cost,
        class_titles=CLASS_TITLES,
        most_panels=MOST_PANELS,
        max_edges=max_edges,
        data={
            "set": name,
            "contexts": [str(context["name"]) for context in contexts],
            "groups": groups,
            **_nodes(names, variables, layout, groups),
            "estimators": {each.name: _edges(each, drawn[each.name], matrices, numbers, layout) for each in estimators},
            "heat": _heat(names, variables, matrices, drawn[estimators[0].name], numbers),
        },
        links=links,
        command=command,
    )


def _colours(
    contexts: Sequence[Mapping[str, Any]], variables: pd.DataFrame, groups: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the names and values of the page's colours of contexts and groups, in light and dark."""
    given = [str(context["colour"] or "") for context in contexts]
    if len(given) > 1 and len(set(given)) == 1:
        given = [""] * len(given)
    defaults = ("#0072b2", "#d55e00", "#007a5a", "#a8457f", "#6b6100", "#5b4bb5", "#5f6b78", "#a33a3a")
    for number, colour in enumerate(given):
        colour = colour if _COLOUR.fullmatch(colour) else defaults[number % len(defaults)]
        yield f"context-{number}", {scheme: readable(colour, scheme) for scheme in _PAPERS}
    first = variables.assign(group=variables["group"].fillna("").astype(str)).drop_duplicates("group")
    of_group = dict(zip(first["group"], first["colour"].fillna("").astype(str), strict=True))
    for number, group in enumerate(groups):
        colour = of_group[group] if _COLOUR.fullmatch(of_group[group]) else GROUP_COLOURS[number % len(GROUP_COLOURS)]
        yield f"group-{number}", {scheme: readable(colour, scheme) for scheme in _PAPERS}


# Columns of the table of edges that are shown if they have values, and their headings.
_OPTIONAL = {"relation": "Pair", "stability": "Stability", "p": "p", "q": "q", "thinned_q": "q, thinned"}


def _section(each: Estimated, number: int, name: str, drawn: pd.DataFrame, contexts: Sequence[str]) -> dict[str, Any]:
    """Return what the template shows of one estimator."""
    summary, edges = each.summary, each.edges
    most = MOST_ROWS if number == 0 else MOST_FURTHER_ROWS
    shown = edges.head(most)
    # Columns without any value, such as p without a test, would only take room.
    optional = [column for column in _OPTIONAL if column in shown and shown[column].replace("", np.nan).notna().any()]
    noun = "difference" if summary["difference"] else "specific"
    nulls = []
    null = each.null
    if null is not None and (null["permutation"] > 0).any():
        observed = null[null["permutation"] == 0].iloc[0]
        permuted = null.loc[null["permutation"] > 0, noun].dropna().to_numpy(dtype=float)
        if len(permuted):
            nulls.append(
                charts.null_chart(
                    permuted, float(observed[noun]), "differences" if noun == "difference" else "specific edges"
                )
            )
    stability = edges["stability"] if "stability" in edges else pd.Series(dtype=float)
    stable = edges[stability.notna()] if len(stability) else edges.iloc[:0]
    settings = summary.get("stability") or {}
    return {
        "id": each.name,
        "title": summary["title"],
        "kind": noun,
        "summary": summary,
        "value": "correlation" if summary["baseline"] else "partial_r",
        "rows": table_rows(shown),
        "columns": {column: _OPTIONAL[column] for column in optional},
        "most": most,
        "total": len(edges),
        "drawn": len(drawn),
        "null": summary["null"].get(noun) if summary.get("null") else None,
        "permutations": (summary.get("null") or {}).get("permutations", 0),
        "null_chart": nulls[0] if nulls else None,
        "path_chart": charts.path_chart(each.path, summary["lambda"]["value"])
        if each.path is not None and len(each.path) > 1
        else None,
        "stability_chart": charts.stability_chart(stable["stability"], stable["class"], settings.get("threshold"))
        if len(stable)
        else None,
        "stable": int((stable["stability"] >= settings["threshold"]).sum()) if len(stable) and settings else 0,
        "with_stability": len(stable),
        "halves_chart": charts.halves_chart(summary["split_halves"]) if summary.get("split_halves") else None,
        "thinned": scores_of(summary.get("thinned")),
        "truth": scores_of(summary.get("truth")),
        "panels": [] if summary["difference"] else contexts,
        "own": {
            context: int(((edges["class"].isin(["specific", "single"])) & (edges["context"] == context)).sum())
            for context in contexts
        },
    }


_SCORES = {
    "f1": "F1",
    "auc": "AUC",
    "ap": "average precision",
    "fdp": "false discovery proportion",
    "fdr": "FDR",
    "precision": "precision",
    "recall": "recall",
    "power": "power",
}


def scores_of(values: Mapping[str, Any] | None, before: str = "") -> list[tuple[str, str]]:
    """Return the numbers of nested mappings and lists, each with a title made of its keys."""
    rows: list[tuple[str, str]] = []
    for key, value in (values or {}).items():
        title = _SCORES.get(str(key), str(key).replace("_", " "))
        title = f"{before}, {title}" if before else title
        if isinstance(value, Mapping):
            rows += scores_of(value, title)
        elif isinstance(value, list):
            rows += scores_of(
                {
                    str(item.get("context", n + 1)) if isinstance(item, Mapping) else str(n + 1): item
                    for n, item in enumerate(value)
                },
                title,
            )
        elif isinstance(value, float):
            rows.append((title, f"{value:.3g}"))
        elif value is not None:
            rows.append((title, str(value)))
    return rows


def _nodes(names: Sequence[str], variables: pd.DataFrame, layout: Layout, groups: Sequence[str]) -> dict[str, Any]:
    of = variables["group"].fillna("").astype(str).to_list()
    positions = variables["position"].fillna("").astype(str).to_list()
    return {
        "nodes": [
            [
                names[number],
                groups.index(of[number]) if of[number] else -1,
                *map(float, layout.positions[number].round(4)),
                positions[number],
            ]
            for number in layout.drawn
        ],
        "sectors": [[sector.group, round(sector.start, 4), round(sector.end, 4)] for sector in layout.sectors],
    }


def _edges(
    each: Estimated,
    drawn: pd.DataFrame,
    matrices: Mapping[str, np.ndarray],
    numbers: Mapping[str, int],
    layout: Layout,
) -> dict[str, Any]:
    """Return the drawn edges of an estimator: ends, class and context of each row, and its strength in each context."""
    summary = each.summary
    places = {number: place for place, number in enumerate(layout.drawn.tolist())}
    contexts = {str(context["name"]): number for number, context in enumerate(summary["contexts"])}
    column = "correlation" if summary["baseline"] else "partial_r"
    matrix = matrices.get("correlation" if summary["baseline"] else "partial")
    first = [numbers[node] for node in drawn["node1"]]
    second = [numbers[node] for node in drawn["node2"]]
    known = matrix is not None and len(contexts) <= MOST_PANELS
    return {
        "title": summary["title"],
        "difference": summary["difference"],
        "unit": "r" if summary["baseline"] else "partial r",
        "first": [places[number] for number in first],
        "second": [places[number] for number in second],
        "class": [str(name) for name in drawn["class"]],
        "context": [contexts.get(str(context), -1) for context in drawn["context"].fillna("")],
        "r": [round(float(value), 3) for value in drawn[column]],
        "values": np.asarray(matrix)[:, first, second].T.round(3).tolist() if known else None,
    }


def _heat(
    names: Sequence[str],
    variables: pd.DataFrame,
    matrices: Mapping[str, np.ndarray],
    drawn: pd.DataFrame,
    numbers: Mapping[str, int],
) -> dict[str, Any] | None:
    """Return the matrices above the diagonal as signed bytes; of too many variables, those with most edges."""
    if not matrices:
        return None
    values = sum(matrix.shape[0] for matrix in matrices.values())
    most = max(2, int(np.sqrt(2 * MOST_CELLS / values)))
    chosen = np.arange(len(names))
    if len(names) > most:
        ends = pd.concat([drawn["node1"], drawn["node2"]]).map(numbers).to_numpy(dtype=int)
        degrees = np.bincount(ends, minlength=len(names))
        chosen = np.sort(np.argsort(-degrees, kind="stable")[:most])
    upper = np.triu_indices(len(chosen), k=1)
    made = {}
    for kind, matrix in matrices.items():
        part = np.asarray(matrix)[:, chosen[upper[0]], chosen[upper[1]]]
        scale = float(np.abs(part).max()) or 1.0
        codes = np.round(part / scale * 127).astype(np.int8)
        made[kind] = {"scale": scale, "data": [base64.b64encode(row.tobytes()).decode() for row in codes]}
    groups = variables["group"].fillna("").astype(str).to_numpy()[chosen]
    return {
        "names": [names[number] for number in chosen.tolist()],
        "of": len(names),
        "groups": groups.tolist() if (groups != "").any() else None,
        "matrices": made,
    }


def _contrast_of(
    each: Estimated, matrices: Mapping[str, np.ndarray], numbers: Mapping[str, int], replication: pd.DataFrame | None
) -> dict[str, Any]:
    """Return the differences of one estimator for the table of both contrasts, those that replicate first."""
    edges = each.edges
    if replication is not None:
        own = replication[replication["estimator"] == each.name].drop(columns="estimator")
        edges = edges.merge(own, on=["node1", "node2"], how="left")
        edges = edges.sort_values("same_sign", ascending=False, kind="stable", na_position="last")
    matrix = matrices.get("correlation" if each.summary["baseline"] else "partial")
    column = "correlation" if each.summary["baseline"] else "partial_r"
    rows = table_rows(edges.head(MOST_CONTRASTS))
    limit = 0.0
    for row in rows:
        row["change"] = row[column]
        if matrix is not None:
            i, j = numbers[row["node1"]], numbers[row["node2"]]
            row["first"], row["second"] = float(matrix[0, i, j]), float(matrix[1, i, j])
            limit = max(limit, abs(row["first"]), abs(row["second"]))
    for row in rows:
        if matrix is not None:
            row["picture"] = charts.change(row["first"], row["second"], limit or 1, ("dot context-0", "dot context-1"))
    return {
        "id": each.name,
        "title": each.summary["title"],
        "baseline": each.summary["baseline"],
        "total": len(edges),
        "null": (each.summary.get("null") or {}).get("difference"),
        "rows": rows,
        "values": matrix is not None,
        "tested": "q" in edges and bool(edges["q"].notna().any()),
        "replicated": replication is not None,
        "replicating": int((edges["same_sign"] > 0).sum()) if replication is not None else 0,
    }
