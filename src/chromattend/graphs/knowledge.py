"""Prior knowledge of variables: weights of edges, groups and hubs, from files of users.

NumPy is imported when matrices are made: planning a study only looks at the names.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chromattend.errors import UserError, did_you_mean
from chromattend.graphs.formats import numbers_of, read_header, read_rows
from chromattend.text import find_columns, read_lines, read_small_table, text_of

if TYPE_CHECKING:
    import numpy as np

logger = logging.getLogger(__name__)

FILES = ("edges", "groups", "hubs")
EDGES = ("node1", "node2", "weight")
GROUPS = ("variable", "group")
# Weights of both triangles of a matrix may differ by rounding.
SYMMETRIC = 1e-6
# A place in a file, for messages, of every name.
Places = dict[str, str]


def knowledge_of(
    files: Mapping[str, Any], variables: Sequence[str], folder: Path = Path(), *, complete: bool = True
) -> tuple["np.ndarray | None", "np.ndarray | None"]:
    """Read prior knowledge of variables.

    Args:
        files: paths of `edges`, `groups` and `hubs`, each may be None, and `strength`: the section `knowledge`.
        variables: names of the variables, p.
        folder: folder that paths are relative to.
        complete: whether every name in the files must be one of the variables; if not, others are left out, and their
            number is logged.

    Returns:
        Weights of edges, symmetric, shape (p, p), 1 where nothing is known, or None without `edges` and `hubs`; and
        the group of each variable, shape (p,), from 1 in the order of the file, 0 for none, or None without `groups`.
        Edges of hubs have their weight divided by `strength`, once if both ends are hubs.

    Raises:
        UserError: a name is not a variable; a weight is not positive and finite, is given twice, or is not that of the
            other direction.
    """
    import numpy as np

    check_names_known(names_in(files, folder), variables, "the variables", complete=complete)
    index = {name: number for number, name in enumerate(variables)}
    weights = groups = None
    if files.get("edges") or files.get("hubs"):
        weights = np.ones((len(variables), len(variables)))
    if weights is not None and files.get("edges"):
        for first, second, weight in _edges(folder / files["edges"], files["edges"]):
            if first in index and second in index:
                weights[index[first], index[second]] = weights[index[second], index[first]] = weight
    if weights is not None and files.get("hubs"):
        hubs = np.zeros(len(variables), dtype=bool)
        hubs[[index[name] for name in _hubs(folder / files["hubs"], files["hubs"]) if name in index]] = True
        weights[hubs[:, None] | hubs] /= files["strength"]
    if files.get("groups"):
        groups = np.zeros(len(variables), dtype=np.int64)
        numbers: dict[str, int] = {}
        for name, (group, _) in _groups(folder / files["groups"], files["groups"]).items():
            if group and name in index:
                groups[index[name]] = numbers.setdefault(group, len(numbers) + 1)
    return weights, groups


def names_in(files: Mapping[str, Any], folder: Path = Path()) -> Places:
    """Return every name of a variable in the files, and where it is; see `knowledge_of`."""
    places: Places = {}
    if name := files.get("edges"):
        header = read_header(folder / name, name)
        if _is_table(header.columns):
            for first, second, _, number in _table(folder / name, name):
                places.setdefault(first, f"{name}: line {number}")
                places.setdefault(second, f"{name}: line {number}")
        else:
            places |= dict.fromkeys(header.variables(), f"{name}: line {header.line}")
    if name := files.get("groups"):
        for variable, (_, number) in _groups(folder / name, name).items():
            places.setdefault(variable, f"{name}: line {number}")
    if name := files.get("hubs"):
        for variable, number in _hubs(folder / name, name).items():
            places.setdefault(variable, f"{name}: line {number}")
    return places


def check_names_known(places: Places, known: Collection[str], of: str, *, complete: bool = True) -> None:
    """Check that names are known ones.

    Args:
        places: names and where they are.
        known: names of variables.
        of: what has these names, for messages.
        complete: raise for the first unknown name; otherwise only if all of them are unknown.

    Raises:
        UserError: names are unknown.
    """
    names = set(known)
    unknown = [name for name in places if name not in names]
    if unknown and (complete or len(unknown) == len(places)):
        name = unknown[0]
        raise UserError(f"{places[name]}: {name!r} is not among {of}{did_you_mean(name, names)}; correct or remove it")
    if unknown:
        logger.warning("%d of %d names with prior knowledge are not among %s", len(unknown), len(places), of)


def _is_table(columns: Sequence[str]) -> bool:
    return {"node1", "node2"} <= set(columns)


def _edges(path: Path, name: str) -> list[tuple[str, str, float]]:
    """Return edges with their weights, from a table or a symmetric matrix."""
    if not _is_table(read_header(path, name).columns):
        return _matrix(path, name)
    edges = []
    given: dict[frozenset[str], tuple[float, int]] = {}
    for first, second, cell, number in _table(path, name):
        where = f"{name}: line {number}"
        (weight,) = numbers_of([cell], where, ["weight"], plain=False)
        _check_weight(weight, where)
        if first == second:
            raise UserError(f"{where}: the edge leads from {first!r} to itself; remove the line")
        before = given.setdefault(frozenset((first, second)), (weight, number))
        if before[0] != weight:
            raise UserError(
                f"{where}: the edge of {first!r} and {second!r} has the weight {weight:g}, but {before[0]:g} in line "
                f"{before[1]}; keep one line, as edges have no direction"
            )
        edges.append((first, second, weight))
    return edges


def _table(path: Path, name: str) -> list[tuple[str, str, str, int]]:
    """Return both ends, the weight as text and the line of each edge of a table."""
    number, header, rows = read_small_table(path, name, comments=True)
    columns = find_columns(f"{name}: line {number}", header, EDGES, "a tab-separated table of node1, node2 and weight")
    edges = []
    for number, cells in rows:
        first, second, weight = (text_of(cells[column]) for column in columns)
        if not first or not second:
            raise UserError(f"{name}: line {number}: an end of the edge has no name; give both, or remove the line")
        edges.append((first, second, weight, number))
    return edges


def _matrix(path: Path, name: str) -> list[tuple[str, str, float]]:
    """Return the edges of a symmetric matrix, without those of weight 1."""
    header = read_header(path, name)
    names = header.variables()
    index = {variable: number for number, variable in enumerate(names)}
    rows: list[Sequence[float]] = [()] * len(names)
    lines = [0] * len(names)
    count = 0
    for number, cells, plain in read_rows(path, name, header):
        where = f"{name}: line {number}"
        if count == len(names):
            raise UserError(f"{where}: is one line more than the {len(names)} columns; give a square matrix")
        row = text_of(cells[0]) if header.named else names[count]
        if row not in index:
            raise UserError(
                f"{where}: {row!r} is not the name of a column{did_you_mean(row, names)}; give rows and columns the "
                "same names"
            )
        if lines[index[row]]:
            raise UserError(f"{where}: {row!r} is also in line {lines[index[row]]}; keep one line")
        lines[index[row]] = number
        rows[index[row]] = numbers_of(cells[header.named :], where, names, plain)
        count += 1
    if count < len(names):
        raise UserError(f"{name}: has {len(names)} columns but {count} lines of values; give a square matrix")
    edges = []
    for i in range(len(names)):
        for j in range(i):
            weight, other = rows[i][j], rows[j][i]
            _check_weight(weight, f"{name}: line {lines[i]}, column {names[j]!r}")
            if abs(weight - other) > SYMMETRIC * max(abs(weight), abs(other)):
                raise UserError(
                    f"{name}: is not symmetric: {names[j]!r} and {names[i]!r} have {other:g} in line {lines[j]}, but "
                    f"{weight:g} in line {lines[i]}; give both the same weight"
                )
            if weight != 1:
                edges.append((names[j], names[i], weight))
    return edges


def _check_weight(weight: float, where: str) -> None:
    if weight <= 0:
        raise UserError(
            f"{where}: weight {weight:g} is not positive; give less than 1 to a likely edge and more to an unlikely one"
        )


def _groups(path: Path, name: str) -> dict[str, tuple[str, int]]:
    """Return the group and the line of each variable of a table."""
    number, header, rows = read_small_table(path, name, comments=True)
    columns = find_columns(f"{name}: line {number}", header, GROUPS, "a tab-separated table of variable and group")
    groups: dict[str, tuple[str, int]] = {}
    for number, cells in rows:
        variable, group = (text_of(cells[column]) for column in columns)
        if not variable:
            raise UserError(f"{name}: line {number}: the variable has no name; give it, or remove the line")
        if variable in groups:
            raise UserError(
                f"{name}: line {number}: variable {variable!r} is also in line {groups[variable][1]}; keep one line, "
                "as groups do not overlap"
            )
        groups[variable] = group, number
    return groups


def _hubs(path: Path, name: str) -> dict[str, int]:
    """Return the line of each variable of a list."""
    hubs: dict[str, int] = {}
    for number, line in [*read_lines(path, name)]:
        hub = text_of(line.split("\t")[0])
        if hub and not hub.startswith("#") and not (number == 1 and hub == "variable"):
            hubs.setdefault(hub, number)
    if not hubs:
        raise UserError(f"{name}: lists no variable; give one per line")
    return hubs
