"""Prior knowledge from files: weights of edges, groups and hubs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromattend.errors import UserError
from chromattend.graphs.knowledge import knowledge_of, names_in

VARIABLES = ("a", "b", "c", "d")
NONE = {"edges": None, "groups": None, "hubs": None, "strength": 4}


def read(folder: Path, *, complete: bool = True, **contents: str) -> tuple[Any, Any]:
    for key, content in contents.items():
        (folder / f"{key}.tsv").write_text(content)
    files = NONE | {key: f"{key}.tsv" for key in contents}
    return knowledge_of(files, VARIABLES, folder, complete=complete)


def test_a_table_and_a_matrix_give_the_same_weights(tmp_path: Path) -> None:
    expected = np.ones((4, 4))
    expected[0, 1] = expected[1, 0] = 0.5
    expected[1, 3] = expected[3, 1] = 2
    table, groups = read(tmp_path, edges="node1\tnode2\tweight\nb\ta\t0.5\nb\td\t2\nd\tb\t2\n")
    np.testing.assert_array_equal(table, expected)
    assert groups is None
    # Its rows may have names, and then any order.
    plain, _ = read(tmp_path, edges="a\tb\td\n0\t.5\t1\n.5\t9\t2\n1\t2\t1\n")
    named, _ = read(tmp_path, edges="sample,a,b,d\nd,1,2,1\nb,.5,1,2\na,1,.5,1\n")
    np.testing.assert_array_equal(plain, expected)
    np.testing.assert_array_equal(named, expected)
    assert knowledge_of(NONE, VARIABLES, tmp_path) == (None, None)


def test_edges_of_hubs_are_likely_and_groups_have_numbers(tmp_path: Path) -> None:
    weights, groups = read(
        tmp_path,
        edges="node1\tnode2\tweight\na\tc\t2\n",
        hubs="variable\n# a comment\na\nb\n",
        groups="variable\tgroup\nd\tsecond\na\tfirst\nc\t\nb\tsecond\n",
    )
    expected = [[0.25, 0.25, 0.5, 0.25], [0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 1, 1], [0.25, 0.25, 1, 1]]
    np.testing.assert_array_equal(weights, expected)
    assert groups.tolist() == [2, 1, 0, 1]
    # Planning only looks at names, and says where they are.
    places = names_in({"edges": "edges.tsv", "hubs": "hubs.tsv", "groups": "groups.tsv"}, tmp_path)
    assert places == {
        **{"a": "edges.tsv: line 2", "c": "edges.tsv: line 2"},
        **{"d": "groups.tsv: line 2", "b": "groups.tsv: line 5"},
    }


def test_names_of_other_sets_are_left_out(tmp_path: Path) -> None:
    edges = "node1\tnode2\tweight\na\tother\t0.1\na\tb\t0.5\n"
    weights, _ = read(tmp_path, edges=edges, complete=False)
    assert weights[0].tolist() == [1, 0.5, 1, 1]
    with pytest.raises(UserError, match=r"edges.tsv: line 2: 'other' is not among the variables; correct"):
        read(tmp_path, edges=edges)
    with pytest.raises(UserError, match="'x' is not among the variables"):
        read(tmp_path, hubs="x\ny\n", complete=False)


CASES = {
    "no column": ("edges", "node1\tnode2\tw\na\tb\t1\n", "line 1: has no column 'weight'"),
    "a weight of 0": ("edges", "node1\tnode2\tweight\na\tb\t0\n", "line 2: weight 0 is not positive; give less than 1"),
    "a negative weight": ("edges", "a\tb\n1\t-2\n-2\t1\n", "line 3, column 'a': weight -2 is not positive"),
    "an infinite weight": (
        "edges",
        "node1\tnode2\tweight\na\tb\tinf\n",
        "line 2, column 'weight': 'inf' is not finite",
    ),
    "no weight": ("edges", "node1\tnode2\tweight\na\tb\t\n", "line 2, column 'weight': is empty, a missing value"),
    "no end": ("edges", "node1\tnode2\tweight\n\tb\t1\n", "line 2: an end of the edge has no name"),
    "to itself": ("edges", "node1\tnode2\tweight\na\ta\t1\n", "line 2: the edge leads from 'a' to itself; remove"),
    "two weights": (
        "edges",
        "node1\tnode2\tweight\na\tb\t1\nb\ta\t2\n",
        "line 3: the edge of 'b' and 'a' has the weight 2, but 1 in line 2; keep",
    ),
    "not symmetric": (
        "edges",
        "a\tb\tc\n1\t2\t3\n2\t1\t4\n3\t5\t1\n",
        "edges.tsv: is not symmetric: 'b' and 'c' have 4 in line 3, but 5 in line 4; give",
    ),
    "not square": ("edges", "a\tb\tc\n1\t2\t3\n2\t1\t4\n", "has 3 columns but 2 lines of values; give a square"),
    "a line more": ("edges", "a\tb\n1\t2\n2\t1\n1\t1\n", "line 4: is one line more than the 2 columns; give a square"),
    "other names of rows": (
        "edges",
        "\ta\tb\na\t1\t2\nB\t2\t1\n",
        "line 3: 'B' is not the name of a column, did you mean",
    ),
    "a row twice": ("edges", "\ta\tb\na\t1\t2\na\t2\t1\n", "line 3: 'a' is also in line 2; keep"),
    "an unknown name": (
        "groups",
        "variable\tgroup\nA\tx\n",
        "groups.tsv: line 2: 'A' is not among the variables, did you",
    ),
    "two groups": ("groups", "variable\tgroup\na\tx\na\ty\n", "line 3: variable 'a' is also in line 2; keep one line"),
    "no variable": ("groups", "variable\tgroup\n\tx\n", "line 2: the variable has no name"),
    "no hub": ("hubs", "# none\n", "hubs.tsv: lists no variable; give one per line"),
}


@pytest.mark.parametrize("case", CASES)
def test_mistakes_give_one_line(case: str, tmp_path: Path) -> None:
    key, content, words = CASES[case]
    with pytest.raises(UserError) as caught:
        read(tmp_path, **{key: content})
    message = str(caught.value)
    assert words in message, message
    assert "\n" not in message
    assert ";" in message
