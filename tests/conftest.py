"""Fixtures that every kind of test shares."""

import os
from collections import Counter
from pathlib import Path

import pytest
import torch

if not torch.cuda.is_available():
    # Without a GPU, Triton interprets the kernels, if this is set when it is imported.
    os.environ["TRITON_INTERPRET"] = "1"

# Pages that tests compare have one date, also when the date changes between them.
os.environ["SOURCE_DATE_EPOCH"] = "1790000000"

REPOSITORY = Path(__file__).resolve().parents[1]
# Folders of long tests, the longest first.
LONG = ("workflow", "learning", "browser")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Hand out files of long tests before those of many short ones, so that all processes end at the same time."""
    if not hasattr(config, "workerinput"):
        return  # one process: in the order of the files
    tests = Counter(item.path for item in items)

    def place(item: pytest.Item) -> tuple[int, int]:
        folder = item.path.relative_to(REPOSITORY / "tests").parts[0]
        return (LONG.index(folder), 0) if folder in LONG else (len(LONG), -tests[item.path])

    items.sort(key=place)


def real(part: str) -> Path:
    """Return the folder of real data, CHROMATTEND_TEST_DATA or shared/data next to the checkout, if it has a part."""
    folder = Path(os.environ.get("CHROMATTEND_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / part).is_dir():
        pytest.skip(f"no real data in {folder / part}; set CHROMATTEND_TEST_DATA to the folder of {part}")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, with Roadmap files."""
    return real("roadmap")


@pytest.fixture(scope="session")
def real_sequences() -> Path:
    """The folder of real sets of sequences."""
    return real("sequences") / "sequences"


@pytest.fixture(scope="session")
def real_networks() -> Path:
    """The folder of real sets of joint graphs, with the outputs of their authors' code."""
    return real("networks") / "networks"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout under test."""
    return REPOSITORY
