"""What the start page of the report says was run."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml

from chromattend import __version__
from chromattend.chromatin.configuration import load_study
from chromattend.chromatin.pages import about


def test_the_study_is_described_even_where_jobs_have_environments_of_their_own(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load((repository / "config/config.yaml").read_text())
    study = load_study(config, repository / "workflow/schemas", repository)
    found = about.about(study)
    assert (found["epigenomes"], found["split"], found["bin"]) == (56, "sequential", 100)
    assert found["models"][-1] == "AttentiveChrome"
    assert found["versions"]["chromattend"] == __version__
    assert found["versions"]["torch"].startswith("2.")

    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(about, "version", missing)
    assert about.about(study)["versions"]["torch"] == "of the rules' environments"
