"""What the documents say of the configuration is what the schema says."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import yaml


def keys(schema: dict, prefix: str = "") -> Iterator[tuple[str, dict]]:
    for name, part in schema["properties"].items():
        if part.get("type") == "object":
            yield from keys(part, f"{prefix}{name}.")
        else:
            yield prefix + name, part


def test_every_key_is_in_the_reference_with_its_default_and_meaning(repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/config.schema.yaml").read_text())
    reference = (repository / "config/README.md").read_text().splitlines()
    documented = {line.split("`")[1]: line for line in reference if line.startswith("| `") and line.count("|") == 5}
    known = dict(keys(schema))
    assert {key for key in documented if "." in key or key in known} >= known.keys()
    for key, part in known.items():
        default = part["default"] if isinstance(part["default"], str) else json.dumps(part["default"])
        assert f"| `{default}` |" in documented[key], key
        assert " ".join(part["description"].split()) in documented[key], key


def test_the_sheets_columns_are_in_the_reference(repository: Path) -> None:
    schema = yaml.safe_load((repository / "workflow/schemas/epigenomes.schema.yaml").read_text())
    reference = (repository / "config/README.md").read_text()
    for column in schema["properties"]:
        assert f"| `{column}` |" in reference


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
    rows = [line for line in (repository / "docs/architecture.md").read_text().splitlines() if line.startswith("| `")]
    described = {name for row in rows for name in re.findall(r"`([\w/]+)(?:\.py)?`", row.split("|")[1])}
    library = repository / "src/chromattend"
    for folder in (library, library / "chromatin"):
        paths = [path for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()]
        rooms = {path.stem + "/" * path.is_dir() for path in paths if not path.name.startswith("__")}
        assert rooms <= described, rooms - described
