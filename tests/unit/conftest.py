"""Builders that several test files share."""

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture
def genes() -> Callable[..., pd.DataFrame]:
    """Make a gene table of (chrom, tss, strand) rows."""

    def make(*rows: tuple[str, int, str]) -> pd.DataFrame:
        table = pd.DataFrame(rows, columns=["chrom", "tss", "strand"])
        table.insert(0, "gene", [f"ENSG{number:011d}" for number in range(1, len(rows) + 1)])
        table.insert(1, "symbol", [f"GENE{number}" for number in range(1, len(rows) + 1)])
        return table

    return make


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes | Sequence[tuple]], Path]:
    """Write a file, gzip-compressed if its name says so; rows of tuples become tab-separated lines."""

    def make(name: str, content: str | bytes | Sequence[tuple]) -> Path:
        if not isinstance(content, str | bytes):
            content = "".join("\t".join(map(str, row)) + "\n" for row in content)
        data = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return make
