"""What every page says of when and by what it was written."""

import re
import subprocess
from pathlib import Path

import pytest

from chromattend import __version__, pages


@pytest.fixture(autouse=True)
def fresh() -> None:
    pages.commit.cache_clear()


def test_the_date_is_the_given_one_and_otherwise_that_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "commit", lambda: "")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert pages.written() == f"Written on 1970-01-02 (UTC) by chromattend {__version__}."
    for value in ("", "yesterday"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
        assert re.fullmatch(rf"Written on 20\d\d-\d\d-\d\d \(UTC\) by chromattend {__version__}\.", pages.written())


def test_the_commit_is_that_of_the_checkout_of_the_program(repository: Path) -> None:
    command = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.skip("these sources are not a checkout")
    assert len(pages.commit()) >= 10
    assert found.stdout.startswith(pages.commit())
    assert pages.written().endswith(f", commit {pages.commit()}.")


def test_a_program_within_the_checkout_of_another_project_names_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setattr(pages, "__file__", str(tmp_path / ".venv/lib/chromattend/pages/__init__.py"))
    assert pages.commit() == ""


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("/home/me/data/a.bed.gz", "a.bed.gz"),
        ("https://mirror.example/b.bw", "b.bw"),
        ("reads/", "reads"),
        ("c.bam", "c.bam"),
        ("", ""),
    ],
)
def test_pages_show_the_name_of_a_file(location: str, name: str) -> None:
    assert pages.file_name(location) == name
