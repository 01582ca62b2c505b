"""Fixtures that every kind of test shares."""

import os
from pathlib import Path

import pytest
import torch

if not torch.cuda.is_available():
    # Without a GPU, Triton interprets the kernels, if this is set when it is imported.
    os.environ["TRITON_INTERPRET"] = "1"

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real Roadmap files: CHROMATTEND_TEST_DATA, or shared/data next to the checkout."""
    folder = Path(os.environ.get("CHROMATTEND_TEST_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (folder / "roadmap").is_dir():
        pytest.skip(f"no real data in {folder}; set CHROMATTEND_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout under test."""
    return REPOSITORY
