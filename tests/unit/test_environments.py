"""The environments of conda, of containers and of pip have the same packages."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

# Names of conda's channels where they differ from those of pip.
CONDA = {
    "isal": "python-isal",
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
    "torch": "pytorch-{device}",
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def locked(repository: Path) -> dict[str, str]:
    lines = (repository / "requirements.lock").read_text().splitlines()
    pins = (line.partition(";")[0].partition("==") for line in lines if "==" in line)
    return {normal(name): version.strip() for name, _, version in pins}


@pytest.fixture(scope="module")
def needed(repository: Path) -> list[str]:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    return [normal(re.split(r"[<>=\[]", requirement)[0]) for requirement in project["dependencies"]]


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_conda_has_what_the_library_needs_in_the_locked_versions(
    repository: Path, locked: dict[str, str], needed: list[str], device: str
) -> None:
    environment = yaml.safe_load((repository / "envs" / f"{device}.yaml").read_text())
    *lines, by_pip = environment["dependencies"]
    lines.remove("pip")
    found = dict(line.split(" =") for line in lines) | dict(line.split("==") for line in by_pip["pip"])
    python = found.pop("python")
    # The recurrence of LSTMs is compiled on first use; the containers take a compiler from Debian.
    found.pop("c-compiler")
    expected = {CONDA.get(name, name).format(device=device): locked[name] for name in needed}
    assert found.keys() == expected.keys()
    for name, version in found.items():
        assert f"{expected[name]}.".startswith(f"{version}."), name
    for recipe in ("Dockerfile", "chromattend.def"):
        text = (repository / "envs" / recipe).read_text()
        assert f"python:{python}-" in text
        assert "gcc libc6-dev" in text


def test_locked_versions_are_within_those_that_the_project_asks_for(repository: Path, locked: dict[str, str]) -> None:
    from packaging.requirements import Requirement

    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    extras = [requirement for part in project["optional-dependencies"].values() for requirement in part]
    for text in [*project["dependencies"], *extras]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked[normal(requirement.name)]), text


@pytest.mark.parametrize("recipe", ["Dockerfile", "chromattend.def"])
def test_containers_install_the_locked_versions(repository: Path, recipe: str) -> None:
    text = (repository / "envs" / recipe).read_text()
    assert "requirements.lock" in text
    assert re.findall(r"pip install (.*)", text) == ["--no-cache-dir --requirement /opt/chromattend/requirements.lock"]
