"""Reading and writing files; a killed job never leaves a partial file under its final name."""

import hashlib
import json
import os
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isal import igzip_lib

from chromattend.errors import UserError

if TYPE_CHECKING:
    # A download needs neither; importing them would take most of its time.
    import pandas as pd
    import xarray as xr

# Exceptions that reading a truncated or damaged gzip file can raise.
GZIP_ERRORS: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, igzip_lib.IsalError)  # type: ignore[assignment]

# Columns of any table that hold names: what users call their samples, and what databases call genes and chromosomes.
NAMES = (
    *("epigenome", "trained_on", "tested_on", "pair", "scope"),
    *("gene", "symbol", "other_gene", "chrom", "mark", "validation_mark"),
    *("example", "train_example", "train_gene", "train_symbol"),
    *("set", "tf", "sequence", "edited", "view", "route", "motif", "consensus", "entry", "own_entry", "name", "family"),
    *("variable", "group", "node1", "node2", "context", "estimator", "class", "relation"),
    *("model", "other", "data", "format", "source", "sha256", "empty_chromosomes"),
)

# Column of a training's history, present if its LSTMs could not be compiled.
UNCOMPILED = "lstm_uncompiled"


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`; rename it to `path` on success, remove it on any failure.

    The temporary name keeps the suffixes of `path`, because several writers choose the format by suffix.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix="-" + path.name)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes the file private to the user; outputs get the usual permissions.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Raise a `UserError` if a file cannot be written, before a long computation starts."""
    path = Path(path)
    if path.is_dir():
        raise UserError(f"{path}: is a folder; give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); give another path") from None


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_netcdf(dataset: "xr.Dataset", path: str | Path) -> None:
    """Write a compressed netCDF-4 file; the same content gives the same bytes."""
    encoding = {
        name: {"zlib": True, "complevel": 4, "shuffle": True}
        for name, variable in dataset.data_vars.items()
        if variable.dtype.kind in "iuf"
    }
    with atomic(path) as temporary:
        dataset.to_netcdf(temporary, engine="h5netcdf", encoding=encoding)


def read_netcdf(path: str | Path) -> "xr.Dataset":
    """Read a netCDF file of this project into memory."""
    import xarray as xr

    try:
        return xr.load_dataset(path, engine="h5netcdf")
    except OSError as error:
        raise UserError(f"{path}: is not a readable netCDF file; delete it and run again ({error})") from error


def write_table(
    table: "pd.DataFrame", path: str | Path, decimals: int | None = None, significant: int | None = None
) -> None:
    """Write a table with a header line, missing values as empty fields; tab-separated, or comma-separated for `.csv`.

    Args:
        table: table to write, without its index.
        path: output file.
        decimals: decimal places of numbers in tables for readers; None keeps full precision for the next stage.
        significant: significant digits, instead of decimal places.
    """
    form = f"%.{decimals}f" if decimals is not None else f"%.{significant}g" if significant is not None else None
    with atomic(path) as temporary:
        table.to_csv(
            temporary,
            sep="," if Path(path).suffix == ".csv" else "\t",
            index=False,
            lineterminator="\n",
            float_format=form,
        )


def read_table(path: str | Path) -> "pd.DataFrame":
    """Read a table of this project, tab-separated, or a `.csv` by its name.

    Columns of `NAMES` are text as it is written, so that `001`, `1e5` and `NA` stay names. An empty cell is missing.
    """
    import pandas as pd

    return pd.read_csv(
        path,
        sep="," if Path(path).suffix == ".csv" else "\t",
        keep_default_na=False,
        na_values=[""],
        dtype=dict.fromkeys(NAMES, str),
    )


def write_json(value: Any, path: str | Path) -> None:
    """Write a value as JSON."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file of this project."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: is damaged; delete it and run again ({error})") from None
