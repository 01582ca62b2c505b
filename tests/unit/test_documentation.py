"""What the documents say of the configuration is what the schema says."""

import json
import re
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
