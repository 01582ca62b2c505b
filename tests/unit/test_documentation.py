"""What the documents say of the configuration is what the schema says."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chromattend.graphs.configuration import read_schema as read_graph_schema
from chromattend.robustness.configuration import read_schema as read_robustness_schema
from chromattend.sequence.configuration import read_schema


def keys(schema: dict, prefix: str = "") -> Iterator[tuple[str, dict]]:
    for name, part in schema["properties"].items():
        if part.get("type") == "object":
            yield from keys(part, f"{prefix}{name}.")
        else:
            yield prefix + name, part


def documented_keys(repository: Path) -> dict[str, str]:
    reference = (repository / "config/README.md").read_text().splitlines()
    return {line.split("`")[1]: line for line in reference if line.startswith("| `") and line.count("|") == 5}


def assert_documented(known: dict[str, dict], documented: dict[str, str]) -> None:
    assert {key for key in documented if "." in key or key in known} >= known.keys()
    for key, part in known.items():
        default = part["default"] if isinstance(part["default"], str) else json.dumps(part["default"])
        assert f"| `{default}` |" in documented[key], key
        assert " ".join(part["description"].split()) in documented[key], key


def test_every_key_is_in_the_reference_with_its_default_and_meaning(repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/config.schema.yaml").read_text())
    assert_documented(dict(keys(schema)), documented_keys(repository))


def test_every_key_of_the_section_sequence_and_no_other_is_in_the_reference(repository: Path) -> None:
    schema, documented = read_schema(repository / "workflow/schemas"), documented_keys(repository)
    known = dict(keys(schema, "sequence."))
    assert {key for key in documented if key.startswith("sequence.")} == known.keys()
    assert_documented(known, documented)
    for key in ("sequence.models", "sequence.explain.models"):
        names = schema["$defs"]["model" if key == "sequence.models" else "explained"]["enum"]
        assert ", ".join(f"`{name}`" for name in names) in documented[key].split("|")[2], key


def test_the_sheets_columns_are_in_the_reference(repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/epigenomes.schema.yaml").read_text())
    reference = (repository / "config/README.md").read_text()
    for column in schema["properties"]:
        assert f"| `{column}` |" in reference


@pytest.mark.parametrize(
    ("schema", "heading"), [("sequences", "The sheet of sequences"), ("contexts", "The sheet of contexts")]
)
def test_the_columns_of_a_tracks_sheet_are_in_the_reference_with_their_meaning(
    repository: Path, schema: str, heading: str
) -> None:
    columns = yaml.safe_load((repository / f"workflow/schemas/{schema}.schema.yaml").read_text())["properties"]
    rows = [row for row in section(repository / "config/README.md", heading) if row.startswith("| `")]
    documented = {row.split("`")[1]: row for row in rows}
    assert documented.keys() == columns.keys()
    for column, part in columns.items():
        assert " ".join(part["description"].split()) in documented[column], column


def section(page: Path, heading: str) -> list[str]:
    lines = page.read_text().splitlines()
    start = lines.index(f"## {heading}") + 1
    return lines[start : next((n for n in range(start, len(lines)) if lines[n].startswith("## ")), len(lines))]


def test_every_output_of_the_track_sequence_is_described(repository: Path) -> None:
    rules = "".join(path.read_text() for path in sorted((repository / "workflow/rules/sequence").glob("*.smk")))
    files = {place.rpartition("/")[2] for place in re.findall(r'"<results>/sequence/([^"]*\.\w+)"', rules)}
    files = {file for file in files if "{" not in file}
    assert {"dataset.nc", "motifs.meme", "report.html", "index.html", "views.svg"} <= files
    described = " ".join(section(repository / "docs/outputs.md", "Sequences"))
    assert not [file for file in sorted(files) if f"`{file}`" not in described and f"/{file}`" not in described]


def test_every_output_of_the_track_graphs_is_described(repository: Path) -> None:
    rules = "".join(path.read_text() for path in sorted((repository / "workflow/rules/graphs").glob("*.smk")))
    outputs = re.sub(r"temp\([^)]*\)", "", rules)
    files = {place.rpartition("/")[2] for place in re.findall(r'"<results>/graphs/([^"]*\.\w+)"', outputs)}
    files = {file for file in files if "{" not in file}
    assert {"samples.nc", "edges.tsv", "graph.graphml", "report.html", "index.html", "edges.svg"} <= files
    described = " ".join(section(repository / "docs/outputs.md", "Graphs"))
    assert not [file for file in sorted(files) if f"`{file}`" not in described and f"/{file}`" not in described]


def test_every_key_of_the_section_graphs_and_no_other_is_in_the_reference(repository: Path) -> None:
    schema, documented = read_graph_schema(repository / "workflow/schemas"), documented_keys(repository)
    known = dict(keys(schema, "graphs."))
    assert {key for key in documented if key.startswith("graphs.")} == known.keys()
    assert_documented(known, documented)
    names = schema["$defs"]["estimator"]["enum"]
    assert ", ".join(f"`{name}`" for name in names) in documented["graphs.estimators"].split("|")[2]


def test_every_output_of_the_track_robustness_is_described(repository: Path) -> None:
    rules = "".join(path.read_text() for path in sorted((repository / "workflow/rules/robustness").glob("*.smk")))
    files = {place.rpartition("/")[2] for place in re.findall(r'"<results>/robustness/([^"]*\.\w+)"', rules)}
    files = {file for file in files if "{" not in file}
    assert {"noise.tsv", "worst_case.tsv", "edited.nc", "letters.tsv", "adversarial.npz", "report.html"} <= files
    described = " ".join(section(repository / "docs/outputs.md", "Robustness"))
    assert not [file for file in sorted(files) if f"`{file}`" not in described and f"/{file}`" not in described]


def test_every_key_of_the_section_robustness_and_no_other_is_in_the_reference(repository: Path) -> None:
    schema, documented = read_robustness_schema(repository / "workflow/schemas"), documented_keys(repository)
    of_images = {"properties": schema["$defs"]["images"]["properties"]}
    # The sets of images are a mapping of names, whose keys are those of one set.
    sets = schema["properties"].pop("images")
    known = dict(keys(schema, "robustness.")) | {"robustness.images": sets}
    known |= {
        key: schema["$defs"][part["$ref"].rpartition("/")[2]] | part if "$ref" in part else part
        for key, part in of_images["properties"].items()
        for key in [f"robustness.images.NAME.{key}"]
    }
    assert {key for key in documented if key.startswith("robustness.")} == known.keys()
    assert_documented(known, documented)
    for key, name in (("attacks", "attack"), ("network", "network")):
        names = ", ".join(f"`{each}`" for each in schema["$defs"][name]["enum"])
        assert names in documented[f"robustness.images.NAME.{key}"].split("|")[2]


def test_links_between_documents_lead_somewhere(repository: Path) -> None:
    for page in [repository / "README.md", *repository.glob("docs/*.md"), repository / "config/README.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_drawing_of_the_rooms_is_that_of_the_import_contracts(repository: Path) -> None:
    page = (repository / "docs/architecture.md").read_text()
    contracts = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    assert re.search(r"```text\n(.*?)\n```", page, re.DOTALL)[1].splitlines() == layers  # type: ignore[index]


def test_every_room_is_described(repository: Path) -> None:
    page, library = repository / "docs/architecture.md", repository / "src/chromattend"
    for heading, folder in (
        ("Rooms and arrows", library),
        ("Inside the track `chromatin`", library / "chromatin"),
        ("Inside the track `sequence`", library / "sequence"),
        ("Inside the track `graphs`", library / "graphs"),
        ("Inside the track `robustness`", library / "robustness"),
    ):
        rows = [line for line in section(page, heading) if line.startswith("| `")]
        described = {name for row in rows for name in re.findall(r"`([\w/]+)(?:\.py)?`", row.split("|")[1])}
        paths = [path for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()]
        rooms = {path.stem + "/" * path.is_dir() for path in paths if not path.name.startswith("__")}
        assert described == rooms, f"{heading}: {described ^ rooms}"
