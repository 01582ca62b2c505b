"""The section `graphs` of the configuration and its sheet: every error is one line, before the first job."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chromattend.errors import UserError
from chromattend.graphs.configuration import load_graphs
from chromattend.graphs.sheet import COLOURS
from chromattend.graphs.study import GraphStudy, Shape, Sources

REPOSITORY = Path(__file__).parents[3]
SCHEMAS = REPOSITORY / "workflow/schemas"
HEADER = "set\tcontext\tdata\n"
ROWS = "one\tA\ta.tsv\none\tB\tb.tsv\n"
# 24 epigenomes of three groups; E24 is alone in its group.
GROUPS = {f"E{n:02d}": ("stem" if n < 22 else "blood" if n < 24 else "brain") for n in range(1, 25)}
EPIGENOMES = Sources(GROUPS, ("H3K4me1", "H3K4me3"), 100)


def matrix(names: str, samples: int = 30) -> str:
    rows = (f"s{n}\t" + "\t".join(f"{(n * 7 + i) % 11}" for i in range(len(names.split()))) for n in range(samples))
    return "\n".join(["sample\t" + "\t".join(names.split()), *rows]) + "\n"


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    for name, names in {"a": "x y age", "b": "age x y", "c": "x y z"}.items():
        (tmp_path / f"{name}.tsv").write_text(matrix(names))
    (tmp_path / "few.tsv").write_text(matrix("x y age", samples=19))
    (tmp_path / "wide.csv").write_text(",".join(f"v{n}" for n in range(50)) + "\n" + "1,2\n" * 25)
    np.savez(tmp_path / "d.npz", samples=np.ones((40, 3)), variables=np.array(["x", "y", "age"]))
    (tmp_path / "w.tsv").write_text("node1\tnode2\tweight\nx\tY\t0.5\n")
    (tmp_path / "hubs.txt").write_text("x\nage\n")
    return tmp_path


def load(workdir: Path, content: str = HEADER + ROWS, **section: Any) -> GraphStudy:
    (workdir / "sheet.tsv").write_text(content)
    config = {"graphs": {"sheet": "sheet.tsv"} | section}
    study = load_graphs(config, SCHEMAS, workdir, lambda key: f"study.yaml ({key})", EPIGENOMES)
    assert study is not None
    return study


def test_a_study_has_its_sets_their_sizes_and_estimators(workdir: Path) -> None:
    more = "two\tA\ta.tsv\ntwo\tB\tb.tsv\ntwo\tC\td.npz\nalone\tA\tc.tsv\n"
    study = load(workdir, f"{HEADER}# a comment\n{ROWS}{more}", tiles={"from": 3, "size": 16, "jobs": 2})
    assert {name: row.names for name, row in study.sets.items()} == {"one": ["A", "B"], "two": [*"ABC"], "alone": ["A"]}
    assert [context.colour for context in study.sets["two"].contexts] == list(COLOURS[:3])
    assert study.estimators("one") == ["jeek", "fasjem_closed", "diffee", "correlation", "correlation_difference"]
    # Differences need two contexts.
    assert study.estimators("two") == study.estimators("alone") == ["jeek", "fasjem_closed", "correlation"]
    shape = study.shape("two")
    assert (shape.variables, shape.samples, set(shape.names or ())) == (3, (30, 30, 40), {"x", "y", "age"})
    assert study.in_tiles("two")
    # Covariates are left out of the graphs.
    fewer = load(workdir, covariates=["age"], tiles={"from": 3, "size": 16, "jobs": 2})
    assert (fewer.shape("one").variables, fewer.in_tiles("one")) == (2, False)
    assert list(load(workdir, f"{HEADER}{ROWS}{more}", select=["alone"]).sets) == ["alone"]
    (workdir / "blocks.tsv").write_text(HEADER.replace("\n", "\tblock\n") + "one\tA\ta.tsv\tcolumn:age\n")
    assert load(workdir, (workdir / "blocks.tsv").read_text()).shape("one").names == ("x", "y")


def test_epigenomes_and_expression_need_no_files(workdir: Path) -> None:
    rows = "m\tA\tepigenome:E01\nm\tB\tepigenome:E02:ON\ne\tall\texpression\ne\tstem\texpression:stem\n"
    study = load(workdir, HEADER + rows)
    assert (study.shape("m").variables, study.shape("m").samples) == (20, (None, None))
    assert (study.shape("e").variables, study.shape("e").samples) == (300, (23, 21))
    assert (study.transform("m"), study.transform("e")) == ("log1p", "none")
    everything, stem = study.sets["e"].contexts
    # Centred by group, an epigenome that is alone in its group would be 0 everywhere.
    assert study.epigenomes(everything) == [name for name in GROUPS if name != "E24"]
    assert set(study.groups("e").values()) == {"stem", "blood"}
    assert study.epigenomes(stem)[-1] == "E21"
    assert study.sets["m"].contexts[1].label == "ON"
    assert load(workdir).transform("one") == "none"


def test_samples_of_large_files_are_estimated(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (workdir / "a.tsv").write_text(matrix("x y age", samples=5000))
    exact = load(workdir).shape("one")
    monkeypatch.setattr("chromattend.graphs.formats.COUNTED", 10_000)
    estimate = load(workdir).shape("one")
    assert (exact.samples[0], exact.counted, estimate.counted) == (5000, True, False)
    assert estimate.samples[0] == pytest.approx(5000, rel=0.2)


def test_the_forecast_says_what_a_set_takes(workdir: Path) -> None:
    study = load(workdir, tiles={"from": 10**6})
    (line,) = study.forecast
    assert line.startswith("Graphs of one: 2 contexts of 3 variables, as whole matrices: up to 0.3 GB")
    assert "this machine" not in line
    # 445 bytes for each of 2 x 30,000^2 entries.
    large = replace(study, shapes={"one": Shape(30_000, (50, 60), None, counted=False)})
    assert "as whole matrices with the ridge map, because samples are few: up to 801.3 GB" in large.forecast[0]
    assert "; this machine has " in large.forecast[0]
    tiled = replace(large, config=large.config | {"tiles": {"from": 4000, "size": 512, "jobs": 16}})
    assert "in tiles with the ridge map" in tiled.forecast[0]
    assert "this machine" not in tiled.forecast[0]


def test_the_track_is_off_without_a_sheet(workdir: Path) -> None:
    for config in ({}, {"graphs": None}, {"graphs": {"sheet": None}}):
        assert load_graphs(config, SCHEMAS, workdir) is None


# Sheet, section, and words of the message.
CASES: dict[str, tuple[str, dict[str, Any], str]] = {
    "no sheet": (HEADER, {"sheet": "no.tsv"}, "key 'graphs.sheet': file 'no.tsv' does not exist; correct"),
    "an empty sheet": ("", {}, "sheet.tsv: is empty; give a header line"),
    "no row": (HEADER, {}, "has a header line but no context; add"),
    "an unknown key": (HEADER + ROWS, {"estimator": []}, "unknown key 'graphs.estimator', did you mean 'estimators'?"),
    "an unknown estimator": (HEADER + ROWS, {"estimators": ["jek"]}, "'jek' is not valid, did you mean 'jeek'?"),
    "a baseline": (HEADER + ROWS, {"estimators": ["correlation"]}, "'correlation' is not valid"),
    "kdiffnet alone": (HEADER + ROWS, {"estimators": ["kdiffnet"]}, "kdiffnet without 'graphs.knowledge' is diffee"),
    "an unknown set": (HEADER + ROWS, {"select": ["onne"]}, "'onne' is not in sheet.tsv, did you mean 'one'?"),
    "an unknown column": ("set\tcontext\tdata\tcolor\n", {}, "unknown column 'color', did you mean 'colour'?"),
    "a context twice": (HEADER + ROWS + "one\tB\tc.tsv\n", {}, "line 4: context 'B' of set 'one' is given twice, also"),
    "a context in another case": (
        HEADER + ROWS + "one\tb\tc.tsv\n",
        {},
        "differs from 'B' only in its case, in line 3",
    ),
    "a set in another case": (HEADER + ROWS + "One\tA\ta.tsv\n", {}, "set 'One' differs from 'one' in line 2 only in"),
    "a reserved name": (HEADER + "tables\tA\ta.tsv\n", {}, "line 2: set name 'tables' is reserved"),
    "a path as a name": (HEADER + "../x\tA\ta.tsv\n", {}, "'../x' is not valid; give a name of letters"),
    "a bad colour": ("set\tcontext\tdata\tcolour\none\tA\ta.tsv\tred\n", {}, "'red' is not valid; give a # and six"),
    "a URL": (HEADER + "one\tA\thttps://x.org/a.tsv\n", {}, "URLs are not read"),
    "another truth": (
        "set\tcontext\tdata\ttruth\none\tA\ta.tsv\tt.tsv\none\tB\tb.tsv\t\n",
        {},
        "line 3: truth '' is not that of the first row of set 'one', 't.tsv'; give",
    ),
    "a truth of other columns": (
        "set\tcontext\tdata\ttruth\none\tA\ta.tsv\ta.tsv\n",
        {},
        "set 'one', truth: a.tsv: line 1: has no column 'node1'; give",
    ),
    "no file": (HEADER + "one\tA\tx.tsv\n", {}, "set 'one', context 'A': data: file 'x.tsv' does not exist; correct"),
    "a misspelt source": (HEADER + "one\tA\tepigenom:E01\n", {}, "does not exist, did you mean 'epigenome'?"),
    "the same file": (HEADER + ROWS + "one\tC\t./a.tsv\n", {}, "'./a.tsv' is also the data of context 'A'; give"),
    "too few samples": (HEADER + "one\tA\tfew.tsv\n", {}, "few.tsv has 19 samples, fewer than the 20 of 'graphs.min_"),
    "a covariate takes one": (
        HEADER + "one\tA\tfew.tsv\n",
        {"min_samples": 19, "covariates": ["age"]},
        "without one for each of 1 covariates; from so few",
    ),
    "other variables": (
        HEADER + "one\tA\ta.tsv\none\tC\tc.tsv\n",
        {},
        "context 'C': c.tsv lacks age, unlike context 'A'; give all contexts of a set the same",
    ),
    "other kinds": (HEADER + "one\tA\ta.tsv\none\tB\tepigenome:E01\n", {}, "'a.tsv' and 'epigenome:E01' have other"),
    "an unknown epigenome": (
        HEADER + "one\tA\tepigenome:E99\n",
        {},
        "epigenome 'E99' is not in the study, did you mean",
    ),
    "an unknown class": (HEADER + "one\tA\tepigenome:E01:On\n", {}, "'On' is not a class of genes, did you mean 'ON'?"),
    "an unknown group": (HEADER + "one\tA\texpression:stam\n", {}, "of the group 'stam', did you mean 'stem'?"),
    "a small group": (
        HEADER + "one\tA\texpression:blood\n",
        {},
        "of the group 'blood' has 2 epigenomes, fewer than the",
    ),
    "uneven bins": (
        HEADER + "one\tA\tepigenome:E01\n",
        {"variables": {"bin_groups": 30}},
        "30 groups do not divide the",
    ),
    "blocks of epigenomes": (
        "set\tcontext\tdata\tblock\none\tA\tepigenome:E01\tb.txt\n",
        {},
        "block: samples of epigenome have blocks of their own; empty",
    ),
    "no such block": (
        "set\tcontext\tdata\tblock\none\tA\ta.tsv\tcolumn:subject\n",
        {},
        "a.tsv: line 1: has no column 'subject' for the blocks; correct",
    ),
    "nothing is shared": (
        HEADER + ROWS,
        {"share_cost": 1},
        "so nothing is ever shared; give a number above 0 and below",
    ),
    "a negative cost": (HEADER + ROWS, {"share_cost": -0.5}, "-0.5 is out of range; give a number above 0"),
    "lambda in words": (
        HEADER + ROWS,
        {"lambda": "fdr"},
        "'fdr' is not valid; give a number between 0 and 1, stability",
    ),
    "lambda of 0": (HEADER + ROWS, {"lambda": 0}, "key 'graphs.lambda': 0 is out of range; give a number above 0"),
    "lambda of 2": (HEADER + ROWS, {"lambda": 2}, "2 is out of range: no partial correlation is above 1"),
    "lambda in tiles": (HEADER + ROWS, {"lambda": 0.1, "tiles": {"from": 3}}, "it is in units of noise; give a number"),
    "no halves": (
        HEADER + ROWS,
        {"lambda": "stability", "controls": {"stability": 0}},
        "'graphs.controls.stability' is 0",
    ),
    "only differences": (
        HEADER + "one\tA\ta.tsv\n",
        {"estimators": ["diffee"]},
        "set 'one' has 1; add an estimator of",
    ),
    "too many variables": (
        HEADER + "one\tA\twide.csv\n",
        {"estimators": ["simule"], "tiles": {"from": 40}},
        "simule reads whole matrices of pairs, but the 50 variables of set 'one' are estimated in tiles; change it",
    ),
    "whole matrices in tiles": (HEADER + ROWS, {"covariance": "kendall", "tiles": {"from": 3}}, "kendall reads whole"),
    "an unknown covariate": (
        HEADER + ROWS,
        {"covariates": ["Age"]},
        "'Age' is not a variable of set 'one', did you mean",
    ),
    "covariates only": (HEADER + ROWS, {"covariates": ["age", "x"]}, "fewer than two variables beside covariates; add"),
    "no knowledge": (HEADER + ROWS, {"knowledge": {"edges": "no.tsv"}}, "key 'graphs.knowledge.edges': file 'no.tsv'"),
    "knowledge of others": (
        HEADER + ROWS,
        {"knowledge": {"edges": "w.tsv"}},
        "w.tsv: line 2: 'Y' is not among the variables of set 'one', did you mean 'y'?; correct",
    ),
    "a covariate as a hub": (
        HEADER + ROWS,
        {"knowledge": {"hubs": "hubs.txt"}, "covariates": ["age"]},
        "'age' is not among",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_mistakes_give_one_line(case: str, workdir: Path) -> None:
    content, section, words = CASES[case]
    with pytest.raises(UserError) as caught:
        load(workdir, content, **section)
    message = str(caught.value)
    assert "\n" not in message
    assert words in message, message
    assert ";" in message


def test_a_study_of_other_estimators_than_its_size_allows_is_refused(workdir: Path) -> None:
    (workdir / "many.csv").write_text(",".join(f"v{n}" for n in range(301)) + "\n" + "1,2\n" * 25)
    with pytest.raises(
        UserError, match=r"simule takes at most 300 variables, but set 'one' has 301; remove it, or take"
    ):
        load(workdir, HEADER + "one\tA\tmany.csv\n", estimators=["simule"])


PLANNED = """
import sys
from pathlib import Path
from chromattend.graphs.configuration import load_graphs

config = {"graphs": {"sheet": "sheet.tsv", "knowledge": {"hubs": "hubs.txt"}}}
study = load_graphs(config, Path(sys.argv[1]), Path.cwd())
assert study.forecast
print(*sorted({"numpy", "pandas", "scipy", "xarray"} & sys.modules.keys()))
"""


def test_planning_imports_no_arrays(workdir: Path) -> None:
    (workdir / "sheet.tsv").write_text(HEADER + ROWS + "one\tD\td.npz\n")
    command = [sys.executable, "-c", PLANNED, str(SCHEMAS)]
    done = subprocess.run(command, cwd=workdir, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr
