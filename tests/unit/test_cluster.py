"""A cluster's own facts."""

from pathlib import Path

import pytest

from chromattend.cluster import Cluster
from chromattend.errors import UserError


def test_the_checkouts_file_says_nothing(repository: Path) -> None:
    assert Cluster.read(repository / "config/cluster.yaml") == Cluster()


def test_facts_are_read(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("account: 1234\nconstraint: avx2\npartitions:\n  gpu: {max_gpu: 4}\n")
    assert Cluster.read(path) == Cluster("1234", "avx2", {"gpu": {"max_gpu": 4}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acount: x\n", "'acount' is not known; the keys are account, constraint, partitions"),
        ("- account\n", "is not known"),
        ("account: [\n", "is no YAML"),
        ("partitions: [gpu]\n", "limits of each partition"),
        ("partitions: {gpu: }\n", "limits of each partition"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        Cluster.read(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file; restore it"):
        Cluster.read(tmp_path / "cluster.yaml")
