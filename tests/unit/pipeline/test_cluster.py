"""A cluster's own facts."""

import subprocess
from pathlib import Path

import pytest

from chromattend.errors import UserError
from chromattend.pipeline.cluster import Cluster, check_folder


def test_the_checkouts_file_says_nothing(repository: Path) -> None:
    assert Cluster.read(repository / "config/cluster.yaml") == Cluster()


def test_facts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("account: 1234\nconstraint: avx2\npartitions:\n  gpu: {max_gpu: 4}\n")
    assert Cluster.read(path) == Cluster("1234", "avx2", {"gpu": {"max_gpu": 4}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acount: x\n", "'acount' is not a setting; use the keys account, constraint, partitions"),
        ("- account\n", "is not a mapping of keys; write lines such as 'account: name'"),
        ("account\n", "is not a mapping of keys"),
        ("account: [\n", "is not valid YAML"),
        ("partitions: [gpu]\n", "limits of each partition"),
        ("partitions: {gpu: }\n", "limits of each partition"),
    ],
)
def test_an_error_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        Cluster.read(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["/a b", "/it's; Zürich", '/"odd"; $HOME `x`'])
def test_folders_that_jobs_can_be_given(name: str) -> None:
    check_folder(name)
    # As Snakemake writes it, and a shell reads it.
    shown = subprocess.run(["sh", "-c", f"printf %s {name!r}"], capture_output=True, text=True, check=True)
    assert shown.stdout == name


@pytest.mark.parametrize("name", ["/it's $HOME", "/it's `x`", '/it\'s "odd"', "/a\\b"])
def test_folders_that_no_job_can_be_given(name: str) -> None:
    with pytest.raises(UserError, match="rename it"):
        check_folder(name)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist; restore it"):
        Cluster.read(tmp_path / "cluster.yaml")
